"""What `git log` says of every commit, its parents first: their ids, times and which files of interest it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rotator.adapters.repository.program import output, running

_LOG = (
    *("log", "--topo-order", "--reverse", "-m", "--root", "--raw", "--no-renames", "--no-abbrev", "-z"),
    *("--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-color", "--no-notes", "--no-relative"),
    *("--no-mailmap", "--encoding=UTF-8", "--ignore-submodules=all", "--format=%x01%H %P%x02%at %ct"),
    *("--branches", "--remotes", "--tags"),
)
_FILES = (b"100644", b"100755", b"120000")
CHUNK = 64 * 1024


@dataclass(slots=True)
class Commit:
    """`times`: author's and committer's, in seconds since 1970, as they say. `changed`: blobs by path, None: gone."""

    id: str
    parents: tuple[str, ...]
    times: tuple[int, ...]
    changed: dict[str, str | None] = field(default_factory=dict)


def commits(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Commit]:
    """All that branches and tags reach, and a detached head. A merge is compared with each of its parents.

    Raises `Permanent`. Holds one commit at a time.
    """
    head = ("HEAD",) if output(folder, "rev-parse", "--verify", "--quiet", "HEAD") else ()
    with running(folder, *_LOG, *head, "--") as process:
        assert process.stdout is not None
        current: Commit | None = None
        words = _words(process.stdout)
        for word in words:
            if word.startswith(b"\x01"):
                next_one = _header(word)
                if current is not None and current.id != next_one.id:
                    yield current
                    current = None
                current = current or next_one
            elif current is not None and word.lstrip(b"\n").startswith(b":"):
                path = next(words, b"").decode("utf-8", "replace")
                if wanted(path):
                    current.changed[path] = _blob(word.split())
        if current is not None:
            yield current


def _words(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(CHUNK):
        *words, rest = (rest + chunk).split(b"\0")
        yield from words
    if rest:
        yield rest


def _header(word: bytes) -> Commit:
    names, _, times = word[1:].decode("ascii", "replace").partition("\x02")
    commit, *parents = names.split()
    return Commit(commit, tuple(parents), tuple(int(each) for each in times.split() if each.lstrip("-").isdigit()))


def _blob(words: list[bytes]) -> str | None:
    """The new blob; None for what is no file any more."""
    _, mode, _, blob, _ = words
    return blob.decode() if mode in _FILES else None
