"""How consumers are told that a value changed: one file for each kind of `reload:`, all of them listed in `kinds`."""

from rotator.adapters.consumers.settings import SettingsError
from rotator.adapters.consumers.telling import Telling

__all__ = ["SettingsError", "Telling"]
