"""Every key of the config's schema has a word in the table, and what has none waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rotator.config.schema import schema
from rotator.config.sensitivity import ENTRIES, PLAIN, SENSITIVE, kind_of, unit_of, word_for

SHAPE = json.loads(schema())


def keys(shape: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every key that can be written, a name as `*`, by walking the schema that editors use."""
    shape = {**SHAPE["$defs"][shape["$ref"].rpartition("/")[2]]} if "$ref" in shape else shape
    tables = [*shape.get("patternProperties", {}).values()]
    if isinstance(shape.get("additionalProperties"), dict):
        tables.append(shape["additionalProperties"])
    below = [each for each in shape.get("anyOf", ()) if "$ref" in each]
    for each in tables:
        yield from keys(each, (*path, "*"))
    for name, each in shape.get("properties", {}).items():
        yield from keys(each, (*path, name))
    for each in below:
        yield from keys(each, path)
    if shape.get("additionalProperties") is True:
        yield (*path, "*")
    elif path and not tables and not below and "properties" not in shape:
        yield path


EVERY = sorted(set(keys(SHAPE, ())))


def test_the_schema_was_walked() -> None:
    assert {("providers", "*", "admin"), ("stores", "*", "*"), ("credentials", "*", "needs", "scopes")} <= set(EVERY)
    assert ("state", "password") in EVERY
    assert len(EVERY) >= 35


@pytest.mark.parametrize("key", EVERY, ids=".".join)
def test_every_key_of_the_schema_has_a_word(key: tuple[str, ...]) -> None:
    found = word_for(key)
    assert found is not None, f"say in the table whether {'.'.join(key)} is sensitive, and why"
    assert found[1]


def test_what_the_issue_names_is_sensitive() -> None:
    for key in (
        *(
            "providers.x.driver",
            "providers.x.base_url",
            "providers.x.hosts",
            "providers.x.admin",
            "providers.x.isolation",
        ),
        *("stores.x.address", "stores.x.auth.method", "stores.x.driver", "credentials.x.publish.0.ref"),
        *("credentials.x.principal.roles", "consumers.x.reload.command", "consumers.x.reload.webhook"),
        *("defaults.isolation", "state.url", "installation.key", "approvals.signers"),
    ):
        assert kind_of(key.split(".")) is SENSITIVE, key


def test_what_is_not_in_the_table_is_sensitive() -> None:
    assert word_for(("invented", "key")) is None
    assert kind_of(("invented", "key")) is SENSITIVE
    assert kind_of(("credentials", "x", "invented")) is SENSITIVE
    assert unit_of(("invented", "key")) == ("invented",)


def test_of_two_lines_the_one_that_says_more_counts() -> None:
    assert kind_of(("providers", "x", "rate")) is PLAIN
    assert kind_of(("providers", "x", "rates")) is SENSITIVE
    assert kind_of(("policies", "x", "every")) is PLAIN


def test_what_has_entries_is_a_table_of_the_schema() -> None:
    assert {"providers", "stores", "credentials"} <= ENTRIES
    assert "state" not in ENTRIES
