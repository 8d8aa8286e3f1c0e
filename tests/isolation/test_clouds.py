"""Drivers of clouds whose code needs more than the SDK, in confined processes: a signer, and a maker of assertions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rotator.domain.credential import Principal
from rotator.domain.keys import KeyState, MintRequest, Verdict
from rotator.ports import Provider
from tests.isolation.children import Start, needs_sandbox
from tests.servers import aws, azure, google_keys
from tests.servers.aws import AwsServer
from tests.servers.azure import AzureServer
from tests.servers.google_keys import GoogleServer

pytestmark = needs_sandbox

ONE = Principal(name="app", exclusive=True)


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    with GoogleServer() as server:
        yield server


@pytest.fixture
def microsoft() -> Iterator[AzureServer]:
    with AzureServer() as server:
        yield server


def lives_and_dies(driver: Provider, request: MintRequest) -> None:
    driver.check_admin(ONE)
    minted = driver.mint(ONE, request)
    assert driver.verify(ONE, minted.value) is Verdict.WORKS
    assert driver.identify(ONE, minted.value) == minted.key_id
    assert minted.key_id in {key.id for key in driver.keys(ONE) if key.live}
    driver.set_state(ONE, minted.key_id, KeyState.DELETED)
    assert driver.verify(ONE, minted.value) is Verdict.INVALID


@pytest.mark.stand_in(aws.IAM)
def test_requests_are_signed_in_a_confined_process(aws_server: AwsServer, start: Start) -> None:
    aws_server.bare_user("app")
    admin = f"{aws_server.admin.key_id}:{aws_server.admin.secret}"
    driver = start("aws_iam", {"base_url": aws_server.address, "region": aws.REGION}, admin=admin)
    lives_and_dies(driver, MintRequest(mark="m"))


@pytest.mark.stand_in(google_keys.NAME)
def test_assertions_are_signed_in_a_confined_process(google: GoogleServer, start: Start) -> None:
    urls = dict.fromkeys(("base_url", "rights_url", "verify_url"), google.url)
    settings = {**urls, "token_url": f"{google.url}/token", "project": google_keys.PROJECT}
    lives_and_dies(start("gcp_api_key", settings, admin=google.service_account), MintRequest(mark="rot-1"))


@pytest.mark.stand_in(azure.NAME)
def test_tokens_are_fetched_in_a_confined_process(microsoft: AzureServer, start: Start) -> None:
    urls = dict.fromkeys(("base_url", "login_url", "endpoint"), microsoft.url)
    where = {"subscription": azure.SUBSCRIPTION, "resource_group": azure.GROUP, "account": azure.ACCOUNT}
    admin = f'{{"tenant": "{azure.TENANT}", "client_id": "{azure.CLIENT}", "client_secret": "{azure.SECRET}"}}'
    driver = start("azure_openai", {**urls, **where}, admin=admin)
    slot = driver.keys(ONE)[0]
    lives_and_dies(driver, MintRequest(mark="m", slot=slot.slot, expects=slot.id))
