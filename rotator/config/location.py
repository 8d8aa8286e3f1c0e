"""Which config file counts, and whether it may be believed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from rotator.config.errors import ConfigError

SYSTEM = Path("/etc/rotator/rotator.yaml")
NAME = "rotator.yaml"


def find(given: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The config to read: `--config`, `$ROTATOR_CONFIG`, the system's, the user's, or a trusted one right here.

    Raises `ConfigError` when there is none, or when it may not be believed.
    """
    if given or environment.get("ROTATOR_CONFIG"):
        return checked(Path(given or environment["ROTATOR_CONFIG"]))
    home = environment.get("XDG_CONFIG_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".config")
    for path in (SYSTEM, Path(home) / "rotator" / NAME):
        if path.exists():
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


def checked(path: Path) -> Path:
    """The path, if nobody else may write the file or the folder it is in. Raises `ConfigError`."""
    try:
        file = path.stat()
        folder = path.resolve().parent.stat()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    if not stat.S_ISREG(file.st_mode):
        raise ConfigError(f"{path} is not a file", "name the config file itself")
    if file.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path} may be written by others", f"chmod go-w {path}")
    if file.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"{path} belongs to somebody else", f"chown it to yourself or root: {path}")
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        raise ConfigError(f"the folder of {path} may be written by everybody", f"chmod o-w {path.resolve().parent}")
    return path


def trusted(path: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether exactly this content at exactly this path was trusted."""
    return _trusted(environment).get(str(path.resolve())) == _digest(path)


def trust(path: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Trust a config as it is now; a change asks again. Raises `ConfigError`."""
    checked(path)
    book = _book(environment)
    known = _trusted(environment)
    known[str(path.resolve())] = _digest(path)
    try:
        book.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = book.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        fresh.replace(book)
    except OSError as error:
        raise ConfigError(
            f"{book} cannot be written: {error.strerror}", "set XDG_STATE_HOME to a folder of yours"
        ) from None


def _trusted(environment: Mapping[str, str]) -> dict[str, str]:
    try:
        known = json.loads(_book(environment).read_text())
    except (OSError, ValueError):
        return {}
    return {str(path): str(digest) for path, digest in known.items()} if isinstance(known, dict) else {}


def _book(environment: Mapping[str, str]) -> Path:
    state = environment.get("XDG_STATE_HOME") or str(
        Path(environment.get("HOME", "~")).expanduser() / ".local" / "state"
    )
    return Path(state) / "rotator" / "trusted.json"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
