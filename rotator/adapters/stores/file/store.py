"""The `file` store: JSON, dotenv, or a file per field, beneath one directory of this machine.

    stores:
      local: {driver: file, root: /srv/secrets}              # .json and .env by the reference's ending
      fields: {driver: file, root: /run/app, format: fields}  # a directory with a file for each field

New documents are 0600. One that is there keeps its user and group and becomes 0600, so consumers read as its user.

Compare-and-set is exact among rotators, who take a lock, and only detected for everybody else: an editor that writes
in the microseconds between the last comparison and the rename is overwritten. So `capabilities` says: not exact.
Pending and previous values lie in `.rotator` beneath the root, 0700, where no other user can read.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.file.beneath import Directory
from rotator.adapters.stores.file.document_lock import locked, read_seed, version_of
from rotator.adapters.stores.file.documents import DOTENV, JSON, WHOLE, Document, Format, Look, TextDocument
from rotator.adapters.stores.file.field_files import FieldFiles
from rotator.adapters.stores.file.opened import LOCKS, PRIVATE, Opened
from rotator.adapters.stores.names import LARGEST_VALUES, check_values, components, name_of, text_of
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Failure, Permanent
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted
from rotator.ports import ABSENT, StoreCapabilities, Stored

FORMATS = ("json", "dotenv", "fields")
NONCE = ""
"""The member of a private document that makes its content, and so its version, new with every write."""


class FileStore:
    """Documents beneath `root`. Safe for many threads and processes. Opens what it needs for each call."""

    def __init__(self, root: Path, form: str | None, timeout: timedelta) -> None:
        """`form`: one of `FORMATS`, or None to go by each reference's ending. `timeout`: until a lock is given up."""
        self._root = root
        self._form = form
        self._timeout = timeout

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> FileStore:
        """A store as configured: `root`, an absolute path, and perhaps `format`. Raises `SettingsError`."""
        given = Settings(settings, ("root", "format"))
        root = given.path("root")
        form = given.choice("format", FORMATS) if given.has("format") else None
        try:
            Directory.root(root).close()
        except Failure as failure:
            raise SettingsError(f"root: {failure.message}", failure.hint) from None
        return cls(root, form, timeout)

    def capabilities(self) -> StoreCapabilities:
        """As the port says; compare-and-set is detected, not exact, because others write files without our lock."""
        return StoreCapabilities(exact=False, max_bytes=LARGEST_VALUES)

    def read(self, place: Place) -> Stored:
        """As the port says. Takes no lock, so a writer that hangs holds no reader."""
        with Opened(self._root) as opened:
            seed = _seed(opened, place) if _shared(place) else b""
            document = self._document(opened, place) if _shared(place) else _to_look_at(opened, place)
            found = document.look() if document is not None else None
        values = _ours(place, found)
        check_values(values or {})
        return Stored(version=_version(place, seed, found), fields=None if _shared(place) and not values else values)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """As the port says. Raises Permanent for a value that the format cannot hold."""
        check_values(fields)
        with Opened(self._root) as opened:
            document = self._document(opened, place, create=expected == ABSENT)
            if document is None:
                raise _stale(place)
            with locked(opened.locks(), name_of(place.ref), Deadline(self._timeout)) as lock:
                found = document.look()
                if _version(place, lock.seed, found) != expected:
                    raise _stale(place)
                changes = {**fields} if _shared(place) else {**_nothing(found), **fields, NONCE: secrets.token_hex(16)}
                after = document.change(found, changes, lock.renew if _shared(place) else _nothing_before)
                return _version(place, lock.seed, after)

    def remove(self, place: Place, expected: str) -> None:
        """As the port says."""
        with Opened(self._root) as opened:
            document = self._document(opened, place)
            if document is None or document.look() is None:
                return
            with locked(opened.locks(), name_of(place.ref), Deadline(self._timeout)) as lock:
                found = document.look()
                ours = _ours(place, found) if _shared(place) else _nothing(found)
                if found is None or not ours:
                    return
                if _version(place, lock.seed, found) != expected:
                    raise _stale(place)
                document.change(found, dict.fromkeys(ours), lock.renew if _shared(place) else _nothing_before)

    def places(self, ref: str) -> tuple[Place, ...]:
        """As the port says."""
        components(ref, PRIVATE)
        found: list[Place] = []
        with Opened(self._root) as opened:
            for kind in (PlaceKind.PENDING, PlaceKind.PREVIOUS):
                directory = opened.ours(f"{kind.value}/{name_of(ref)}")
                names = directory.names() if directory is not None else ()
                found += [Place(ref=ref, kind=kind, of=text_of(name)) for name in names if not name.startswith(".")]
        return tuple(found)

    def _document(self, opened: Opened, place: Place, *, create: bool = False) -> Document | None:
        """The document of a place; None when a directory on the way to it does not exist and is not to be made."""
        parts = components(place.ref, PRIVATE)
        if not _shared(place):
            directory = opened.ours(_way(place), create=create)
            return TextDocument(directory, name_of(place.of), WHOLE) if directory is not None else None
        form = self._format(place.ref)
        parent = opened.enter(opened.root, *parts[:-1], create=create)
        if parent is None or form is not None:
            return TextDocument(parent, parts[-1], form) if parent is not None and form is not None else None
        directory = opened.enter(parent, parts[-1], create=create)
        return FieldFiles(parent, parts[-1], directory, place.fields) if directory is not None else None

    def _format(self, ref: str) -> Format | None:
        """How the document at a reference is written; None: a file per field."""
        name = ref.rpartition("/")[2]
        if self._form == "json" or (self._form is None and name.endswith(".json")):
            return JSON
        if self._form == "dotenv" or (self._form is None and (name.endswith(".env") or name.startswith(".env."))):
            return DOTENV
        if self._form is None:
            raise Permanent(
                f"{quoted(ref)} does not say its format", "end it in .json or .env, or set the store's format"
            )
        return None

    def __repr__(self) -> str:
        return f"FileStore({str(self._root)!r})"


