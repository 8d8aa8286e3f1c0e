"""A directory with a file per field, changed as a whole: a reader never sees half of a change.

Like Kubernetes' volumes: the files of one version lie in a directory of their own, `..rotator` is a link to it, and
each field is a link through that one. To change any number of fields is to replace one link. Who wants fields of the
same version opens them beneath one reading of `..rotator`. Files of others in the directory are left alone.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from rotator.adapters.stores.file.beneath import Directory, own_like
from rotator.adapters.stores.file.documents import Look
from rotator.adapters.stores.halfway import behind
from rotator.domain.failures import Conflict, Failure, Permanent, Transient
from rotator.domain.times import quoted

LINK = "..rotator"
VERSION = "..rotator-v"
LOOKS = 5
"""How often a look begins again because the version was replaced under it."""


class _Replaced(Exception):
    """The version that was being read is gone."""


class FieldFiles:
    """The fields of these names in one directory, as a `Document`."""

    def __init__(self, parent: Directory, name: str, directory: Directory, fields: Collection[str]) -> None:
        self._parent = parent
        self._name = name
        self._directory = directory
        self._fields = tuple(fields)
        for each in self._fields:
            _check_name(each)

    def look(self) -> Look | None:
        """The fields that are there; None when there is none, whatever others keep in the directory."""
        for _ in range(LOOKS):
            try:
                return self._look()
            except _Replaced:
                continue  # in the middle of the look
        raise Transient(f"{self._directory.shown} changes all the time", "see who writes there")

    def change(self, found: Look | None, changes: Mapping[str, str | None], before: Callable[[], None]) -> Look | None:
        """As the protocol says; one link is replaced, and before that plain files by links to the same text."""
        for name in changes:
            _check_name(name)
        wanted = {name: text.encode() for name, text in changes.items() if text is not None}
        kept = {name: data for name, data in self._managed().items() if name not in changes}
        try:
            version = self._write_version({**kept, **wanted})
            before()
            if self.look() != found:
                raise Conflict(f"{self._directory.shown} was written by somebody else at the same time")
            self._turn_into_links(wanted)
            self._directory.replace_link(LINK, version)
        except BaseException:
            with suppress(Failure):  # what went wrong first is told
                self._discard_other_versions()
            raise
        behind(
            f"{self._directory.shown} was changed", lambda: self._tidy(changes.keys() - wanted.keys(), kept | wanted)
        )
        self._parent.discard_empty(self._name)
        values = {**(found.values if found is not None else {}), **changes}
        after = {name: text for name in self._fields if (text := values.get(name)) is not None}
        return _seen(after, ()) if after else None

    def _look(self) -> Look | None:
        managed = self._managed()
        values: dict[str, str] = {}
        traces: list[bytes] = [(self._directory.link(LINK) or "").encode()]
        for name in self._fields:
            data = self._linked(name, managed) if self._is_link(name) else self._plain(name, traces)
            if data is not None:
                values[name] = self._text(name, data)
        return _seen(values, traces) if values else None

    def _is_link(self, name: str) -> bool:
        status = self._directory.status(name)
        return status is not None and stat.S_ISLNK(status.st_mode)

    def _linked(self, name: str, managed: Mapping[str, bytes]) -> bytes | None:
        if self._directory.link(name) != f"{LINK}/{name}":
            raise Permanent(f"{self._directory.path(name)} is a link", "links are not followed; remove it")
        return managed.get(name)

    def _plain(self, name: str, traces: list[bytes]) -> bytes | None:
        content = self._directory.read(name)
        if content is None:
            return None
        traces.append(content.traces)
        # What a person wrote with an editor or with echo ends in a line break that is not part of the value.
        return content.data.removesuffix(b"\n").removesuffix(b"\r")

    def _text(self, name: str, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise Permanent(f"{self._directory.path(name)} is not UTF-8 text", "remove it or mend it") from None

    def _managed(self) -> dict[str, bytes]:
        """All files of the present version, those of other credentials too."""
        version = self._directory.link(LINK)
        if version is None:
            return {}
        if not version.startswith(VERSION) or "/" in version:
            raise Permanent(f"{self._directory.path(LINK)} is not the rotator's link", "remove it")
        directory = self._directory.enter(version)
        if directory is None:
            if self._directory.link(LINK) == version:
                return {}
            raise _Replaced
        with directory:
            files = {name: directory.read(name) for name in directory.names()}
        found = {name: content.data for name, content in files.items() if content is not None}
        if self._directory.link(LINK) != version:
            raise _Replaced
        return found

    def _write_version(self, files: Mapping[str, bytes]) -> str:
        name, owner = VERSION + secrets.token_hex(8), os.fstat(self._directory.fd)
        directory = self._directory.enter(name, create=0o700)
        assert directory is not None
        with directory:
            for each, data in files.items():
                directory.create(each, data, owner, self._directory.path(each))
            own_like(directory.fd, owner)
            directory.sync()
        return name

    def _tidy(self, gone: Collection[str], left: Collection[str]) -> None:
        """Take away the links of fields that are gone, and older versions."""
        for name in gone:
            self._directory.discard(name)
        if not left:
            self._directory.discard(LINK)
        self._discard_other_versions()

    def _turn_into_links(self, wanted: Collection[str]) -> None:
        """Every field a link; one that is a plain file goes on saying the same until all of them change at once."""
        plain = {name: self._plain(name, []) for name in wanted if not self._is_link(name)}
        present = {name: data for name, data in plain.items() if data is not None}
        if present:
            self._directory.replace_link(LINK, self._write_version({**self._managed(), **present}))
        for name in plain:
            self._directory.replace_link(name, f"{LINK}/{name}")

    def _discard_other_versions(self) -> None:
        """Remove the versions that the link does not name: older ones, and what a crash or a failure left behind."""
        present = self._directory.link(LINK)
        for name in self._directory.names():
            if name.startswith(VERSION) and name != present:
                self._directory.discard_directory(name)
        self._directory.sync()


def _check_name(name: str) -> None:
    if not name or not name.isprintable() or "/" in name or name == "." or name.startswith("..") or len(name) > 100:
        raise Permanent(f"{quoted(name)} is no name of a file", "name the field like a file, without / and ..")


def _seen(values: Mapping[str, str], traces: Sequence[bytes]) -> Look:
    return Look(dict(values), json.dumps(sorted(values.items())).encode(), b"\0".join(traces))
