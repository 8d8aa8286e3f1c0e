"""What every form of a lockfile is to the rest: a name, a look at the contents, and the components in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePath
from typing import Any, ClassVar

from rotator.domain.failures import Permanent
from rotator.domain.packages import Component

MIB = 2**20


class Unreadable(Permanent):
    """A file that is no inventory, or is one that cannot be understood: its message begins with the file and line."""


class Syntax(Enum):
    """How the bytes are written."""

    TOML = "TOML"
    YAML = "YAML"
    JSON = "JSON"
    TEXT = "text"


MOST = {Syntax.TOML: 16 * MIB, Syntax.YAML: 16 * MIB, Syntax.JSON: 32 * MIB, Syntax.TEXT: 4 * MIB}
"""Bytes of a file that are read: in memory they become some ten times as many."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one file tells. `gaps`: what it does not, in words with the line; where there are any, more may be there.

    `includes`: files that it takes in and that were not read with it, as it names them.
    """

    kind: str
    components: tuple[Component, ...]
    gaps: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file: its name as it is shown, its text, and the plain value of a text that is TOML, JSON or YAML.

    `lines`: where the things of `value` stand, as far as its syntax tells. `at`: its path within the folder of the file
    that was asked for. `beside`: another file of that folder by such a path, raises `Unreadable`; None where there is
    no such folder, as in a commit.
    """

    name: str
    text: str
    value: Any = None
    lines: dict[Any, int] = field(default_factory=dict)
    at: str = ""
    beside: Callable[[str], Document] | None = None

    def error(self, message: str, hint: str, line: int | None = 1) -> Unreadable:
        """What is wrong at a line."""
        return Unreadable(f"{self.name}:{line or 1}: {message}", hint)

    def line_of(self, needle: str) -> int | None:
        """The first line that holds this text."""
        at = self.text.find(needle)
        return None if at < 0 else self.text.count("\n", 0, at) + 1


class Form(ABC):
    """One form of inventories. Holds nothing; safe for many threads."""

    kind: ClassVar[str]
    syntax: ClassVar[Syntax]

    @abstractmethod
    def named(self, path: PurePath) -> bool:
        """Whether a file of this name is expected to be of this form."""

    @abstractmethod
    def fits(self, document: Document) -> bool:
        """Whether the contents are of this form, in whatever version."""

    @abstractmethod
    def read(self, document: Document) -> Found:
        """What it tells. Raises `Unreadable` for what is of this form and cannot be understood. Twice: the same."""
