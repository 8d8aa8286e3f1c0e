"""What stands in for OpenAI, spoken to by OpenAI's own client: it must find there what it knows from the real one."""

from __future__ import annotations

from collections.abc import Iterator

import openai as sdk
import pytest

from tests.servers import Unavailable, openai
from tests.servers.openai import ACCOUNT, PROJECT, OpenAiStandIn

pytestmark = pytest.mark.stand_in(openai.NAME)


@pytest.fixture
def server() -> Iterator[OpenAiStandIn]:
    with OpenAiStandIn() as server:
        yield server


@pytest.fixture
def admin(server: OpenAiStandIn) -> Iterator[sdk.OpenAI]:
    with client(server, admin=server.admin) as admin:
        yield admin


def client(server: OpenAiStandIn, key: str = "none", admin: str | None = None) -> sdk.OpenAI:
    return sdk.OpenAI(api_key=key, admin_api_key=admin, base_url=f"{server.url}/v1", max_retries=0)


def test_every_request_is_held_against_the_vendors_description(server: OpenAiStandIn) -> None:
    try:
        server.description.required()
    except Unavailable as missing:
        pytest.skip(str(missing))
    with client(server, admin=server.admin) as admin, pytest.raises(sdk.BadRequestError, match="'nam' was unexpected"):
        admin.post("/organization/admin_api_keys", body={"name": "x", "nam": "y"}, cast_to=object)
    assert len(server.unaccepted) == 1
    server.unaccepted.clear()


def test_a_key_of_an_account_is_made_used_narrowed_ended_and_deleted(server: OpenAiStandIn, admin: sdk.OpenAI) -> None:
    keys = admin.admin.organization.projects.api_keys
    made = admin.admin.organization.projects.service_accounts.api_keys.create(
        ACCOUNT, project_id=PROJECT, name="one", expires_in_seconds=3600
    )
    assert made.object == "organization.project.service_account.api_key"
    assert made.expires_at is not None
    with client(server, made.value) as consumer:
        assert [model.object for model in consumer.models.list()] == ["model"]
        assert keys.retrieve(made.id, project_id=PROJECT).last_used_at is not None
        keys.update(made.id, project_id=PROJECT, scopes=["api.files.read"])
        with pytest.raises(sdk.AuthenticationError, match="Missing scopes"):
            consumer.models.list()
        ended = keys.update(made.id, project_id=PROJECT, expires_in_seconds=1)
        assert ended.expires_at is not None
        assert ended.expires_at < made.expires_at
        deleted = keys.delete(made.id, project_id=PROJECT)
        assert (deleted.id, deleted.deleted) == (made.id, True)
        with pytest.raises(sdk.AuthenticationError) as refused:
            consumer.models.list()
    assert refused.value.code == "invalid_api_key"
    with pytest.raises(sdk.NotFoundError):
        keys.retrieve(made.id, project_id=PROJECT)


def test_the_list_is_paged_as_the_client_pages_it(server: OpenAiStandIn, admin: sdk.OpenAI) -> None:
    made = [server.seed()["id"] for _ in range(5)]
    hidden = server.seed("svc_acct_two")["id"]
    server.without_access = {"svc_acct_two"}
    keys = admin.admin.organization.projects.api_keys
    assert [key.id for key in keys.list(PROJECT, limit=2)] == made
    every = list(keys.list(PROJECT, limit=2, owner_project_access="any"))
    assert [key.id for key in every] == [*made, hidden]
    assert every[-1].owner.service_account is not None
    assert every[-1].owner.service_account.id == "svc_acct_two"


def test_an_admin_key_is_made_listed_used_and_deleted(server: OpenAiStandIn, admin: sdk.OpenAI) -> None:
    keys = admin.admin.organization.admin_api_keys
    made = keys.create(name="two", expires_in_seconds=3600)
    assert [each.id for each in keys.list()] == [made.id]
    with client(server, admin=made.value) as other:
        assert other.admin.organization.admin_api_keys.retrieve(made.id).name == "two"
        account = other.admin.organization.projects.service_accounts.retrieve(ACCOUNT, project_id=PROJECT)
        assert (account.id, account.role) == (ACCOUNT, "member")
        assert keys.delete(made.id).deleted
        with pytest.raises(sdk.AuthenticationError):
            other.admin.organization.admin_api_keys.list()


def test_an_admin_key_that_may_only_read_cannot_write(server: OpenAiStandIn) -> None:
    with client(server, admin=server.reader) as reader:
        assert list(reader.admin.organization.admin_api_keys.list()) == []
        with pytest.raises(sdk.AuthenticationError, match=r"api\.management\.write"):
            reader.admin.organization.admin_api_keys.create(name="x")
