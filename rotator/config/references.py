"""References to secrets: `file:PATH`, `env:NAME`, `STORE:REF#FIELD`. A config holds these and never a secret."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rotator.config.errors import ConfigError, nearest
from rotator.domain.held import HELD

_REFERENCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*):(.+)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BUILT_IN = ("file", "env")
LONGEST = 64 * 1024
HOW = "write file:PATH, env:NAME or STORE:REF#FIELD"


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is. `scheme` is `file`, `env` or the name of a store.

    `private`: a file must not be readable by everybody, because it is ours and nothing has to share it.
    """

    scheme: str
    target: str
    private: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.target}"


def read_reference(text: str, stores: Collection[str], where: str, *, private: bool = False) -> Reference:
    """Read a reference; whatever else stands there may be a secret, so it is not repeated. Raises `ConfigError`."""
    found = _REFERENCE.fullmatch(text)
    if found is None or found[1] not in (*BUILT_IN, *stores):
        near = nearest(found[1], (*BUILT_IN, *stores)) if found else None
        message = f"{where} is not a reference; a secret does not belong into the config"
        raise ConfigError(message, f"did you mean {near}:…?" if near else HOW)
    scheme, target = found[1], found[2]
    if scheme == "env" and not _VARIABLE.fullmatch(target):
        raise ConfigError(f"{where}: what follows env: is no name of a variable", HOW)
    if scheme not in BUILT_IN and not all(target.partition("#")):
        raise ConfigError(f"{where} names no field of the store's document", f"write {scheme}:REF#FIELD")
    return Reference(scheme, target, private)


class Resolver:
    """Turns references into text when it is needed, and keeps nothing.

    `from_store` reads `REF#FIELD` of a store. `base`: the folder that relative paths are relative to.
    """

    def __init__(
        self, base: Path, from_store: Callable[[str, str], str], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._base = base
        self._from_store = from_store
        self._environment = environment

    def __call__(self, reference: Reference) -> str:
        """The text at a reference, without its last newline. Raises `ConfigError`."""
        text = self._text(reference)
        HELD.document(text)
        return text

    def _text(self, reference: Reference) -> str:
        if reference.scheme == "env":
            return self._variable(reference.target)
        if reference.scheme == "file":
            return self._file(self._base / reference.target, private=reference.private)
        return self._from_store(reference.scheme, reference.target)

    def _variable(self, name: str) -> str:
        text = self._environment.get(name, "")
        if not text:
            raise ConfigError(f"the environment variable {name} is not set", f"export {name}, or use file:PATH")
        return text

    def _file(self, path: Path, *, private: bool) -> str:
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(LONGEST + 1)
        except OSError as error:
            raise ConfigError(
                f"file:{path} cannot be read: {error.strerror}", "check the path and its permissions"
            ) from None
        if stat.S_ISREG(mode):  # a pipe of the shell has a mode that says nothing
            _check_mode(path, mode, private=private)
        if len(data) > LONGEST:
            raise ConfigError(f"file:{path} is too large for a secret", "refer to a file that holds the secret alone")
        try:
            text = data.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise ConfigError(f"file:{path} is not text", "refer to a file that holds the secret alone") from None
        if not text:
            raise ConfigError(f"file:{path} is empty", "put the secret into it, without anything else")
        return text


def _check_mode(path: Path, mode: int, *, private: bool) -> None:
    if mode & stat.S_IWOTH:
        raise ConfigError(f"file:{path} may be written by everybody", f"chmod o-w {path}")
    if private and mode & stat.S_IROTH:
        raise ConfigError(f"file:{path} may be read by everybody", f"chmod o-r {path}")


def from_prompt(name: str) -> str:
    """A secret from standard input: `--admin NAME=-`. Raises `ConfigError`."""
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise ConfigError(f"no admin credential for {name} on standard input", "pipe it in, or use file:PATH")
    HELD.document(text)
    return text
