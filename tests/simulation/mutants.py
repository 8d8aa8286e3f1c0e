"""The rules of DESIGN §4, each taken away by a patch of the source text; run as a program, a mutant looks for its seed.

The patch is applied to a module when it is imported, in a process of its own; the product knows nothing of it.
`python -m tests.simulation.mutants NAME` prints the first seed that catches it, and the invariant that breaks.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """`old`, which occurs exactly once in a module, becomes `new`."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A rule taken away. `breaks`: the invariants one of which must break; `world`: where that is quickest.

    From the seed `first` on so many `seeds` are tried; a rare case is looked for near where it was found once.
    """

    name: str
    rule: str
    patches: tuple[Patch, ...]
    breaks: tuple[str, ...]
    strategies: tuple[str, ...] = ("overlap", "dual", "unmarked")
    first: int = 0
    seeds: int = 1500
    world: dict[str, object] = field(default_factory=dict)


def engine(module: str, old: str, new: str) -> Patch:
    """A patch of one module of the engine."""
    return Patch(module=f"rotator.engine.{module}", old=old, new=new)


MUTANTS = (
    Mutant(
        name="no fence",
        rule="1: every journal write carries the fence",
        patches=(
            engine(
                "recorded",
                "requests = self.world.journal.commit(row, now, change, heed=heed)",
                "row = replace(row, fence=self.world.journal.rotation(row.id).fence)\n"
                "        requests = self.world.journal.commit(row, now, change, heed=heed)",
            ),
        ),
        breaks=("I1", "I2", "I3", "I5", "I6", "progress", "drift", "one mint per fence", "rolled back"),
    ),
    Mutant(
        name="version read again",
        rule="3: never re-read between the intent and the write",
        patches=(
            engine(
                "recorded",
                "return lambda: store.write(write.place, write.fields, write.expected)",
                "return lambda: store.write(write.place, write.fields, store.read(write.place).version)",
            ),
        ),
        breaks=("I1", "I3", "drift"),
        world={"focus": "promoting", "foreign": True},
        first=55,
    ),
    Mutant(
        name="put back only what looks promoted",
        rule="4: rolling back writes a new version wherever a promotion was intended",
        patches=(
            engine(
                "rolling_back",
                "if state.put_back_at is not None and found.holds(old_key, old):",
                "if found.holds(old_key, old):",
            ),
        ),
        breaks=("I1",),
        seeds=4000,
        world={"focus": "rolling_back", "emergencies": False, "outages": False, "foreign": False, "stall_rate": 0.03},
        first=21,
    ),
    Mutant(
        name="one intent for all",
        rule="4: of those that are written at the same time, every one is intended and put back",
        patches=(engine("recorded", "for each in writes:\n", "for each in writes[:1]:\n"),),
        breaks=("I1", "drift", "progress"),
        world={"focus": "promoting", "emergencies": False},
    ),
    Mutant(
        name="nothing rewritten",
        rule="4: a superseding rotation writes what is current again before it looks",
        patches=(engine("planning", "    rewrite_superseded(rotation)\n", ""),),
        breaks=("I1", "I3"),
        strategies=("two-slots", "overlap", "dual"),
        seeds=4000,
        world={"foreign": False, "outages": False, "operators": False, "stall_rate": 0.02},
        first=630,
    ),
    Mutant(
        name="undone after the pivot",
        rule="5: nothing is undone after the first intent of the pivot",
        patches=(engine("outcomes", "at not in BEFORE_PIVOT or row.beyond_pivot or", "at not in BEFORE_PIVOT or"),),
        breaks=("I1", "rolled back", "progress"),
        first=32,
    ),
    Mutant(
        name="nobody holds a key",
        rule="6: no key is deleted while it is current somewhere",
        patches=(
            engine(
                "killing",
                "def holder(rotation: Recorded, key_id: str) -> str | None:\n",
                "def holder(rotation: Recorded, key_id: str) -> str | None:\n    return None\n",
            ),
        ),
        breaks=("I1",),
        first=15,
    ),
    Mutant(
        name="mint sent twice",
        rule="7: at most one request per rotation and fence",
        patches=(
            engine(
                "recorded",
                "lambda: provider.mint(principal, request))\n",
                "lambda: _twice(lambda: provider.mint(principal, request)))\n",
            ),
            engine(
                "recorded",
                "class Recorded:\n",
                "def _twice(send):\n    try:\n        return send()\n    except Ambiguous:\n        return send()\n\n\n"
                "class Recorded:\n",
            ),
        ),
        breaks=("one mint per fence",),
    ),
    Mutant(
        name="list believed at once",
        rule="7: the look counts only a list lag after the last mint intent",
        patches=(
            engine(
                "minting", "    if rotation.now() < until:\n        raise Pause", "    if False:\n        raise Pause"
            ),
        ),
        breaks=("I2",),
    ),
    Mutant(
        name="no sweep",
        rule="9: a sweep after the last step unless the rotation is clean",
        patches=(engine("sweeping", "    if emergency or not rotation.row.clean or", "    if"),),
        breaks=("I6",),
        first=320,
    ),
    Mutant(
        name="no wait before the sweep",
        rule="9: the sweep waits two leases and a list lag",
        patches=(
            engine("sweeping", "quiet = rotation.row.since + 2 *", "quiet = rotation.row.since + 0 *"),
            engine("sweeping", "+ rotation.capabilities.list_lag\n", "+ 0 * rotation.capabilities.list_lag\n"),
        ),
        breaks=("sweep",),
    ),
    Mutant(
        name="one sighting",
        first=60,
        rule="9: an orphan is revoked after two sightings a list lag apart",
        patches=(engine("reconciling", "if not revoke or key_id not in ripe:", "if not revoke:"),),
        breaks=("two sightings",),
    ),
    Mutant(
        name="no reconciler",
        first=60,
        rule="9: the reconciler revokes what woke up later",
        patches=(engine("reconciling", "if not revoke or key_id not in ripe:", "if True:"),),
        breaks=("I2",),
    ),
    Mutant(
        name="nothing mended",
        rule="9: the reconciler writes the current key where another of the credential's own is",
        patches=(engine("reconciling", "    result = _mend(look, result)\n", ""),),
        breaks=("drift",),
    ),
    Mutant(
        name="the journal's age unasked",
        rule="9: a journal older than the world claims nothing and revokes nothing",
        patches=(
            engine(
                "belonging",
                "    marks = [(key.id, mark) for key in listed",
                "    return\n    marks = [(key.id, mark) for key in listed",
            ),
        ),
        breaks=("I1", "I2", "I3", "I6", "rolled back", "restored"),
        strategies=("overlap", "dual"),
        world={"restore": True},
        first=255,
    ),
    Mutant(
        name="slot minted over unasked",
        rule="10: a mint into a slot that holds a live key is a deletion",
        patches=(
            engine(
                "minting",
                "who = holder(rotation, key.id) if key.live and rotation.capabilities.strategy.overlap else None",
                "who = None",
            ),
        ),
        breaks=("I1",),
        strategies=("two-slots", "dual"),
        seeds=4000,
        world={"focus": "minting"},
    ),
    Mutant(
        name="slot left as it was",
        rule="10: emptying a slot writes a fresh tag wherever a mint was ever intended",
        patches=(
            engine(
                "withdrawing",
                "    slot = rotation.row.slot\n    if slot is None",
                "    slot = None\n    if slot is None",
            ),
        ),
        breaks=("rule 10",),
        strategies=("two-slots", "dual"),
        seeds=4000,
        world={"focus": "minting"},
        first=780,
    ),
    Mutant(
        name="never gives up",
        rule="11: before the pivot a transient failure gives up after a day",
        patches=(engine("outcomes", "    return lasts(row, now, timing)", "    return False"),),
        breaks=("rule 11",),
        seeds=4000,
        world={"emergencies": False},
        first=85,
    ),
    Mutant(
        name="gives up a live key",
        rule="11: what is live is not given up",
        patches=(engine("outcomes", "BEFORE_PIVOT - {Phase.LIVE, Phase.RETIRING}", "BEFORE_PIVOT"),),
        breaks=("rule 11",),
        seeds=4000,
        world={"emergencies": False},
        first=340,
    ),
    Mutant(
        name="operators unheard",
        rule="12: the owner reads requests before every intent",
        patches=(
            engine(
                "recorded",
                "requests = self.world.journal.commit(row, now, change, heed=heed)",
                "requests = self.world.journal.commit(row, now, change)",
            ),
        ),
        breaks=("rule 12",),
    ),
    Mutant(
        name="old keys not fixed anew",
        first=78,
        rule="emergency: joining fixes the old keys anew as all that belong",
        patches=(engine("starting", "        fixed=False,\n", ""),),
        breaks=("I6",),
    ),
    Mutant(
        name="outage forgotten",
        rule="emergency: an outage counts until the successor is live, a contain_first stays one",
        patches=(
            engine(
                "starting", "mode=Mode.CONTAIN_FIRST if superseded.mode is Mode.CONTAIN_FIRST else fresh.mode,\n", ""
            ),
            engine(
                "starting",
                "    mode = Mode.CONTAIN_FIRST if row.mode is Mode.CONTAIN_FIRST else fresh.mode\n",
                "    mode = fresh.mode\n",
            ),
        ),
        breaks=("I1",),
        strategies=("overlap", "dual", "unmarked"),
        seeds=4000,
        world={"focus": "containing"},
    ),
    Mutant(
        name="one list is enough",
        rule="emergency: only a list that adds nothing ends it",
        patches=(
            engine(
                "sweeping",
                "        if emergency and found_more(rotation, listed):\n            return Phase.RETIRING\n",
                "",
            ),
        ),
        breaks=("I6",),
        first=324,
    ),
    Mutant(
        name="unread written first",
        rule="unread: what cannot be read is written when every other store is promoted and read back",
        patches=(
            engine(
                "promoting",
                "for among in (places.keepers, places.written_last):",
                "for among in (places.written_last, places.keepers):",
            ),
        ),
        breaks=("written last",),
        world={"unread": True},
    ),
    Mutant(
        name="unread written beside the others",
        rule="unread: what cannot be read waits until the others, who are written at the same time, are read back",
        patches=(
            engine(
                "promoting",
                "for among in (places.keepers, places.written_last):",
                "for among in (places.not_left_behind,):",
            ),
        ),
        breaks=("written last",),
        world={"unread": True},
    ),
    Mutant(
        name="unread not put back",
        rule="unread: rolling back writes the old value again there, too",
        patches=(
            engine(
                "rolling_back",
                "rotation.row.store(each.store, each.ref).expected is not None]",
                "rotation.row.store(each.store, each.ref).expected is not None and rotation.reads(each)]",
            ),
        ),
        breaks=("I1", "progress", "drift"),
        world={"unread": True, "focus": "rolling_back"},
    ),
    Mutant(
        name="values not kept",
        rule="proof: the value of each old key is secured before it can be overwritten",
        patches=(engine("places", "accepted = accepted or worked_once(rotation, old, value)", "accepted = False"),),
        breaks=("proof",),
    ),
    Mutant(
        name="one refusal",
        rule="proof: twice, a death window apart",
        patches=(
            engine(
                "retiring",
                "    if old.first_refused_at is None:\n"
                "        rotation.row = rotation.row.with_old_key(replace(old, first_refused_at=now))\n"
                "        return Waiting(until=now + rotation.capabilities.last_look",
                "    if False:\n        return Waiting(until=now + rotation.capabilities.last_look",
            ),
            engine(
                "retiring",
                "    again = old.first_refused_at + rotation.capabilities.last_look\n",
                "    again = now\n",
            ),
        ),
        breaks=("proof",),
    ),
    Mutant(
        name="no positive control",
        rule="proof: the same call succeeds with the new key before and after",
        patches=(
            engine("retiring", "    if value is not None and rotation.probe(value).authentic:\n", "    if True:\n"),
            engine("retiring", "        check_new_key_works(rotation)\n", ""),
        ),
        breaks=("proof",),
        seeds=4000,
        world={"focus": "retiring", "foreign": False, "operators": False},
        first=53,
    ),
    Mutant(
        name="no check before the pivot",
        rule="retiring: the same check once more",
        patches=(engine("retiring", "    check_stores_hold_new_key(rotation)\n", ""),),
        breaks=("I1", "I3"),
        seeds=3000,
        world={"focus": "retiring"},
        first=108,
    ),
    Mutant(
        name="baseline from a lagging list",
        rule="7: what lives is the list united with what the journal knows alive",
        patches=(
            engine(
                "belonging",
                "    return ({key.id for key in listed if key.live} | known) - dead",
                "    return {key.id for key in listed if key.live} - dead",
            ),
            engine("belonging", "    if known is not None:\n        return known.rotation == rotation.row.id\n", ""),
        ),
        breaks=("I1", "I2", "I6", "progress"),
        strategies=("unmarked",),
        seeds=4000,
        first=1285,
    ),
    Mutant(
        name="taken although it was there",
        rule="by hand: a key that was there when the person was asked is not taken",
        patches=(
            engine(
                "handed",
                "return key_id not in rotation.row.baseline and key_id not in rotation.known",
                "return True",
            ),
        ),
        breaks=("handed over", "I6"),
        strategies=("by-hand",),
    ),
    Mutant(
        name="asked at once",
        first=78,
        rule="by hand: a person is asked once the list shows every key from before the exposure end",
        patches=(
            engine("handed", "if exposed is not None and rotation.now() < exposed + lag:", "if False:"),
            engine("handed", "        first_mint_at=asked_at - lag,", "        first_mint_at=asked_at,"),
        ),
        breaks=("handed over", "I6"),
        strategies=("by-hand",),
        seeds=4000,
    ),
    Mutant(
        name="any new key will do",
        rule="by hand: without the provider's word an old key of unknown value does not pass for the new one",
        patches=(
            engine(
                "handed",
                "found = [key for key in living if not _has_fingerprint(rotation, key.id)]",
                "found = [key for key in living if is_new(rotation, key.id)]",
            ),
        ),
        breaks=("I1", "I3", "I6"),
        strategies=("by-hand",),
        seeds=4000,
        first=832,
    ),
    Mutant(
        name="told of and forgotten",
        rule="by hand: a key that no list shows is known from when it was told of, whatever becomes of its value",
        patches=(engine("outcomes", "            learn_told_of(rotation, request)\n", "            pass\n"),),
        breaks=("I2", "I6"),
        strategies=("assisted",),
        first=108,
    ),
    Mutant(
        name="whoever asks gets it",
        rule="by hand: a key that was made for one rotation is not taken by the next",
        patches=(engine("providing", "    if row.id != asked_by:\n", "    if False:\n"),),
        breaks=("handed over", "I6"),
        strategies=("assisted",),
        first=1300,
    ),
    Mutant(
        name="withdrawn and forgotten",
        rule="by hand: on the way back a person is waited for, because no list tells of the new key afterwards",
        patches=(
            engine(
                "withdrawing",
                "    if waiting is not None:\n        return waiting\n    empty_slot(rotation)\n",
                "    empty_slot(rotation)\n",
            ),
            engine("sweeping", "            waiting = prove(rotation)\n", "            waiting = None\n"),
        ),
        breaks=("I2", "progress"),
        strategies=("assisted",),
        first=90,
    ),
    Mutant(
        name="any resume is a word",
        rule="by hand: what ends without a proof does so by a person's word for this very key",
        patches=(
            engine(
                "by_hand",
                "    if rotation.row.problem is not None and rotation.row.problem.message == message:\n",
                "    if old.to_delete_since is not None and rotation.row.since > old.to_delete_since:\n",
            ),
        ),
        breaks=("I6",),
        strategies=("assisted",),
        first=4868,
    ),
    Mutant(
        name="any acknowledgement will do",
        rule="consumers: only who proves that it has the new key has acknowledged it",
        patches=(
            engine(
                "acknowledging",
                "return any(proves(each, secret, rotation.row.id, consumer) for each in given)",
                "return True",
            ),
        ),
        breaks=("acknowledged",),
    ),
    Mutant(
        name="one consumer speaks for all",
        rule="consumers: the overlap is shortened once every declared consumer has acknowledged",
        patches=(
            engine(
                "picking_up",
                "return bool(states) and all(state is not None and state.acknowledged for state in states)",
                "return any(state is not None and state.acknowledged for state in states)",
            ),
        ),
        breaks=("overlap",),
    ),
    Mutant(
        name="shortened to nothing",
        first=50,
        rule="consumers: nothing shortens below what the provider's propagation needs",
        patches=(
            engine("picking_up", "min(overlap, max(least, rotation.capabilities.propagation))", "min(overlap, least)"),
        ),
        breaks=("overlap",),
    ),
    Mutant(
        name="said of another rotation",
        first=1660,
        rule="consumers: what was acknowledged of one rotation counts for no other",
        patches=(
            engine(
                "picked_up", "if rotation == row.id and takes_acknowledgements(row)", "if takes_acknowledgements(row)"
            ),
        ),
        breaks=("acknowledged",),
        strategies=("two-slots",),
        seeds=4000,
        world={"focus": "live", "stall_rate": 0.01, "fault_rate": 0.0},
    ),
    Mutant(
        name="dead and still in",
        rule="proof: a login that was under way when the key died is shut out before the proof",
        patches=(engine("retiring", '    rotation.set_state("end sessions", old.key_id, KeyState.DELETED)\n', ""),),
        breaks=("proof",),
        strategies=("dual",),
    ),
    Mutant(
        name="windows side by side",
        rule="proof: the login window begins where the death window ends",
        patches=(
            Patch(
                module="rotator.domain.keys",
                old="return self.death_window + self.login_window",
                new="return max(self.death_window, self.login_window)",
            ),
        ),
        breaks=("proof",),
        strategies=("dual",),
    ),
)
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


class Patching(importlib.abc.MetaPathFinder):
    """Finds the modules that have a patch, and compiles the patched text instead of theirs."""

    def __init__(self, patches: Sequence[Patch]) -> None:
        self._patches = patches

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        wanted = [patch for patch in self._patches if patch.module == name]
        spec = importlib.machinery.PathFinder.find_spec(name, path) if wanted else None
        if spec is None or spec.origin is None:
            return None
        return importlib.util.spec_from_loader(name, _Patched(name, spec.origin, wanted), origin=spec.origin)


class _Patched(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, patches: Sequence[Patch]) -> None:
        super().__init__(name, path)
        self._patches = patches

    def get_code(self, fullname: str) -> CodeType:
        return compile(patched(Path(self.path).read_text(encoding="utf-8"), self._patches), self.path, "exec")


def patched(text: str, patches: Sequence[Patch]) -> str:
    """The text with all patches; ValueError when one does not fit any more."""
    for patch in patches:
        if text.count(patch.old) != 1:
            raise ValueError(f"this is not once in {patch.module} any more: {patch.old!r}")
        text = text.replace(patch.old, patch.new)
    return text


def hunt(mutant: Mutant) -> dict[str, object]:
    """The first seed whose world breaks one of the mutant's invariants; `caught` None when none does."""
    sys.meta_path.insert(0, Patching(mutant.patches))
    from rotator.testing.simulator import Scenario, run

    others: dict[str, int] = {}
    for seed in range(mutant.first, mutant.first + mutant.seeds):
        for strategy in mutant.strategies:
            found = run(Scenario(strategy=strategy, seed=seed, **mutant.world)).broken  # type: ignore[arg-type]
            if found is not None and found.invariant in mutant.breaks:
                return {"caught": found.invariant, "what": found.what, "strategy": strategy, "seed": seed, **others}
            if found is not None:
                others[found.invariant] = others.get(found.invariant, 0) + 1
    return {"caught": None, **others}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(hunt(BY_NAME[sys.argv[1]])))
