"""Drivers as if they lived in another process: every argument, result and failure goes through JSON and back.

What works behind these wrappers works isolated; what cannot be written as JSON fails here first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from rotator.domain.codec import decode, encode
from rotator.domain.credential import Place, Principal
from rotator.domain.failures import Failure
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, MintRequest, Verdict
from rotator.domain.made import Made
from rotator.domain.secret import Secret
from rotator.ports import Provider, Store, StoreCapabilities, Stored, trail_of

T = TypeVar("T")


def through(kind: type[T], value: T) -> T:
    """The value as it arrives at the other end of a pipe. Raises `CodecError`, `TypeError`."""
    line = json.dumps(encode(value, reveal=True), allow_nan=False)
    return decode(kind, json.loads(line))


def _answered(kind: type[T], call: Callable[[], T]) -> T:
    try:
        result = call()
    except Failure as failure:
        arrived = through(Failure, failure)
    else:
        return through(kind, result)
    raise arrived  # out here, so that it brings no context along, which a pipe would not either


class WiredProvider:
    """A `Provider` behind the codec."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner

    def capabilities(self, principal: Principal) -> Capabilities:
        sent = through(Principal, principal)
        return _answered(Capabilities, lambda: self._inner.capabilities(sent))

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        sent, wish = through(Principal, principal), through(MintRequest, request)
        return _answered(Minted, lambda: self._inner.mint(sent, wish))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        sent = through(Principal, principal)
        return _answered(tuple[Key, ...], lambda: self._inner.keys(sent))

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        sent, shown = through(Principal, principal), through(Secret, value)
        return _answered(Verdict, lambda: self._inner.verify(sent, shown))

    def identify(self, principal: Principal, value: Secret) -> str | None:
        sent, shown = through(Principal, principal), through(Secret, value)
        (found,) = _answered(tuple[str | None, ...], lambda: (self._inner.identify(sent, shown),))
        return found

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        sent, which, wanted = through(Principal, principal), through(str, key_id), through(KeyState, state)
        _answered(type(None), lambda: self._inner.set_state(sent, which, wanted))

    def check_admin(self, principal: Principal) -> None:
        sent = through(Principal, principal)
        _answered(type(None), lambda: self._inner.check_admin(sent))

    def trail(self, principal: Principal, since: datetime) -> tuple[Made, ...]:
        sent, when = through(Principal, principal), through(datetime, since)
        return _answered(tuple[Made, ...], lambda: trail_of(self._inner, sent, when))


class WiredStore:
    """A `Store` behind the codec."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner

    def capabilities(self) -> StoreCapabilities:
        return _answered(StoreCapabilities, self._inner.capabilities)

    def read(self, place: Place) -> Stored:
        sent = through(Place, place)
        return _answered(Stored, lambda: self._inner.read(sent))

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        sent, known = through(Place, place), through(str, expected)
        texts = through(dict[str, str], dict(fields))
        return _answered(str, lambda: self._inner.write(sent, texts, known))

    def remove(self, place: Place, expected: str) -> None:
        sent, known = through(Place, place), through(str, expected)
        _answered(type(None), lambda: self._inner.remove(sent, known))

    def places(self, ref: str) -> tuple[Place, ...]:
        sent = through(str, ref)
        return _answered(tuple[Place, ...], lambda: self._inner.places(sent))
