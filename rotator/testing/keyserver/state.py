"""The keys of all principals as a pure state machine: no socket, no clock, no thread.

Every method takes `now` in epoch seconds, which must never go back, and either returns values or raises an error of
`errors` and has changed nothing. The server puts it behind HTTP; a simulator may use it as it is.
"""

import math
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

from rotator.testing.keyserver.behaviour import Behaviour
from rotator.testing.keyserver.errors import (
    BadCursor,
    CannotDisable,
    CannotIdentify,
    CapReached,
    InvalidKey,
    MissingScope,
    NoSuchKey,
    NoSuchSlot,
    SlotConflict,
    SlotRequired,
    Taken,
)
from rotator.testing.keyserver.keys import (
    Change,
    Holding,
    Issued,
    Key,
    KeyState,
    Listed,
    Page,
    Wish,
    as_of,
    digest,
    hint,
)

RESOURCE_SCOPE = "resource.read"


def random_secret() -> str:
    return f"ks_live_{secrets.token_urlsafe(24)}"


class Issuer:
    """Issues, lists, disables and deletes the keys of principals; a principal exists as soon as it is named.

    new_secret: makes a secret that it never made before; a simulator gives a predictable one.
    """

    def __init__(self, behaviour: Behaviour | None = None, *, new_secret: Callable[[], str] = random_secret) -> None:
        self._behaviour = behaviour or Behaviour()
        self._new_secret = new_secret
        self._random = self._behaviour.draws()
        self._count = 0
        self._keys: dict[str, dict[str, Key]] = {}
        self._slots: dict[tuple[str, str], tuple[Holding, ...]] = {}
        self._by_digest: dict[bytes, tuple[str, str]] = {}
        self._last_used: dict[tuple[str, str], tuple[float, str | None]] = {}

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviour

    @behaviour.setter
    def behaviour(self, told: Behaviour) -> None:
        if told.seed != self._behaviour.seed:
            self._random = told.draws()
        self._behaviour = told

    # -- issuing ------------------------------------------------------------------------------------------------------

    def mint(self, principal: str, wish: Wish, now: float, *, by: str | None = None) -> Issued:
        """Issue a key. A second call issues a second key, or fills the slot again. `by`: who asked for it.

        Raises SlotRequired, NoSuchSlot, SlotConflict, CapReached, Taken.
        """
        if self._behaviour.slots:
            return self._mint_into_slot(principal, wish, now, by)
        if wish.slot is not None:
            raise NoSuchSlot
        issued = self._new_key(principal, wish, now, by, key_id=f"key-{self._count + 1}")
        if self._behaviour.in_place:
            for key in self._living(principal):
                self._change(key, KeyState.DELETED, now)
        elif self._behaviour.cap is not None and len(self._living(principal)) >= self._behaviour.cap:
            raise CapReached
        return self._record(issued)

    def seed(self, principal: str, wish: Wish, now: float) -> Issued:
        """Mint a key that got about long ago: accepted and listed at once, whatever the windows. Raises as `mint`."""
        issued = self.mint(principal, wish, now)
        key = replace(issued.key, changes=(Change(-math.inf, KeyState.ENABLED),))
        self._keys[principal][key.id] = key
        if key.slot is not None:
            history = self._slots[principal, key.slot]
            self._slots[principal, key.slot] = (replace(history[-1], at=-math.inf),)
        return replace(issued, key=key)

    def _mint_into_slot(self, principal: str, wish: Wish, now: float, by: str | None) -> Issued:
        if wish.slot is None:
            raise SlotRequired
        held = self._holding(principal, wish.slot)
        if wish.expects is not None and wish.expects != held.tag:
            raise SlotConflict
        tag = wish.fingerprint or f"tag-{self._count + 1}"
        issued = self._new_key(principal, wish, now, by, key_id=f"{wish.slot}@{tag}")
        self._record(issued)
        if held.key_id is not None:
            self._change(self._keys[principal][held.key_id], KeyState.DELETED, now)
        self._hold(principal, wish.slot, Holding(now, tag, issued.key.id))
        return issued

    def _new_key(self, principal: str, wish: Wish, now: float, by: str | None, *, key_id: str) -> Issued:
        secret = wish.secret if wish.secret is not None else self._new_secret()
        if digest(secret) in self._by_digest or key_id in self._keys.get(principal, {}):
            raise Taken
        told = self._behaviour
        expires_at = now + wish.expires_in if wish.expires_in is not None and told.expiry else None
        key = Key(
            id=key_id,
            principal=principal,
            serial=self._count + 1,
            hint=hint(secret),
            created_at=now,
            changes=(Change(now, KeyState.ENABLED),),
            mark=wish.mark if told.marks else None,
            created_by=by,
            slot=wish.slot,
            expires_at=expires_at,
            scopes=wish.scopes,
        )
        return Issued(key, secret)

    def _record(self, issued: Issued) -> Issued:
        key = issued.key
        self._count += 1
        self._keys.setdefault(key.principal, {})[key.id] = key
        self._by_digest[digest(issued.secret)] = (key.principal, key.id)
        return issued

    # -- changing -----------------------------------------------------------------------------------------------------

    def set_state(self, principal: str, key_id: str, state: KeyState, now: float) -> None:
        """Enable, disable or delete a key; the state that it has already is no error, but a deleted one is gone.

        Deleting what a slot holds, a key or an emptiness, leaves a fresh tag there: a late mint no longer matches.
        Raises NoSuchKey, CannotDisable (to enable, too).
        """
        if state is not KeyState.DELETED and not self._behaviour.disable:
            raise CannotDisable
        slot = key_id.partition("@")[0]
        if state is KeyState.DELETED and key_id == self._emptiness_of(principal, slot):
            self._hold(principal, slot, self._emptiness(now))
            return
        key = self._keys.get(principal, {}).get(key_id)
        if key is None or key.state is KeyState.DELETED:
            raise NoSuchKey
        if key.state is state:
            return
        self._change(key, state, now)
        if state is KeyState.DELETED and key.slot is not None:
            self._hold(principal, key.slot, self._emptiness(now))

    def rename(self, principal: str, key_id: str, mark: str | None) -> None:
        """Give a key another mark, or none. Raises NoSuchKey."""
        key = self._keys.get(principal, {}).get(key_id)
        if key is None or key.state is KeyState.DELETED:
            raise NoSuchKey
        self._keys[principal][key_id] = replace(key, mark=mark if self._behaviour.marks else None)

    def _change(self, key: Key, state: KeyState, now: float) -> None:
        self._keys[key.principal][key.id] = replace(key, changes=(*key.changes, Change(now, state)))

    # -- slots --------------------------------------------------------------------------------------------------------

    def _holding(self, principal: str, slot: str) -> Holding:
        return self._slot_history(principal, slot)[-1]

    def _slot_history(self, principal: str, slot: str) -> tuple[Holding, ...]:
        if slot not in self._behaviour.slots:
            raise NoSuchSlot
        if (principal, slot) not in self._slots:
            self._slots[principal, slot] = (self._emptiness(-math.inf),)
        return self._slots[principal, slot]

    def _hold(self, principal: str, slot: str, holding: Holding) -> None:
        self._slots[principal, slot] = (*self._slots[principal, slot], holding)

    def _emptiness_of(self, principal: str, slot: str) -> str | None:
        """Find the id under which a slot is listed that holds no key."""
        held = self._holding(principal, slot) if slot in self._behaviour.slots else None
        return f"{slot}@{held.tag}" if held is not None and held.key_id is None else None

    def _emptiness(self, at: float) -> Holding:
        self._count += 1
        return Holding(at, f"empty-{self._count}", None)

    # -- reading ------------------------------------------------------------------------------------------------------

    def page(self, principal: str, now: float, *, after: str | None = None, limit: int | None = None) -> Page:
        """List the principal's keys as they were a list lag ago: slots in their order, then keys by age.

        after: id of the last key of the page before, deleted since or not. Raises BadCursor.
        """
        start = self._position(principal, after)
        size = min(limit or self._behaviour.page_size, self._behaviour.page_size)
        instant = now - self._behaviour.list_lag
        rows: list[Listed] = []
        for position, row in self._rows(principal, instant):
            if position <= start:
                continue
            if len(rows) == size:
                return Page(tuple(rows), rows[-1].id)
            rows.append(row)
        return Page(tuple(rows), None)

    def _rows(self, principal: str, instant: float) -> Iterator[tuple[int, Listed]]:
        slots = self._behaviour.slots
        for place, slot in enumerate(slots, start=-len(slots)):
            held = as_of(self._slot_history(principal, slot), instant)
            if held is None:
                continue
            row = self._listed(self._keys[principal][held.key_id], instant) if held.key_id is not None else None
            yield place, row or Listed(id=f"{slot}@{held.tag}", state=KeyState.DELETED, slot=slot)
        for key in self._keys.get(principal, {}).values():
            row = self._listed(key, instant) if key.slot is None else None
            if row is not None:
                yield key.serial, row

    def _listed(self, key: Key, instant: float) -> Listed | None:
        then = as_of(key.changes, instant)
        if then is None or then.state is KeyState.DELETED:
            return None
        used_at, used_by = self._last_used.get((key.principal, key.id), (None, None))
        if not self._behaviour.last_used:
            used_at = used_by = None
        return Listed(
            id=key.id,
            state=then.state,
            mark=key.mark,
            created_at=key.created_at,
            created_by=key.created_by,
            last_used_at=used_at,
            last_used_by=used_by,
            expires_at=key.expires_at,
            slot=key.slot,
            scopes=key.scopes,
            hint=key.hint,
        )

    def _position(self, principal: str, after: str | None) -> int:
        slots = self._behaviour.slots
        if after is None:
            return -len(slots) - 1
        key = self._keys.get(principal, {}).get(after)
        if key is not None and key.slot is None:
            return key.serial
        slot = after.partition("@")[0]
        if slot not in slots:
            raise BadCursor
        return slots.index(slot) - len(slots)

    def made(self, since: float) -> tuple[Key, ...]:
        """Every key of any principal that was asked for over the wire since then, dead ones too; oldest first."""
        keys = (key for keys in self._keys.values() for key in keys.values())
        found = (key for key in keys if key.created_by is not None and key.created_at >= since)
        return tuple(sorted(found, key=lambda key: key.serial))

    def administers(self, key: Key, now: float) -> bool:
        """Whether a key may do what the admin secret may."""
        told = self._behaviour
        if key.principal != told.admins or key.expired(now):
            return False
        return key.accepted(now, propagation=told.propagation, death=told.death)[0]

    def live(self, principal: str, now: float) -> tuple[Key, ...]:
        """Tell the truth, no list lag: every key neither deleted nor expired, disabled ones too."""
        return tuple(key for key in self._living(principal) if not key.expired(now))

    def _living(self, principal: str) -> tuple[Key, ...]:
        keys = self._keys.get(principal, {}).values()
        return tuple(key for key in keys if key.state is not KeyState.DELETED)

    # -- using --------------------------------------------------------------------------------------------------------

    def owner(self, secret: str) -> Key | None:
        """Find the key whose secret it is or was, alive or dead; None if it was never issued."""
        found = self._by_digest.get(digest(secret))
        return self._keys[found[0]][found[1]] if found else None

    def identify(self, secret: str, now: float) -> Key:
        """Which key it is, as far as it is accepted now. Raises InvalidKey, CannotIdentify."""
        if not self._behaviour.identify:
            raise CannotIdentify
        return self._accepted(secret, now)

    def use(self, secret: str, now: float, *, scope: str = RESOURCE_SCOPE, consumer: str | None = None) -> Key:
        """Call the protected resource; a key that is accepted counts as used now. Raises InvalidKey, MissingScope."""
        key = self._accepted(secret, now)
        self._last_used[key.principal, key.id] = now, consumer
        if key.scopes is not None and scope not in key.scopes:
            raise MissingScope
        return key

    def _accepted(self, secret: str, now: float) -> Key:
        key = self.owner(secret)
        if key is None or key.expired(now):
            raise InvalidKey
        told = self._behaviour
        before, after = key.accepted(now, propagation=told.propagation, death=told.death)
        flaps = before is not after and self._random.random() < told.flapping
        if not (after if flaps else before):
            raise InvalidKey
        return key
