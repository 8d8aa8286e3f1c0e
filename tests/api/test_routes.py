"""Every route says who may call it, and answers nobody else; whoever sees some owners' credentials sees no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from rotator.api.app import Parts, routes
from rotator.api.asking import guarded_router
from rotator.api.guarded import ANYBODY, Guarded, needs
from rotator.api.limits import Limits
from rotator.domain.tokens import Role
from rotator.testing.keyserver import FaultKind, Operation
from tests.api.conftest import MINE, THEIRS, Api, served
from tests.cli.scene import Scene

LOOKS = [
    "/v1/me",
    "/v1/openapi.json",
    "/v1/credentials",
    f"/v1/credentials/{MINE}",
    f"/v1/credentials/{MINE}/history",
    "/v1/rotations",
    "/v1/events",
    "/v1/incidents",
]


def app_of(api: Api) -> FastAPI:
    listening = api.assembly.config.api
    assert listening is not None
    return routes(Parts.of(lambda: api.assembly, listening, Limits()))


def every_route(api: Api) -> list[tuple[str, str, Role | str]]:
    """Method, path and the role of each, taken from the application."""
    found = []
    for route in app_of(api).routes:
        assert isinstance(route, Guarded), f"{route} is not guarded"
        found += [(method, route.path, route.needed) for method in sorted(route.methods or ())]
    return found


def filled(path: str) -> str:
    """The path about a credential that is there."""
    for name, text in {"name": MINE, "verb": "hold", "rotation": "r1", "incident": "inc-1"}.items():
        path = path.replace(f"{{{name}}}", text)
    assert "{" not in path
    return path


def test_every_route_is_guarded_and_there_are_as_many_as_are_described(api: Api) -> None:
    found = every_route(api)
    assert len(found) >= 14
    assert {needed for _, _, needed in found} == {ANYBODY, *Role}
    described = api.get("/v1/openapi.json")["paths"]
    assert sorted((path, method.upper()) for path, of in described.items() for method in of) == sorted(
        (path, method) for method, path, _ in found
    )


def test_a_route_that_declares_no_role_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="declares no role"):
        guarded_router().get("/open")(lambda: {"shut": True})
    needed = needs(Role.VIEWER)(lambda: {"shut": True})
    router = guarded_router()
    router.get("/shut")(needed)
    (route,) = router.routes
    assert isinstance(route, APIRoute)


@pytest.mark.parametrize("token", [None, "", "rotk_" + "a" * 43, "Basic", "x.y.z", "rotk_é"])
def test_nobody_gets_anything_from_any_route(api: Api, token: str | None) -> None:
    for method, path, needed in every_route(api):
        if needed == ANYBODY:
            continue
        answer = api.call(method, filled(path), token, **({"json": {}} if method == "POST" else {}))
        assert answer.status == 401, path
        assert answer.json()["detail"] == "a valid token is needed"
        assert MINE not in answer.data.decode()


@pytest.mark.parametrize("who", ["viewer", "operator", "responder", "web"])
def test_whoever_lacks_the_role_gets_nothing_from_any_route_and_changes_nothing(api: Api, who: str) -> None:
    from rotator.domain.tokens import includes

    role = {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "responder": Role.RESPONDER, "web": Role.CONSUMER}[who]
    refused = 0
    before = api.assembly.journal.events()
    for method, path, needed in every_route(api):
        if needed == ANYBODY or includes(role, Role(needed)):
            continue
        body: dict[str, Any] = {"json": {"names": [MINE]}} if method == "POST" else {}
        answer = api.call(method, filled(path), who, **body)
        assert answer.status == 403, path
        assert MINE not in answer.data.decode()
        refused += 1
    assert refused
    assert api.assembly.journal.events() == before


def test_a_scoped_token_sees_no_name_and_no_count_of_others(api: Api) -> None:
    api.scene.say("adopt", MINE)
    api.scene.say("adopt", THEIRS)
    api.scene.say("hold", THEIRS)
    done = api.scene.say("rotate", THEIRS, MINE, "--assume-compromise", "--contained", "--yes")
    assert done.code == 0, done.err
    (incident,) = api.get("/v1/incidents")["incidents"]
    whole = [*LOOKS, f"/v1/incidents/{incident['incident']}"]
    assert sum(THEIRS in json.dumps(api.get(path)) for path in whole) >= 5
    for path in whole:
        text = api.call("GET", path, "mine").data.decode()
        assert THEIRS not in text, path
        assert "team-db" not in text, path
    assert api.get("/v1/credentials", "mine")["total"] == 1
    assert api.get("/v1/rotations", "mine")["coverage"]["selected"] == 1
    (seen,) = api.get("/v1/incidents", "mine")["incidents"]
    assert (seen["credentials"], seen["coverage"]["selected"]) == ([MINE], 1)


def test_what_is_others_is_not_there_for_a_scoped_token_in_the_same_words(api: Api) -> None:
    api.scene.say("adopt", THEIRS)
    api.post("/v1/rotations", {"names": [THEIRS]})
    (row,) = api.assembly.journal.rotations(THEIRS)
    before = api.assembly.journal.events()
    for path in (f"/v1/credentials/{THEIRS}", f"/v1/credentials/{THEIRS}/history"):
        answer, nobody = api.call("GET", path, "mine"), api.call("GET", path.replace(THEIRS, "no-such"), "mine")
        assert (answer.status, answer.data) == (404, nobody.data.replace(b"no-such", THEIRS.encode()))
    assert api.call("GET", f"/v1/rotations/{row.id}", "mine").status == 404
    for verb in ("hold", "release", "resume", "rollback"):
        assert api.post(f"/v1/credentials/{THEIRS}/{verb}", {}, "mine").status == 404
    assert api.post("/v1/rotations", {"names": [MINE, THEIRS]}, "mine").status == 404
    assert api.post("/v1/incidents", {"names": [THEIRS]}, "mine").status == 404
    assert (
        api.post("/v1/incidents", {"packages": ["litellm"], "bad_from": "2026-03-24T10:00:00Z"}, "mine").status == 403
    )
    assert api.assembly.journal.events() == before


def test_none_is_begun_where_it_can_be_known_that_one_cannot(two_owners: Scene) -> None:
    config = json.loads(two_owners.config.read_text())
    config["credentials"][THEIRS]["publish"][0]["fields"] = {"API_KEY": "{user}"}
    two_owners.config.write_text(json.dumps(config))
    with served(two_owners) as api:
        answer = api.post("/v1/rotations", {"names": [MINE, THEIRS]})
        assert (answer.status, api.assembly.journal.rotations()) == (422, ())


def test_what_fails_after_the_first_was_begun_is_told_beside_it(two_owners: Scene) -> None:
    two_owners.rewrite(defaults={"lease": "1m", "isolation": "off"})  # whose quarter a call may take, also a late one
    two_owners.say("adopt", MINE)
    two_owners.keyserver.fail(Operation.LIST, FaultKind.FORBIDDEN, calls=None)
    with served(two_owners) as api:
        answer = api.post("/v1/rotations", {"names": [MINE, THEIRS]})
        assert answer.status == 200, answer.data
        told = {each["credential"]: each["error"] for each in answer.json()["rotations"]}
        assert told[MINE] is None
        assert "403" in told[THEIRS]["message"]
        assert [each.credential for each in api.assembly.journal.rotations()] == [MINE]
        assert api.post("/v1/rotations", {"names": [THEIRS]}).status == 502


def test_a_rotation_is_begun_with_who_asked_in_its_reason_and_told_as_a_timeline(api: Api) -> None:
    answer = api.post("/v1/rotations", {"names": [MINE], "reason": "a try"})
    assert answer.status == 200, answer.data
    (row,) = answer.json()["rotations"]
    assert (row["credential"], row["phase"]) == (MINE, "planned")
    told = api.get(f"/v1/rotations/{row['rotation']}")
    assert told["reason"] == "asked: a try (by bert)"
    assert [each["action"] for each in told["events"]] == ["begin"]
    one = api.get(f"/v1/credentials/{MINE}")
    assert one["state"] == "rotating"
    assert one["why"]


def test_words_of_operators_are_the_commands_own(api: Api) -> None:
    assert api.post(f"/v1/credentials/{MINE}/hold", {"reason": "audit"}).json()["said"].startswith("held until")
    assert api.get(f"/v1/credentials/{MINE}")["held"] == "audit (by bert)"
    assert api.post(f"/v1/credentials/{MINE}/release", {}).json()["said"] == "released"
    refused = api.post(f"/v1/credentials/{MINE}/rollback", {})
    assert (refused.status, refused.headers["Content-Type"]) == (422, "application/problem+json")
    assert refused.json()["detail"] == f"{MINE} has no open rotation"
    assert refused.json()["hint"] == f"`rotator history {MINE}` shows past ones"


def test_a_key_that_was_pasted_into_a_reason_is_kept_nowhere(api: Api) -> None:
    key = "sk-proj-" + "a1B2" * 12
    api.post(f"/v1/credentials/{MINE}/hold", {"reason": f"{key} leaked"})
    assert api.get(f"/v1/credentials/{MINE}")["held"] == "… leaked (by bert)"
    assert key not in repr(api.assembly.journal.events())


def test_a_request_that_is_sent_again_is_answered_again_and_not_done_again(api: Api) -> None:
    key = {"Idempotency-Key": "one"}
    first = api.post(f"/v1/credentials/{MINE}/hold", {"reason": "a"}, headers=key)
    events = len(api.assembly.journal.events())
    assert api.post(f"/v1/credentials/{MINE}/hold", {"reason": "a"}, headers=key).data == first.data
    assert len(api.assembly.journal.events()) == events
    assert api.post(f"/v1/credentials/{MINE}/hold", {"reason": "b"}, headers=key).status == 422
    assert api.post(f"/v1/credentials/{MINE}/hold", {"reason": "b"}, "responder", headers=key).status == 200
    assert len(api.assembly.journal.events()) == events + 1


def test_an_incident_is_opened_and_shown_and_nothing_rotates(api: Api) -> None:
    answer = api.post("/v1/incidents", {"names": [MINE], "reason": "a laptop was stolen"}, "responder")
    assert answer.status == 200, answer.data
    found = answer.json()
    assert [each["credential"] for each in found["plan"]["credentials"]] == [MINE]
    assert found["evidence"]["complete"] is False
    assert api.get("/v1/incidents")["incidents"][0]["reason"] == "a laptop was stolen (by cleo)"
    assert not api.assembly.journal.rotations()


def test_pages_of_credentials_and_events_go_on_where_they_ended(api: Api) -> None:
    first = api.get("/v1/credentials?limit=1")
    second = api.get(f"/v1/credentials?limit=1&after={first['next']}")
    names = [each["credential"] for page in (first, second) for each in page["credentials"]]
    assert (names, second["next"]) == ([THEIRS, MINE], None)
    start = api.get("/v1/events?limit=3")
    assert (len(start["events"]), start["next"]) == (3, 3)
    rest = api.get("/v1/events?after=3")
    assert rest["events"][0]["rotation"] == "token:dora"
    assert api.get(f"/v1/events?after={rest['next']}")["events"] == []
