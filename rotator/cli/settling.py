"""Running rotations until nothing more is worth waiting for in this process, or until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

from rotator.app.assembly import Assembly
from rotator.app.chasing import Chase
from rotator.app.deadline import Deadline
from rotator.app.running import Later, Run, Started
from rotator.cli.interrupts import Interrupts
from rotator.cli.terminal import Terminal
from rotator.domain.credential import Credential
from rotator.domain.rotation import Phase, Rotation, WaitFor
from rotator.engine import picked_up

WAITING_IS_FINE = frozenset({Phase.LIVE, Phase.RETIRING, Phase.SWEEPING})
"""From here on the new key is live: a rotation that waits now is as planned."""
LONG = timedelta(minutes=1)
"""A wait beyond this is not waited for without `--wait`."""
PATIENCE = 3
"""Attempts that may fail before a command without `--wait` comes back."""


def _cleans_up(row: Rotation) -> bool:
    """Whether an emergency has a key that is still to be deleted, which waits for nothing but more urgent work."""
    left = (old for old in row.old_keys if old.disabled_at is not None and not old.ending and old.proof is None)
    return row.phase is Phase.RETIRING and row.rules.emergency and any(True for _ in left)


def _for_a_person(row: Rotation) -> bool:
    """Whether somebody has to do something first: a hold, a key to be made or deleted by hand."""
    return row.waiting is not None and row.waiting.for_ is WaitFor.PERSON


class Settling:
    """Runs what was begun. `wait`: until the old keys are dead."""

    def __init__(self, assembly: Assembly, owner: str, err: Terminal, *, parallel: int, wait: bool) -> None:
        self._assembly = assembly
        self._owner = owner
        self._parallel = parallel
        self._wait = wait
        self.interrupts = Interrupts(err)
        self.chase: Chase | None = None  # says which rotations would never end
        self.deadline: Deadline | None = None
        self._failed: dict[tuple[str, Phase], int] = {}  # how often, before this run

    def run(
        self,
        only: set[str] | None,
        *,
        coming: Sequence[Credential] = (),
        begin: Callable[[Credential], Started | Later | None] = lambda spec: None,
    ) -> dict[str, tuple[str, str]]:
        """Until settled; returns message and hint of what could not be run. `only` None: whatever is open now.

        `coming`: what is begun meanwhile, by `begin`.
        """
        self._failed = {(row.credential, row.phase): row.attempts for row in self._assembly.journal.rotations()}
        run = Run(
            assembly=self._assembly,
            owner=self._owner,
            parallel=self._parallel,
            only=only,
            coming=coming,
            begin=begin,
        )
        if self.chase is not None:
            self.chase.leave = run.leave
        with self.interrupts.stopping(run.stop), self._in_time(run.stop):
            run.until(self._settled(only))
        return {
            name: (str(getattr(error, "message", error)), str(getattr(error, "hint", "")))
            for name, error in run.failures.items()
        }

    def _in_time(self, stop: Callable[[], None]) -> AbstractContextManager[None]:
        return self.deadline.stopping(stop) if self.deadline is not None else nullcontext()

    @property
    def out_of_time(self) -> bool:
        """Whether nothing more may be begun, because the deadline is near."""
        return self.deadline is not None and self.deadline.near()

    @property
    def interrupted(self) -> bool:
        """Whether somebody wants it to end."""
        return self.interrupts.count > 0

    def strange(self, rows: Sequence[Rotation]) -> list[Rotation]:
        """Claims that end later than any lease does: whoever made them had a clock that ran ahead."""
        return [row for row in rows if self._claimed_strangely(row)]

    def _claimed_strangely(self, row: Rotation) -> bool:
        lasts = row.next_at - self._assembly.clock.now()
        return row.open and row.owner is not None and lasts > 2 * self._assembly.timing.lease

    def _settled(self, only: set[str] | None) -> Callable[[], bool]:
        journal, clock = self._assembly.journal, self._assembly.clock
        configured = frozenset(self._assembly.specs())  # what is open of others is not ours to wait for
        names = configured.intersection(journal.rotating()) if only is None else only  # not of what begins meanwhile

        def settled() -> bool:
            if journal.older_than_world() is not None:
                return True
            if only is None and not self._wait:
                wake = journal.next_wake(configured)
                return wake is None or wake > clock.now()
            rows = [row for name in names if (row := journal.open_rotation(name)) is not None]
            return all(self._at_rest(row) or (only is None and _for_a_person(row)) for row in rows)

        return settled

    @staticmethod
    def _told_in_vain(row: Rotation) -> bool:
        """Whether all who are still to be told were told in vain as often as a command is patient."""
        return all(each.attempts >= PATIENCE for each in row.consumers if each.tell_at is not None)

    def _at_rest(self, row: Rotation) -> bool:
        left = self.chase.left if self.chase is not None else ()
        if row.phase is Phase.STUCK or row.credential in left or self._claimed_strangely(row):
            return True
        if self._wait or row.owner is not None or row.waiting is None:
            return False
        if row.problem is None and _cleans_up(row):
            return False
        telling = picked_up.next_telling(row)
        if telling is not None and telling - self._assembly.clock.now() <= LONG and not self._told_in_vain(row):
            return False  # nobody else may come by before the next `--due`
        if row.phase in WAITING_IS_FINE and row.problem is None:
            return True
        tried = row.attempts > self._failed.get((row.credential, row.phase), 0)  # what failed then may be mended now
        return (tried and row.attempts >= PATIENCE) or row.waiting.until - self._assembly.clock.now() > LONG
