"""`rotator incident drill`: the real config's shape on keyservers here, to see how long the real thing takes."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator.cli import words
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count, table, terminal

if TYPE_CHECKING:
    from rotator.app.drilled import Drilled, Times
    from rotator.app.drilling import Cast, Pace
    from rotator.config.reading import Config
    from rotator.domain.credential import Credential

LATENCY = 300
FASTEST, SLOWEST = 60, 10_000
NOT_SHOWN = (
    "the network, and what providers and stores really take: every request took {latency} ms here, no more and no less",
    "providers in trouble, their throttles beyond the config's rate, keys that fill a cap, foreign keys",
    "old keys whose values no store has, and more than one old key: each credential had one, and its stores had it",
    "your consumers: nobody was told, and nobody picked anything up",
    "stores that cannot be read, and the journal's own server: all were files of this machine",
)
TOLD_FAST = "what this machine itself takes, and pauses of a second: at --speed {speed:g} they count {speed:g} times"


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which credentials, and how fast."""
    parser.usage = "rotator incident drill [NAME ... | --provider P | --tag T] [--contain-first] [--speed N] [--json]"
    parser.description = "The emergency of this config, rehearsed on this machine: no secret, no provider, no store."
    parser.add_argument("names", nargs="*", metavar="NAME", help="credentials; all, unless anything is selected")
    which = parser.add_argument_group("which")
    which.add_argument("--all", action="store_true", help="every credential")
    which.add_argument("--provider", action="append", default=[], metavar="PROVIDER", help="every key of this provider")
    which.add_argument("--tag", action="append", default=[], metavar="TAG", help="only those with this tag")
    how = parser.add_argument_group("how")
    how.add_argument("--contain-first", action="store_true", help="disable the old keys before new ones exist")
    how.add_argument("--latency", type=int, default=LATENCY, metavar="MS", help=f"of every request ({LATENCY})")
    how.add_argument("--speed", type=float, default=1.0, metavar="N", help="so many times as fast as life (1)")
    how.add_argument("--parallel", type=int, metavar="N", help="rotations at the same time")
    how.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Rehearse; 3 when a key could not be proven dead."""
    _check(args)
    with _ended_by_signals():
        try:
            result = _drill(args)
        except KeyboardInterrupt:
            raise Told("interrupted", "the drill is over, and nothing of it is left", code=3) from None
    if args.json:
        print(json.dumps(as_object(result), indent=2, ensure_ascii=False))
    else:
        show(result, terminal(sys.stdout, no_color=args.no_color))
    return 3 if result.unproven else 0


def _check(args: argparse.Namespace) -> None:
    if not 1 <= args.speed <= FASTEST:
        raise Told("--speed is out of range", f"write a number from 1 to {FASTEST}")
    if not 0 <= args.latency <= SLOWEST:
        raise Told("--latency is out of range", f"write milliseconds from 0 to {SLOWEST}")
    if args.parallel is not None and not 1 <= args.parallel <= 256:
        raise Told("--parallel is out of range", "write a number from 1 to 256")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Whoever ends the process by a signal leaves nothing behind either."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, end) for each in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _drill(args: argparse.Namespace) -> Drilled:
    from rotator.app.drilled import nobody
    from rotator.app.drilling import Pace, cast, folder, too_fast
    from rotator.app.selecting import Selectors, select
    from rotator.cli.context import load

    config = load(args, lenient=True)
    if args.parallel is not None:
        config = replace(config, parallel=args.parallel)
    most = too_fast(config, args.speed)
    if most is not None:
        lease = words.span(config.lease)
        raise Told(f"--speed {args.speed:g} is too fast for a lease of {lease}", f"at most --speed {most:g}")
    anything = args.names or args.provider or args.tag
    chosen = select(
        config,
        Selectors(names=args.names, every=args.all or not anything, providers=args.provider, tags=args.tag),
    )
    if not chosen.credentials and not chosen.broken:
        if not config.credentials:
            raise Told("the config has no credential", "`rotator init` writes some, or beneath credentials:")
        raise Told("the selection matches no credential", "`rotator status` lists them")
    err = terminal(sys.stderr, no_color=args.no_color)
    err.line("a drill: nothing real is asked or changed; the drivers say what they offer")
    pace = Pace(latency=timedelta(milliseconds=args.latency), speed=args.speed)
    with folder() as place:
        players = cast(config, chosen.credentials, place)
        broken = {name: (error.message, error.hint) for name, error in chosen.broken}
        players = replace(players, refused={**players.refused, **broken})
        specs = [spec for spec in chosen.credentials if spec.name in players.offers]
        if not specs:
            return nobody(players, {}, pace.latency)
        return _play(args, config, specs, players, place, pace, err)


def _play(
    args: argparse.Namespace,
    config: Config,
    specs: Sequence[Credential],
    players: Cast,
    place: Path,
    pace: Pace,
    err: Terminal,
) -> Drilled:
    from rotator.app.drilled import drilled
    from rotator.app.drilling import stage
    from rotator.app.planning import plans
    from rotator.cli.rehearsal import rehearsal
    from rotator.domain.rotation import Mode

    mode = Mode.CONTAIN_FIRST if args.contain_first else Mode.COMPROMISE
    with stage(config, specs, players, place, pace) as set_up:
        assembly = set_up.assembly
        playing = rehearsal(assembly, place, err, contain_first=args.contain_first)  # first: it hears of what follows
        looked = plans(assembly, tuple(assembly.config.credentials.values()), mode, config.parallel)
        how = "as fast as life" if pace.speed == 1 else f"{pace.speed:g} times as fast as life"
        err.line(f"{count(len(specs), 'credential')} at {count(len(set_up.servers), 'keyserver')}, {how}")
        set_up.begin()
        began = assembly.clock.now()
        rows = playing.play()
        if err.live:
            err.line()
        if playing.settling.interrupted:
            raise KeyboardInterrupt
        return drilled(set_up, players, rows, playing.beginning.errors, looked, began)


# -- what is said -------------------------------------------------------------------------------------------------


def show(result: Drilled, out: Terminal) -> None:
    """For people."""
    look = "red" if result.unproven else "green"
    out.line(out.style(f"drill: {result.proven} of {count(result.selected, 'credential')} proven dead", "bold", look))
    for line in (*_times(result.times), *_persons(result), *_bounds(result)):
        out.line(f"  {line}")
    shown = _not_shown(result) if result.providers else ()
    for block in (_providers(result, out), _unproven(result, out), _by_word(result), shown):
        lines = list(block)
        if lines:
            out.line()
        for line in lines:
            out.line(line)


def _persons(result: Drilled) -> Iterator[str]:
    if result.persons:
        yield f"not in these times: whatever waits for a person, {count(len(result.persons), 'credential')}"


def _providers(result: Drilled, out: Terminal) -> list[str]:
    cells = []
    for each in result.providers:
        first, last = each.times.died or (None, None)
        spans = [words.span(at) if at is not None else "—" for at in (first, last, each.times.over)]
        cells.append([each.provider, f"{each.proven} of {each.credentials}", *spans])
    return table(["provider", "proven", "first death", "last death", "over"], cells, out) if cells else []


def _unproven(result: Drilled, out: Terminal) -> Iterator[str]:
    for left in result.unproven:
        yield out.style(clean(f"not proven: {left.credential}: {left.why}"), "magenta" if left.person else "red")
        if left.hint:
            yield clean(f"  {left.hint}")


def _by_word(result: Drilled) -> Iterator[str]:
    if result.by_word:
        yield f"proven by the driver's word alone, for lack of a plain request: {', '.join(result.by_word)}"


def _not_shown(result: Drilled) -> Iterator[str]:
    yield "not shown by a drill:"
    for line in not_shown(result):
        yield f"  - {line}"


def not_shown(result: Drilled) -> list[str]:
    """What the real thing may take longer for."""
    milliseconds = f"{result.latency / timedelta(milliseconds=1):g}"
    said = [each.format(latency=milliseconds) for each in NOT_SHOWN]
    return [*said, TOLD_FAST.format(speed=result.speed)] if result.speed > 1 else said


def _times(times: Times) -> Iterator[str]:
    if times.contained is not None:
        first, last = map(words.span, times.contained)
        yield f"first key disabled after {first}, the last after {last}"
    if times.died is not None:
        first, last = map(words.span, times.died)
        yield f"first key dead after {first}, the last after {last}"
    if times.over is not None:
        yield f"all over after {words.span(times.over)}, with the last look for what came to light late"


def _bounds(result: Drilled) -> Iterator[str]:
    bounds = result.bounds
    if bounds is None:
        return
    yield f"lower bounds, of the work without waiting: {words.span(bounds.path)}, the longest path"
    if bounds.waves > bounds.path:
        yield f"  {words.span(bounds.waves)}, as many at a time as there are threads"
    if bounds.slowest is not None:
        yield f"  {words.span(bounds.limits[bounds.slowest])}, what {bounds.slowest} allows"


def as_object(result: Drilled) -> dict[str, Any]:
    """For programs; durations are seconds."""
    bounds = result.bounds
    return {
        "drill": {"latency_ms": result.latency / timedelta(milliseconds=1), "speed": result.speed},
        "selected": result.selected,
        "proven": result.proven,
        "seconds": _seconds(result.times),
        "bounds": {
            "longest_path": bounds.path.total_seconds() if bounds else None,
            "threads": bounds.waves.total_seconds() if bounds else None,
            "limits": {name: limit.total_seconds() for name, limit in bounds.limits.items()} if bounds else {},
        },
        "providers": [
            {"provider": e.provider, "credentials": e.credentials, "proven": e.proven, "seconds": _seconds(e.times)}
            for e in result.providers
        ],
        "unproven": [
            {"credential": e.credential, "why": e.why, "hint": e.hint, "person": e.person} for e in result.unproven
        ],
        "by_word": list(result.by_word),
        "not_shown": not_shown(result),
    }


def _seconds(times: Times) -> dict[str, float | None]:
    def both(pair: tuple[timedelta, timedelta] | None) -> tuple[float | None, float | None]:
        return (None, None) if pair is None else (pair[0].total_seconds(), pair[1].total_seconds())

    contained, died = both(times.contained), both(times.died)
    return {
        "first_disabled": contained[0],
        "last_disabled": contained[1],
        "first_death": died[0],
        "last_death": died[1],
        "over": times.over.total_seconds() if times.over is not None else None,
    }
