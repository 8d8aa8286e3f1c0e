"""The contract of every provider's driver through a confined process, on the servers that it is held to in process.

`make test` runs the life of a key for each; `make test-all` the whole contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest
from rotator_aws import BedrockKeys
from rotator_mysql import Mysql
from rotator_openai import OpenAi
from rotator_openrouter import OpenRouter
from rotator_rabbitmq import Rabbitmq
from rotator_redis import Redis
from rotator_rest import Rest
from rotator_vault_approle import AppRole

from rotator.domain.credential import Principal
from rotator.domain.keys import KeyState, Verdict
from rotator.domain.secret import Secret
from tests.isolation.apart import Apart
from tests.isolation.children import Start, needs_sandbox
from tests.providers import (
    test_bedrock,
    test_mysql_contract,
    test_openai_contract,
    test_openrouter_contract,
    test_rabbitmq_contract,
    test_redis_contract,
    test_rest_contract,
    test_vault_approle,
)
from tests.providers.test_vault_approle import mount, principal
from tests.servers import anthropic
from tests.servers.anthropic import ADMIN, WORKSPACE, AnthropicStandIn
from tests.servers.bedrock import BedrockServer

__all__ = ["mount", "principal"]  # fixtures of the contract over AppRoles
pytestmark = needs_sandbox

ELSEWHERE = {
    "keyserver": "test_contract",
    "postgres": "test_contract",
    "aws_iam": "test_clouds",
    "azure_openai": "test_clouds",
    "gcp_api_key": "test_clouds",
    "litellm": "tests/providers/test_rotating_over_http",
    "langfuse": "tests/providers/test_rotating_over_http",
    "pinecone": "tests/providers/test_rotating_over_http",
    "anthropic": "below; its keys are made by hand, so the contract makes them past the driver",
    "assisted": "it sends one GET, which the engine's own probe sends as well; tests/cli/test_assisted",
}
"""Drivers that are tried in a confined process by another file."""


class TestOpenAi(Apart, test_openai_contract.TestServiceAccount):
    entry, kind = "openai", OpenAi


class TestOpenRouter(Apart, test_openrouter_contract.TestDefaultWorkspace):
    entry, kind = "openrouter", OpenRouter


class TestRedis(Apart, test_redis_contract.TestRedis):
    entry, kind = "redis", Redis


class TestMariadb(Apart, test_mysql_contract.TestMariadb):
    entry, kind = "mysql", Mysql


class TestRabbitmq(Apart, test_rabbitmq_contract.TestRabbitmq):
    entry, kind = "rabbitmq", Rabbitmq


class TestRest(Apart, test_rest_contract.TestAsDescribed):
    entry, kind = "rest", Rest


class TestAppRole(Apart, test_vault_approle.TestContract):
    entry, kind = "vault_approle", AppRole


class TestBedrock(Apart, test_bedrock.TestContract):
    entry, kind = "bedrock", BedrockKeys

    @pytest.fixture
    def server(self) -> Iterator[BedrockServer]:
        with BedrockServer() as server:
            yield server


@pytest.mark.stand_in(anthropic.NAME)
def test_a_key_that_a_person_made_is_seen_tried_and_archived_by_a_confined_driver(start: Start) -> None:
    with AnthropicStandIn() as server:
        key_id, value = server.make()
        driver = start("anthropic", {"base_url": server.url}, admin=ADMIN)
        who = Principal(name="agents", settings={"workspace": WORKSPACE})
        driver.check_admin(who)
        assert [key.id for key in driver.keys(who)] == [key_id]
        assert driver.verify(who, Secret({"secret": value})) is Verdict.WORKS
        driver.set_state(who, key_id, KeyState.DELETED)
        assert driver.verify(who, Secret({"secret": value})) is Verdict.INVALID


def test_no_driver_of_ours_is_left_out() -> None:
    ours = {each.name for each in entry_points(group="rotator.providers") if each.dist and each.dist.name == "rotator"}
    tried = {each.entry for each in Apart.__subclasses__()}
    assert ours == tried | set(ELSEWHERE)
