"""What keeps policies, each thing taken away by a patch of the source text; run as a program, a mutant lives its year.

`python -m tests.simulation.year.mutants NAME` prints which check was broken, and how.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from tests.simulation.mutants import Patch, Patching


@dataclass(frozen=True, slots=True, kw_only=True)
class YearMutant:
    """Something taken away. `breaks`: the checks one of which must fail, in a year of so many days."""

    name: str
    patches: tuple[Patch, ...]
    breaks: tuple[str, ...]
    credentials: int = 30
    days: int = 60
    seed: int = 1


def _in(module: str, old: str, new: str) -> Patch:
    return Patch(module=f"rotator.{module}", old=old, new=new)


MUTANTS = (
    YearMutant(
        name="what was missed is caught up twice",
        patches=(
            _in(
                "engine.sweeping",
                "    due = next_due(rotation.spec.policy, row.name, rotated_at=rotated_at, now=now,",
                "    begun = rotation.row.started_at\n"
                "    missed = row.next_due is not None and begun - row.next_due > timedelta(minutes=5)\n"
                "    due = now if missed else next_due(rotation.spec.policy, row.name, rotated_at=rotated_at, now=now,",
            ),
        ),
        breaks=("twice",),
    ),
    YearMutant(
        name="what was missed begins at once",
        patches=(
            _in("daemon.service", "                spread_missed(assembly)\n", "                assembly.journal\n"),
        ),
        breaks=("spread",),
        credentials=120,
    ),
    YearMutant(
        name="a clock that is set back stops the duties",
        patches=(_in("daemon.duties", "        if abs(self._ahead - ahead) >= JUMP:\n", "        if False:\n"),),
        breaks=("housekeeping",),
    ),
    YearMutant(
        name="a policy that became shorter is not followed",
        patches=(_in("app.housekeeping", "        if due >= row.next_due or ", "        if True or "),),
        breaks=("too old",),
    ),
    YearMutant(
        name="a freeze does not count for what is scheduled",
        patches=(_in("app.housekeeping", "    if isinstance(allowed, Closed):\n", "    if False:\n"),),
        breaks=("freeze",),
        days=365,
        credentials=18,
    ),
    YearMutant(
        name="keys are retired outside the window",
        patches=(_in("engine.live", " or until_window(rotation)\n", "\n"),),
        breaks=("freeze",),
    ),
    YearMutant(
        name="a hold does not count",
        patches=(
            _in(
                "engine.recorded",
                "if heed and self.credential.held and not",
                "if False and self.credential.held and not",
            ),
            _in("adapters.journal.statements", "    fitting = (CREDENTIAL.c.held == _NONE, ", "    fitting = ("),
        ),
        breaks=("hold",),
    ),
    YearMutant(
        name="a pause does not count",
        patches=(
            _in(
                "app.housekeeping",
                "    if not due or pausing.pause_of(assembly.journal, assembly.clock.now()) is not None:\n",
                "    if not due:\n",
            ),
        ),
        breaks=("pause",),
    ),
    YearMutant(
        name="when something is due is forgotten at the end",
        patches=(
            _in(
                "daemon.service",
                "                spread_missed(assembly)\n",
                "                spread_missed(assembly)\n"
                "                for row in assembly.journal.credentials():\n"
                "                    if row.next_due and not assembly.journal.open_rotation(row.name):\n"
                "                        from dataclasses import replace\n"
                "                        from rotator.ports import Change\n"
                "                        lost = replace(row, next_due=None)\n"
                "                        assembly.journal.save(lost, assembly.clock.now(), Change())\n",
            ),
        ),
        breaks=("too old", "count"),
    ),
    YearMutant(
        name="nobody is warned",
        patches=(_in("daemon.duties", "for each in found if not each.missed))", "for each in found if False))"),),
        breaks=("warning",),
    ),
    YearMutant(
        name="an overlap is cut short",
        patches=(_in("engine.live", "    if waiting is not None:\n        return waiting\n    listed", "    listed"),),
        breaks=("dead key",),
    ),
    YearMutant(
        name="strays are left alone",
        patches=(
            _in("engine.reconciling", "if not revoke or key_id not in ripe:", "if True:"),
            _in("engine.sweeping", "            sweep_strays(rotation, listed, ends_as)\n", ""),
            _in(
                "engine.minting",
                "    doomed = strays(rotation, listed, below=rotation.row.fence)\n",
                "    doomed = []\n",
            ),
        ),
        breaks=("orphan",),
        days=365,
    ),
)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


def live(mutant: YearMutant) -> dict[str, object]:
    """The check that failed first in the mutant's year; `caught` None where none did."""
    sys.meta_path.insert(0, Patching(mutant.patches))
    from tests.simulation.year.year import live_through

    broken = live_through(seed=mutant.seed, credentials=mutant.credentials, days=mutant.days).broken
    if broken is None:
        return {"caught": None}
    return {"caught": broken.check, "what": broken.what, "subject": broken.subject, "day": round(broken.at / 86_400, 1)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(live(BY_NAME[sys.argv[1]])))
