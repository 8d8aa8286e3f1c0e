"""Who made what, as the drivers of OpenAI and AWS read it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.domain.failures import Denied, Transient
from rotator.domain.keys import MintRequest
from rotator.domain.made import Made, MadeKind
from tests.providers.test_aws_iam import USER
from tests.providers.test_aws_iam import of as of_aws
from tests.providers.test_openai import SVC
from tests.providers.test_openai import of as of_openai
from tests.servers import aws, openai
from tests.servers.aws import AwsServer
from tests.servers.openai import OpenAiStandIn

EVER = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[OpenAiStandIn]:
    with OpenAiStandIn() as server:
        yield server


def event(number: int, kind: str, at: float, what: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": f"audit_log-{number}", "type": kind, "effective_at": int(at), kind: what, **more}


@pytest.mark.stand_in(openai.NAME)
def test_openai_tells_what_was_made_by_whom_and_what_of_it_is_gone(server: OpenAiStandIn) -> None:
    now = time.time()
    session = {"user": {"id": "user-1", "email": "thief@example.com"}, "ip_address": "203.0.113.7"}
    by_key = {"type": "api_key", "api_key": {"id": "key_adm_1", "type": "user"}}
    server.trail = [
        event(5, "service_account.deleted", now, {"id": "svc_gone"}),
        event(4, "service_account.created", now - 1, {"id": "svc_gone", "data": {"role": "owner"}}),
        event(3, "login.succeeded", now - 2, {}),
        event(2, "api_key.created", now - 3, {"id": "key_9", "data": {"scopes": []}}, actor=by_key),
        event(
            1,
            "invite.sent",
            now - 4,
            {"id": "invite-1", "data": {"email": "x@example.com", "role": "owner"}},
            actor={"type": "session", "session": session},
            project={"id": "proj_abc", "name": "prod"},
        ),
        event(0, "user.added", now - 9000, {"id": "user-0", "data": {"role": "owner"}}),
    ]
    driver = of_openai(server)
    assert driver.capabilities(SVC).trail
    at = [datetime.fromtimestamp(int(now - each), UTC) for each in (1, 3, 4)]
    assert driver.trail(SVC, datetime.fromtimestamp(now - 100, UTC)) == (
        Made(kind=MadeKind.SERVICE_ACCOUNT, id="svc_gone", name="owner", at=at[0], there=False),
        Made(kind=MadeKind.KEY, id="key_9", at=at[1], by="key key_adm_1", there=True),
        Made(
            kind=MadeKind.INVITATION,
            id="invite-1",
            name="x@example.com",
            where="prod",
            at=at[2],
            by="thief@example.com from 203.0.113.7",
            there=True,
        ),
    )


@pytest.mark.stand_in(openai.NAME)
@pytest.mark.parametrize(
    ("kind", "changes", "name"),
    [
        ("user.updated", {"role": "owner"}, "user.updated owner"),
        ("role.updated", {"role_name": "reader", "permissions_added": ["all"]}, "role.updated reader"),
        ("api_key.updated", {"scopes": ["all"]}, "api_key.updated"),
        ("service_account.updated", {"role": "owner"}, "service_account.updated owner"),
    ],
)
def test_openai_tells_what_was_given_to_those_that_were_there(
    server: OpenAiStandIn, kind: str, changes: dict[str, Any], name: str
) -> None:
    now = time.time()
    server.trail = [event(1, kind, now, {"id": "x-1", "changes_requested": changes})]
    (made,) = of_openai(server).trail(SVC, EVER)
    assert (made.kind, made.id, made.name, made.there) == (MadeKind.CHANGE, "x-1", name, True)


@pytest.mark.stand_in(openai.NAME)
def test_openai_s_trail_is_read_over_its_pages_and_no_further_than_asked(server: OpenAiStandIn) -> None:
    now = time.time()
    server.trail = [event(each, "user.added", now - each, {"id": f"user-{each}"}) for each in range(450)]
    told = of_openai(server).trail(SVC, datetime.fromtimestamp(now - 150, UTC))
    assert 150 <= len(told) <= 151
    assert sum(each.path[-1] == "audit_logs" for each in server.asked) == 3


@pytest.mark.stand_in(openai.NAME)
def test_openai_s_trail_in_another_form_is_no_trail(server: OpenAiStandIn) -> None:
    server.trail = [{"id": "audit_log-1", "type": "user.added", "effective_at": 2**31, "user.added": {"id": "x" * 300}}]
    with pytest.raises(Transient):
        of_openai(server).trail(SVC, EVER)


@pytest.mark.stand_in(aws.IAM)
def test_aws_tells_users_roles_federation_and_keys_with_their_times(aws_server: AwsServer) -> None:
    aws_server.bare_user("app", "/team/")
    minted = of_aws(aws_server).mint(USER, MintRequest(mark="m"))
    iam = aws_server.client(service="iam")
    trust = '{"Version": "2012-10-17", "Statement": []}'
    iam.create_role(RoleName="back-door", AssumeRolePolicyDocument=trust)
    iam.create_open_id_connect_provider(Url="https://idp.example.com", ThumbprintList=["0" * 40])
    told = of_aws(aws_server).trail(USER, datetime.now(UTC) - timedelta(minutes=5))
    found = {(each.kind, each.name or each.where or each.id.rpartition("/")[2]) for each in told}
    assert (MadeKind.ROLE, "back-door") in found
    assert (MadeKind.USER, "app") in found
    assert (MadeKind.FEDERATION, "idp.example.com") in found
    assert [each.where for each in told if each.id == minted.key_id] == ["app"]
    later = of_aws(aws_server).trail(USER, datetime.now(UTC) + timedelta(hours=1))
    assert {each.kind for each in later} <= {MadeKind.FEDERATION}, "what has no time is told; nothing else"


@pytest.mark.stand_in(aws.IAM)
def test_aws_without_the_permission_tells_nothing(aws_server: AwsServer) -> None:
    aws_server.refuse("ListUsers", "AccessDenied", status=403)
    with pytest.raises(Denied) as denied:
        of_aws(aws_server).trail(USER, EVER)
    assert denied.value.permission == "iam:ListUsers on *"
