"""One run of `rotate`: select, plan, ask, begin, run until it is settled, report."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from rotator.app.assembly import Assembly
from rotator.app.chasing import Chase
from rotator.app.deadline import Deadline
from rotator.app.estate import most_urgent_first
from rotator.app.housekeeping import start_due, tidy
from rotator.app.incident_planning import rows_of
from rotator.app.incidents import refusals, refused, remember
from rotator.app.left_behind import as_it_stands, mend
from rotator.app.own_environment import keep_own
from rotator.app.planning import Planned, plans
from rotator.app.reporting import BAD_INPUT, FINDINGS, INCOMPLETE, PLANNED_OUTCOME, exit_code, intended, report
from rotator.app.selecting import Selection, select
from rotator.cli import blast, context, emergency, incident_rotating, leaked, typed, words
from rotator.cli.after import After
from rotator.cli.beginning import Beginning
from rotator.cli.context import load
from rotator.cli.errors import Told, tell
from rotator.cli.plans import show_plan
from rotator.cli.progress import Progress, expected
from rotator.cli.settling import Settling
from rotator.cli.terminal import clean, terminal
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, JournalOlder
from rotator.domain.incidents import LEFT_OUT, Incident
from rotator.domain.rotation import Mode, Phase, Rotation


def begin(args: argparse.Namespace) -> int:
    """Put the config together and do what was asked; returns the exit code."""
    config = load(args, lenient=args.assume_compromise)
    assembly = Assembly(
        config=config,
        admin=typed.admins(args.admin, config.providers),
        store_wait=typed.duration(args.store_wait, "--store-wait"),
        grace=typed.duration(args.grace, "--grace"),
        emergency=args.assume_compromise,
        by=context.caller,
    )
    try:
        return carry_out(args, assembly)
    finally:
        assembly.close()


def carry_out(args: argparse.Namespace, assembly: Assembly) -> int:
    """One pass over what is due, or what was selected."""
    if args.due:
        return _due(args, assembly)
    if args.leaked or args.key_id or args.package or args.incident or args.advisory:
        return _exposed(args, assembly)
    return _selected(args, assembly, leaked.Exposed())


def _due(args: argparse.Namespace, assembly: Assembly) -> int:
    """Nobody sits at it, so people are told as a daemon tells them."""
    session = Session(args, assembly, leaked.Exposed())
    deadline = typed.deadline(typed.duration(args.deadline, "--deadline"), assembly)
    if args.dry_run or not assembly.config.notifications:
        return session.due(deadline)
    from rotator.app.notifying import notified

    with notified(assembly):
        return session.due(deadline)


def _exposed(args: argparse.Namespace, assembly: Assembly) -> int:
    """What leaked, or what a bad package could read, decides beside whatever else was selected."""
    out, err = terminal(sys.stdout, no_color=args.no_color), terminal(sys.stderr, no_color=args.no_color)
    found = leaked.exposed(args, assembly) if args.leaked or args.key_id else leaked.Exposed()
    if args.package:
        found += blast.exposed(args, assembly)
    if args.incident or args.advisory:
        found += incident_rotating.exposed(args, assembly)
    others = typed.selectors(args)
    if found.names or others.wide:
        return max(_selected(args, assembly, found), INCOMPLETE if found.lost else PLANNED_OUTCOME)
    for line in found.said:
        (err if args.json else out).line(line)
    if args.json:
        print(json.dumps(report([], selected=0), indent=2, ensure_ascii=False), file=out.stream)
    elif args.package or found.incident:
        out.line("nothing was changed: no record says that anything is exposed")
    elif found.lost:
        out.line("nothing was changed: its death was never proven")
    else:
        out.line("nothing was changed: it is dead already; --assume-compromise --again rotates all the same")
    return INCOMPLETE if found.lost else FINDINGS if found.incident else PLANNED_OUTCOME


def _selected(args: argparse.Namespace, assembly: Assembly, found: leaked.Exposed) -> int:
    selection = select(assembly.config, typed.selectors(args, found.names))
    ordered = most_urgent_first(assembly, selection.credentials) if args.assume_compromise else selection.credentials
    selection = replace(selection, credentials=ordered, said=found.said)
    if not selection.credentials and not selection.broken:
        raise Told("the selection matches no credential", "`rotator status` lists them")
    return Session(args, assembly, found).selected(selection)


@contextmanager
def begun() -> Iterator[None]:
    """From here on a failure leaves something half-way: the journal's disk, say. Exit 3 and never 2."""
    try:
        yield
    except (ConfigError, Failure) as error:
        hint = error.hint or "`rotator status` shows what is half-way"
        raise Told(error.message, hint, code=INCOMPLETE) from None


