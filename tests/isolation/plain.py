"""Drivers that mean no harm, for what is done to their code."""

from __future__ import annotations

from pathlib import Path

from rotator.adapters.isolation.closures import closure_of
from rotator.adapters.isolation.pins import Pin, Pins
from rotator.adapters.isolation.provider import IsolatedProvider
from rotator.domain.secret import Secret
from tests.isolation.children import SVC
from tests.isolation.strangers import found, install

SOURCE = """
from rotator.sdk import Reach
{imports}
WORD = {word}

class Driver:
    @classmethod
    def from_settings(cls, name, settings, admin, timeout):
        return cls()

    @classmethod
    def reach(cls, settings):
        return Reach()

    def identify(self, principal, value):
        return WORD
"""


def plain(
    folder: Path,
    name: str = "plain",
    *,
    word: str = "'good'",
    imports: str = "",
    requires: tuple[str, ...] = (),
    **files: str,
) -> None:
    """Install a driver that says a word; `files`: module and source, beside its own."""
    module = name.replace("-", "_") + "_driver"
    sources = {f"{module}.py": SOURCE.format(word=word, imports=imports)}
    sources |= {f"{each.replace('__', '/')}.py": text for each, text in files.items()}
    install(folder, name, sources, requires=requires, driver=f"{module}:Driver")


def word_of(provider: IsolatedProvider) -> str | None:
    """What the driver says."""
    return provider.identify(SVC, Secret({"secret": "value-of-a-key-0123"}))


def pinned(name: str = "plain") -> Pins:
    """The driver, pinned as it is now."""
    return Pins({f"provider {name}": Pin(closure_of(found(name)).digests())})
