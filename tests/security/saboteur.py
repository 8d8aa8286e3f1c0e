"""A process in which things go wrong where it is told: `python -m tests.security.saboteur CONFIG`, the plan on stdin.

    {"rotations": {NAME: [MODE, ERROR, "effect", 0, "before"], …}}      run these until they rest
    {"commands": [["check"], …], "errors": [ERROR, …]}                  each with each error in each call of a driver

An error is one of `ERRORS`; a rotation's is raised once. Everything is said: the log at level debug, tracebacks, and
what each exception holds that passes through our code. The product has no switch for it.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rotator_keyserver import Keyserver

from rotator.adapters.stores.file import FileStore
from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.journals import close_journal
from rotator.app.running import Run
from rotator.cli.main import main as command
from rotator.domain.failures import Ambiguous, Conflict, Denied, Permanent, Transient
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, Phase
from rotator.engine import saga, starting
from rotator.engine.recorded import Recorded
from tests.security.exceptions import look_at_each

ERRORS: dict[str, Callable[[], BaseException]] = {
    "transient": lambda: Transient("made up"),
    "permanent": lambda: Permanent("made up", "nothing"),
    "denied": lambda: Denied("made up", "nothing", permission="none"),
    "conflict": lambda: Conflict("made up"),
    "ambiguous": lambda: Ambiguous("made up"),
    "bug": lambda: RuntimeError("made up"),
    "interrupt": lambda: KeyboardInterrupt("made up"),
}
WHEN = ("before", "after")
DRIVERS: dict[type[Any], tuple[str, ...]] = {
    Keyserver: ("mint", "keys", "verify", "identify", "set_state", "check_admin"),
    FileStore: ("read", "write", "remove", "places"),
}
LONGEST = 240.0
_saying = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotage:
    """What goes wrong in one rotation: `at` is the number of an effect, or the phase of a step."""

    mode: str
    error: str
    what: str
    at: int | str
    when: str


class Engine:
    """Rotations that go wrong, each as planned."""

    def __init__(self, plan: dict[str, Sabotage]) -> None:
        self._plan = plan
        self._effects: Counter[str] = Counter()
        self._asked: set[str] = set()
        self.fired: set[str] = set()

    def install(self) -> None:
        """Wrap every effect and every step."""
        original = Recorded._effects

        def effects(recorded: Recorded, intents: Any, does: Sequence[Callable[[], Any]], **how: Any) -> Any:
            name = recorded.spec.name
            return original(recorded, intents, [self._counted(name, each) for each in does], **how)

        Recorded._effects = effects  # type: ignore[method-assign,assignment]
        for phase, row in saga.TABLE.items():
            saga.TABLE[phase] = replace(row, step=self._step(phase, row.step))

    def _counted(self, name: str, do: Callable[[], Any]) -> Callable[[], Any]:
        number = self._effects[name]
        self._effects[name] += 1
        return lambda: self._around(name, "effect", number, do)

    def _step(self, phase: Phase, step: saga.Step) -> saga.Step:
        def wrapped(recorded: Recorded) -> Any:
            name = recorded.spec.name
            if phase is Phase.LIVE and self._plan[name].mode == "rollback" and name not in self._asked:
                self._asked.add(name)
                recorded.world.journal.ask(name, Verb.ROLLBACK, "test", recorded.now())
            return self._around(name, "step", phase.value, lambda: step(recorded))

        return wrapped

    def _around(self, name: str, what: str, at: int | str, do: Callable[[], Any]) -> Any:
        due = self._plan[name]
        mine = (due.what, due.at) == (what, at) and name not in self.fired
        if mine and due.when == "before":
            self._fire(name)
        result = do()
        if mine and due.when == "after":
            self._fire(name)
        return result

    def _fire(self, name: str) -> None:
        self.fired.add(name)
        raise ERRORS[self._plan[name].error]()


def rotations(config: Path, plan: dict[str, Sabotage]) -> None:
    """Begin them all and run until they rest."""
    assembly = Assembly(config=load_config(config))
    engine = Engine(plan)
    for name, each in plan.items():
        _begin(assembly, name, each.mode)
    engine.install()
    run = Run(assembly=assembly, owner="saboteur", parallel=24)
    run._worker.run = _told(run._worker.run)  # type: ignore[method-assign]
    ends = time.monotonic() + LONGEST
    run.until(lambda: assembly.journal.next_wake() is None or time.monotonic() > ends)
    say(f"fired: {len(engine.fired)}")
    close_journal(assembly)


def _begin(assembly: Assembly, name: str, mode: str) -> None:
    spec = assembly.config.credentials[name]
    while assembly.journal.credential(name).current is None:
        with suppress(Transient):
            adopt(assembly, spec)
    ports = (assembly.journal, assembly.ids, assembly.clock)
    if mode in ("scheduled", "rollback"):
        starting.start(spec, *ports, mode=Mode.SCHEDULED, reason="due")
        return
    starting.assume_compromise(
        spec,
        *ports,
        owner="saboteur",
        lease=assembly.timing.lease,
        contain_first=mode == "contain_first",
        exposure_end=assembly.clock.now(),
        reason="test",
    )


def _told(do: Callable[..., Any]) -> Callable[..., Any]:
    """What a thread raises is kept from people; here it is shown."""

    def told(*arguments: Any, **named: Any) -> Any:
        try:
            return do(*arguments, **named)
        except BaseException:
            say(traceback.format_exc())
            raise

    return told


class Drivers:
    """Counts the calls of all drivers and raises in one of them, when it knows most: after the answer."""

    def __init__(self) -> None:
        self.calls = 0
        self.at = -1
        self.error = ""

    def install(self) -> None:
        """Wrap them."""
        for kind, names in DRIVERS.items():
            for name in names:
                setattr(kind, name, self._wrapped(getattr(kind, name)))

    def _wrapped(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*arguments: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            result = method(*arguments)
            if number == self.at:
                raise ERRORS[self.error]()
            return result

        return call

    def armed(self, at: int, error: str) -> None:
        """The next call but so many goes wrong."""
        self.calls, self.at, self.error = 0, at, error


def commands(config: Path, lines: list[list[str]], errors: list[str]) -> None:
    """Each command again and again, until it is through with all its calls of drivers."""
    drivers = Drivers()
    drivers.install()
    fired = 0
    for line in lines:
        for error in errors:
            at, more = 0, True
            while more:
                drivers.armed(at, error)
                with suppress(SystemExit):
                    _command([*line, "--debug", "--config", str(config)])
                at, more = at + 1, drivers.calls > at
                fired += more
    say(f"fired: {fired}")


def _command(words: list[str]) -> None:
    try:
        command(words)
    except Exception:  # noqa: BLE001 - the interpreter would print it too
        say(traceback.format_exc())


def say(text: str) -> None:
    """One thing at a time on standard output."""
    with _saying:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def main() -> int:
    """0 when everything planned has happened, however it ended."""
    config, plan = Path(sys.argv[1]), json.load(sys.stdin)
    look_at_each(say)
    logging.basicConfig(level=logging.DEBUG)
    if "rotations" in plan:
        named = ("mode", "error", "what", "at", "when")
        rotations(
            config, {name: Sabotage(**dict(zip(named, each, strict=True))) for name, each in plan["rotations"].items()}
        )
    else:
        commands(config, plan["commands"], plan["errors"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
