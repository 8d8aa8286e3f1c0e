"""A zip of records, whatever is in it: nothing is unpacked to disk, nothing is read without a bound."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rotator.domain.failures import Permanent

MOST_DIRECTORY = 64 * 1024 * 1024
"""Bytes of the list of entries, about half a million of them: it is in memory at once."""
MOST_BYTES = 2 * 1024**3
"""Unpacked, over all entries."""
MOST_RECORD = 8 * 1024 * 1024

_TAIL = 22 + 65_535
_END, _END64 = b"PK\x05\x06", b"PK\x06\x06"


def entries(path: Path) -> Iterator[tuple[str, bytes | None, str]]:
    """Name, content, and what is wrong where there is none, of each JSON file in a zip. Names are labels, no paths.

    Raises `Permanent` for what is no zip, or too much.
    """
    with path.open("rb") as file:
        _bounded(file, path)
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, struct.error, OSError, NotImplementedError, RecursionError) as error:
            raise Permanent(f"{path} is a broken zip ({error})", "get it again") from None
        with archive:
            yield from _members(archive, path)


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, bytes | None, str]]:
    unpacked = 0
    for info in archive.infolist():
        if info.is_dir() or not info.filename.lower().endswith(".json"):
            continue
        content, problem = _content(archive, info)
        unpacked += len(content or b"") if not problem else MOST_RECORD
        if unpacked > MOST_BYTES:
            raise Permanent(f"{path} holds more than {MOST_BYTES >> 30} GB unpacked", "is it a feed of advisories?")
        yield info.filename, content, problem


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[bytes | None, str]:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return None, "is packed in another way than by deflate"  # of others no bound of memory is known
    try:
        with archive.open(info) as member:
            content = member.read(MOST_RECORD + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError, struct.error) as error:
        return None, f"cannot be unpacked ({type(error).__name__})"
    if len(content) > MOST_RECORD:
        return None, f"is larger than {MOST_RECORD >> 20} MB"
    return content, ""


def _bounded(file: BinaryIO, path: Path) -> None:
    """Refuse a list of entries that would fill memory, before it is read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL - 76))
    tail = file.read(_TAIL + 76)
    file.seek(0)
    listed = 0
    if (at := tail.rfind(_END)) >= 0 and len(tail) >= at + 22:
        listed = int.from_bytes(tail[at + 12 : at + 16], "little")
        listed = 0 if listed == 0xFFFFFFFF else listed
    if (at := tail.rfind(_END64)) >= 0 and len(tail) >= at + 56:
        listed = max(listed, int.from_bytes(tail[at + 40 : at + 48], "little"))
    if listed > MOST_DIRECTORY:
        raise Permanent(f"{path} lists too many files", "is it a feed of advisories?")
