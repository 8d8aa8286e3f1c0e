"""What is published is read back as the very value, or as none: never as another."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from rotator.domain.credential import Credential, Place, PlaceKind, Principal, Publication
from rotator.domain.failures import Permanent
from rotator.domain.policy import STANDARD
from rotator.domain.secret import Secret

URL = "postgres://{user}:{password}@db.example:5432/app?sslmode=require"
AGAIN = "{user}:{password}@db/{user}"

lines = st.text(alphabet=st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1)
tricky = st.text(alphabet="ab:@/{}.*+?()[]\\|^$ ", min_size=1, max_size=12)
values = lines | tricky
templates = st.lists(
    st.sampled_from(["{user}", "{password}", ":", "@", "a", "b", "(", ".*", "\\", "$", "[x", "{", "}", "{USER}", " "]),
    min_size=1,
    max_size=7,
).map("".join)
# A value with every part that the template came to mention: "{", "a" and "}" in a row are one, too.
rendering = templates.flatmap(
    lambda text: st.tuples(st.just(text), st.fixed_dictionaries(dict.fromkeys(publication(text=text).parts(), tricky)))
)


def publication(**fields: str) -> Publication:
    return Publication(store="vault", ref="app", fields=fields)


def pair(user: str, password: str) -> Secret:
    return Secret({"user": user, "password": password})


# -- one part: always read back --------------------------------------------------------------------------------------


@given(values, st.sampled_from(["{secret}", "Bearer {secret}", "{secret};", '{"key": "{secret}"}', "(.*)+{secret}$^"]))
def test_one_part_within_any_text_is_read_back_whatever_it_is(secret: str, template: str) -> None:
    entry, value = publication(key=template), Secret({"secret": secret})
    assert entry.render(value) == {"key": template.replace("{secret}", secret)}
    assert entry.extract(entry.render(value)) == value


@given(values)
def test_one_part_mentioned_twice_or_in_two_fields_is_read_back(secret: str) -> None:
    entry, value = publication(key="{secret}:{secret}", other="{secret}"), Secret({"secret": secret})
    assert entry.extract(entry.render(value)) == value


@given(st.text(alphabet="ab-", min_size=1, max_size=6))
def test_a_part_mentioned_twice_with_look_alikes_between_is_read_back(secret: str) -> None:
    entry, value = publication(key="{secret}-{secret}-{secret}"), Secret({"secret": secret})
    assert entry.extract(entry.render(value)) == value


# -- several parts ---------------------------------------------------------------------------------------------------


@given(values, values)
def test_parts_in_fields_of_their_own_are_read_back_whatever_they_are(user: str, password: str) -> None:
    entry = publication(user="{user}", password="{password}")
    assert entry.extract(entry.render(pair(user, password))) == pair(user, password)


@given(values, values)
def test_a_field_of_its_own_makes_the_combined_text_certain(user: str, password: str) -> None:
    entry = publication(url=URL, user="{user}")
    assert entry.extract(entry.render(pair(user, password))) == pair(user, password)


@given(values, values, st.sampled_from([URL, AGAIN]))
def test_parts_that_do_not_hold_the_separator_before_the_last_are_read_back(
    user: str, password: str, template: str
) -> None:
    assume(":" not in user)
    assume(template == URL or "@db/" not in password + user)
    entry = publication(url=template)
    assert entry.extract(entry.render(pair(user, password))) == pair(user, password)


@pytest.mark.parametrize(
    "password", ["p@ss", "a:b:c", "@", ":", "x@db.example:5432/app?sslmode=require", "(.*)", "\\1"]
)
def test_a_password_may_hold_every_separator_of_the_url(password: str) -> None:
    entry = publication(url=URL)
    assert entry.extract(entry.render(pair("app_a", password))) == pair("app_a", password)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        (URL, pair("a:b", "c")),
        ("{user}{password}", pair("ab", "c")),
        ("{user}@{password}", pair("a@b", "c")),
        ("{user}{password}", pair("", "c")),
        (URL, pair("a", "")),
    ],
)
def test_text_that_reads_in_two_ways_is_told_before_it_is_published(template: str, value: Secret) -> None:
    """This comparison is what staging refuses a value by."""
    entry = publication(url=template)
    assert entry.extract(entry.render(value)) != value


@given(rendering)
@example(("{a}", {"a": "b"}))
def test_whatever_is_read_would_be_rendered_as_the_very_same_text(given: tuple[str, dict[str, str]]) -> None:
    template, parts = given
    entry = publication(text=template)
    rendered = entry.render(Secret({"unmentioned": "x", **parts}))
    found = entry.extract(rendered)
    if found is None:
        assert not entry.parts()
    else:
        assert set(found.names) == entry.parts()
        assert entry.render(found) == rendered
        assert all(found.parts().values())


@given(templates, tricky)
def test_arbitrary_text_is_read_as_nothing_or_as_what_renders_it(template: str, text: str) -> None:
    entry = publication(text=template)
    found = entry.extract({"text": text})
    assert found is None or entry.render(found) == {"text": text}


# -- what is foreign -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": ""},
        {"other": "postgres://a:b@db.example:5432/app?sslmode=require"},
        {"url": "postgres://a:b@db.example:5432/app"},
        {"url": "postgres://a:b@dbXexample:5432/app?sslmode=require"},
        {"url": "Postgres://a:b@db.example:5432/app?sslmode=require"},
        {"url": "postgres://:b@db.example:5432/app?sslmode=require"},
        {"url": "postgres://a:@db.example:5432/app?sslmode=require"},
        {"url": "postgres://a@db.example:5432/app?sslmode=require"},
        {"url": " postgres://a:b@db.example:5432/app?sslmode=require"},
        {"url": "postgres://a:b@db.example:5432/app?sslmode=require\n"},
        {"url": "postgres://a:b@db.example:5432/appXsslmode=require"},
    ],
)
def test_foreign_text_is_nobody_s_value(fields: Mapping[str, str]) -> None:
    assert publication(url=URL).extract(fields) is None


def test_fields_that_contradict_each_other_are_nobody_s_value() -> None:
    entry = publication(user="{user}", url=URL)
    rendered = entry.render(pair("a", "b"))
    assert entry.extract({**rendered, "user": "c"}) is None
    assert publication(one="{secret}", two="{secret}").extract({"one": "x", "two": "y"}) is None
    assert publication(one="{secret}-{secret}").extract({"one": "x-y"}) is None


def test_a_constant_field_must_stand_as_it_was_published() -> None:
    entry = publication(region="eu", key="{secret}")
    assert entry.extract({"region": "eu", "key": "x"}) == Secret({"secret": "x"})
    assert entry.extract({"region": "us", "key": "x"}) is None
    assert entry.extract({"key": "x"}) is None


def test_fields_of_others_in_the_document_do_not_matter() -> None:
    assert publication(key="{secret}").extract({"key": "x", "theirs": "y"}) == Secret({"secret": "x"})


def test_a_template_without_parts_publishes_no_value() -> None:
    assert publication(key="constant").extract({"key": "constant"}) is None


def test_a_value_that_looks_like_a_template_is_not_expanded() -> None:
    assert publication(key="{user}:{password}").render(pair("{password}", "hunter2")) == {"key": "{password}:hunter2"}


def test_a_value_that_lacks_a_part_is_not_rendered() -> None:
    with pytest.raises(KeyError, match="password"):
        publication(url=URL).render(Secret({"user": "a"}))


# -- hostile documents -----------------------------------------------------------------------------------------------

BIG = 100_000


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (URL, "postgres://" + ":" * BIG),
        (URL, "postgres://" + ":@" * (BIG // 2)),
        ("{user}:{password}@{host}/", ":" * BIG),
        ("{user}:{password}@{host}/{path}?{query}#", ":@/?" * (BIG // 4)),
        ("{user}{password}{host}{path}!", "a" * BIG),
        ("{user}aa{password}aa{host}aa{path}b", "a" * BIG),
        ("{user}-{user}", "-" * BIG),
        ("{user}-{user}!", "a-" * (BIG // 2)),
        ("{user}:{password}:{user}:{password}:{host}!", ":" * BIG),
        ("{user}{password}{user}{password}", "a" * (BIG - 1) + "b"),
        ("{user}{user}{user}{user}{password}{host}{user}!", "a" * BIG),
        (AGAIN, ":@db/" * (BIG // 5)),
    ],
)
def test_a_hostile_document_costs_no_more_than_a_moment(template: str, text: str) -> None:
    entry = publication(text=template)
    began = time.process_time()
    found = entry.extract({"text": text})
    assert time.process_time() - began < 2
    assert found is None or entry.render(found) == {"text": text}


# -- places and lookups ----------------------------------------------------------------------------------------------


def test_the_places_of_an_entry_differ_and_only_the_current_one_names_fields() -> None:
    entry = publication(url=URL, user="{user}")
    assert entry.place == Place(ref="app", kind=PlaceKind.CURRENT, fields=("url", "user"))
    assert entry.pending("r1") == Place(ref="app", kind=PlaceKind.PENDING, of="r1")
    assert entry.previous("k1") == Place(ref="app", kind=PlaceKind.PREVIOUS, of="k1")
    assert len({entry.place, entry.pending("r1"), entry.pending("r2"), entry.previous("r1"), entry.previous("k1")}) == 5


def test_an_entry_mentions_the_parts_of_all_its_fields() -> None:
    assert publication(url=URL, token="{secret}", constant="{NOT}").parts() == {"user", "password", "secret"}


def test_an_entry_and_a_principal_can_be_members_of_a_set() -> None:
    assert len({publication(key="{secret}"), publication(key="{secret}")}) == 1
    assert len({Principal(name="p", settings={"a": "b"}), Principal(name="p", settings={"a": "b"})}) == 1


def test_a_place_that_the_config_no_longer_has_is_a_permanent_failure_that_names_it() -> None:
    entry = publication(key="{secret}")
    spec = Credential(name="c", provider="p", principal=Principal(name="x"), publish=(entry,), policy=STANDARD)
    assert spec.publication("vault", "app") is entry
    for store, ref in [("vault", "other"), ("file", "app")]:
        with pytest.raises(Permanent, match=f"{store}:{ref}"):
            spec.publication(store, ref)
