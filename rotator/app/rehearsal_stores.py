"""The stores of a rehearsal: files of this machine that are as slow as real stores."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rotator.config.document import Where
from rotator.config.reading import DriverConfig
from rotator.domain.credential import Place, Publication
from rotator.ports import Store, StoreCapabilities, Stored

VALUE = "{secret}"


class Slow:
    """A `Store` that takes as long for every request as a real one."""

    def __init__(self, inner: Store, seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def capabilities(self) -> StoreCapabilities:
        """As the store's."""
        return self._inner.capabilities()

    def read(self, place: Place) -> Stored:
        """Late."""
        time.sleep(self._seconds)
        return self._inner.read(place)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """Late."""
        time.sleep(self._seconds)
        return self._inner.write(place, fields, expected)

    def remove(self, place: Place, expected: str) -> None:
        """Late."""
        time.sleep(self._seconds)
        self._inner.remove(place, expected)

    def places(self, ref: str) -> tuple[Place, ...]:
        """Late."""
        time.sleep(self._seconds)
        return self._inner.places(ref)


class Files:
    """The stores of a stage: a folder for each, a file for each document, all values written at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._documents: dict[tuple[str, str], dict[str, str]] = {}
        self._numbers: dict[tuple[str, str], str] = {}
        self._stores: dict[str, Path] = {}

    def place(self, real: Publication) -> Publication:
        """The real place here: its reference may be no name of a file, and its templates may want other parts."""
        self._stores.setdefault(real.store, self._root / str(len(self._stores)))
        ref = self._numbers.setdefault((real.store, real.ref), f"{len(self._numbers)}.json")
        return Publication(store=real.store, ref=ref, fields=dict.fromkeys(real.fields, VALUE))

    def publish(self, places: Sequence[Publication], secret: str) -> None:
        """Let these places hold the value."""
        for each in places:
            document = self._documents.setdefault((each.store, each.ref), {})
            document.update(dict.fromkeys(each.fields, secret))

    def write(self) -> None:
        """Write all documents."""
        for (store, ref), fields_ in self._documents.items():
            self._stores[store].mkdir(mode=0o700, parents=True, exist_ok=True)
            private(self._stores[store] / ref, json.dumps(fields_))

    def stores(self) -> dict[str, DriverConfig]:
        """Their entries in the config."""
        return {
            name: DriverConfig(
                name=name,
                driver="file",
                settings={"root": str(folder), "format": "json"},
                where=Where(file="the drill", line=1),
            )
            for name, folder in self._stores.items()
        }


def private(path: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(text)
