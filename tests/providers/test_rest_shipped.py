"""Each description that ships is held to the provider contract, on a stand-in made from its vendor's documentation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from rotator_rest import Rest

from rotator.app.describing import brought
from rotator.domain.credential import Principal
from rotator.domain.failures import CapFull, Denied
from rotator.domain.keys import Minted, MintRequest, Verdict
from rotator.domain.secret import Secret
from rotator.ports import Provider
from rotator.testing.provider_contract import LoseAnswer, ProviderContract
from tests.providers.described import SHIPPED, TIMEOUT, description
from tests.servers.api import Reply
from tests.servers.key_issuers import (
    ADMIN,
    OWNER,
    ElevenLabsStandIn,
    FireworksStandIn,
    GrafanaStandIn,
    Issuer,
    SendGridStandIn,
    XaiStandIn,
)

AT_ONCE = {"propagation": "0s", "death_window": "0s", "list_lag": "0s"}


class WithNeeds(Rest):
    """Its credential says what its keys may do, which the contract's requests do not."""

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        return super().mint(principal, replace(request, scopes=("read",)))


class Shipped(ProviderContract):
    """`name` of the description, `words` of the principal."""

    name: ClassVar[str]
    words: ClassVar[Mapping[str, str]] = {}
    stand_in: ClassVar[type[Issuer]]
    more: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def server(self) -> Iterator[Issuer]:
        with self.stand_in() as server:
            yield server

    @pytest.fixture
    def drive(self, server: Issuer) -> Callable[[str], Rest]:
        settings = {"description": description(self.name), "base_url": server.url, **AT_ONCE, **self.more}
        if "use_url" in settings["description"]:
            settings["use_url"] = server.url
        return lambda admin: WithNeeds.from_settings(self.name, settings, admin, TIMEOUT)

    @pytest.fixture
    def provider(self, drive: Callable[[str], Rest]) -> Provider:
        return drive(ADMIN)

    @pytest.fixture
    def wrong_admin(self, drive: Callable[[str], Rest]) -> Provider:
        return drive("wrong-admin-secret")

    @pytest.fixture
    def principal(self) -> Principal:
        return Principal(name="p", exclusive=True, settings=self.words)

    @pytest.fixture
    def admin_secrets(self) -> Collection[str]:
        return (ADMIN, "wrong-admin-secret")

    @pytest.fixture
    def lose_answer(self, server: Issuer) -> LoseAnswer:
        @contextmanager
        def losing() -> Iterator[None]:
            before = server.lost
            server.losing = 1
            yield
            assert server.lost == before + 1, "no answer was lost"

        return losing


@pytest.mark.stand_in("ElevenLabs API")
class TestElevenLabs(Shipped):
    name = "elevenlabs"
    words: ClassVar = {"service_account": OWNER}
    stand_in = ElevenLabsStandIn

    def test_a_key_without_the_permission_is_answered_401_and_is_not_dead(
        self, drive: Callable[[str], Rest], server: Issuer, principal: Principal
    ) -> None:
        made = server.issue("by hand", ["none"])
        assert drive(ADMIN).verify(principal, Secret({"secret": made.secret})) is Verdict.FORBIDDEN


@pytest.mark.stand_in("Fireworks API")
class TestFireworks(Shipped):
    name = "fireworks"
    words: ClassVar = {"account": "a1", "user": "u1"}
    stand_in = FireworksStandIn


@pytest.mark.stand_in("Grafana API")
class TestGrafana(Shipped):
    name = "grafana"
    words: ClassVar = {"service_account": "7"}
    stand_in = GrafanaStandIn


class SmallSendGrid(SendGridStandIn):
    room = 3


@pytest.mark.stand_in("SendGrid API")
class TestSendGrid(Shipped):
    name = "sendgrid"
    stand_in = SmallSendGrid
    more: ClassVar = {"cap": 3}

    def test_another_403_is_a_missing_permission_and_no_cap(
        self, drive: Callable[[str], Rest], server: Issuer, principal: Principal
    ) -> None:
        server.fail("POST", Reply(403, {"errors": [{"field": None, "message": "access forbidden"}]}))
        with pytest.raises(Denied) as caught:
            drive(ADMIN).mint(principal, MintRequest(mark="m"))
        assert not isinstance(caught.value, CapFull)
        assert "api_keys.create" in caught.value.hint


@pytest.mark.stand_in("xAI API")
class TestXai(Shipped):
    name = "xai"
    words: ClassVar = {"team": OWNER}
    stand_in = XaiStandIn

    def test_either_host_sees_its_own_kind_of_key_alone(self, server: Issuer, principal: Principal) -> None:
        with XaiStandIn() as using:
            using.issued = server.issued
            settings = {"description": description("xai"), "base_url": server.url, "use_url": using.url}
            driver = Rest.from_settings("x", settings, ADMIN, TIMEOUT)
            minted = driver.mint(principal, MintRequest(mark="m", scopes=("read",)))
            assert driver.verify(principal, minted.value) is Verdict.WORKS
            assert driver.identify(principal, minted.value) == minted.key_id
            probe = driver.capabilities(principal).probe
            driver.keys(principal)
            driver.check_admin(principal)
        assert probe is None, "a status does not tell whether a key is disabled"
        assert using.lines() == ["GET /v1/api-key"] * 2
        assert ADMIN not in str(using.asked)
        assert minted.value.reveal("secret") not in str(server.asked)

    def test_a_disabled_key_is_not_called_dead(
        self, drive: Callable[[str], Rest], server: Issuer, principal: Principal
    ) -> None:
        made = server.issue("by hand", ["read"])
        made.disabled = True
        assert drive(ADMIN).verify(principal, Secret({"secret": made.secret})) is Verdict.NOT_YET
        del server.issued[made.id]
        assert drive(ADMIN).verify(principal, Secret({"secret": made.secret})) is Verdict.INVALID

    def test_it_needs_two_hosts(self) -> None:
        assert Rest.reach({"description": description("xai")}).hosts == ("management-api.x.ai", "api.x.ai")


def test_every_description_that_ships_is_tried_here_and_says_at_its_head_how_far() -> None:
    names = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    assert names == sorted(each.name for each in Shipped.__subclasses__())
    assert brought()["rest"] == tuple(names)
    for name in names:
        lines = (SHIPPED / f"{name}.yaml").read_text().splitlines(keepends=True)
        head = "".join(line for line in lines if line.startswith("#"))
        assert "only tried on a stand-in" in head.replace("\n# ", " ")
        assert "https://" in head
