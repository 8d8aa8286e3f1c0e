"""Run by the older wheel's interpreter: rotations that stop, each where it is told, until all stand and it is killed.

    python older_process.py CONFIG POINTS INCIDENT

`POINTS` is a JSON object by credential: `{"mode": …, "reason": …, "phase": P}` stops at the beginning of a phase,
`{…, "effect": N, "where": W}` before or after an effect. It knows the older rotator only, and nothing of the tests.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.incidents import remember
from rotator.app.running import Run
from rotator.domain.incidents import Incident
from rotator.domain.records import Verb
from rotator.domain.rotation import Mode, Phase
from rotator.engine import saga, starting, worker
from rotator.engine.recorded import Recorded

LONGEST = 120
"""Seconds until whatever has not come so far is an error."""


class Stops:
    """Where each credential's rotation stands still, for as long as this process lives."""

    def __init__(self, points: dict[str, dict[str, Any]], journal: Any) -> None:
        self.points = points
        self.journal = journal
        self.stand: set[str] = set()
        self.effects: Counter[str] = Counter()
        self.asked: set[str] = set()
        self.changed = threading.Condition()

    def install(self) -> None:
        """Around every step and every effect of the engine."""
        step, effects = saga.advance, Recorded._effects

        def advance(rotation: Recorded) -> None:
            self._at_step(rotation)
            step(rotation)
            if rotation.row.phase is Phase.STUCK and self.points[rotation.row.credential].get("phase") == Phase.STUCK:
                self._stands(rotation.row.credential)

        def counted(rotation: Recorded, intents: Any, does: Sequence[Callable[[], Any]], **how: Any) -> Any:
            name = rotation.row.credential
            number, self.effects[name] = self.effects[name], self.effects[name] + 1
            return effects(rotation, intents, [self._around(name, number, each) for each in does], **how)

        vars(worker)["advance"] = advance
        Recorded._effects = counted  # type: ignore[method-assign,assignment]

    def wait(self) -> set[str]:
        """Those that never came to where they should stand."""
        with self.changed:
            self.changed.wait_for(lambda: self.stand == set(self.points), LONGEST)
        return set(self.points) - self.stand

    def _at_step(self, rotation: Recorded) -> None:
        name, phase = rotation.row.credential, rotation.row.phase
        point = self.points[name]
        if name in self.stand or point.get("phase") == phase:
            self._stand_still(name)
        if point.get("back") and phase is Phase.LIVE and name not in self.asked:
            self.asked.add(name)
            self.journal.ask(name, Verb.ROLLBACK, "a test", datetime.now(UTC))

    def _around(self, name: str, number: int, do: Callable[[], Any]) -> Callable[[], Any]:
        point = self.points[name]
        here = point.get("effect") == number

        def done() -> Any:
            if name in self.stand or (here and point["where"] == "before"):
                self._stand_still(name)
            result = do()
            if here and point["where"] == "after":
                self._stand_still(name)
            return result

        return done

    def _stands(self, name: str) -> None:
        with self.changed:
            self.stand.add(name)
            self.changed.notify()

    def _stand_still(self, name: str) -> None:
        self._stands(name)
        threading.Event().wait()


def main() -> int:
    """Never returns by itself but where something was not reached."""
    points, incident = json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]
    assembly = Assembly(config=load_config(Path(sys.argv[1])))
    journal = assembly.journal
    ports = (journal, assembly.ids, assembly.clock)
    stolen = tuple(name for name, point in points.items() if incident in point["reason"])
    remember(journal, Incident(id=incident, opened_at=assembly.clock.now(), names=stolen, reason="a bad package"))
    for name, point in points.items():
        spec = assembly.config.credentials[name]
        if journal.credential(name).current is None:
            adopt(assembly, spec)
        mode = Mode(point["mode"])
        if mode is Mode.CONTAIN_FIRST:
            starting.assume_compromise(
                spec,
                *ports,
                owner="older",
                lease=assembly.timing.lease,
                contain_first=True,
                exposure_end=assembly.clock.now(),
                reason=point["reason"],
            )
        else:
            starting.start(spec, *ports, mode=mode, reason=point["reason"])
    stops = Stops(points, journal)
    stops.install()
    run = Run(assembly=assembly, owner="older", parallel=2 * len(points), only=tuple(points))
    threading.Thread(target=run.until, args=[lambda: False], daemon=True).start()
    missing = stops.wait()
    sys.stdout.write(json.dumps({"missing": sorted(missing), "effects": dict(stops.effects)}))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


if __name__ == "__main__":
    sys.exit(main())
