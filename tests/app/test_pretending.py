"""Every driver says what it offers to whoever has no credential for it, and a keyserver can show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any

import pytest

from rotator.app.describing import described
from rotator.app.drivers import make_provider
from rotator.app.isolating import OFF, Isolation
from rotator.app.pretending import offers_of
from rotator.app.rehearsal_shapes import shape_of
from rotator.config.document import Where
from rotator.config.errors import ConfigError
from rotator.config.making import make_principal
from rotator.config.reading import DriverConfig
from rotator.config.references import Reference
from rotator.domain.credential import Principal
from rotator.domain.failures import Failure
from rotator.domain.keys import STRATEGIES, Capabilities, Disabling

DRIVERS: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # driver: (its settings, a principal)
    "anthropic": ({"workspace": "wrkspc_01"}, {}),
    "assisted": ({"vendor": "groq"}, {}),
    "aws_iam": ({"region": "eu-west-1"}, {"user": "agent"}),
    "azure_openai": ({"subscription": "s", "resource_group": "g", "account": "acc"}, {}),
    "bedrock": ({"region": "eu-west-1"}, {"user": "bedrock/agents"}),
    "gcp_api_key": ({"project": "my-project"}, {}),
    "keyserver": ({"base_url": "http://127.0.0.1:9"}, {}),
    "langfuse": ({"base_url": "https://langfuse.internal", "public_key": "pk-lf-x"}, {"project": "p"}),
    "litellm": ({"base_url": "https://litellm.internal"}, {"team": "t"}),
    "mysql": ({"host": "db.internal", "user": "rotator"}, {"users": ["app_a", "app_b"], "host": "%"}),
    "openai": ({"project": "proj_abc"}, {"service_account": "svc_1"}),
    "openrouter": ({}, {}),
    "pinecone": ({"client_id": "7mR"}, {"project": "p"}),
    "postgres": ({"host": "db.internal", "user": "rotator"}, {"roles": ["app_a", "app_b"], "owner_role": "app"}),
    "rabbitmq": ({"base_url": "https://rabbit.internal", "user": "rotator"}, {"users": ["app_a", "app_b"]}),
    "redis": ({"host": "r.internal", "user": "rotator"}, {"users": ["app_a", "app_b"], "rules": ["~app:*", "+@read"]}),
    "rest": ({"description": "grafana", "base_url": "https://grafana.internal"}, {"service_account": "1"}),
    "vault_approle": ({"base_url": "https://vault.internal:8200"}, {"role": "batch"}),
}
OPEN = Isolation(default=OFF)


def entry(driver: str, settings: Mapping[str, Any]) -> DriverConfig:
    admin = None if driver == "assisted" else Reference("file", "/nonexistent/admin")
    where = Where(file="rotator.yaml", line=1)
    return described(DriverConfig(name="it", driver=driver, settings=settings, admin=admin, where=where))


def asked(driver: str) -> Capabilities:
    settings, words = DRIVERS[driver]
    principal = make_principal(words, exclusive=True)
    found = offers_of(entry(driver, settings), [principal], OPEN)[principal]
    assert isinstance(found, Capabilities), found
    return found


def test_every_installed_driver_is_tried() -> None:
    ours = entry_points(group="rotator.providers")
    assert {each.name for each in ours if each.dist and each.dist.name == "rotator"} == set(DRIVERS)


@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_a_driver_says_what_it_offers_without_its_credential_and_a_keyserver_shows_it(driver: str) -> None:
    offers = asked(driver)
    shape = shape_of("it", offers)
    settings = shape.settings("http://127.0.0.1:9", 1.0)
    shown = make_provider(entry("keyserver", settings), "admin", timedelta(seconds=1), OPEN)
    seen = shown.capabilities(Principal(name="p"))
    assert seen.strategy is STRATEGIES[offers.strategy.name]
    assert (seen.lists, seen.deletes, seen.cap) == (offers.lists, offers.deletes, None if seen.slots else offers.cap)
    assert (seen.disabling is Disabling.NONE) == (offers.disabling is Disabling.NONE)
    windows = (seen.propagation, seen.death_window, seen.list_lag)
    assert windows == (offers.propagation, offers.last_look, offers.list_lag)
    assert (seen.probe is None) == (offers.probe is None)
    assert len(seen.slots) >= len(offers.slots)


def test_windows_are_divided_by_the_speed_and_kept_a_little_under() -> None:
    shape = shape_of("it", asked("azure_openai"))
    told = shape.pace(timedelta(milliseconds=300), 10.0)
    assert told["latency"] == pytest.approx(0.03)
    assert told["death"] == pytest.approx(shape.death_window.total_seconds() * 0.9 / 10)
    assert shape.settings("http://x", 10.0)["death_window"] == shape.death_window / 10


def test_a_principal_that_is_none_is_refused_and_no_other() -> None:
    good, bad = make_principal({"user": "agent"}, exclusive=True), make_principal({"role": "x"}, exclusive=True)
    found = offers_of(entry("aws_iam", {"region": "eu-west-1"}), [good, bad], OPEN)
    assert isinstance(found[good], Capabilities)
    assert isinstance(found[bad], Failure)


@pytest.mark.parametrize(("driver", "settings"), [("aws_iam", {"regoin": "x"}), ("nosuch", {})])
def test_an_entry_that_is_wrong_is_refused_for_that(driver: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refusal:
        offers_of(entry(driver, settings), [Principal(name="p")], OPEN)
    assert "regoin" in refusal.value.message or "nosuch" in refusal.value.message


def test_a_driver_that_takes_no_invented_credential_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotator.app.pretending.INVENTED", ("of another form",))
    settings, _ = DRIVERS["azure_openai"]
    with pytest.raises(ConfigError) as refusal:
        offers_of(entry("azure_openai", settings), [Principal(name="p")], OPEN)
    assert refusal.value.message == "it: its driver says nothing without its real admin credential"
