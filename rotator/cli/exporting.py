"""`rotator log export`: the trail as one JSON object a line, once or as it grows."""

from __future__ import annotations

import argparse
import json
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import FrameType
from typing import Any

from rotator.app.reporting import event
from rotator.cli import typed
from rotator.cli.context import assembled
from rotator.cli.errors import Told
from rotator.cli.terminal import clean
from rotator.domain.failures import Transient
from rotator.domain.records import ChainedEvent
from rotator.ports import Journal

BATCH = 1000
"""Events read at a time: a trail may be longer than memory."""
LOOK = 1000
"""Milliseconds between two looks for what is new."""
MOST = 2**63 - 1


def options(parser: argparse.ArgumentParser) -> None:
    """Where to begin, and whether to stay."""
    group = parser.add_argument_group("for export")
    group.add_argument("--follow", action="store_true", help="stay, and write what comes; Ctrl-C ends it")
    group.add_argument("--after", type=int, metavar="N", help="begin behind the event of this number")
    group.add_argument("--since", metavar="TIME", help="only what happened since then")


def check(args: argparse.Namespace) -> datetime | None:
    """What was typed; returns the time of `--since`."""
    if args.after is not None and not 0 <= args.after <= MOST:
        raise Told("--after is no number of an event", "write the `number` of the last line that you have; 0 for all")
    return typed.instant(args.since, "--since")


def run(args: argparse.Namespace) -> int:
    """0 at the end of the trail, after Ctrl-C and when nobody reads any more."""
    since = check(args)
    with assembled(args, lenient=True) as assembly:
        reader = Reader(assembly.journal, args.after or 0)
        if not args.follow:
            for events in reader.batches():
                _write(events, since)
            return 0
        with Ending() as ending:
            _follow(reader, since, ending)
    return 0


class Reader:
    """The trail behind a number. `seen`: the number of the last event that was read."""

    def __init__(self, journal: Journal, after: int) -> None:
        self._journal = journal
        self._last: str | None = None  # its digest
        self.seen = after

    def batches(self) -> Iterator[Sequence[tuple[int, ChainedEvent]]]:
        """What there is, with the numbers. Raises `Told` when it is not the trail any more of which `seen` was part."""
        while True:
            # the last one is read once more: a database that was put back may have grown again, past it
            before = min(1, self.seen)
            found = self._journal.events(after=self.seen - before, limit=BATCH)
            self._check(found[:before])
            fresh = found[before:]
            if not fresh:
                return
            numbered = [(self.seen + at, each) for at, each in enumerate(fresh, 1)]
            self.seen, self._last = numbered[-1][0], fresh[-1].digest
            yield numbered

    def _check(self, last: Sequence[ChainedEvent]) -> None:
        if self.seen and (not last or self._last not in (None, last[0].digest)):
            raise Told(
                f"the trail is not the one whose event {self.seen} was read: was the database put back?",
                "`rotator log verify --head DIGEST` says whether it was cut off; --after 0 begins anew",
                code=3,
            )
        self._last = last[0].digest if last else None


class Ending:
    """Ctrl-C and SIGTERM: never within a line. At once while there is nothing to write, and the second time."""

    def __init__(self) -> None:
        self.asked = False
        self.waiting = False
        self._before: list[tuple[signal.Signals, Any]] = []

    def __enter__(self) -> Ending:
        self._before = [(each, signal.signal(each, self._handle)) for each in (signal.SIGINT, signal.SIGTERM)]
        return self

    def __exit__(self, *_: object) -> None:
        for each, before in self._before:
            signal.signal(each, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.waiting or self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def over(self, wait: int = 0) -> bool:
        """Whether it is to end, or nobody reads standard output any more, within so many milliseconds."""
        if self.asked:
            return True
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # told are only errors, and that the other end is closed
        try:
            self.waiting = wait > 0
            return bool(poll.poll(wait))
        except KeyboardInterrupt:
            return True
        finally:
            self.waiting = False


def _follow(reader: Reader, since: datetime | None, ending: Ending) -> None:
    """Until somebody ends it. A journal that is away is waited for."""
    away = False
    while True:
        try:
            for events in reader.batches():
                _write(events, since)
                if ending.over():
                    return
            away = False
        except Transient as failure:
            if not away:  # once, however long it is
                print(f"rotator: waiting for the journal: {clean(failure.message)}", file=sys.stderr)
            away = True
        if ending.over(LOOK):
            return


def _write(events: Sequence[tuple[int, ChainedEvent]], since: datetime | None) -> None:
    for number, each in events:
        if since is None or each.at >= since:
            print(json.dumps(line(each, number), ensure_ascii=False, sort_keys=True))
    sys.stdout.flush()


def line(each: ChainedEvent, number: int) -> dict[str, Any]:
    """One event with everything that its digest is over, so that the export can be checked without the journal.

    `number`: its place in the whole trail, for `--after`.
    """
    return {"number": number, **event(each)}
