"""What a consumer can read, and by which way."""

from __future__ import annotations

import pytest

from rotator.domain.credential import Credential, Principal, Publication
from rotator.domain.grants import Grant, Identity
from rotator.domain.policy import STANDARD
from rotator.policy.grants import readable


def credential(name: str, ref: str, *, store: str = "vault", consumers: str = "", tags: str = "") -> Credential:
    return Credential(
        name=name,
        provider="p",
        principal=Principal(name=name),
        publish=(Publication(store=store, ref=ref, fields={"k": "{secret}"}),),
        policy=STANDARD,
        tags=tuple(tags.split()),
        consumers=tuple(consumers.split()),
    )


OPENAI = credential("openai-prod", "ai/openai", consumers="agents-api", tags="llm prod")
CLAUDE = credential("claude", "ai/team/claude", tags="llm")
DATABASE = credential("app-db", "app/db", consumers="web")
SAME_REF = credential("elsewhere", "ai/openai", store="aws")
ALL = (OPENAI, CLAUDE, DATABASE, SAME_REF)


def ways(*reads: str, runs_as: tuple[str, ...] = ("role",)) -> list[str]:
    identities = {"role": Identity(name="role", reads=reads)}
    return [str(each) for each in readable("agents-api", runs_as, identities, ALL).grants]


def test_a_consumer_reads_what_it_is_named_for() -> None:
    found = readable("agents-api", (), {}, ALL)
    assert found.grants == (Grant("openai-prod", ("agents-api", "openai-prod")),)
    assert found.credentials == ("openai-prod",)


def test_one_that_is_named_nowhere_reads_nothing() -> None:
    assert readable("nobody", (), {}, ALL).grants == ()


@pytest.mark.parametrize(
    ("what", "further"),
    [
        ("app-db", ["agents-api → role role → app-db"]),
        ("vault:app/db", ["agents-api → role role → vault:app/db"]),
        ("vault:ai/team/*", ["agents-api → role role → vault:ai/team/claude"]),
        ("tag:prod", ["agents-api → role role → tag:prod → openai-prod"]),
        ("vault:nothing/*", []),
        ("aws:ai/*", ["agents-api → role role → aws:ai/openai"]),
        ("vault:AI/*", []),
        ("vault:ai", []),
    ],
)
def test_an_identity_reads_credentials_places_and_tags(what: str, further: list[str]) -> None:
    assert sorted(ways(what)) == sorted(["agents-api → openai-prod", *further])


def test_a_star_stands_for_slashes_too() -> None:
    assert {
        each.credential for each in readable("x", ["r"], {"r": Identity(name="r", reads=("vault:ai/*",))}, ALL).grants
    } == {
        "openai-prod",
        "claude",
    }


@pytest.mark.parametrize(
    ("what", "ref", "reads"),
    [
        ("vault:app[1]", "app[1]", True),
        ("vault:app[1]*", "app[1]/db", True),
        ("vault:app[1]", "app1", False),
        ("vault:app?", "app?", True),
        ("vault:app?", "app1", False),
        ("vault:*[!x]", "y[!x]", True),
        ("vault:*[!x]", "y", False),
    ],
)
def test_nothing_but_a_star_stands_for_something_else(what: str, ref: str, reads: bool) -> None:
    identities = {"role": Identity(name="role", reads=(what,))}
    assert bool(readable("x", ["role"], identities, [credential("it", ref)]).grants) is reads


def test_every_way_to_a_credential_is_told_and_it_is_counted_once() -> None:
    identities = {"role": Identity(name="role", reads=("vault:ai/*", "tag:llm", "openai-prod"))}
    found = readable("agents-api", ("role", "role"), identities, ALL)
    assert len(found.grants) == 6
    assert found.credentials == ("claude", "openai-prod")


def test_an_identity_that_nobody_describes_may_read_anything() -> None:
    assert readable(
        "agents-api", ("role", "other"), {"role": Identity(name="role", reads=("app-db",))}, ALL
    ).unknown == ("other",)
