"""Looking again for keys that nobody here made, until two lists more than a propagation apart show nothing new.

Each provider has its own pace, and is left alone when it is through. At an exclusive principal what is found dies,
because every living key of it is the credential's; at any other one it is named. It ends after a bounded number of
rounds, whatever a thief does meanwhile.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.app.assembly import Assembly
from rotator.app.foreign import Ours, described, listed, one_of_each
from rotator.app.own_keys import OwnKeys
from rotator.app.revoking import Target, note_gone, revoke, shut_out
from rotator.config.errors import ConfigError
from rotator.domain.aftermath import ForeignKey
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.keys import Key

MOST_ROUNDS = 8
LEAST = timedelta(milliseconds=250)
"""Between two rounds, where a provider says that it lists and accepts everything at once."""

PlaceOf = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What came of it. `settled`: the last two lists showed nothing new, and every death is proven by now."""

    foreign: tuple[ForeignKey, ...]
    untold: Mapping[str, str]
    rounds: int
    settled: bool


class LastLooks:
    """The looks at the end of one emergency. `known`: the foreign keys of the plan, with what became of them."""

    def __init__(
        self,
        assembly: Assembly,
        specs: Sequence[Credential],
        parallel: int,
        *,
        since: datetime | None,
        known: Sequence[ForeignKey] = (),
        kept: Callable[[tuple[ForeignKey, ...]], None] = lambda keys: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`kept` is told after each round of what would be lost if it were the last one."""
        self._assembly = assembly
        self._specs: dict[str, list[Credential]] = {}
        for spec in one_of_each(specs):
            self._specs.setdefault(spec.provider, []).append(spec)
        self._parallel = parallel
        self._since = since
        self._kept = kept
        self._sleep = sleep
        self._keys: dict[PlaceOf, ForeignKey] = {each.place: each for each in known}
        self._again = {each.place for each in known if each.deleted_at is None and each.absent_at is None}
        self._living: dict[str, frozenset[PlaceOf]] = {}
        self._untold: dict[str, str] = {}
        self._own = OwnKeys(assembly)

    @property
    def until(self) -> datetime:
        """When it is over at the earliest, as far as anybody can tell before the first list."""
        return self._assembly.clock.now() + max(map(self._gap, self._specs), default=LEAST)

    def once(self) -> Looks:
        """One look that proves nothing, for who does not wait."""
        for provider in self._specs:
            self._look(provider, kill=False)
        return self._result(rounds=1, settled=False)

    def until_settled(self) -> Looks:
        """Look, kill what is found at exclusive principals, wait, look again."""
        due = dict.fromkeys(self._specs, self._assembly.clock.now())
        rounds, settled = Counter[str](), True
        while due:
            at = min(due.values())
            self._rest((at - self._assembly.clock.now()).total_seconds())
            for provider in [name for name, when in due.items() if when <= at]:
                rounds[provider] += 1
                if self._is_over(provider, first=rounds[provider] == 1):
                    del due[provider]
                elif rounds[provider] == MOST_ROUNDS:
                    del due[provider]
                    settled = False
                else:
                    due[provider] = self._assembly.clock.now() + self._gap(provider)
            self._kept(self._worth_keeping())
        return self._result(rounds=max(rounds.values(), default=0), settled=settled)

    def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self._sleep(seconds)

    def _is_over(self, provider: str, *, first: bool) -> bool:
        """Look once more; whether no other look at this provider would tell more."""
        before = self._living.get(provider, frozenset())
        self._look(provider, kill=True)
        if all(spec.name in self._untold for spec in self._specs[provider]):
            return True
        return not first and self._living[provider] <= before and not self._unproven(provider)

    def _look(self, provider: str, *, kill: bool) -> None:
        specs = self._specs[provider]
        lists, untold = listed(self._assembly, specs, self._parallel)
        ours = Ours(self._assembly)  # after the lists: whose key is not in it was not minted here before them
        self._untold = {**{n: w for n, w in self._untold.items() if n not in {s.name for s in specs}}, **untold}
        now, gap = self._assembly.clock.now(), self._gap(provider)
        living: set[PlaceOf] = set()
        targets = []
        for spec in specs:
            for stranger in ours.strangers(provider, lists.get(spec.name, ()), now, gap):
                if not spec.principal.exclusive and self._own.sure(spec, stranger.key.id):
                    continue
                found = described(spec, stranger.key, self._since)
                earlier = self._keys.setdefault(found.place, replace(found, why=stranger.why))
                self._keys[found.place] = earlier = replace(earlier, missing_at=None, absent_at=None)
                living.add(found.place)
                if kill and self._dies_here(spec) and (earlier.asked_at is None or found.place in self._again):
                    targets.append(Target(spec, earlier, exclusive=True, hint=stranger.key.hint))
        self._living[provider] = frozenset(living)
        self._forget(ours, provider)
        self._gone(provider, lists, now)
        self._again -= {each.key.place for each in targets}
        for each in revoke(self._assembly, targets, self._parallel, self._sleep):
            self._keys[each.place] = each

    def _dies_here(self, spec: Credential) -> bool:
        """Whether it belongs to the credential; while a rotation is open that is the rotation's to do."""
        return spec.principal.exclusive and self._assembly.journal.open_rotation(spec.name) is None

    def _forget(self, ours: Ours, provider: str) -> None:
        """What the journal came to know meanwhile is no foreign key."""
        for place in [each for each in self._keys if each[0] == provider and each not in self._living[provider]]:
            if ours.knows(provider, place[2]) and ours.dead_since(provider, place[2]) is None:
                del self._keys[place]

    def _gone(self, provider: str, lists: Mapping[str, Sequence[Key]], now: datetime) -> None:
        """What was to die and is not listed as living: once, and later again, which proves it."""
        seen, there = {}, set()
        for spec in self._specs[provider]:
            if spec.name in lists:
                seen[provider, spec.principal.name] = spec
                there |= {(provider, spec.principal.name, key.id) for key in lists[spec.name] if key.live}
        for place, key in self._keys.items():
            if key.asked_at is None or key.absent_at is not None or place[:2] not in seen:
                continue
            if place in there:
                self._keys[place] = replace(key, missing_at=None)
            elif key.missing_at is None:
                self._keys[place] = replace(key, missing_at=now)
            elif now - key.missing_at >= self._gap(provider):
                self._keys[place] = self._shut_out(seen[place[:2]], key)

    def _shut_out(self, spec: Credential, key: ForeignKey) -> ForeignKey:
        """Dead, or why that cannot be said yet."""
        why = shut_out(self._assembly, Target(spec, key, exclusive=self._dies_here(spec)), self._sleep)
        if why:
            return replace(key, why=why)
        note_gone(self._assembly, key)
        return replace(key, absent_at=self._assembly.clock.now(), why="")

    def _unproven(self, provider: str) -> bool:
        """Whether a death is still to be seen; what was spared lives and needs no other look."""
        return any(
            key.absent_at is None and (key.deleted_at is not None or key.missing_at is not None)
            for key in self._keys.values()
            if key.provider == provider
        )

    def _gap(self, provider: str) -> timedelta:
        """Longer than it takes to list a mint, to accept it and, where a death is unproven, to shut the dead out."""
        longest = LEAST
        asked = any(
            key.asked_at is not None and key.absent_at is None
            for key in self._keys.values()
            if key.provider == provider
        )
        for spec in self._specs[provider]:
            try:
                offers = self._assembly.world_of(spec).provider.capabilities(spec.principal)
            except (ConfigError, Failure):
                continue  # nothing of it is listed either, which is said
            if offers.lists:
                longest = max(longest, offers.propagation, offers.list_lag)
                longest = max(longest, offers.last_look) if asked else longest
        return longest

    def _worth_keeping(self) -> tuple[ForeignKey, ...]:
        """What lives, what was to die, and what was known where nobody can look."""
        specs = [spec for each in self._specs.values() for spec in each]
        untold = {(spec.provider, spec.principal.name) for spec in specs if spec.name in self._untold}
        living = frozenset[PlaceOf]().union(*self._living.values())
        return tuple(
            key
            for place, key in self._keys.items()
            if place in living or key.asked_at is not None or place[:2] in untold
        )

    def _result(self, *, rounds: int, settled: bool) -> Looks:
        return Looks(
            foreign=self._worth_keeping(),
            untold=dict(self._untold),
            rounds=rounds,
            settled=settled and not self._untold,
        )