def _shared(place: Place) -> bool:
    """Whether others may have fields in the place's document."""
    return place.kind is PlaceKind.CURRENT


def _way(place: Place) -> str:
    """Where the document of a place that is ours alone lies beneath `PRIVATE`."""
    return f"{place.kind.value}/{name_of(place.ref)}"


def _to_look_at(opened: Opened, place: Place) -> Document | None:
    """The document of a place that is ours alone. To change it takes the directory that it is in."""
    components(place.ref, PRIVATE)
    private = opened.private()
    return TextDocument(private, f"{_way(place)}/{name_of(place.of)}", WHOLE) if private is not None else None


def _seed(opened: Opened, place: Place) -> bytes:
    private = opened.private()
    return read_seed(private, f"{LOCKS}/{name_of(place.ref)}") if private is not None else b""


def _ours(place: Place, found: Look | None) -> dict[str, str] | None:
    """The fields of a place; None when its document does not exist."""
    if found is None:
        return None
    if _shared(place):
        return {name: found.values[name] for name in place.fields if name in found.values}
    return {name: text for name, text in found.values.items() if name != NONCE}


def _nothing(found: Look | None) -> dict[str, str | None]:
    return dict.fromkeys(found.values) if found is not None else {}


def _nothing_before() -> None:
    """A private document has no seed: its nonce makes its version new."""


def _version(place: Place, seed: bytes, found: Look | None) -> str:
    if found is None:
        return ABSENT
    if _shared(place):
        return version_of(seed, found.content, found.traces)
    return hashlib.sha256(found.content).hexdigest()[:32]


def _stale(place: Place) -> Conflict:
    return Conflict(f"{quoted(place.ref)} is not what was read any more", "look again")
