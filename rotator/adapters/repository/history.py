"""A repository's history: which versions of files there were, and their contents.

Nothing is checked out, nothing of the repository is run, and no commit costs a process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from rotator.adapters.repository.commits import commits
from rotator.adapters.repository.program import output, running
from rotator.adapters.repository.versions import History, walk
from rotator.domain.failures import Permanent

CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Repository:
    """`top`: the folder of its files; None for a bare one. `shallow`: its beginning was left out when it was cloned."""

    folder: Path
    top: Path | None
    shallow: bool

    @classmethod
    def at(cls, folder: Path) -> Repository:
        """The repository that a folder is in. Raises `Permanent`."""
        if not folder.is_dir():
            raise Permanent(f"{folder} is no folder", "name the folder of a Git repository")
        said = output(folder, "rev-parse", "--is-shallow-repository", "--is-bare-repository")
        if said is None:
            raise Permanent(f"{folder} is no Git repository", "name the folder of a clone, with its history")
        shallow, bare = said.split()
        top = None if bare == "true" else output(folder, "rev-parse", "--show-toplevel")
        return cls(folder, Path(top) if top else None, shallow == "true")

    def history(self, wanted: Callable[[str], bool], now: datetime) -> History:
        """All versions of the files whose paths are wanted. Raises `Permanent`. Twice: a new look."""
        return walk(commits(self.folder, wanted), now)

    @contextmanager
    def contents(self) -> Iterator[Callable[[str, int], bytes | None]]:
        """The bytes of a blob, at most so many and one more; None for one that is not here. Raises `Permanent`."""
        with running(self.folder, "cat-file", "--batch", talk=True) as process:
            questions, answers = process.stdin, process.stdout
            assert questions is not None
            assert answers is not None

            def content(blob: str, most: int) -> bytes | None:
                questions.write(blob.encode() + b"\n")
                questions.flush()
                return _answer(answers, most)

            yield content


def _answer(stream: IO[bytes], most: int) -> bytes | None:
    words = stream.readline().split()
    if len(words) != 3:
        return None
    size = int(words[2])
    data = stream.read(min(size, most + 1))
    left = size - len(data) + 1
    while left > 0 and (skipped := stream.read(min(left, CHUNK))):
        left -= len(skipped)
    return data
