"""Which rotations a run of `rotate` begins, joins or goes on with."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from rotator.app import asked_for
from rotator.app.adopting import Read, adopt
from rotator.app.assembly import Assembly
from rotator.app.planning import Planned
from rotator.app.reporting import INCOMPLETE
from rotator.app.running import Later, Started
from rotator.cli import emergency
from rotator.cli.errors import Told
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced, Transient
from rotator.domain.rotation import Mode, Rotation
from rotator.engine import starting
from rotator.policy.reasons import Reason, worded

PATIENCE = 4
"""Attempts to begin an emergency that may fail before the others are told of it."""
NOT_BEGUN = ("it was not begun", "the same command goes on")


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
        self.rows: dict[str, Rotation] = {}  # of emergencies, as they were begun
        self._tried: dict[str, int] = {}  # how often they could not be begun, by what may pass
        self._read: dict[str, Read] = {}  # what adoption read a moment ago

    def possible(self, specs: Sequence[Credential], plans: Sequence[Planned]) -> list[Credential]:
        """Those without a problem. Raises `Told` for the first problem of what a person asked for."""
        good = []
        for spec, plan in zip(specs, plans, strict=True):
            if plan.problem is None:
                good.append(spec)
            else:
                self._cannot(spec, *plan.problem)
        return good

    def begin(self, specs: Sequence[Credential], stop: Callable[[], bool] = lambda: False) -> list[Rotation]:
        """A row for each; `stop` True begins no more of them, and then they are among `errors`."""
        for spec in specs if self._mode is Mode.MANUAL else ():
            self._refuse_stuck(spec)
        rows = []
        for spec in specs:
            if stop():
                self.errors[spec.name] = NOT_BEGUN
                continue
            try:
                rows.append(self._begin_one(spec))
            except (ConfigError, Failure) as error:
                self._cannot(spec, error.message, error.hint)
        return rows

    def emergency(self, spec: Credential) -> Started | Later | None:
        """Begin an emergency of one, on any thread; None where it could not be, and then `errors` says why."""
        try:
            if self._assembly.journal.older_than_world() is not None:
                return None
            row = self.rows[spec.name] = self._begin_one(spec)
        except Transient as failure:
            tried = self._tried[spec.name] = self._tried.get(spec.name, 0) + (not failure.throttled)
            if tried < PATIENCE:
                return Later(after=failure.retry_after or timedelta(seconds=2 ** max(0, tried - 1)))
            self._cannot(spec, failure.message, failure.hint)
        except (ConfigError, Failure) as error:
            self._cannot(spec, error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - it must stop no other; its text may hold anything
            what = f"an error of the rotator or a driver itself ({type(error).__name__})"
            self._cannot(spec, what, "report it; the same command goes on")
            self._assembly.defect(spec.name, error)
        else:
            return Started(row=row, read=self._read.pop(spec.name, None))
        return None

    def begun(self, specs: Sequence[Credential]) -> list[Rotation]:
        """What was begun of these emergencies; what was not is among `errors` from now on, if nothing said why."""
        for spec in specs:
            if spec.name not in self.rows and spec.name not in self.errors:
                self._cannot(spec, *NOT_BEGUN)
        return [self.rows[spec.name] for spec in specs if spec.name in self.rows]

    def _cannot(self, spec: Credential, message: str, hint: str) -> None:
        if self._mode is Mode.MANUAL:
            message = message.removeprefix(f"{spec.name}: ")
            raise Told(f"{spec.name}: {message}", hint or "nothing was changed")
        self.errors[spec.name] = (message, hint)

    def _refuse_stuck(self, spec: Credential) -> None:
        try:
            asked_for.refuse_stuck(self._assembly, spec)
        except asked_for.Stuck as stuck:
            raise Told(stuck.message, stuck.hint, code=INCOMPLETE) from None

    def _begin_one(self, spec: Credential) -> Rotation:
        journal = self._assembly.journal
        if journal.credential(spec.name).current is None and journal.open_rotation(spec.name) is None:
            self._adopt(spec)
        return self._manual(spec) if self._mode is Mode.MANUAL else self._emergency(spec)

    def _adopt(self, spec: Credential) -> None:
        with suppress(Fenced):  # somebody else adopted it meanwhile, or began: what he began is gone on with
            adopted = adopt(self._assembly, spec, emergency=self._mode is not Mode.MANUAL)
            self._read[spec.name] = adopted.read
            for remark in adopted.remarks():
                self._assembly.told.alert("adopted", spec.name, remark)

    def _manual(self, spec: Credential) -> Rotation:
        try:
            return asked_for.start(self._assembly, spec, self._args.reason)
        except Transient as gone:
            raise Told(gone.message, gone.hint, code=INCOMPLETE) from None

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
