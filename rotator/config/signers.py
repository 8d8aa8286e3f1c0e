"""Who may approve a config by signing a commit: the file that `approvals.signers` names becomes its lines.

So a change of that file is a change of the config, which waits like every other one that lets somebody approve.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator.config.document import LONGEST, Document
from rotator.config.errors import ConfigError
from rotator.config.faults import Faults
from rotator.config.permissions import checked

if TYPE_CHECKING:
    from rotator.config.models import ConfigFile

SECTION, SETTING = "approvals", "signers"
_KEY = re.compile(r"\S\s+(?:.*\s)?(?:ssh|ecdsa|sk)-\S+\s+[A-Za-z0-9+/]{32,}={0,2}(?:\s|$)")


def enter(document: Document, base: Path) -> None:
    """Put the lines of the file in the place of its name.

    What cannot be read stays as it is: it is a fault of this setting alone, and `check` says it.
    """
    approvals = document.value.get(SECTION)
    named = approvals.get(SETTING) if isinstance(approvals, dict) else None
    if isinstance(named, str) and not _is_line(named):
        with suppress(ConfigError):
            path = base / named
            data = _read(path)
            approvals[SETTING] = _lines(data, path)
            document.read.append((path, data))


def check(document: Document, file: ConfigFile, faults: Faults) -> None:
    """Each line says who and with which key. Raises `ConfigError`; lenient, nothing of it counts."""
    lines = file.approvals.signers if file.approvals is not None else []
    try:
        for line in lines:
            if not _is_line(line):
                _refuse(document, line)
    except ConfigError as fault:
        faults.add(SECTION, SETTING, fault)


def _refuse(document: Document, line: str) -> None:
    where = document.where((SECTION, SETTING))
    path = Path(document.file).resolve().parent / line
    if document.value[SECTION][SETTING] == line:  # a file that could not be read; this says why
        _lines(_read(path), path)
    raise ConfigError(
        f"{where}: {SECTION}.{SETTING} holds a line that names no signer", "write it like ops@example.org ssh-ed25519 …"
    )


def _read(path: Path) -> bytes:
    try:
        with checked(path).open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    if len(data) > LONGEST:
        raise ConfigError(f"{path} is larger than {LONGEST // 2**20} MiB", "name an OpenSSH allowed-signers file")
    return data


def _lines(data: bytes, path: Path) -> list[str]:
    """What counts in it."""
    said = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    lines = [line for line in said if line and not line.startswith("#")]
    if not lines or not all(_is_line(line) and line.isprintable() for line in lines):
        hint = "write a line for each, like ops@example.org ssh-ed25519 …"
        raise ConfigError(f"{path} is no list of signers", hint)
    return lines


def _is_line(text: Any) -> bool:
    return isinstance(text, str) and _KEY.search(text) is not None
