"""Tells people what needs them: hears what is committed, and looks now and then at what stands and what is over.

An observer never waits and never raises: each target has a queue and a thread of its own. What happens in other
processes, or happened while nobody listened, is seen by looking.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from rotator.adapters.notifying.target import Count, Pace, Target
from rotator.adapters.observe import Several
from rotator.app import incidents
from rotator.app.notice_memory import NoticeMemory
from rotator.app.notice_senders import make_sender
from rotator.app.tokens import broken_glass, glass_words
from rotator.config.errors import ConfigError
from rotator.config.recognise import secrets_hidden
from rotator.config.values import NotificationConfig
from rotator.domain.failures import Failure
from rotator.domain.incidents import Incident
from rotator.domain.notices import Notice
from rotator.domain.records import Event
from rotator.domain.rotation import Rotation
from rotator.policy.notifying import Facts, about, has_an_end, is_over, of_alert, of_commit, standing
from rotator.ports import Journal, Observer

if TYPE_CHECKING:
    from rotator.app.assembly import Assembly

ONCE = Pace(gather=0.05, again=())
"""For a command: what it has to tell is tried once."""
LOOK = timedelta(minutes=1)
DRAIN = timedelta(seconds=10)
LONGEST = 2000
"""Characters of words that are kept."""
LEAK = "leak reported"


@dataclass(frozen=True, slots=True)
class _Aimed:
    """A target, whom it is for, and what it was told."""

    config: NotificationConfig
    target: Target
    memory: NoticeMemory


class Notifier:
    """Everybody who is told. `observer` hears; `refresh` after a reload of the config; `close` at the end."""

    def __init__(
        self, assembly: Callable[[], Assembly], *, pace: Pace | None = None, look: timedelta | None = LOOK
    ) -> None:
        """`assembly`: the one that counts now. `look`: how often what stands is looked at; None: by `look_now` alone.

        What is wrong with a target is said by the log and `rotator check`; the others are told.
        """
        self._assembly = assembly
        self._pace = pace or Pace()
        self._aimed: dict[str, _Aimed] = {}
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self.refresh()
        self._looking: threading.Thread | None = None
        if look is not None:
            seconds = look.total_seconds()
            self._looking = threading.Thread(target=self._look, args=(seconds,), name="notices", daemon=True)
            self._looking.start()

    @property
    def observer(self) -> Observer:
        """What is to hear, beside the log and metrics."""
        return _Hears(self)

    def counts(self) -> Mapping[str, Count]:
        """Of each target, what became of its notices."""
        with self._lock:
            return {name: each.target.count for name, each in self._aimed.items()}

    def refresh(self) -> None:
        """Follow the config: new targets begin, others are closed. Twice: nothing more.

        A changed one begins anew, with what the one before it could not deliver.
        """
        wanted = self._assembly().config.notifications
        with self._lock:
            gone = [name for name, each in self._aimed.items() if wanted.get(name) != each.config]
            left = {name: self._aimed.pop(name).target.hand_over() for name in gone}
            for name, config in wanted.items():
                if name not in self._aimed:
                    self._begin(config)
        for name, notices in left.items():
            for each in notices:
                self.tell(each, among=[name])

    def _begin(self, config: NotificationConfig) -> None:
        try:
            sender = make_sender(config, self._assembly)
        except ConfigError as error:
            self._say_dropped(config.name, f"{error.message}; {error.hint}")
            return
        memory = NoticeMemory(config.name, self._journal, self._assembly().clock, config.again)
        target = Target(config.name, sender, memory, self._say_dropped, self._pace)
        self._aimed[config.name] = _Aimed(config, target, memory)

    def close(self, within: timedelta = DRAIN) -> None:
        """Deliver what is queued, for at most so long. Twice: nothing more."""
        self._closing.set()
        end = monotonic() + within.total_seconds()
        with self._lock:
            targets = [each.target for each in self._aimed.values()]
        closing = [threading.Thread(target=each.close, args=(within.total_seconds(),), daemon=True) for each in targets]
        for each in closing:
            each.start()
        for each in (*closing, *filter(None, [self._looking])):
            each.join(max(0.0, end - monotonic()) + 0.2)

    # -- what happens ----------------------------------------------------------------------------------------------

    def tell(self, notice: Notice, among: Iterable[str] | None = None) -> None:
        """Queue it for everybody whom it is for."""
        notice = self._presentable(notice)
        with self._lock:
            aimed = [each for name, each in self._aimed.items() if among is None or name in among]
        for each in aimed:
            if is_for(each.config, notice):
                each.target.offer(notice)

    def _presentable(self, notice: Notice) -> Notice:
        """With its owner, and without what has the form of a secret."""
        spec = self._assembly().config.credentials.get(notice.subject)
        # one that is cut first may have no form any more
        words, hint = (secrets_hidden(text[: 2 * LONGEST])[:LONGEST] for text in (notice.words, notice.hint))
        owner = (spec.owner or "") if spec is not None else ""
        apart = about(notice.kind, words) if notice.about else ""
        return replace(notice, owner=owner, words=words, hint=hint, about=apart)

    def _journal(self) -> Journal:
        return self._assembly().journal

    def _now(self) -> datetime:
        return self._assembly().clock.now()

    def _say_dropped(self, target: str, words: str) -> None:
        log = self._assembly().log
        if log is not None:
            log.alert("notice not delivered", target, words)

    # -- what stands -----------------------------------------------------------------------------------------------

    def _look(self, seconds: float) -> None:
        while True:
            try:
                self.look_now()
            except Exception:  # noqa: BLE001 - a journal that is away is back some time, and the next look sees it
                self._say_dropped("all", "what stands could not be looked at; it is tried again")
            if self._closing.wait(seconds):
                return

    def look_now(self) -> None:
        """Tell what stands and was never told, again what goes on, and what is over. Raises what the journal does."""
        now = self._now()
        with self._lock:
            aimed = list(self._aimed.values())
        if not aimed:
            return
        for notice in self._standing(now):
            self.tell(notice)
        for each in aimed:
            self._look_after(each, now)

    def _standing(self, now: datetime) -> list[Notice]:
        journal = self._assembly().opened
        rows = journal.open_rotations()
        older = journal.older_than_world()
        waits = [standing(row, now, held=_held(journal, row), older=older) for row in rows]
        leaks = [leak_notice(each, now) for each in _incidents(journal)]
        found = [notice for notice in (*waits, *leaks) if notice is not None]
        if older is not None:
            found += filter(None, [of_alert("journal older than the world", "", older, now)])
        # Made by a command, which may have been ended before anybody heard of it.
        glass = broken_glass(self._assembly())
        told = [of_alert("break-glass", each.name, glass_words(each), now) for each in glass]
        return [*found, *filter(None, told)]

    def _look_after(self, aimed: _Aimed, now: datetime) -> None:
        for notice in aimed.memory.standing():
            if not has_an_end(notice.kind):
                if now - notice.at >= aimed.config.again:
                    aimed.memory.forget([notice.key])
            elif is_over(notice, self._facts(notice)):
                if aimed.config.resolved:
                    aimed.target.offer(notice.ended(now))
                else:
                    aimed.memory.forget([notice.key])
            elif now - notice.at >= aimed.config.again:
                aimed.target.offer(replace(notice, at=now))

    def _facts(self, notice: Notice) -> Facts:
        journal = self._journal()
        if notice.kind == LEAK:
            try:
                return Facts(closed=not incidents.still_open(journal, notice.subject))
            except ConfigError:  # whoever cannot read the record does not know that it is closed
                return Facts()
        older = journal.older_than_world() is not None
        if not notice.subject:
            return Facts(older=older)
        newest = journal.rotations(notice.subject, limit=1)
        return Facts(row=newest[0] if newest else None, credential=journal.credential(notice.subject), older=older)


def _held(journal: Journal, row: Rotation) -> bool:
    return row.waiting is not None and journal.credential(row.credential).held


def _incidents(journal: Journal) -> Iterator[Incident]:
    """Those that can be read; the others are told of by whoever uses them."""
    for name in incidents.remembered(journal):
        with suppress(ConfigError):
            found = incidents.recall(journal, name)
            if found is not None:
                yield found


def leak_notice(incident: Incident, now: datetime) -> Notice | None:
    """What people are to know of an open incident that a report of leaks opened; None of any other."""
    if incident.closed is not None or not incident.said:
        return None
    return of_alert(LEAK, incident.id, incident.said, now)


@contextmanager
def notified(assembly: Assembly, pace: Pace | None = None) -> Iterator[None]:
    """For one pass without anybody at it: people hear of what happens within, and at the end of what stands or is over.

    Raises nothing of its own. Where the config tells nobody anything this is nothing.
    """
    if not assembly.config.notifications:
        yield
        return
    notifier = Notifier(lambda: assembly, pace=pace, look=None)
    assembly.observer = Several(assembly.observer, notifier.observer)
    try:
        yield
    finally:
        with suppress(ConfigError, Failure):  # a journal that is away: the pass itself says so
            notifier.look_now()
        notifier.close()


def told_so_far(assembly: Assembly) -> dict[str, tuple[Notice, ...]]:
    """By target, what it was told that is not over, by the journal."""
    return {
        name: NoticeMemory(name, lambda: assembly.journal, assembly.clock, config.again).standing()
        for name, config in assembly.config.notifications.items()
    }


def is_for(config: NotificationConfig, notice: Notice) -> bool:
    """Whether a target wants to be told. What is nobody's is everybody's."""
    if notice.severity.rank < config.severity.rank:
        return False
    if config.kinds and notice.kind not in config.kinds:
        return False
    return not config.owners or not notice.owner or notice.owner in config.owners


class _Hears:
    """The observer: never waits, never raises."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Queue what of it is told."""
        self._each(partial(of_commit, row, events))

    def alert(self, action: str, subject: str, message: str) -> None:
        """Queue it, if it is told."""
        self._each(lambda now: filter(None, [of_alert(action, subject, message, now)]))

    def _each(self, notices: Callable[[datetime], Iterable[Notice]]) -> None:
        notifier = self._notifier
        try:
            for notice in notices(notifier._now()):
                notifier.tell(notice)
        except Exception:  # noqa: BLE001 - no rotation ends because somebody cannot be told
            notifier._say_dropped("all", "a defect of the rotator: a notice could not be made")
