"""The pins: what makes each driver, as it was when somebody approved it. Beside the config, and guarded like it.

    {"drivers": {"provider openai": {"parts": {"urllib3": "2.8.0 sha256:…"}, "reach": {"hosts": […], …}}}}

Once there is a file of pins, a driver that is not in it, or is no longer what it was, does not start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "rotator.pins.json"


class NotPinned(Exception):
    """The driver is not what was pinned: how it differs, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Pin:
    """One driver: its parts with version and digest."""

    parts: Mapping[str, str]

    def differs(self, parts: Mapping[str, str]) -> str | None:
        """How what is installed differs, as text; None: not at all."""
        for name in sorted(self.parts.keys() | parts.keys()):
            was, is_ = self.parts.get(name), parts.get(name)
            if was == is_:
                continue
            if was is None:
                return f"{name} was not needed when it was pinned"
            if is_ is None:
                return f"{name} is not needed any more"
            before, now = was.partition(" ")[0], is_.partition(" ")[0]
            return f"{name} was {before} and is {now}" if before != now else f"{name} {now} was changed in place"
        return None


@dataclass(frozen=True, slots=True)
class Pins:
    """All pins of one config; `drivers` None: there is no file, and nothing is pinned."""

    drivers: Mapping[str, Pin] | None = None

    def check(self, driver: str, parts: Mapping[str, str]) -> None:
        """Raises `NotPinned`; where nothing is pinned, never."""
        if self.drivers is None:
            return
        pin = self.drivers.get(driver)
        if pin is None:
            raise NotPinned(f"the {driver} is not pinned", "look at what it is, then `rotator plugins pin`")
        differs = pin.differs(parts)
        if differs is not None:
            hint = "find out who changed it; if it was you, `rotator plugins pin`"
            raise NotPinned(f"the {driver} is not what was pinned: {differs}", hint)


def read_pins(path: Path) -> Pins:
    """The pins of a file; nothing pinned where there is none. Raises `NotPinned` for one that cannot be read."""
    try:
        told = json.loads(path.read_text())
        drivers = {
            name: Pin({part: _text(was) for part, was in each["parts"].items()})
            for name, each in told["drivers"].items()
        }
    except FileNotFoundError:
        return Pins()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass  # raised below
    else:
        return Pins(drivers)
    raise NotPinned(f"{path} cannot be read", "`rotator plugins pin` writes it again")


def _text(each: object) -> str:
    if not isinstance(each, str):
        raise TypeError
    return each


def write_pins(path: Path, drivers: Mapping[str, Mapping[str, str]]) -> None:
    """Write the file as a whole. Raises `OSError`."""
    told: dict[str, Any] = {"drivers": {name: {"parts": dict(parts)} for name, parts in sorted(drivers.items())}}
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    fresh.chmod(0o644)
    fresh.replace(path)
