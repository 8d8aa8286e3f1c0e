"""A feed from a URL: to a file that is gone afterwards, or to one that the caller named."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.fetching import fetched
from rotator.domain.failures import Permanent, Transient

MOST_BYTES = 1024**3
LONGEST = timedelta(minutes=15)
CHUNK = 1 << 20


@contextmanager
def downloaded(url: str, keep: Path | None = None) -> Iterator[Path]:
    """The zip at a URL as a file. With `keep` it stays there, whole or not at all, in place of what was there.

    Raises `Permanent` and `Transient`.
    """
    folder = keep.parent if keep is not None else None
    try:
        descriptor, name = tempfile.mkstemp(prefix=".rotator-", suffix=".zip", dir=folder)
    except OSError as error:
        raise Permanent(
            f"nothing can be written to {folder or tempfile.gettempdir()}: {error.strerror}", "name another file"
        ) from None
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _write(url, file.write)
        if keep is not None:
            path.replace(keep)
            path = keep
        yield path
    except OSError as error:
        raise Permanent(f"the download cannot be kept: {error.strerror}", "is the disk full?") from None
    finally:
        if path != keep:
            with suppress(OSError):  # a failure before this one counts more
                path.unlink()


def _write(url: str, write: Callable[[bytes], object]) -> None:
    deadline, taken = Deadline(LONGEST), 0
    with fetched(url, deadline, headers={"Accept": "application/zip, application/octet-stream"}) as answer:
        promised = answer.headers.get("Content-Length", "")
        if promised.isdecimal() and int(promised[:12]) > MOST_BYTES:
            raise Permanent(f"the feed is larger than {MOST_BYTES >> 30} GB", "is it a feed of advisories?")
        while chunk := answer.read1(CHUNK, decode_content=True):
            if not taken and not chunk.startswith(b"PK"):
                raise Permanent("the address answers with something that is no zip", _looks(chunk))
            taken += len(chunk)
            if taken > MOST_BYTES:
                raise Permanent(f"the feed is larger than {MOST_BYTES >> 30} GB", "is it a feed of advisories?")
            deadline.remaining("the download")
            write(chunk)
    if not taken:
        raise Transient("the address answers with nothing", "try again later")


def _looks(chunk: bytes) -> str:
    if chunk.lstrip()[:1] == b"<":
        return "it is a page for people: name the zip itself"
    return "name a zip of OSV records"