def _cut_off() -> None:
    """What only looks may be cut off anywhere."""
    raise KeyboardInterrupt


class Session:
    """One run of `rotate`."""

    def __init__(self, args: argparse.Namespace, assembly: Assembly, found: leaked.Exposed) -> None:
        """`found`: what is exposed, and why, as far as that decided what is selected."""
        self.args = args
        self.found = found
        self.assembly = assembly
        self.out = terminal(sys.stdout, no_color=args.no_color)
        self.err = terminal(sys.stderr, no_color=args.no_color)
        self.progress = Progress(self.err, assembly.clock.now)
        self._watched()
        assembly.observer = self.chase = Chase(assembly.observer)
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.beginning = Beginning(args, assembly, owner)
        self.beginning.leaked = found.keys
        wait = args.wait if args.wait is not None else args.assume_compromise
        self.settling = Settling(assembly, owner, self.err, parallel=self._parallel, wait=wait)
        self.after = After(args, assembly, self.err, self._parallel)
        self.settling.chase = self.chase
        self.asked: Incident | None = None

    @property
    def _parallel(self) -> int:
        return int(self.args.parallel or self.assembly.config.parallel)

    def _watched(self) -> None:
        """On a terminal the log goes above the live table; elsewhere it takes the place of our lines."""
        log = self.assembly.log
        if log is None or self.err.live:
            self.assembly.observer = self.progress
        if log is not None and self.err.live:
            log.write = self.progress.record

    # -- what is asked for -----------------------------------------------------------------------------------

    def selected(self, selection: Selection) -> int:
        """Rotate what was selected."""
        self.beginning.errors = {name: (error.message, error.hint) for name, error in selection.broken}
        mode = emergency.mode(self.args)
        at_once = self.args.assume_compromise and self.args.yes and not self.args.dry_run
        looked = plans(
            self.assembly,
            selection.credentials,
            mode,
            self._parallel,
            look=not at_once or self.args.revoke_foreign is not None,
        )
        self.after.plan(selection.credentials, looked, self.found.window[0] if self.found.window else None)
        if not self.args.assume_compromise or self.args.dry_run:
            for line in selection.said:
                self.err.line(line)
        if self.args.dry_run:
            return self._dry(looked, mode, selection)
        good = self.beginning.possible(selection.credentials, looked)
        if selection.left_out:
            self.err.line("left out by --tag or --owner: " + ", ".join(selection.left_out))
        if self.args.assume_compromise:
            names = [each.name for each in selection.credentials] + [name for name, _ in selection.broken]
            opened = self.found.incident
            incident = opened.id if opened else emergency.incident_id(self.assembly, names)
            left_out = dict.fromkeys(selection.left_out, LEFT_OUT)
            if not good:  # its id is about to be printed
                self._remember(incident, names, left_out)
            emergency.confirm(
                self.args,
                incident,
                looked,
                self.beginning.errors,
                self.err,
                said=selection.said,
                typed_back=self.found.typed_back,
            )
            self.beginning.incident = incident
            self.after.confirm()
            self._remember(incident, names, left_out)
        since = self.asked.opened_at if self.asked else self.assembly.clock.now()
        errors, name = self.beginning.errors, self.beginning.incident or ""
        self.progress.expect(expected(looked, errors, self._parallel, since, name))
        with self.settling.interrupts:
            if self.asked is not None:
                with begun():
                    self.after.begin(self.asked, good)
                started = self._begin_and_run(good)
            else:
                started = self.beginning.begin(good, self._no_more)
                with begun():
                    self._run({row.credential for row in started})
            with begun():
                if self.asked is not None and not self.settling.interrupted:
                    self._look_again(good, started)
                return self._finish(started, len(selection.credentials) + len(selection.broken))

    def _begin_and_run(self, specs: Sequence[Credential]) -> list[Rotation]:
        """Every emergency, begun and run at the same time."""
        names = {spec.name for spec in specs}
        with begun(), self.progress:
            self.progress.beside(self.beginning.rows)
            failures = self.settling.run(names, coming=specs, begin=self.beginning.emergency)
        self.beginning.errors |= failures
        started = self.beginning.begun(specs)
        if not self.settling.interrupted:
            with begun():
                mend(self.assembly, started, self._parallel, self._no_more)
        return started

    def _look_again(self, specs: Sequence[Credential], started: Sequence[Rotation]) -> None:
        assert self.asked is not None
        rows = [self._latest(row) for row in started]
        begun_here = {row.credential for row in rows}  # of no other one it is known which key is its own
        specs = [spec for spec in specs if spec.name in begun_here]
        with suppress(KeyboardInterrupt), self.settling.interrupts.stopping(_cut_off):  # what was seen so far is kept
            self.after.look(specs, rows, self.asked, wait=self.args.wait is not False)

    def _no_more(self) -> bool:
        return self.settling.interrupted

    def _no_time(self) -> bool:
        return self.settling.out_of_time or self.settling.interrupted

    def _remember(self, incident: str, names: Sequence[str], left_out: Mapping[str, str]) -> None:
        """What this incident is about, before anything is done: what is never begun is missed later all the same."""
        now = self.assembly.clock.now()
        opened = self.found.incident
        if opened is not None:
            asked = incident_rotating.begun(self.args, self.found, opened, names, now)
        else:
            asked = Incident(
                id=incident,
                opened_at=now,
                names=tuple(names),
                packages=self.found.packages,
                bad_from=self.found.window[0] if self.found.window else None,
                bad_to=self.found.window[1] if self.found.window else None,
                chosen=tuple(name for name in names if name not in self.found.why),
            )
        asked = replace(
            asked,
            refusals=refusals(self.beginning.errors),
            contained_at=now if self.args.contained else None,
            uncontained=bool(self.args.not_contained),
            reason=self.args.reason or asked.reason,
            why={**asked.why, **self.found.why},
            unknown={**self.found.unknown, **left_out},
        )
        self.asked = remember(self.assembly.journal, asked, anew=opened is not None)
        self.beginning.exposure_end = self.asked.contained_at

    def due(self, deadline: Deadline | None = None) -> int:
        """One pass: start what is due, advance what can move, reconcile when it is time; over by the deadline."""
        self.settling.deadline = deadline
        if self.args.dry_run:
            known = self.assembly.config.credentials
            rows = self.assembly.journal.due(self.assembly.clock.now(), 1000)
            specs = tuple(known[row.name] for row in rows if row.name in known)
            looked = plans(self.assembly, specs, Mode.SCHEDULED, self._parallel)
            self.after.plan(specs, looked, None)
            return self._dry(looked, Mode.SCHEDULED, Selection(credentials=specs))
        keep_own(self.assembly)
        fresh = start_due(self.assembly, self._no_time)
        self.beginning.errors |= fresh.problems
        for name, remark in fresh.remarks:
            self.assembly.told.alert("adopted", name, remark)
        with self.settling.interrupts, begun():
            before = [row for row in self.assembly.journal.rotations() if row.open]
            self._run(None)
            if not self.settling.interrupted:
                self._tidy()
            if self.settling.out_of_time and self.assembly.log is None:
                self.err.line("the deadline is near: what is left goes on with the next pass")
            return self._finish(before, len(before) + len(self.beginning.errors))

    def _tidy(self) -> None:
        try:
            for name, line in tidy(self.assembly, stop=self._no_time):
                self.assembly.told.alert("reconciled", name, line)
        except JournalOlder:
            return  # the journal remembers it, and the report says it

    def _dry(self, looked: Sequence[Planned], mode: Mode, selection: Selection) -> int:
        broken = [
            Planned(credential=name, provider="", principal="", places=(), consumers=(), problem=(e.message, e.hint))
            for name, e in selection.broken
        ]
        looked = [*broken, *looked]
        if self.args.json:
            self._print(intended(looked, mode, self.after.keys))
        else:
            show_plan(looked, mode, selection.left_out, self._parallel, self.out)
            self.after.show(self.out)
        if all(each.problem is None for each in looked):
            return 0
        return INCOMPLETE if self.args.assume_compromise else BAD_INPUT

    def _run(self, only: set[str] | None) -> None:
        with self.progress:
            failures = self.settling.run(only)
        self.beginning.errors |= failures

    # -- what is said ----------------------------------------------------------------------------------------------

    def _finish(self, started: Sequence[Rotation], selected: int) -> int:
        rows, errors = [self._latest(row) for row in started], self.beginning.errors
        incident, interrupted = self.beginning.incident, self.settling.interrupted
        if self.args.json:
            found = report(rows, selected=selected, incident=incident, errors=errors, foreign=self.after.keys)
            found["coverage"]["unknown"] += len(self._unknown())
            self._print(found)
        else:
            self._say(rows)
        self.after.say(self.err if self.args.json else self.out)
        if self.asked is not None:
            refused(self.assembly.journal, self.asked.id, refusals(errors))
        if incident:
            unknown = self._unknown()
            (self.err if self.args.json else self.out).line(emergency.closing(incident, rows, errors, unknown))
        older = self.assembly.journal.older_than_world()
        if older is not None:
            return tell(self.args.prog, older, "`rotator reconcile --rebuild` makes it again", code=INCOMPLETE)
        if interrupted:
            hint = "the same command goes on; `rotator status` shows what is half-way"
            return tell(self.args.prog, "interrupted", hint, code=INCOMPLETE)
        incomplete = errors or self.settling.strange(rows) or self._unknown()
        return max(exit_code(rows), INCOMPLETE if incomplete else 0, self.after.outcome)

    def _unknown(self) -> Mapping[str, str]:
        """What nobody can call safe and is not rotated here, with the reason; of an emergency."""
        if self.asked is None:
            return {}
        rows = rows_of(self.assembly, self.asked.id)
        return {name: why for name, why in self.asked.unknown.items() if name not in rows}

    def _latest(self, row: Rotation) -> Rotation:
        latest = self.assembly.journal.rotation(row.id) or row
        if latest.phase is Phase.SUPERSEDED:
            return self.assembly.journal.open_rotation(row.credential) or latest
        return as_it_stands(self.assembly, latest)

    def _say(self, rows: Sequence[Rotation]) -> None:
        now = self.assembly.clock.now()
        for row in rows:
            self.out.line(f"{row.credential}: {words.sentence(row, now)}")
        for row in self.settling.strange(rows):
            until = words.instant(row.next_at)
            self.out.line(f"{row.credential}: claimed until {until} UTC, which no lease lasts: a clock was wrong")
        for name, (message, hint) in self.beginning.errors.items():
            self.out.line(clean(f"{name}: {message}" + (f" — {hint}" if hint else "")))

    def _print(self, data: dict[str, Any]) -> None:
        print(json.dumps(data, indent=2, ensure_ascii=False), file=self.out.stream)
