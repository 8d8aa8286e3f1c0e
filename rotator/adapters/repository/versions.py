"""From commits to how long each version of a file was the one on some line of development.

A version begins with the commit that brought it, and ends on a line with the commit there that brought another one;
lines that nothing ended it on have it to this day. Times are what people's machines said: of a commit's two the
earlier one counts where something begins and the later one where it ends, which is never before its parents' last. Of a
time that cannot be (in the future, or before there were lockfiles) nobody knows more than that it is after the last one
before it, and not after now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from rotator.adapters.repository.commits import Commit

EARLIEST = int(datetime(2005, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Version:
    """`path` was `blob` from `since` on, brought by `commit`; `until` None: it still is on some line."""

    path: str
    blob: str
    commit: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class History:
    """All versions in the order of commits. `moved`: for a path, those of the same file name that it took over from."""

    versions: tuple[Version, ...]
    moved: dict[str, frozenset[str]]
    commits: int


@dataclass(slots=True)
class _Span:
    path: str
    blob: str
    commit: str
    first: int
    last: int
    ended_first: int | None = None
    ended_last: int | None = None
    open: bool = False

    def end(self, first: int, last: int) -> None:
        self.ended_first = first if self.ended_first is None else min(first, self.ended_first)
        self.ended_last = last if self.ended_last is None else max(last, self.ended_last)

    def version(self) -> Version:
        """With clocks that disagree a version may end before it begins: then it holds for both times."""
        first = self.first if self.ended_first is None else min(self.first, self.ended_first)
        until = None
        if not self.open and self.ended_last is not None:
            until = _instant(max(self.last, self.ended_last))
        return Version(self.path, self.blob, self.commit, _instant(first), until)


_Files = dict[str, tuple[_Span, ...]]
"""What a commit has: by path the spans of the one version, several where branches came to the same by themselves."""


class _Walk:
    """Takes commits, parents first. Commits that change nothing of interest share what their parent has."""

    def __init__(self, now: datetime) -> None:
        self._now = int(now.timestamp())
        self._files: dict[str, _Files] = {}
        self._last: dict[str, int] = {}
        self._tips: set[str] = set()
        self._spans: list[_Span] = []
        self._moved: dict[str, set[str]] = {}

    def take(self, commit: Commit) -> None:
        before = [self._files[parent] for parent in commit.parents if parent in self._files]
        first, last, end = self._times(commit)
        self._last[commit.id] = last
        self._tips.difference_update(commit.parents)
        self._tips.add(commit.id)
        if not commit.changed and before and all(each is before[0] for each in before):
            self._files[commit.id] = before[0]
            return
        files = _united(before)
        for path, blob in commit.changed.items():
            files.pop(path, None)
            spans = [span for each in before for span in each.get(path, ())]
            for span in spans:
                if span.blob != blob:
                    span.end(first, end)
            if blob is not None:
                kept = _distinct(span for span in spans if span.blob == blob)
                files[path] = kept or (self._begun(commit, path, blob, first, last, before),)
        self._files[commit.id] = files

    def _begun(self, commit: Commit, path: str, blob: str, first: int, last: int, before: list[_Files]) -> _Span:
        span = _Span(path, blob, commit.id, first, last)
        self._spans.append(span)
        if not any(path in each for each in before):
            name = PurePosixPath(path).name
            gone = {
                other for other, left in commit.changed.items() if left is None and PurePosixPath(other).name == name
            }
            if gone:
                self._moved.setdefault(path, set()).update(gone)
        return span

    def _times(self, commit: Commit) -> tuple[int, int, int]:
        """The earlier and the later time of a commit, as far as they can be, and when at the latest it was made."""
        before = max((self._last.get(parent, EARLIEST) for parent in commit.parents), default=EARLIEST)
        told = [each for each in commit.times if EARLIEST <= each <= self._now]
        first, last = (min(told), max(*told, before)) if told else (before, before)
        known = told and max(commit.times) <= self._now
        return first, last, last if known else self._now

    def history(self) -> History:
        for tip in self._tips:
            for spans in self._files[tip].values():
                for span in spans:
                    span.open = True
        moved = {path: frozenset(others) for path, others in self._moved.items()}
        return History(tuple(span.version() for span in self._spans), moved, len(self._files))


def walk(commits: Iterable[Commit], now: datetime) -> History:
    """The versions in these commits, which come parents first."""
    walking = _Walk(now)
    for commit in commits:
        walking.take(commit)
    return walking.history()


def _united(before: Iterable[_Files]) -> _Files:
    """What parents have together; where they differ the commit says which it took."""
    files: _Files = {}
    for each in before:
        for path, spans in each.items():
            files[path] = _distinct((*files[path], *spans)) if path in files else spans
    return files


def _distinct(spans: Iterable[_Span]) -> tuple[_Span, ...]:
    return tuple({id(span): span for span in spans}.values())


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
