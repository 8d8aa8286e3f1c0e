"""References to secrets: `file:PATH`, `env:NAME`, `STORE:REF#FIELD`. A config holds these and never a secret."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rotator.config.errors import ConfigError

_REFERENCE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(.+)", re.DOTALL)
LONGEST = 64 * 1024
HOW = "write file:PATH, env:NAME or STORE:REF#FIELD"


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is. `scheme` is `file`, `env` or the name of a store."""

    scheme: str
    target: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.target}"


def read_reference(text: str, stores: Mapping[str, object], where: str) -> Reference:
    """Read a reference; whatever else stands there may be a secret, so it is not repeated. Raises `ConfigError`."""
    found = _REFERENCE.fullmatch(text)
    if found and (found[1] in ("file", "env") or found[1] in stores):
        return Reference(found[1], found[2])
    raise ConfigError(f"{where} is not a reference; a secret does not belong into the config", HOW)


class Resolver:
    """Turns references into text when it is needed, and keeps nothing.

    `from_store` reads `REF#FIELD` of a store. `base`: the folder that relative paths are relative to. `replaced`: for
    this run another reference instead, by the reference's text.
    """

    def __init__(
        self,
        base: Path,
        from_store: Callable[[str, str], str],
        replaced: Mapping[str, str] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._base = base
        self._from_store = from_store
        self._replaced = dict(replaced or {})
        self._environment = environment

    def __call__(self, reference: Reference) -> str:
        """The text at a reference, without its last newline. Raises `ConfigError`."""
        if reference.scheme == "env":
            return self._variable(reference.target)
        if reference.scheme == "file":
            return self._file(self._base / reference.target)
        return self._from_store(reference.scheme, reference.target)

    def _variable(self, name: str) -> str:
        text = self._environment.get(name, "")
        if not text:
            raise ConfigError(f"the environment variable {name} is not set", f"export {name}, or use file:PATH")
        return text

    def _file(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(LONGEST + 1)
        except OSError as error:
            raise ConfigError(
                f"file:{path} cannot be read: {error.strerror}", "check the path and its permissions"
            ) from None
        if mode & stat.S_IWOTH:
            raise ConfigError(f"file:{path} may be written by everybody", f"chmod o-w {path}")
        if len(data) > LONGEST:
            raise ConfigError(f"file:{path} is too large for a secret", "refer to a file that holds the secret alone")
        text = data.decode(errors="replace").rstrip("\r\n")
        if not text:
            raise ConfigError(f"file:{path} is empty", "put the secret into it, without anything else")
        return text


def from_prompt(name: str) -> str:
    """A secret from standard input: `--admin NAME=-`. Raises `ConfigError`."""
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise ConfigError(f"no admin credential for {name} on standard input", "pipe it in, or use file:PATH")
    return text
