"""After the old keys: foreign keys named, and revoked if asked for; the last looks, trails, admin credentials."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.app import aftermath, trails
from rotator.app.assembly import Assembly
from rotator.app.foreign import NO_LISTS, Ours, described, in_window, one_of_each, principal_of
from rotator.app.last_looks import LastLooks
from rotator.app.own_keys import OwnKeys
from rotator.app.planning import Planned
from rotator.app.reporting import FINDINGS, INCOMPLETE, PLANNED_OUTCOME
from rotator.app.revoking import Target, revoke
from rotator.cli import foreign, typed
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count
from rotator.domain.aftermath import AdminKey, Aftermath, ForeignKey
from rotator.domain.credential import Credential
from rotator.domain.incidents import Incident
from rotator.domain.rotation import Rotation

LOOKED_BACK = timedelta(days=7)
"""How far trails are searched where nobody said since when the thief could."""


class After:
    """What one run of `rotate` does about keys that are nobody's here. `parallel`: calls at the same time."""

    def __init__(self, args: argparse.Namespace, assembly: Assembly, err: Terminal, parallel: int) -> None:
        self._args = args
        self._assembly = assembly
        self._err = err
        self._parallel = parallel
        self.since: datetime | None = None
        self.keys: tuple[ForeignKey, ...] = ()
        self.found: Aftermath | None = None
        self._hints: dict[tuple[str, str, str], str] = {}
        self._unlisted: dict[str, str] = {}
        self._unclear: dict[str, str] = {}  # by a key of ours, one that may be it
        self._begun = False

    # -- before --------------------------------------------------------------------------------------------------

    def plan(self, specs: Sequence[Credential], looked: Sequence[Planned], since: datetime | None) -> None:
        """Take the foreign keys of the plan. `since`: when the packages were bad. Raises `Told` for a bad `--from`."""
        self.since = since or self._start()
        by_name = {each.credential: each for each in looked}
        good = [spec for spec in specs if spec.name in by_name and by_name[spec.name].problem is None]
        chosen = one_of_each(good)
        own, keys = OwnKeys(self._assembly), []
        ours = Ours(self._assembly) if any(by_name[spec.name].foreign for spec in chosen) else None
        for spec in chosen:
            for key in by_name[spec.name].foreign:
                if ours is None or ours.knows(spec.provider, key.id) or own.sure(spec, key.id):
                    continue
                found = described(spec, key, self.since, planned=True)
                keys.append(found)
                self._hints[found.place] = key.hint
                for owner in own.unclear(spec, key):
                    self._unclear.setdefault(owner, key.id)
        self.keys = tuple(keys)
        if self._args.revoke_foreign is not None:
            self._unlisted = self._untold(specs, chosen, by_name)

    def _untold(
        self, specs: Sequence[Credential], chosen: Sequence[Credential], by_name: Mapping[str, Planned]
    ) -> dict[str, str]:
        """Beside which credentials nobody could look, by principal one, and why."""
        found = {}
        there = {principal_of(spec) for spec in chosen}
        for spec in one_of_each(spec for spec in specs if principal_of(spec) not in there):
            planned = by_name.get(spec.name)
            found[spec.name] = planned.problem[0] if planned and planned.problem else "nobody looked"
        for spec in chosen:
            if not self._assembly.world_of(spec).provider.capabilities(spec.principal).lists:
                found[spec.name] = NO_LISTS
        return found

    @property
    def targets(self) -> tuple[ForeignKey, ...]:
        """Those that may be the thief's: a key made earlier is shown and left."""
        return tuple(each for each in self.keys if each.in_window)

    def _start(self) -> datetime | None:
        start = typed.instant(self._args.start, "--from")
        if start is not None and start > self._assembly.clock.now():
            raise Told("the window starts in the future", "write the time since when the thief could behind --from")
        return start

    def confirm(self) -> None:
        """Show them, and have their number typed back where they are to die. Raises `Told`: nothing was changed."""
        wanted, number = self._args.revoke_foreign, len(self.targets)
        self.show(self._err)
        if wanted is None or (wanted is True and not number):
            return
        if wanted is not True:
            if wanted != number:
                shown = "`--dry-run` shows them; nothing was changed"
                raise Told(f"there {_are(number)} and not {wanted}", shown)
        elif self._args.yes or not sys.stdin.isatty():
            shown = "write --revoke-foreign=N with the number that `--dry-run` shows; nothing was changed"
            raise Told("--revoke-foreign without a terminal needs the number of foreign keys", shown)
        else:
            self._err.stream.write(f"Type the number of foreign keys that die ({number}) to go on: ")
            self._err.stream.flush()
            if sys.stdin.readline().strip() != str(number):
                raise Told("that was not the number of foreign keys", "nothing was changed")

    def show(self, out: Terminal) -> None:
        """The foreign keys of the plan."""
        revoked, now = self._args.revoke_foreign is not None, self._assembly.clock.now()
        left = self.keys if not revoked else tuple(each for each in self.keys if not each.in_window)
        for line in foreign.planned(left, now, revoke=False):
            out.line(line)
        if not revoked:
            return
        for line in foreign.planned(self.targets, now, revoke=True):
            out.line(line)
        for name, why in self._unlisted.items():
            out.line(clean(f"foreign keys beside {name} are not in the number: {why}"))
        for owner, key_id in self._unclear.items():
            out.line(clean(f"nobody can tell whether {key_id} is {owner}: compare it first"))
        if self.targets and self._args.dry_run:
            out.line(f"--yes --revoke-foreign={len(self.targets)} kills exactly these, if there are as many then")

    def begin(self, asked: Incident, specs: Sequence[Credential]) -> None:
        """Remember which admin credentials there are, and put out of use what the plan showed, if asked for."""
        prints = aftermath.fingerprints(self._assembly, dict.fromkeys(spec.provider for spec in specs))
        self.found = self._remember(Aftermath(incident=asked.id, since=self.since, fingerprints=prints))
        self.since = self.found.since  # which an earlier command may have said
        self.keys = tuple(replace(each, in_window=in_window(each.created_at, self.since)) for each in self.keys)
        if self._args.revoke_foreign is None or not self.targets:
            return
        by_name = {spec.name: spec for spec in specs}
        targets = [
            Target(by_name[each.beside], each, hint=self._hints.get(each.place, ""))
            for each in self.targets
            if each.beside in by_name
        ]
        self._err.line(f"revoking {count(len(targets), 'foreign key')}")
        revoked = {each.place: each for each in revoke(self._assembly, targets, self._parallel)}
        self.keys = tuple(revoked.get(each.place, each) for each in self.keys)
        self.found = self._remember(replace(self.found, foreign=self.keys))

    def _remember(self, found: Aftermath, looked: Sequence[Credential] = ()) -> Aftermath:
        return aftermath.remember(self._assembly, found, looked)

    def _keep(self, keys: tuple[ForeignKey, ...]) -> None:
        """Whoever ends the looking early has in the evidence what died until then."""
        assert self.found is not None
        self.found = self._remember(replace(self.found, foreign=keys))

    # -- afterwards ------------------------------------------------------------------------------------------------

    def look(self, specs: Sequence[Credential], rows: Sequence[Rotation], asked: Incident, *, wait: bool) -> None:
        """Look until nothing new shows up, search the trails, and judge the admin credentials. Twice: from anew."""
        assert self.found is not None
        if not specs:
            return  # of what was not begun nobody knows which keys are foreign
        self._begun = True
        asked_to_die = (each for each in self.found.foreign if each.asked_at is not None)
        known = tuple({each.place: each for each in (*asked_to_die, *self.keys)}.values())
        looks = LastLooks(self._assembly, specs, self._parallel, since=self.since, known=known, kept=self._keep)
        if wait:
            until = looks.until.strftime("%H:%M:%S")
            self._err.line(f"looking for keys that nobody here made: until {until} UTC at least, Ctrl-C is safe")
        seen = looks.until_settled() if wait else looks.once()
        self.keys = seen.foreign
        searched = self.since or asked.opened_at - LOOKED_BACK
        named = {each.key_id for each in seen.foreign}
        if not wait:
            return
        told = trails.search(self._assembly, specs, searched, self._parallel, named=named)
        self.found = self._remember(
            replace(
                self.found,
                since=self.since,
                searched_since=searched,
                swept_at=self._assembly.clock.now(),
                stale=False,
                rounds=seen.rounds,
                settled=seen.settled,
                foreign=seen.foreign,
                untold=seen.untold,
                admins=self._admins(specs, rows, asked, seen.foreign),
                trails=told,
            ),
            specs,
        )

    def _admins(
        self, specs: Sequence[Credential], rows: Sequence[Rotation], asked: Incident, seen: Sequence[ForeignKey]
    ) -> tuple[AdminKey, ...]:
        """What became of the admin credentials. Whoever minted since the command began has one."""
        assert self.found is not None
        minting = aftermath.minted_since(self._assembly, specs, seen, asked.opened_at)
        return tuple(
            replace(each, exposed=asked.contained_at is None or each.provider in minting)
            for each in aftermath.judge(self._assembly, specs, rows, self.found.fingerprints)
        )

    def say(self, out: Terminal) -> None:
        """Everything of it, a line each."""
        now = self._assembly.clock.now()
        if self.found is not None and self.found.swept:
            for line in foreign.lines(self.found, now):
                out.line(line)
            return
        for key in self.keys:
            out.line(foreign.fate(key, now))
        if self._begun:
            again = "without --no-wait" if self._args.wait is False else "looks"
            out.line(f"nobody looked for foreign keys: the same command {again}")

    @property
    def outcome(self) -> int:
        """3 while something is left or nobody looked, 1 where trails tell, or hide, what a person has to judge."""
        if self.found is None:
            return PLANNED_OUTCOME
        if not self.found.complete:
            return INCOMPLETE
        return FINDINGS if self.found.findings else PLANNED_OUTCOME


def _are(number: int) -> str:
    return f"{'is' if number == 1 else 'are'} {count(number, 'foreign key')} of the window"
