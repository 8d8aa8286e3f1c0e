"""Which config file counts, and whether it may be believed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from rotator.config.errors import ConfigError
from rotator.config.including import digest, load_document
from rotator.config.permissions import checked

__all__ = ["NAME", "SYSTEM", "checked", "find", "trust", "trusted"]

SYSTEM = Path("/etc/rotator/rotator.yaml")
NAME = "rotator.yaml"


def find(given: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The config to read: `--config`, `$ROTATOR_CONFIG`, the system's, the user's, or a trusted one right here.

    Raises `ConfigError` when there is none, or when it may not be believed.
    """
    if given or environment.get("ROTATOR_CONFIG"):
        return checked(Path(given or environment["ROTATOR_CONFIG"]))
    for path in (SYSTEM, _folder(environment, "XDG_CONFIG_HOME", ".config") / NAME):
        # Unlike Path.exists this takes a folder that we may not look into for one without a config.
        if os.path.exists(path):  # noqa: PTH110
            return checked(path)
    here = Path(NAME)
    if not here.exists():
        raise ConfigError("there is no config", "`rotator init` writes one, `--config FILE` names one")
    checked(here)
    if not trusted(here, environment):
        raise ConfigError(
            f"{here} in this folder is not trusted, or was changed since",
            f"read it, then `rotator trust {here}`: it decides where admin keys are sent",
        )
    return here


def trusted(path: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether exactly this content, included files and all, was trusted at exactly this path. Raises `ConfigError`."""
    return _trusted(environment).get(str(path.resolve())) == digest(load_document(path))


def trust(path: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Trust a config as it is now; a change asks again. Raises `ConfigError`."""
    checked(path)
    book = _book(environment)
    known = {**_trusted(environment), str(path.resolve()): digest(load_document(path))}
    fresh = book.with_suffix(f".{os.getpid()}")
    try:
        book.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        fresh.replace(book)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"{book} cannot be written: {error.strerror}", "set XDG_STATE_HOME to your folder") from None


def _trusted(environment: Mapping[str, str]) -> dict[str, str]:
    try:
        known = json.loads(_book(environment).read_text())
    except (OSError, ValueError):
        return {}
    return {str(path): str(digest) for path, digest in known.items()} if isinstance(known, dict) else {}


def _book(environment: Mapping[str, str]) -> Path:
    return state_folder(environment) / "trusted.json"


def state_folder(environment: Mapping[str, str]) -> Path:
    """Where what this user has said is kept. Raises `ConfigError` for one without a home."""
    return _folder(environment, "XDG_STATE_HOME", ".local/state")


def _folder(environment: Mapping[str, str], variable: str, beneath_home: str) -> Path:
    if environment.get(variable):
        return Path(environment[variable]) / "rotator"
    try:
        home = Path(environment["HOME"]) if environment.get("HOME") else Path.home()
    except RuntimeError:
        raise ConfigError("you have no home folder", f"set HOME or {variable}, or use --config FILE") from None
    return home / beneath_home / "rotator"
