"""What an incident left behind at the providers, besides the old keys: keys that nobody here made, and ways back in.

Plain values without a secret; strings from providers are data. Kept by the journal, so that evidence can be made later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from rotator.domain.made import Made


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A key that no credential has. `name`: its mark, else what the provider shows of it. `beside`: the credential.

    `in_window`: made since the thief could, or nobody knows when it was made, or since when he could. `planned`: the
    plan showed it before anything was done. `asked_at`, `deleted_at`: when it was to die, and the provider said that it
    does. `missing_at`, `absent_at`: the first and the last of two lists, far enough apart, that lack it: it is dead.
    `why`: why it was not, or could not be, put out of use.
    """

    provider: str
    principal: str
    key_id: str
    beside: str
    name: str = ""
    created_by: str = ""
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    in_window: bool = True
    planned: bool = False
    asked_at: datetime | None = None
    deleted_at: datetime | None = None
    missing_at: datetime | None = None
    absent_at: datetime | None = None
    why: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells it from every other one."""
        return self.provider, self.principal, self.key_id

    @property
    def left(self) -> bool:
        """Whether a person has to look at it: it may be the thief's and is not proven dead."""
        return self.absent_at is None and (self.in_window or self.asked_at is not None)

    @property
    def state(self) -> str:
        """In a word."""
        if self.absent_at is not None:
            return "absent"
        return "deleted" if self.deleted_at is not None else "alive"


class AdminState(StrEnum):
    """What became of the admin credential that the thief may have."""

    DEAD = "dead"  # a credential of this incident, and its old keys are proven dead
    ALIVE = "alive"  # a credential of this incident, and they are not
    REPLACED = "replaced"  # its reference holds another one than when the incident began; nobody here can try the old
    NOT_REPLACED = "not replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminKey:
    """A provider's admin credential. `credential`: the one that it is; None where none of the config is.

    `exposed`: the thief may have it: nobody said that the breach is contained, or somebody else minted since it began.
    """

    provider: str
    state: AdminState
    exposed: bool = True
    credential: str | None = None
    dead_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What one provider's own trail told of the window: `made` is what nobody here made, every key of it first.

    `cut`: how many others are not in it. `untold`: why it told nothing. `exists`: whether there is one to be read, or
    may be. `checklist`: what a person looks for at `url` instead, or besides.
    """

    provider: str
    made: tuple[Made, ...] = ()
    cut: int = 0
    untold: str = ""
    exists: bool = True
    checklist: tuple[str, ...] = ()
    url: str = ""

    @property
    def unread(self) -> bool:
        """Whether it could have told something, and did not: nobody knows what."""
        return self.exists and bool(self.untold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The end of an incident, at `swept_at`. `since`: from when on the thief could; None: nobody said.

    `stale`: a command came since then and did not look to the end, so this is what an earlier one saw.

    `searched_since`: from when on the trails were searched. `rounds`: listings. `settled`: the last two, more than a
    propagation apart, showed nothing new. `untold`: where nobody could say what there is, by credential, and why.
    `fingerprints`: of the admin credentials when the incident began, by provider.
    """

    incident: str
    since: datetime | None = None
    searched_since: datetime | None = None
    swept_at: datetime | None = None
    stale: bool = False
    rounds: int = 0
    settled: bool = False
    foreign: tuple[ForeignKey, ...] = ()
    untold: Mapping[str, str] = field(default_factory=dict)
    admins: tuple[AdminKey, ...] = ()
    trails: tuple[Trail, ...] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def swept(self) -> bool:
        """Whether the last command looked to the end."""
        return self.swept_at is not None and not self.stale

    def after(self, earlier: Aftermath, looked: Collection[tuple[str, str]], names: Collection[str]) -> Aftermath:
        """This one with what `earlier` still says.

        Where this one looked to the end, that is what nobody looked at this time: `looked` has provider and principal,
        `names` the credentials there. Where it did not, all of it.
        """
        merged = replace(
            self, since=self.since or earlier.since, fingerprints={**self.fingerprints, **earlier.fingerprints}
        )
        now = {each.place for each in self.foreign}
        others = [each for each in earlier.foreign if each.place not in now]
        if not self.swept:
            return replace(
                merged,
                searched_since=earlier.searched_since,
                swept_at=earlier.swept_at,
                stale=earlier.swept_at is not None,
                rounds=earlier.rounds,
                settled=earlier.settled,
                foreign=(*others, *self.foreign),
                untold=earlier.untold,
                admins=earlier.admins,
                trails=earlier.trails,
            )
        providers = {provider for provider, _ in looked}
        kept = [each for each in others if each.asked_at is not None or (each.left and each.place[:2] not in looked)]
        return replace(
            merged,
            foreign=(*kept, *self.foreign),
            untold={**{name: why for name, why in earlier.untold.items() if name not in names}, **self.untold},
            admins=(*(each for each in earlier.admins if each.provider not in providers), *self.admins),
            trails=(*(each for each in earlier.trails if each.provider not in providers), *self.trails),
        )

    @property
    def living(self) -> tuple[ForeignKey, ...]:
        """Keys that may be the thief's and are not proven dead."""
        return tuple(each for each in self.foreign if each.left)

    @property
    def keys_elsewhere(self) -> tuple[tuple[str, Made], ...]:
        """Keys that a trail tells of, and that live, or of which it does not tell whether they do."""
        return tuple(each for each in self.made if each[1].kind == "key")

    @property
    def made(self) -> tuple[tuple[str, Made], ...]:
        """What the trails tell of that is there, or may be, with its provider."""
        return tuple((trail.provider, each) for trail in self.trails for each in trail.made if each.there is not False)

    @property
    def findings(self) -> bool:
        """Whether a person has to look at what the trails tell, or do not."""
        return bool(self.made or self.unread)

    @property
    def minting_goes_on(self) -> tuple[AdminKey, ...]:
        """Admin credentials with which a thief can still mint, as far as this incident exposed them."""
        return tuple(
            each
            for each in self.admins
            if each.state is AdminState.ALIVE or (each.state is AdminState.NOT_REPLACED and each.exposed)
        )

    @property
    def cut(self) -> tuple[Trail, ...]:
        """Trails that told of more than is kept."""
        return tuple(each for each in self.trails if each.cut)

    @property
    def unread(self) -> tuple[Trail, ...]:
        """Trails that could have told something, and did not."""
        return tuple(each for each in self.trails if each.unread)

    @property
    def complete(self) -> bool:
        """Whether nothing of it is left to a person but what the trails and checklists say to look at."""
        left = self.living or self.keys_elsewhere or self.untold or self.minting_goes_on or self.cut
        return self.swept and self.settled and not left
