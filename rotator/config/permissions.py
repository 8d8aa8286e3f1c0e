"""Whether a file may be believed: nobody else can have written it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rotator.config.errors import ConfigError


def checked(path: Path) -> Path:
    """The path, if nobody else may write the file or replace it in its folder. Raises `ConfigError`."""
    try:
        file = path.stat()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    if not stat.S_ISREG(file.st_mode):
        raise ConfigError(f"{path} is not a file", "name the config file itself")
    if file.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path} may be written by others", f"chmod go-w {path}")
    if not _ours(file):
        raise ConfigError(f"{path} belongs to somebody else", f"read it, then chown it to yourself or root: {path}")
    check_folder(path.resolve().parent)
    return path


def check_folder(path: Path) -> None:
    """Raises `ConfigError` if somebody else may replace a file in this folder."""
    try:
        folder = path.stat()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    if folder.st_mode & stat.S_ISVTX:
        return  # there only its owner may replace a file
    if folder.st_mode & stat.S_IWOTH:
        raise ConfigError(f"the folder {path} may be written by everybody", f"chmod o-w {path}")
    if not _ours(folder):
        raise ConfigError(f"the folder {path} belongs to somebody else", "keep the config in a folder of your own")


def _ours(status: os.stat_result) -> bool:
    return status.st_uid in (0, os.geteuid())
