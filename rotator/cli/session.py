"""One run of `rotate`: select, plan, ask, start, run until it is settled, report."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import FrameType

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.housekeeping import start_due, tidy
from rotator.app.planning import Planned, plan
from rotator.app.reporting import BAD_INPUT, INCOMPLETE, exit_code, report
from rotator.app.running import Run
from rotator.app.selecting import Selection, Selectors, select
from rotator.cli import emergency, words
from rotator.cli.context import load
from rotator.cli.errors import Told, tell
from rotator.cli.plans import show_plan
from rotator.cli.progress import Progress
from rotator.cli.terminal import Terminal, terminal
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.domain.times import UnreadableError, parse_duration
from rotator.engine import starting

WAITING_IS_FINE = frozenset({Phase.LIVE, Phase.RETIRING, Phase.SWEEPING})


def begin(args: argparse.Namespace) -> int:
    """Put the config together and do what was asked; returns the exit code."""
    selectors = Selectors(
        names=args.names,
        every=args.all,
        providers=args.provider,
        stores=args.store,
        consumers=args.consumer,
        tags=args.tag,
        owners=args.owner,
    )
    out, err = terminal(sys.stdout, no_color=args.no_color), terminal(sys.stderr, no_color=args.no_color)
    config = load(args, lenient=args.assume_compromise)
    assembly = Assembly(
        config=config,
        admin=admins(args.admin, config.providers),
        store_wait=duration(args.store_wait, "--store-wait"),
        grace=duration(args.grace, "--grace"),
    )
    if args.due and not selectors.given:
        return Session(args, assembly, err, out).due()
    selection = select(config, selectors)
    if not selection.credentials and not selection.broken:
        raise Told("the selection matches no credential", "`rotator status` lists them")
    return Session(args, assembly, err, out).selected(selection)


def admins(given: Sequence[str], providers: object) -> dict[str, str]:
    """`PROVIDER=REF` by provider."""
    found = {}
    for each in given:
        name, equals, reference = each.partition("=")
        if not equals or not reference or name not in providers:  # type: ignore[operator]
            raise Told("--admin is not understood", "write --admin PROVIDER=file:PATH or PROVIDER=-")
        found[name] = reference
    return found


def duration(text: str | None, option: str) -> timedelta | None:
    """A duration given on the command line."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except UnreadableError as error:
        raise Told(f"{option}: {error.message}", error.hint) from None


