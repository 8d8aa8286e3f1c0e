"""Keys as a provider lists them, what a provider can do, and the strategies that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.domain.secret import Secret


class KeyState(StrEnum):
    """Whether the provider accepts the key, as the provider lists it."""

    ENABLED = "enabled"
    DISABLED = "disabled"  # refused, and can be enabled again
    DELETED = "deleted"  # refused for good; a slot that was emptied


class Verdict(StrEnum):
    """What the provider says to a key's value."""

    WORKS = "works"
    FORBIDDEN = "forbidden"  # authentic, but not allowed to do what the probe did
    NOT_YET = "not yet"  # the provider says itself that the key is on its way, or disabled: neither proves a death
    INVALID = "invalid"  # this value is nobody's key: the only answer that proves a death

    @property
    def authentic(self) -> bool:
        """Whether the provider knows the value as a living key's."""
        return self in (Verdict.WORKS, Verdict.FORBIDDEN)


class Minter(StrEnum):
    """Who makes a key's value."""

    PROVIDER = "provider"
    CHOSEN = "chosen"  # the provider takes the value that we choose
    PERSON = "person"  # in the provider's console; handed over by `rotator provide`


class Disabling(StrEnum):
    """How a key can be put out of use before it is deleted."""

    REVERSIBLE = "reversible"
    EXPIRY = "expiry"  # its end is brought so near that it is refused within a death window: for good
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What follows from how a provider keeps keys. Steps read these fields and never branch on a name."""

    name: str
    slots: bool  # a key is identified by slot@fingerprint, because the slot comes back
    overlap: bool  # the old key works beside the new one; else the mint kills it and is the pivot
    minter: Minter
    marked: bool  # a minted key carries our mark


OVERLAP = Strategy(name="overlap", slots=False, overlap=True, minter=Minter.PROVIDER, marked=True)
UNMARKED = Strategy(name="unmarked", slots=False, overlap=True, minter=Minter.PROVIDER, marked=False)
CHOSEN_VALUE = Strategy(name="chosen-value", slots=False, overlap=True, minter=Minter.CHOSEN, marked=True)
TWO_SLOTS = Strategy(name="two-slots", slots=True, overlap=True, minter=Minter.PROVIDER, marked=False)
DUAL = Strategy(name="dual", slots=True, overlap=True, minter=Minter.CHOSEN, marked=True)
IN_PLACE = Strategy(name="in-place", slots=True, overlap=False, minter=Minter.PROVIDER, marked=False)
BY_HAND = Strategy(name="by-hand", slots=False, overlap=True, minter=Minter.PERSON, marked=False)
STRATEGIES = {each.name: each for each in (OVERLAP, UNMARKED, CHOSEN_VALUE, TWO_SLOTS, DUAL, IN_PLACE, BY_HAND)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A plain HTTP request whose status tells whether a key lives, so that the engine can ask without the driver.

    `header` is formatted with the value's parts, e.g. `Bearer {secret}`; `invalid` are the statuses that mean
    "no such key" and nothing else. Where a status means more than that, `invalid_word` must stand in the body too, and
    a client error with `forbidden_word` in its body is an authentic key's that may not do this. `headers`: what is
    sent besides, without a secret.
    """

    url: str
    header: str = "Authorization"
    template: str = "Bearer {secret}"
    works: tuple[int, ...] = (200,)
    invalid: tuple[int, ...] = (401,)
    invalid_word: str = ""
    forbidden_word: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider truly offers. Durations are the longest that the provider is known or declared to take."""

    strategy: Strategy
    parts: tuple[str, ...] = ("secret",)  # names of the parts of a value
    secret_part: str = "secret"  # noqa: S105 - the name of the part that fingerprints are made of
    forms: Mapping[str, str] = field(default_factory=dict)  # how a chosen value's parts are written: "sk-{value}"
    slots: tuple[str, ...] = ()
    cap: int | None = None  # live keys per principal; None: none known
    disabling: Disabling = Disabling.NONE
    lists: bool = True  # else `keys` is always empty, and a key's id is `unlisted_id` of its value
    deletes: bool = True  # else a person does, in the console; it is believed when the key is refused
    expiry: bool = False
    scopes: bool = False
    usage: bool = False  # the list tells when a key was last used
    identifies: bool = False  # `identify` answers
    trail: bool = False  # `trail` answers: who made what since
    reveals: bool = False  # the admin credential can read the values of keys that exist
    propagation: timedelta = timedelta(seconds=60)  # until a new key is accepted everywhere
    death_window: timedelta = timedelta(seconds=120)  # until a deleted key is refused everywhere
    login_window: timedelta = timedelta(0)  # from the last moment at which a key opens a login until that is a session
    list_lag: timedelta = timedelta(seconds=30)  # until the list shows a mint or a deletion
    probe: Probe | None = None
    least_permission: str = ""
    console_url: str = ""

    @property
    def last_look(self) -> timedelta:
        """From the first refusal of a deleted key to the one that proves its death."""
        return self.death_window + self.login_window


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key as the provider lists it. Strings from a driver are data: bounded, and shown quoted."""

    id: str
    state: KeyState
    mark: str | None = None
    slot: str | None = None
    created_at: datetime | None = None
    created_by: str = ""  # as far as the provider tells
    last_used_at: datetime | None = None
    last_used_by: str = ""  # as far as the provider tells
    expires_at: datetime | None = None
    hint: str = ""
    grant: tuple[str, ...] | None = None  # None: the provider does not tell

    @property
    def live(self) -> bool:
        """Whether the key exists, be it enabled or disabled."""
        return self.state is not KeyState.DELETED


@dataclass(frozen=True, slots=True, kw_only=True)
class MintRequest:
    """One request for one key: sent at most once per rotation and fence."""

    mark: str
    fingerprint: str | None = None  # of the chosen value
    chosen: Secret | None = field(default=None, repr=False)
    slot: str | None = None
    expects: str | None = None  # the id that the slot's key must have now, as the list showed it
    scopes: tuple[str, ...] = ()
    lifetime: timedelta | None = None  # counted from the mint


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """What a mint returns: the key's id, and its value, which exists nowhere else yet.

    For a slot whose value the provider makes, `key_id` may still lack the fingerprint; the engine completes it.
    """

    key_id: str
    value: Secret = field(repr=False)
    created_at: datetime | None = None


def unlisted_id(fingerprint: str) -> str:
    """The id of a key whose provider lists none, and so has none to tell: the same value is always the same key."""
    return f"key-{fingerprint}"


def slot_of(key_id: str) -> str:
    """`app_a` of `app_a@51c…`; the whole id where there is no slot."""
    return key_id.partition("@")[0]
