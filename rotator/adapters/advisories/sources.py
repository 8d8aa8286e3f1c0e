"""Records from wherever they lie: a directory, a zip, one file, the URL of a zip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rotator.adapters.advisories.archive import MOST_BYTES, MOST_RECORD, entries
from rotator.adapters.advisories.download import downloaded
from rotator.adapters.advisories.records import Broken, parse
from rotator.domain.advisories import Advisory, Feed
from rotator.domain.failures import Permanent

Raw = tuple[str, bytes | None, str]


def read_feed(origin: str, *, keep: Path | None = None) -> Feed:
    """All records of an origin. A broken one is named and counted, and the others are used.

    `keep`: where the zip of a URL stays. Raises `Permanent` (nothing there, or no feed) and `Transient` (not now).
    """
    if "://" in origin:
        with downloaded(origin, keep) as path:
            return _feed(origin, entries(path))
    if keep is not None:
        raise Permanent("only what comes from a URL can be kept", "leave --keep out")
    return _feed(origin, _raws(Path(origin)))


def _feed(origin: str, raws: Iterator[Raw]) -> Feed:
    advisories: list[Advisory] = []
    broken: list[tuple[str, str]] = []
    for name, content, problem in raws:
        if content is None:
            broken.append((name, problem))
            continue
        try:
            advisories += parse(content)
        except Broken as error:
            broken.append((name, str(error)))
    return Feed(origin=origin, advisories=tuple(advisories), broken=tuple(broken))


def _raws(path: Path) -> Iterator[Raw]:
    try:
        if path.is_dir():
            return _files(path)
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise Permanent(f"{path} is no file", "name a directory, a zip or a file of OSV records")
        with path.open("rb") as file:
            start = file.read(4)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise Permanent(
            f"{path} cannot be read: {why.lower()}", "name a directory, a zip or a file of OSV records"
        ) from None
    if start.startswith(b"PK"):
        return entries(path)
    if start.lstrip()[:1] == b"<":
        raise Permanent(f"{path} is a page for people", "name a directory, a zip or a file of OSV records")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        raise Permanent(f"{path} is neither a zip nor JSON", "name a directory, a zip or a file of OSV records")
    return iter([_file(path, path.name)])


def _files(folder: Path) -> Iterator[Raw]:
    """Every JSON file beneath a folder, and each folder that cannot be read; links to folders are not followed."""
    total = 0
    closed: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=closed.append):
        folders.sort()
        for name in sorted(each for each in names if each.lower().endswith(".json")):
            path = Path(where, name)
            raw = _file(path, str(path.relative_to(folder)))
            total += len(raw[1] or b"")
            if total > MOST_BYTES:
                raise Permanent(f"{folder} holds more than {MOST_BYTES >> 30} GB", "is it a feed of advisories?")
            yield raw
    for error in closed:
        yield (
            str(Path(error.filename).relative_to(folder)),
            None,
            f"cannot be read: {(error.strerror or 'damaged').lower()}",
        )


def _file(path: Path, name: str) -> Raw:
    try:
        if not path.is_file():
            return name, None, "is no file"
        with path.open("rb") as file:
            content = file.read(MOST_RECORD + 1)
    except OSError as error:
        return name, None, f"cannot be read: {(error.strerror or 'damaged').lower()}"
    if len(content) > MOST_RECORD:
        return name, None, f"is larger than {MOST_RECORD >> 20} MB"
    return name, content, ""
