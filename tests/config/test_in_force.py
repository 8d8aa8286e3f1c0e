"""Of any two configs: nothing sensitive of the new one counts without approval, and what counts is a config."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.adapters.calendar import CronCalendar
from rotator.app.approving import load_whole
from rotator.config.changes import compare, digest
from rotator.config.errors import ConfigError
from rotator.config.in_force import InForce, in_force
from rotator.config.reading import Config, Whole
from rotator.config.sensitivity import SENSITIVE, kind_of

NAMES = ("a", "b", "c")
SOME = st.sets(st.sampled_from(NAMES))
FEW = st.sets(st.sampled_from(NAMES), min_size=1)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """One of few names and values, so that two of them have much in common and name each other's."""
    providers, stores = draw(FEW), draw(FEW)
    policies, consumers = draw(SOME), draw(SOME)
    names = draw(SOME)

    def some(of: set[str]) -> list[str]:
        return sorted(draw(st.sets(st.sampled_from(sorted(of))))) if of else []

    def one(of: set[str]) -> str:
        return draw(st.sampled_from(sorted(of)))

    credentials: dict[str, dict[str, Any]] = {
        name: {
            "provider": one(providers),
            "principal": {"id": name, "exclusive": draw(st.booleans())},
            "publish": [{"store": one(stores), "ref": draw(st.sampled_from(["x", "y"])), "fields": {name: "{secret}"}}],
            "needs": draw(st.sampled_from([{}, {"expires": "60d"}, {"scopes": ["s"]}])),
            "tags": draw(st.sampled_from([[], ["t"]])),
            "owner": draw(st.sampled_from([None, "o", "p"])),
            "consumers": some(consumers),
            **({"policy": one(policies)} if draw(st.booleans()) and policies else {}),
        }
        for name in names
    }
    admins = ["env:A", "env:B", *(f"{each}:x#A" for each in stores)]
    return {
        "state": draw(st.sampled_from(["sqlite:///a.db", "sqlite:///b.db"])),
        "installation": {"key": "file:key"},
        "defaults": draw(st.sampled_from([{}, {"parallel": 8}, {"isolation": "off"}, {"lease": "30s", "parallel": 2}])),
        "providers": {
            each: {
                "driver": draw(st.sampled_from(["k", "l"])),
                "admin": draw(st.sampled_from(admins)),
                "base_url": draw(st.sampled_from(["https://good", "https://evil"])),
                "rate": draw(st.sampled_from(["1/s", "2/s"])),
            }
            for each in providers
        },
        "stores": {each: {"driver": "file", "root": f"{each}{draw(st.integers(0, 1))}"} for each in stores},
        "policies": {each: {"every": draw(st.sampled_from(["20d", "59d", "90d"]))} for each in policies},
        "consumers": {
            each: {"environment": draw(st.sampled_from(["p", "q"]))}
            | draw(st.sampled_from([{}, {"reload": {"command": ["/bin/a"]}}, {"identities": ["i"]}]))
            for each in consumers
        },
        "identities": {"i": {"reads": some(names) or ["a:*" if "a" in stores else f"{min(stores)}:*"]}},
        "credentials": credentials,
    }


