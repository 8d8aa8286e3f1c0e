"""What is made of Vault's answers about a token's life."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.adapters.stores.vault.answers import Answer
from rotator.adapters.stores.vault.lease import Channel, Lease, granted, look_up, renewed, told
from rotator.domain.failures import Transient

HOUR = Lease("s.token", 0.0, 3600.0, renewable=True)


def answering(status: int, body: object) -> Channel:
    """A channel on which everything is answered alike."""
    return Channel("vault", lambda _token, _send: Answer(status, json.dumps(body).encode()), lambda: 1.0)


def renewal(seconds: object, *, renewable: bool = True) -> Lease | None:
    return renewed(HOUR, answering(200, {"auth": {"lease_duration": seconds, "renewable": renewable}}))


def test_two_thirds_of_a_life_are_time_to_renew() -> None:
    assert [HOUR.due(now) for now in (0, 2399, 2400, 3600)] == [False, False, True, True]
    assert [HOUR.over(now) for now in (0, 3599, 3600)] == [False, False, True]
    for_ever = Lease("s.token", 0.0)
    assert (for_ever.due(1e9), for_ever.over(1e9)) == (False, False)


def test_a_life_that_was_cut_at_its_maximum_is_not_renewed_again() -> None:
    for seconds, goes_on in ((3600, True), (3599, True), (7200, True), (1200, False), (1, False)):
        lease = renewal(seconds)
        assert lease is not None
        assert (lease.ttl, lease.renewable) == (float(seconds), goes_on)
    last = renewal(3600, renewable=False)
    assert last is not None
    assert not last.renewable


def test_a_life_of_no_second_is_none() -> None:
    for nothing in (0, None, "soon", True, -1):
        assert renewal(nothing) is None


def test_what_is_refused_cannot_be_renewed_and_what_is_down_may_be_later() -> None:
    for status in (400, 403, 404):
        assert renewed(HOUR, answering(status, {"errors": ["lease is not renewable"]})) is None
    for status in (307, 429, 500, 503):
        with pytest.raises(Transient):
            renewed(HOUR, answering(status, {"errors": []}))
    assert renewed(Lease("s.token", 0.0, 60.0), answering(500, {})) is None  # not even asked


def test_a_login_without_a_token_is_transient() -> None:
    bodies: tuple[Any, ...] = ({}, {"auth": None}, {"auth": {"client_token": ""}}, {"auth": {"client_token": 7}})
    for body in bodies:
        with pytest.raises(Transient, match="no token"):
            granted(Answer(200, json.dumps(body).encode()), 0.0, "login", "vault")


def test_a_token_that_never_dies_and_one_that_dies_now_are_told_apart() -> None:
    assert told("t", 0.0, {"ttl": 0, "expire_time": None}).ttl is None
    assert told("t", 0.0, {"ttl": 0, "expire_time": "2026-11-25T16:00:00Z"}).over(0.0)
    assert told("t", 5.0, {"ttl": 30, "expire_time": "2026-11-25T16:00:00Z", "renewable": True}).due(25.0)


def test_nobody_is_told_of_a_token_that_is_refused() -> None:
    assert look_up("t", answering(403, {"errors": ["permission denied"]})) is None
    assert look_up("t", answering(404, {"errors": []})) is None
    with pytest.raises(Transient):
        look_up("t", answering(503, {"errors": ["Vault is sealed"]}))


def test_a_lease_shows_no_token() -> None:
    assert "s.token" not in repr(HOUR)
