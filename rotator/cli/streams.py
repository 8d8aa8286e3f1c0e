"""Standard streams that stop no rotation: whoever reads them may be gone, full, or know no letter but ASCII."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import Any, TextIO

from rotator.cli.errors import Told

LETTERS = "rotator.letters"
_PLAIN = {"—": "-", "–": "-", "…": "...", "·": "|", "×": "x", "→": "->", "█": "#", "▓": "=", "▒": "-", "░": "."}


def settle() -> None:
    """Take the process's standard streams over. Twice: nothing more.

    A descriptor that is closed gets the null device, or the next file that is opened would be written to as if it were
    standard output.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    codecs.register_error(LETTERS, _spelt)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - a descriptor, open as long as we are
    sys.stdout = _stream(sys.stdout, 1)
    sys.stderr = _stream(sys.stderr, 2)


class Raw(io.FileIO):
    """A descriptor. What cannot be written to standard error, or to a reader that has gone, is dropped.

    That standard output fails in another way is told once: what was asked for is lost then.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._forgiving = descriptor != 1

    def write(self, data: Any, /) -> int:
        """Raises `Told`."""
        try:
            return super().write(data)
        except OSError as error:
            if self._forgiving or error.errno == errno.EPIPE:
                return memoryview(data).nbytes
            why = error.strerror
        self._forgiving = True
        raise Told(f"standard output cannot be written: {why}", "`rotator status` shows how everything stands", code=3)


def _stream(old: TextIO | None, descriptor: int) -> TextIO:
    if isinstance(old, io.TextIOWrapper) and isinstance(getattr(old.buffer, "raw", None), Raw):
        return old
    encoding = old.encoding if old is not None else "utf-8"
    buffer = io.BufferedWriter(Raw(descriptor))
    return io.TextIOWrapper(
        buffer, encoding=encoding, errors=LETTERS, line_buffering=buffer.isatty() or descriptor == 2
    )


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks, in letters that every one has."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each) or each.encode("ascii", "backslashreplace").decode() for each in lacking), error.end
