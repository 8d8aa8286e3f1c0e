"""Looks at paths and streams: directories, archives within archives, images, processes, all by what is in them.

A container's image is an archive of archives, be it saved, exported as an OCI layout, or that layout's directory. Each
layer is looked at by itself, so what a later one deletes is found where it was.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rotator.adapters.finding import unpacking
from rotator.adapters.finding.looked import Bounds, Looked, Where
from rotator.adapters.finding.texts import Text, texts

_LOOSE = re.compile(r"(?:.*/)?objects/[0-9a-f]{2}/[0-9a-f]{38}(?:[0-9a-f]{24})?")
_PROCESS = re.compile(r"/proc/(?:[0-9]+|self)")
_SYSTEM = ("/proc", "/sys", "/dev")
NOT_READ = "it may not be read"
Piece = tuple[Where, Text]


class TooMuch(Exception):
    """The whole look has reached a bound."""


class Looking:
    """One look. `looked` says afterwards what it came to."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self.looked = Looked()

    def at_path(self, path: str) -> Iterator[Piece]:
        """A file, a directory with all beneath it, `/proc` or a process in it. Raises `OSError` for the path itself."""
        real = os.path.realpath(path)
        mode = Path(path).stat().st_mode
        if real == "/proc":
            yield from self._processes()
        elif _PROCESS.fullmatch(real):
            yield from self._process(Path(real))
        elif stat.S_ISDIR(mode):
            os.scandir(path).close()
            yield from self._directory(path)
        elif stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            with Path(path).open("rb") as file:
                yield from self._file(Where(path), file)
        else:
            raise OSError(0, "it is neither a file nor a directory")

    def at_stream(self, name: str, stream: Any) -> Iterator[Piece]:
        """Whatever has `read`."""
        yield from self._file(Where(name), stream)

    # -- files -------------------------------------------------------------------------------------------------

    def _directory(self, top: str) -> Iterator[Piece]:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    found = sorted(entries, key=lambda each: each.name)
            except OSError as error:
                self.looked.miss(folder, _why(error))
                continue
            folders = []
            for entry in found:
                if entry.is_symlink():
                    self.looked.links += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield from self._entry(entry.path)
                else:
                    self.looked.special += 1
            for each in reversed(folders):
                if os.path.realpath(each) in _SYSTEM and os.path.ismount(each):
                    self.looked.miss(each, "it is the system's: name it to look at it")
                else:
                    waiting.append(each)

    def _entry(self, path: str) -> Iterator[Piece]:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self.looked.miss(path, _why(error))
            return
        with os.fdopen(descriptor, "rb") as file:
            yield from self._file(Where(path), file)

    def _file(self, where: Where, file: Any) -> Iterator[Piece]:
        self.looked.files += 1
        if isinstance(file, io.BufferedReader) and file.seekable():
            yield from self._safely(where, file, 0)
        else:
            yield from self._safely(where, unpacking.peekable(file), 0)

    # -- processes ---------------------------------------------------------------------------------------------

    def _processes(self) -> Iterator[Piece]:
        for each in sorted(int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()):
            yield from self._process(Path("/proc", str(each)))

    def _process(self, folder: Path) -> Iterator[Piece]:
        """Its environment and its command line. One that has ended meanwhile is none."""
        self.looked.processes += 1
        for name in ("environ", "cmdline"):
            path = folder / name
            try:
                data = path.read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError as error:
                self.looked.miss(str(path), _why(error))
                continue
            yield from self._file(Where(str(path)), io.BufferedReader(io.BytesIO(data)))

    # -- what is in them ---------------------------------------------------------------------------------------

    def _safely(self, where: Where, stream: io.BufferedReader, depth: int) -> Iterator[Piece]:
        """What cannot be read or unpacked is missed, and the rest goes on."""
        if self.looked.files + self.looked.members > self._bounds.files:
            raise TooMuch(f"there are more than {self._bounds.files:,} files")
        try:
            yield from self._content(where, stream, depth)
        except TooMuch:
            raise
        except OSError as error:
            self.looked.miss(where, _why(error))
        except (*unpacking.BROKEN, RuntimeError, NotImplementedError) as error:
            damaged = "it is encrypted" if "encrypted" in str(error) else "it is damaged, or of an unknown form"
            self.looked.miss(where, damaged)

    def _content(self, where: Where, stream: io.BufferedReader, depth: int) -> Iterator[Piece]:
        head = stream.peek(512)[:512]
        new = next((each for magic, each in unpacking.COMPRESSIONS.items() if head.startswith(magic)), None)
        archive = new or head[257:262] == b"ustar" or head.startswith((b"PK\x03\x04", b"PK\x05\x06"))
        closed = next((why for magic, why in unpacking.UNOPENED.items() if head.startswith(magic)), None)
        if closed is not None:
            self.looked.miss(where, closed)
        elif archive and depth >= self._bounds.depth:
            self.looked.miss(where, f"it lies more than {self._bounds.depth} archives deep")
        elif new is not None:
            yield from self._content(where, unpacking.unpacked(stream, new), depth + 1)
        elif head[257:262] == b"ustar":
            for name, data in unpacking.tar_members(stream):
                self.looked.members += 1
                yield from self._safely(where.within(name), data, depth + 1)
        elif archive:
            yield from self._zip(where, stream, depth)
        elif _LOOSE.fullmatch(where.members[-1] if where.members else where.path):
            yield from self._texts(where, unpacking.loose_object(stream))
        else:
            yield from self._texts(where, stream)

    def _zip(self, where: Where, stream: io.BufferedReader, depth: int) -> Iterator[Piece]:
        file: Any = stream
        if not stream.seekable():
            data = stream.read(self._bounds.held + 1)
            if len(data) > self._bounds.held:
                self.looked.miss(where, f"a zip within another file, of more than {_mebi(self._bounds.held)}")
                return
            file = io.BytesIO(data)
        for name, opened in unpacking.zip_members(file):
            self.looked.members += 1
            with suppress(_Refused):  # it is noted as missed
                yield from self._safely(where.within(name), self._opened(where.within(name), opened), depth + 1)

    def _opened(self, where: Where, opened: Any) -> io.BufferedReader:
        try:
            reader: io.BufferedReader = opened()
        except (*unpacking.BROKEN, RuntimeError, NotImplementedError) as error:
            encrypted = "encrypted" in str(error)
            self.looked.miss(where, "it is encrypted" if encrypted else "it is damaged, or packed in an unknown way")
            raise _Refused from None
        return reader

    def _texts(self, where: Where, stream: Any) -> Iterator[Piece]:
        counted = _Counted(stream, self, where)
        for each in texts(counted):
            yield where, each

    def count(self, where: Where, size: int, so_far: int) -> bool:
        """Count bytes as they are read; whether there may be more of this one. Raises `TooMuch`."""
        self.looked.bytes += size
        if self.looked.bytes > self._bounds.total:
            raise TooMuch(f"there are more than {_mebi(self._bounds.total)}")
        if so_far > self._bounds.file:
            self.looked.miss(where, f"only its first {_mebi(self._bounds.file)} were looked at")
            return False
        return True


class _Refused(Exception):
    """A member that cannot be opened."""


class _Counted:
    """A stream whose bytes are counted."""

    def __init__(self, inner: Any, looking: Looking, where: Where) -> None:
        self._inner = inner
        self._looking = looking
        self._where = where
        self._read = 0

    def read(self, size: int, /) -> bytes:
        data: bytes = self._inner.read(size)
        self._read += len(data)
        return data if self._looking.count(self._where, len(data), self._read) else b""


def _mebi(size: int) -> str:
    return f"{size // (1024 * 1024):,} MiB"


def _why(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return NOT_READ
    return (error.strerror or "it is damaged").lower()
