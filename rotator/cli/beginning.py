"""Which rotations a run of `rotate` begins, joins or goes on with."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.planning import Planned
from rotator.app.reporting import INCOMPLETE
from rotator.cli import emergency
from rotator.cli.errors import Told
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.engine import starting
from rotator.policy.reasons import Reason, worded

NOT_BEGUN = ("it was not begun", "the same command goes on")


class Begun:
    """What was begun so far, by credential; used by many threads."""

    def __init__(self, number: int) -> None:
        self.rows: dict[str, Rotation] = {}
        self._left = number
        self._lock = threading.Lock()

    def one_less(self) -> None:
        """One was begun, or could not be."""
        with self._lock:
            self._left -= 1

    def under_way(self) -> bool:
        """Whether there may be more."""
        return self._left > 0


class Beginning:
    """A person's rotation is all or nothing; in an emergency what can go goes, and `errors` says what cannot."""

    def __init__(self, args: argparse.Namespace, assembly: Assembly, owner: str) -> None:
        self._args = args
        self._assembly = assembly
        self._owner = owner
        self._mode = emergency.mode(args)
        self.incident: str | None = None
        self.leaked: Mapping[str, frozenset[str]] = {}  # by credential, the keys of it that leaked
        self.exposure_end: datetime | None = None  # what was minted later is safe; None: now
        self.errors: dict[str, tuple[str, str]] = {}

    def possible(self, specs: Sequence[Credential], plans: Sequence[Planned]) -> list[Credential]:
        """Those without a problem. Raises `Told` for the first problem of what a person asked for."""
        good = []
        for spec, plan in zip(specs, plans, strict=True):
            if plan.problem is None:
                good.append(spec)
            else:
                self._cannot(spec, *plan.problem)
        return good

    def begin(self, specs: Sequence[Credential]) -> list[Rotation]:
        """A row for each."""
        for spec in specs if self._mode is Mode.MANUAL else ():
            self._refuse_stuck(spec)
        rows = []
        for spec in specs:
            try:
                rows.append(self._begin_one(spec))
            except (ConfigError, Failure) as error:
                self._cannot(spec, error.message, error.hint)
        return rows

    @contextmanager
    def beside(self, specs: Sequence[Credential], parallel: int, stop: Callable[[], bool]) -> Iterator[Begun]:
        """Begin an emergency of each while what is begun already runs; `stop` True begins no more of them.

        Everybody's first request would otherwise wait for the last one's. What was not begun is among `errors`.
        """
        begun = Begun(len(specs))
        pool = ThreadPoolExecutor(max(1, min(parallel, len(specs))), thread_name_prefix="beginning")
        try:
            for spec in specs:
                pool.submit(self._begin_beside, spec, begun, stop)
            yield begun
        finally:
            pool.shutdown(cancel_futures=True)
            for spec in specs:
                if spec.name not in begun.rows and spec.name not in self.errors:
                    self._cannot(spec, *NOT_BEGUN)

    def _begin_beside(self, spec: Credential, begun: Begun, stop: Callable[[], bool]) -> None:
        try:
            if not stop():
                begun.rows[spec.name] = self._begin_one(spec)
        except (ConfigError, Failure) as error:
            self._cannot(spec, error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - it must stop no other; its text may hold anything
            what = f"an error of the rotator or a driver itself ({type(error).__name__})"
            self._cannot(spec, what, "report it; the same command goes on")
        finally:
            begun.one_less()

    def _cannot(self, spec: Credential, message: str, hint: str) -> None:
        if self._mode is Mode.MANUAL:
            message = message.removeprefix(f"{spec.name}: ")
            raise Told(f"{spec.name}: {message}", hint or "nothing was changed")
        self.errors[spec.name] = (message, hint)

    def _refuse_stuck(self, spec: Credential) -> None:
        row = self._assembly.journal.open_rotation(spec.name)
        asked = row is not None and row.next_at <= self._assembly.clock.now()  # by `resume`, and nobody has heeded it
        if row is not None and row.phase is Phase.STUCK and not asked:
            why = row.problem.message if row.problem else "see its history"
            hint = row.problem.hint if row.problem else ""
            raise Told(f"{spec.name} is stuck: {why}", hint or f"`rotator resume {spec.name}`", code=INCOMPLETE)

    def _begin_one(self, spec: Credential) -> Rotation:
        journal = self._assembly.journal
        if journal.credential(spec.name).current is None and journal.open_rotation(spec.name) is None:
            self._adopt(spec)
        return self._manual(spec) if self._mode is Mode.MANUAL else self._emergency(spec)

    def _adopt(self, spec: Credential) -> None:
        with suppress(Fenced):  # somebody else adopted it meanwhile, or began: what he began is gone on with
            for remark in adopt(self._assembly, spec, emergency=self._mode is not Mode.MANUAL).remarks():
                self._assembly.told.alert("adopted", spec.name, remark)

    def _manual(self, spec: Credential) -> Rotation:
        journal, ids, clock = self._assembly.journal, self._assembly.ids, self._assembly.clock
        reason = worded(Reason.ASKED, self._args.reason)
        row = starting.start(spec, journal, ids, clock, mode=self._mode, reason=reason)
        row = row or journal.open_rotation(spec.name)
        if row is None:
            raise Told(f"{spec.name} was rotated at this very moment", "`rotator status` shows it", code=INCOMPLETE)
        return row

    def _emergency(self, spec: Credential) -> Rotation:
        clean = emergency.already_clean(
            self._args,
            self._assembly,
            spec,
            self.incident,
            exposure_end=self.exposure_end,
            leaked=self.leaked.get(spec.name, frozenset()),
        )
        if clean is not None:
            return clean
        said = f"{self.incident}: {self._args.reason}" if self._args.reason else str(self.incident)
        return starting.assume_compromise(
            spec,
            self._assembly.journal,
            self._assembly.ids,
            self._assembly.clock,
            owner=self._owner,
            lease=self._assembly.timing.lease,
            contain_first=self._args.contain_first,
            exposure_end=self.exposure_end,
            reason=worded(Reason.COMPROMISE, said),
        )
