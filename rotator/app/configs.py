"""Reading a config with this machine's calendar."""

from __future__ import annotations

from pathlib import Path

from rotator.adapters.calendar import CronCalendar
from rotator.config.reading import Config, read_config


def load_config(path: Path, *, lenient: bool = False) -> Config:
    """`rotator.config.reading.read_config`. Raises `ConfigError`."""
    return read_config(path, calendar=CronCalendar(), lenient=lenient)
