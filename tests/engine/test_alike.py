"""Two providers may call two keys alike: their values tell them apart, and in doubt it is the same key (rule 6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.domain.records import KnownKey, Origin
from rotator.domain.rotation import Mode
from rotator.domain.secret import Secret
from rotator.engine.killing import holder
from rotator.ports import Change
from tests.engine.small_world import START, SmallWorld

OTHER = "grafana-prod"


@pytest.fixture
def small() -> SmallWorld:
    world = SmallWorld()
    world.publish("k1")
    world.know("k0", Secret({"secret": "the value of k0"}))
    return world


def elsewhere(small: SmallWorld, fingerprint: str | None) -> None:
    """Another credential, whose current key is called `k0` too."""
    known = KnownKey(key_id="k0", credential=OTHER, origin=Origin.ADOPTED, since=START, fingerprint=fingerprint)
    row = replace(small.journal.credential(OTHER), current="k0")
    small.journal.save(row, START, Change(keys=(known,)))


def test_another_providers_key_of_the_same_id_does_not_keep_ours_alive(small: SmallWorld) -> None:
    elsewhere(small, small.prints.of(Secret({"secret": "quite another value"}), "secret"))
    assert holder(small.begin(Mode.COMPROMISE), "k0") is None


def test_the_same_value_is_the_same_key(small: SmallWorld) -> None:
    elsewhere(small, small.prints.of(Secret({"secret": "the value of k0"}), "secret"))
    assert holder(small.begin(Mode.COMPROMISE), "k0") == f"credential {OTHER}"


def test_where_the_others_value_is_not_known_it_may_be_the_same_key(small: SmallWorld) -> None:
    elsewhere(small, None)
    assert holder(small.begin(Mode.COMPROMISE), "k0") == f"credential {OTHER}"


def test_where_our_value_is_not_known_it_may_be_the_same_key(small: SmallWorld) -> None:
    elsewhere(small, small.prints.of(Secret({"secret": "quite another value"}), "secret"))
    small.know("k7", None)
    row = replace(small.journal.credential(OTHER), current="k7")
    small.journal.save(row, START, Change())
    assert holder(small.begin(Mode.COMPROMISE), "k7") == f"credential {OTHER}"
