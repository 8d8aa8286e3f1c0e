"""Archives as streams of what is in them, without a file of ours on any disk: what is unpacked may be a secret."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from rotator.adapters.finding.looked import MEBI

HEADER = 8 * MEBI
"""Bytes of a name or of an extended header in a tar, which are held in memory."""
MEMORY = 256 * MEBI
"""Bytes that unpacking xz may take."""
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, OSError, KeyError)
"""What reading a damaged archive raises; RuntimeError and NotImplementedError are of zip's encryption and methods."""
UNOPENED = {
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd: unpack it first",
    b"7z\xbc\xaf\x27\x1c": "it is a 7z archive: unpack it first",
    b"Rar!\x1a\x07": "it is a RAR archive: unpack it first",
    b"\x04\x22\x4d\x18": "it is compressed with lz4: unpack it first",
    b"PACK\x00\x00\x00": "it is a pack of Git: `git log -p --all | rotator find -` looks at what it holds",
}


class _Unpacker(Protocol):
    """What bz2, lzma and `_Zlib` have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...

    @property
    def needs_input(self) -> bool: ...


class _Zlib:
    """zlib as bz2 and lzma do it."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits=wbits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _gzip() -> _Unpacker:
    return _Zlib(31)


def _loose() -> _Unpacker:
    return _Zlib(15)


def _xz() -> _Unpacker:
    return lzma.LZMADecompressor(memlimit=MEMORY)


COMPRESSIONS: dict[bytes, Callable[[], _Unpacker]] = {
    b"\x1f\x8b\x08": _gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": _xz,
}


class Unpacked(io.RawIOBase):
    """A compressed stream as what it unpacks to, one part behind the other, never more in memory than is asked for."""

    def __init__(self, stream: io.BufferedReader, new: Callable[[], _Unpacker]) -> None:
        self._stream = stream
        self._new = new
        self._now = new()
        self._ahead = b""
        self._fresh = True

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any, /) -> int:
        view = memoryview(into).cast("B")
        while True:
            data = self._next(len(view))
            if data is None:
                return 0
            if data:
                view[: len(data)] = data
                return len(data)

    def _next(self, size: int) -> bytes | None:
        """Some bytes, none yet, or None at the end. Raises `EOFError` where it ends too early."""
        if self._now.eof:
            self._ahead = self._now.unused_data or self._ahead
            self._now, self._fresh = self._new(), True
        data = b""
        if self._now.needs_input:
            data, self._ahead = self._ahead or self._stream.read(64 * 1024), b""
            if not data or (self._fresh and not data.strip(b"\0")):
                if self._fresh:
                    return None
                raise EOFError("it ends too early")
        self._fresh = False
        return self._now.decompress(data, size)


def unpacked(stream: io.BufferedReader, new: Callable[[], _Unpacker]) -> io.BufferedReader:
    """What a compressed stream unpacks to."""
    return io.BufferedReader(Unpacked(stream, new), 64 * 1024)


def loose_object(stream: io.BufferedReader) -> io.BufferedReader:
    """What a loose object of Git holds."""
    return unpacked(stream, _loose)


class _Member(tarfile.TarInfo):
    """A member whose headers cannot fill the memory."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        headers = (*b"xgLKX",)
        if self.type in tuple(bytes([each]) for each in headers) and self.size > HEADER:
            raise tarfile.ReadError("a header is too large")
        found: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc] # documented for subclasses
        return found


def tar_members(stream: io.BufferedReader) -> Iterator[tuple[str, io.BufferedReader]]:
    """Each file of a tar in its order, to be read before the next one is asked for. Raises `BROKEN`."""
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined] # or all headers are kept
            if not member.isreg():
                continue
            data = tar.extractfile(member)
            if data is not None:
                yield member.name, io.BufferedReader(_Raw(data), 64 * 1024)


class _Raw(io.RawIOBase):
    """Whatever has `read`, to be peeked into."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any, /) -> int:
        view = memoryview(into).cast("B")
        data = self._inner.read(len(view))
        view[: len(data)] = data
        return len(data)


def peekable(inner: Any) -> io.BufferedReader:
    """A reader over whatever has `read`."""
    return io.BufferedReader(_Raw(inner), 64 * 1024)


def zip_members(file: Any) -> Iterator[tuple[str, Callable[[], io.BufferedReader]]]:
    """Each file of a zip and how it is opened; `file` can be sought in. Raises `BROKEN`."""
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, lambda info=info: peekable(archive.open(info))  # type: ignore[misc]