def read(config: dict[str, Any]) -> Whole | None:
    """The config read from a file; None for one that is none (what one draws may be too short for a policy)."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rotator.yaml"
        path.touch(mode=0o600)
        path.write_text(json.dumps(config))
        try:
            return load_whole(path)
        except ConfigError:
            return None


wholes = configs().map(read).filter(lambda each: each is not None)


def counting(approved: Whole, new: Whole, **more: Any) -> InForce:
    calendar = CronCalendar()
    return in_force(approved.tree, new.tree, lambda tree: new.saying(tree, calendar), **more)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None or not value:
        yield path, value
    else:
        for step, each in items:
            yield from leaves(each, (*path, step))


def meaning(config: Config) -> dict[str, Any]:
    """All that a config says but where it stands."""
    found = {name: getattr(config, name) for name in Config.__dataclass_fields__ if name not in ("path", "broken")}
    for section in ("providers", "stores", "consumers"):
        found[section] = {
            name: {each: getattr(entry, each) for each in type(entry).__dataclass_fields__ if "where" not in each}
            for name, entry in found[section].items()
        }
        for entry in found[section].values():
            entry.pop("described", None)
    return found


@settings(max_examples=150)
@given(wholes, wholes)
def test_nothing_sensitive_counts_without_approval(approved: Whole, new: Whole) -> None:
    found = counting(approved, new)
    before = dict(leaves(approved.tree))
    for path, value in leaves(found.tree):
        if kind_of(path) is SENSITIVE:
            assert path in before, path
            assert before[path] == value
    for path in before:  # nor is something sensitive taken away from what stays
        if kind_of(path) is SENSITIVE and path[1] in found.tree.get(str(path[0]), {}):
            assert path in dict(leaves(found.tree)), path


@settings(max_examples=100)
@given(wholes, wholes)
def test_what_counts_is_a_config_and_stays_the_same_when_looked_at_again(approved: Whole, new: Whole) -> None:
    found = counting(approved, new)
    assert meaning(new.saying(found.tree, CronCalendar())) == meaning(found.config)
    differing = compare(approved.tree, new.tree)
    assert all(each in differing for each in found.waiting)
    again = in_force(found.tree, new.tree, lambda tree: new.saying(tree, CronCalendar()))
    assert again.tree == found.tree


@settings(max_examples=100)
@given(wholes, wholes)
def test_approving_everything_gives_the_new_config(approved: Whole, new: Whole) -> None:
    found = counting(new, new)
    assert found.tree == new.tree
    assert not found.waiting
    assert meaning(found.config) == meaning(new.config)
    assert (digest(approved.tree, new.tree) == digest(new.tree, new.tree)) == (approved.tree == new.tree)


@settings(max_examples=100)
@given(wholes)
def test_plain_changes_count_at_once(approved: Whole) -> None:
    tree = deepcopy(dict(approved.tree))
    tree["defaults"] = {**tree.get("defaults", {}), "parallel": 77}
    tree["policies"] = {**tree.get("policies", {}), "new": {"every": "50d"}}
    for entry in tree["providers"].values():
        entry["rate"] = "7/s"
    found = in_force(approved.tree, tree, lambda each: approved.saying(each, CronCalendar()))
    assert found.tree == tree
    assert not found.waiting
    assert found.config.parallel == 77


BASE: dict[str, Any] = {
    "state": "sqlite:///a.db",
    "installation": {"key": "file:key"},
    "providers": {"p": {"driver": "k", "admin": "vault:x#A", "base_url": "https://good", "rate": "1/s"}},
    "stores": {"vault": {"driver": "vault", "address": "https://vault"}, "s": {"driver": "file", "root": "r"}},
    "policies": {"slow": {"every": "30d"}},
    "consumers": {"c": {"reload": {"webhook": "https://c"}}},
    "credentials": {
        "x": {
            "provider": "p",
            "policy": "slow",
            "consumers": ["c"],
            "publish": [{"store": "s", "ref": "a", "fields": {"A": "{secret}"}}],
        }
    },
}


def changed(change: Any, **more: Any) -> InForce:
    config = deepcopy(BASE)
    change(config)
    old, new = read(BASE), read(config)
    assert old is not None
    assert new is not None
    return counting(old, new, **more)


def test_a_part_with_something_sensitive_waits_as_a_whole() -> None:
    found = changed(lambda config: config["providers"]["p"].update(rate="9/s", base_url="https://evil"))
    assert found.config.providers["p"].rate == 1
    assert {each.path[-1] for each in found.waiting} == {"rate", "base_url"}


def test_what_a_waiting_credential_names_stays_although_it_is_gone() -> None:
    def move(config: dict[str, Any]) -> None:
        config["stores"]["t"] = {"driver": "file", "root": "t"}
        config["credentials"]["x"].update(
            publish=[{"store": "t", "ref": "a", "fields": {"A": "{secret}"}}], policy="fast", consumers=[]
        )
        config["policies"] = {"fast": {"every": "10d"}}
        del config["stores"]["s"]

    found = changed(move)
    assert set(found.config.stores) == {"vault", "s"}
    assert found.config.credentials["x"].policy.every is not None
    assert found.config.credentials["x"].policy.every.days == 30
    assert not found.because


def test_what_names_something_that_waits_waits_with_it() -> None:
    def more(config: dict[str, Any]) -> None:
        config["credentials"]["y"] = {
            **config["credentials"]["x"],
            "publish": [{"store": "s", "ref": "b", "fields": {"B": "{secret}"}}],
            "principal": {"id": "y"},
        }
        config["identities"] = {"i": {"reads": ["y"]}}
        config["policies"]["slow"]["every"] = "31d"

    found = changed(more)
    assert set(found.config.credentials) == {"x"}
    assert not found.config.identities
    assert found.config.credentials["x"].policy.every is not None
    assert found.config.credentials["x"].policy.every.days == 31


def test_a_credential_that_is_gone_is_rotated_no_more_and_its_place_stays_as_it_is() -> None:
    def drop(config: dict[str, Any]) -> None:
        config["credentials"] = {}

    assert not changed(drop).config.credentials
    assert not changed(drop).waiting
    busy = changed(drop, busy={"x"})
    assert set(busy.config.credentials) == {"x"}
    assert busy.waiting
    assert not busy.to_approve


def test_a_consumer_that_would_no_longer_be_told_is_told_until_it_is_approved() -> None:
    def drop(config: dict[str, Any]) -> None:
        config["consumers"] = {}

    assert changed(drop).config.consumers["c"].reload == {"webhook": "https://c"}


def test_where_the_rest_is_no_config_all_of_it_waits() -> None:
    def shorten(config: dict[str, Any]) -> None:
        config["credentials"]["x"].update(needs={"expires": "90d"}, owner="o")
        config["policies"]["slow"]["every"] = "60d"

    def expiring(config: dict[str, Any]) -> None:
        config["credentials"]["x"]["needs"] = {"expires": "40d"}

    old, config = deepcopy(BASE), deepcopy(BASE)
    expiring(old)
    shorten(config)
    before, after = read(old), read(config)
    assert before is not None
    assert after is not None
    found = counting(before, after)
    assert found.tree == before.tree
    assert "ends a key before it is replaced" in found.because
    assert found.to_approve


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", None, [], {}])
def test_what_a_driver_can_tell_apart_is_a_change(value: Any) -> None:
    others: list[Any] = [True, 1, 1.0, "1", None, [], {}]
    same = [each for each in others if not compare({"k": value}, {"k": each})]
    assert [repr(each) for each in same] == [repr(value)]
