"""Claims rows and advances them: what the daemon, the one-shot command and the simulator all run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced, JournalOlder, LeaseOver
from rotator.domain.rotation import Problem, Rotation, WaitFor, Waiting
from rotator.engine.recorded import Recorded
from rotator.engine.saga import advance
from rotator.engine.world import World
from rotator.ports import Journal


class Worker:
    """One owner of claims; may be used by many threads at once.

    `specs`: the credentials as configured. `world_of`: the ports of one of them; raises a `Failure` where a driver
    cannot be had.
    """

    def __init__(
        self, owner: str, journal: Journal, specs: Mapping[str, Credential], world_of: Callable[[Credential], World]
    ) -> None:
        self.owner = owner
        self.journal = journal
        self.specs = specs
        self.world_of = world_of

    def claim(
        self, world: World, limit: int, only: Collection[str] | None = None
    ) -> tuple[tuple[Rotation, float], ...]:
        """Up to `limit` rows that can move, each with the boot time from before the claim was sent."""
        claimed_at = world.clock.boottime()
        rows = self.journal.claim(
            owner=self.owner, now=world.clock.now(), lease=world.timing.lease, limit=limit, only=only
        )
        return tuple((row, claimed_at) for row in rows)

    def run(
        self,
        row: Rotation,
        claimed_at: float,
        *,
        world: World | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Rotation:
        """Advance a claimed row until it waits, ends or is lost to another; returns it as last committed.

        `world`: the credential's, where it is not `world_of`'s. `stop`: asked between steps; True gives the row back.
        """
        spec = self.specs[row.credential]
        recorded = Recorded(row, spec, world or self.world_of(spec), claimed_at=claimed_at)
        try:
            while recorded.row.owner is not None and not stop():
                advance(recorded)
            if recorded.row.owner is not None:
                recorded.release()
        except Fenced:
            return recorded.committed
        except LeaseOver:
            # Once it is a machine that slept; again and again it makes no progress, and nothing else would say so.
            self._tell_of_the_lease(recorded)
        except JournalOlder as older:
            self._stop_everything(recorded, older)
        return recorded.committed

    @staticmethod
    def _tell_of_the_lease(recorded: Recorded) -> None:
        message = (
            "looking took longer than a lease, so nothing was done; if that goes on, set a longer `defaults.lease`"
        )
        recorded.world.observer.alert("lease over", recorded.spec.name, message)

    def _stop_everything(self, recorded: Recorded, older: JournalOlder) -> None:
        """Rule 9: claim no row, revoke nothing, say so."""
        self.journal.set_older_than_world(older.message)
        recorded.world.observer.alert("journal older than the world", recorded.spec.name, older.message)
        recorded.forget()
        now = recorded.now()
        waiting = Waiting(until=now, for_=WaitFor.PERSON, note=older.message)
        recorded.row = replace(
            recorded.row,
            owner=None,
            waiting=waiting,
            next_at=now,
            problem=Problem(message=older.message, hint=older.hint),
        )
        try:
            recorded.commit(heed=False)
        except (Fenced, Failure):
            return  # the alert is out, and no row is claimed any more
