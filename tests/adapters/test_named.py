"""Stores under their names in the config."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rotator.adapters.named import Named
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Failure
from rotator.ports import Store
from tests.engine.small_world import Store as MemoryStore

PLACE = Place(ref="team/app", kind=PlaceKind.CURRENT, fields=("API_KEY",))
CALLS: dict[str, Callable[[Store], object]] = {
    "read": lambda store: store.read(PLACE),
    "write": lambda store: store.write(PLACE, {"API_KEY": "x"}, ""),
    "remove": lambda store: store.remove(PLACE, "1"),
    "places": lambda store: store.places(PLACE.ref),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("403 from https://vault.internal", "prod:team/app: 403 from https://vault.internal"),
        ("'team/app' is no JSON object", "prod:team/app: 'team/app' is no JSON object"),
    ],
)
def test_a_failure_says_which_store_it_was_and_stays_what_it_is(
    call: Callable[[Store], object], said: str, shown: str
) -> None:
    inner = MemoryStore("memory", [])
    inner.down = Denied(said, "grant it", permission="read")
    with pytest.raises(Denied) as caught:
        call(Named("prod", inner))
    failure: Failure = caught.value
    assert (failure.message, failure.hint) == (shown, "grant it")
    assert caught.value.permission == "read"


def test_it_is_the_store_that_it_names() -> None:
    inner = MemoryStore("memory", [])
    store = Named("prod", inner)
    version = store.write(PLACE, {"API_KEY": "x"}, "")
    assert (store.read(PLACE), store.capabilities()) == (inner.read(PLACE), inner.capabilities())
    store.remove(PLACE, version)
    assert store.places(PLACE.ref) == inner.places(PLACE.ref)
