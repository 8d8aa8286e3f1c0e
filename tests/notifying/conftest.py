"""The keyserver, for what needs a whole scene."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rotator.testing.keyserver import Keyserver


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    """One of the test's own."""
    with Keyserver() as server:
        yield server
