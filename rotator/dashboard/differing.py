"""What of the config's file is not in force: read by a process of its own, one at a time, and kept while it is so.

The file may be anything and as large as it likes, so the daemon itself never parses it for whoever looks at a page.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, cast

from fastapi import Request

from rotator.api.asking import parts_of
from rotator.api.callers import Caller
from rotator.app.approving import REMEMBERED
from rotator.app.assembly import Assembly
from rotator.config.watching import SETTLED, Files, Stamp
from rotator.dashboard.commanding import heard
from rotator.domain.times import parse_time

NO_WORD: Final = ("the command that reads the config ended without a word", "`rotator config diff` on the machine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a page shows. `bad`: message and hint of a file that cannot be used; then all else is empty.

    `changes`: key, whether it is sensitive, what is in force and what the file says. `first`: nothing was approved yet.
    """

    bad: tuple[str, str] | None = None
    changes: tuple[tuple[str, bool, str | None, str | None], ...] = ()
    digest: str = ""
    doubt: str = ""
    opening: bool = False
    since: datetime | None = None
    how: str = ""
    waits: bool = False

    @property
    def first(self) -> bool:
        """Whether nothing was approved yet."""
        return self.bad is None and self.since is None and not self.doubt and not self.opening

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Difference:
        """From what `rotator config diff --json` says."""
        before = said["approved"]
        return cls(
            changes=tuple(
                (each["key"], each["kind"] == "sensitive", each["old"], each["new"]) for each in said["changes"]
            ),
            digest=said["digest"] or "",
            doubt=said["doubt"] or "",
            opening=said["opening"],
            since=parse_time(before["at"]) if before else None,
            how=before["how"] if before else "",
            waits=said["waits"],
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    found: Difference
    files: Files
    stamp: Stamp
    approved: bytes

    def still(self, assembly: Assembly, approved: bytes) -> bool:
        """Whether nothing of what it was made from changed."""
        same = (self.approved, self.files.config) == (approved, assembly.config.path)
        return same and self.stamp == self.files.stamp()


class Differing:
    """The newest difference, for everybody who looks. Safe for many threads."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._kept: _Kept | None = None

    def of(self, request: Request, caller: Caller, assembly: Assembly) -> Difference | None:
        """None while somebody else has it read. Raises `Problem`, and what the journal does."""
        approved = sha256((assembly.journal.recall(REMEMBERED) or "").encode()).digest()
        kept = self._kept
        if kept is not None and kept.still(assembly, approved):
            return kept.found
        if not self._reading.acquire(blocking=False):
            return None
        try:
            return self._read(request, caller, assembly, approved)
        finally:
            self._reading.release()

    def _read(self, request: Request, caller: Caller, assembly: Assembly, approved: bytes) -> Difference:
        began = time.time()
        said = heard(parts_of(request).commands, caller, ["config", "diff", "--json"])
        if said.code not in (0, 1):
            message, hint = said.trouble
            return Difference(bad=(message, hint) if message else NO_WORD)
        told = json.loads(said.out)
        found = Difference.of(told)
        files = Files(assembly.config.path, tuple(map(Path, told["read"])), tuple(told["include"]))
        self._kept = _kept(found, files, began, approved)
        return found


def _kept(found: Difference, files: Files, began: float, approved: bytes) -> _Kept | None:
    """None where a file changed while it was read, or went away."""
    stamp, least = files.stamp(), (began - SETTLED) * 1e9
    if stamp is None or any(not isinstance(at, int) or at > least for each in stamp for at in each[1:3]):
        return None
    return _Kept(found, files, stamp, approved)


def differing(request: Request) -> Differing:
    """The application's."""
    return cast(Differing, request.app.state.differing)
