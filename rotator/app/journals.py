"""The journal of a config, opened; and the verdict on its trail."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.config.installation import Installation
from rotator.config.reading import Config
from rotator.ports import Journal


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the trail is what was written, in a sentence."""

    ok: bool
    text: str
