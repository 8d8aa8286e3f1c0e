"""Fixtures for drivers in processes of their own."""

import pytest

from tests.isolation.apart import ALWAYS, Apart
from tests.isolation.children import copies, start
from tests.isolation.strangers import strangers

__all__ = ["copies", "start", "strangers"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the contracts of all drivers `make test` runs what a process could break."""
    for item in items:
        kind = getattr(item, "cls", None)
        if kind is not None and issubclass(kind, Apart) and getattr(item, "originalname", "") not in ALWAYS:
            item.add_marker(pytest.mark.slow)