class Session:
    """One run of `rotate`."""

    def __init__(self, args: argparse.Namespace, assembly: Assembly, err: Terminal, out: Terminal) -> None:
        self.args = args
        self.assembly = assembly
        self.err = err
        self.out = out
        self.progress = Progress(err, assembly.clock.now)
        assembly.observer = self.progress
        self.owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self.errors: dict[str, tuple[str, str]] = {}
        self.incident: str | None = None
        self.interrupted = 0

    # -- what is asked for -----------------------------------------------------------------------------------

    def selected(self, selection: Selection) -> int:
        """Rotate what was selected."""
        self.errors = {name: (error.message, error.hint) for name, error in selection.broken}
        mode = emergency.mode(self.args)
        plans = [plan(self.assembly, spec, mode) for spec in selection.credentials]
        if self.args.dry_run:
            show_plan(plans, mode, selection.left_out, self.assembly.config.parallel, self.out)
            return BAD_INPUT if any(each.problem for each in plans) and mode is Mode.MANUAL else 0
        good = self._possible(selection.credentials, plans, mode)
        if self.args.assume_compromise:
            self.incident = emergency.confirm(self.args, self.assembly, plans, self.errors, self.err)
        started = self._start(good, mode)
        self._run({row.credential for row in started})
        return self._finish(started, len(selection.credentials) + len(selection.broken))

    def due(self) -> int:
        """One pass: start what is due, advance what can move, reconcile when it is time."""
        if self.args.dry_run:
            rows = self.assembly.journal.due(self.assembly.clock.now(), 1000)
            specs = [
                self.assembly.config.credentials[row.name]
                for row in rows
                if row.name in self.assembly.config.credentials
            ]
            plans = [plan(self.assembly, spec, Mode.SCHEDULED) for spec in specs]
            show_plan(plans, Mode.SCHEDULED, (), self.assembly.config.parallel, self.out)
            return 0
        self.errors |= start_due(self.assembly)
        before = [row for row in self.assembly.journal.rotations() if row.open]
        self._run(None)
        for problem in tidy(self.assembly):
            self.progress.alert("reconciled", problem[0], problem[1])
        return self._finish(before, len(before) + len(self.errors))

    # -- doing it --------------------------------------------------------------------------------------------------

    def _possible(self, specs: Sequence[Credential], plans: Sequence[Planned], mode: Mode) -> list[Credential]:
        """A person's rotation is all or nothing; in an emergency what can go goes."""
        good = []
        for spec, each in zip(specs, plans, strict=True):
            if each.problem is None:
                good.append(spec)
            elif mode is Mode.MANUAL:
                raise Told(f"{spec.name}: {each.problem[0]}", each.problem[1] or "nothing was changed")
            else:
                self.errors[spec.name] = each.problem
        return good

    def _start(self, specs: Sequence[Credential], mode: Mode) -> list[Rotation]:
        rows = []
        for spec in specs:
            try:
                row = self._start_one(spec, mode)
            except (ConfigError, Failure) as error:
                if mode is Mode.MANUAL:
                    raise Told(f"{spec.name}: {error.message}", error.hint or "nothing was changed") from None
                self.errors[spec.name] = (error.message, error.hint)
            else:
                rows.append(row)
        return rows

    def _start_one(self, spec: Credential, mode: Mode) -> Rotation:
        journal, ids, clock = self.assembly.journal, self.assembly.ids, self.assembly.clock
        if journal.credential(spec.name).current is None and journal.open_rotation(spec.name) is None:
            adopt(self.assembly, spec)
        reason = self.args.reason or ("asked for" if mode is Mode.MANUAL else "compromise")
        if mode is Mode.MANUAL:
            row = starting.start(spec, journal, ids, clock, mode=mode, reason=reason)
            return row or self._already_open(spec)
        clean = emergency.already_clean(self.args, self.assembly, spec, self.incident)
        if clean is not None:
            return clean
        return starting.assume_compromise(
            spec,
            journal,
            ids,
            clock,
            owner=self.owner,
            lease=self.assembly.timing.lease,
            contain_first=self.args.contain_first,
            exposure_end=clock.now() if self.args.contained else None,
            reason=f"{self.incident}: {reason}",
        )

    def _already_open(self, spec: Credential) -> Rotation:
        row = self.assembly.journal.open_rotation(spec.name)
        if row is None:
            raise Told(f"{spec.name} was rotated at this very moment", "`rotator status` shows it", code=INCOMPLETE)
        if row.phase is Phase.STUCK:
            why = row.problem.message if row.problem else "see its history"
            hint = row.problem.hint if row.problem else ""
            raise Told(f"{spec.name} is stuck: {why}", hint or f"`rotator resume {spec.name}`", code=INCOMPLETE)
        return row

    def _run(self, only: set[str] | None) -> None:
        parallel = self.args.parallel or self.assembly.config.parallel
        run = Run(assembly=self.assembly, owner=self.owner, parallel=parallel, only=only)
        previous = signal.signal(signal.SIGINT, self._interrupt(run))
        try:
            run.until(self._settled(only))
        finally:
            signal.signal(signal.SIGINT, previous)
            self.progress.finish()
        self.errors |= {
            name: (str(getattr(e, "message", e)), str(getattr(e, "hint", ""))) for name, e in run.failures.items()
        }

    def _interrupt(self, run: Run) -> Callable[[int, FrameType | None], None]:
        def handle(number: int, frame: FrameType | None) -> None:
            self.interrupted += 1
            if self.interrupted > 1:
                os._exit(INCOMPLETE)
            run.stop.set()
            self.err.line("interrupted: finishing the effects in hand; again: now")

        return handle

    def _settled(self, only: set[str] | None) -> Callable[[], bool]:
        """Whether nothing more is worth waiting for in this process."""
        wait = self.args.wait if self.args.wait is not None else self.args.assume_compromise
        journal, clock = self.assembly.journal, self.assembly.clock

        def settled() -> bool:
            if journal.older_than_world() is not None:
                return True
            if only is None:
                wake = journal.next_wake(None)
                return wake is None or wake > clock.now()
            rows = [row for name in only if (row := journal.open_rotation(name)) is not None]
            return all(self._at_rest(row, wait=wait) for row in rows)

        return settled

    def _at_rest(self, row: Rotation, *, wait: bool) -> bool:
        if row.phase is Phase.STUCK:
            return True
        if wait or row.owner is not None or row.waiting is None:
            return False
        if row.phase in WAITING_IS_FINE and row.problem is None:
            return True
        return row.attempts >= 3 or row.waiting.until - self.assembly.clock.now() > timedelta(minutes=1)

    # -- what is said ----------------------------------------------------------------------------------------------

    def _finish(self, started: Sequence[Rotation], selected: int) -> int:
        rows = [self._latest(row) for row in started]
        code = max(exit_code(rows), INCOMPLETE if self.errors or self.interrupted else 0)
        older = self.assembly.journal.older_than_world()
        if self.args.json:
            data = report(rows, selected=selected, incident=self.incident, errors=self.errors)
            print(json.dumps(data, indent=2, ensure_ascii=False))
        else:
            self._say(rows)
        if older is not None:
            return tell(self.args.prog, older, "`rotator reconcile --rebuild` makes it again", code=INCOMPLETE)
        if self.interrupted:
            return tell(
                self.args.prog, "interrupted", "the same command goes on; `rotator status` shows how it stands", code=3
            )
        return code

    def _latest(self, row: Rotation) -> Rotation:
        latest = self.assembly.journal.rotation(row.id) or row
        if latest.phase is Phase.SUPERSEDED:
            return self.assembly.journal.open_rotation(row.credential) or latest
        return latest

    def _say(self, rows: Sequence[Rotation]) -> None:
        now = self.assembly.clock.now()
        for row in rows:
            self.out.line(f"{row.credential}: {words.sentence(row, now)}")
        for name, (message, hint) in self.errors.items():
            self.out.line(f"{name}: {message}" + (f" — {hint}" if hint else ""))
        if self.incident:
            self.out.line(emergency.closing(self.incident, rows, self.errors))
