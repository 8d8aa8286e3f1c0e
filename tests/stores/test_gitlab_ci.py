"""GitLab's CI/CD variables: how they are made, kept and masked, and what each refusal means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from rotator.adapters.stores.gitlab_ci import GitlabCiStore
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Failure, Permanent, Transient
from rotator.domain.settings import SettingsError
from rotator.ports import ABSENT
from rotator.testing.store_contract import secret_free
from tests.servers import gitlab
from tests.servers.api import Reply
from tests.servers.gitlab import TOKEN, GitlabStandIn

pytestmark = pytest.mark.stand_in(gitlab.NAME)
HIDDEN = "sk-hidden-0123456789"
REF = "projects/acme/api"


@pytest.fixture
def server() -> Iterator[GitlabStandIn]:
    with GitlabStandIn() as server:
        yield server


def store(server: GitlabStandIn, token: str = TOKEN, **settings: Any) -> GitlabCiStore:
    given = {"base_url": f"{server.url}/api/v4", "token": "file:/run/gitlab", **settings}
    return GitlabCiStore.from_settings("ci", given, lambda _: token, timedelta(seconds=5))


def place(ref: str = REF, *fields: str) -> Place:
    return Place(ref=ref, kind=PlaceKind.CURRENT, fields=fields or ("API_KEY",))


def test_a_variable_is_made_masked_raw_and_for_the_scope_that_the_settings_say(server: GitlabStandIn) -> None:
    store(server, environment_scope="production", protected=True).write(place(), {"API_KEY": HIDDEN}, ABSENT)
    variable = server.variables[(REF, "API_KEY", "production")]
    flags = {name: variable[name] for name in ("masked", "hidden", "protected", "raw")}
    assert flags == {"masked": True, "hidden": False, "protected": True, "raw": True}
    assert store(server).read(place()).version == ABSENT  # that of another scope


def test_a_hidden_variable_is_made_where_asked_and_written_again_without_its_visibility(server: GitlabStandIn) -> None:
    writer = store(server, hidden=True)
    first = writer.write(place(), {"API_KEY": HIDDEN}, ABSENT)
    second = writer.write(place(), {"API_KEY": HIDDEN + "2"}, first)
    variable = server.variables[(REF, "API_KEY", "*")]
    assert (variable["hidden"], variable["value"], second == first) == (True, HIDDEN + "2", False)
    assert writer.read(place()).version == second


def test_what_somebody_decided_about_a_variable_stays(server: GitlabStandIn) -> None:
    server.set_by_hand(REF, "API_KEY", "old-old-old", masked=True, protected=True, description="ask team-ml")
    writer = store(server, masked=False)
    version = writer.write(place(), {"API_KEY": HIDDEN}, writer.read(place()).version)
    writer.write(place(), {"API_KEY": HIDDEN}, version)
    variable = server.variables[(REF, "API_KEY", "*")]
    assert (variable["masked"], variable["protected"]) == (True, True)
    assert variable["description"].startswith("ask team-ml (rotator ")
    assert variable["description"].count("rotator") == 1


def test_a_long_description_is_cut_so_that_the_mark_fits(server: GitlabStandIn) -> None:
    server.set_by_hand(REF, "API_KEY", "old", description="x" * 255)
    writer = store(server)
    writer.write(place(), {"API_KEY": HIDDEN}, writer.read(place()).version)
    assert server.read_by_a_job(REF, "API_KEY") == HIDDEN


@pytest.mark.parametrize("text", ["short", "with a blank", "two\nlines-long", ""])
def test_a_value_that_cannot_be_masked_is_refused_with_a_hint_and_not_written(server: GitlabStandIn, text: str) -> None:
    with pytest.raises(Permanent) as caught:
        store(server).write(place(), {"API_KEY": text}, ABSENT)
    assert caught.value.hint == "publish it to another variable, which is not masked"
    assert server.variables == {}


def test_a_version_tells_nothing_that_helps_to_guess_a_value(server: GitlabStandIn) -> None:
    version = store(server).write(place(), {"API_KEY": HIDDEN}, ABSENT)
    assert len(version) == 16
    assert store(server).read(place()).version == version


@pytest.mark.parametrize("ref", ["acme/api", "projects", "groups/", "projects/../x", "users/me", "projects//api"])
def test_a_reference_of_another_kind_is_refused_before_anything_is_asked(server: GitlabStandIn, ref: str) -> None:
    with pytest.raises(Permanent):
        store(server).read(place(ref))
    assert server.asked == []


@pytest.mark.parametrize("name", ["a-b", "", "a b", "x" * 256, "../x"])
def test_a_name_that_no_variable_can_have_is_refused(server: GitlabStandIn, name: str) -> None:
    with pytest.raises(Permanent):
        store(server).write(place(REF, name), {name: HIDDEN}, ABSENT)
    assert server.asked == []


def test_a_project_that_nobody_sees_is_not_taken_for_an_absent_variable(server: GitlabStandIn) -> None:
    with pytest.raises(Permanent, match="knows nothing of it"):
        store(server).read(place("projects/acme/nowhere"))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (gitlab.FORBIDDEN, Denied),
        (Reply(429, {"message": "Too Many Requests"}, {"Retry-After": "9"}), Transient),
        (Reply(400, {"message": {"value": [HIDDEN]}}), Permanent),
        (Reply(502, content=b"<html>Bad gateway</html>"), Transient),
        (Reply(301, None, {"Location": "https://elsewhere.example/"}), Permanent),
    ],
)
def test_every_refusal_has_its_meaning_and_repeats_nothing(
    server: GitlabStandIn, reply: Reply, kind: type[Failure]
) -> None:
    server.fail("POST ", reply)
    with pytest.raises(Failure) as caught:
        store(server).write(place(), {"API_KEY": HIDDEN}, ABSENT)
    assert type(caught.value) is kind
    assert secret_free(caught.value, HIDDEN)
    assert secret_free(caught.value, TOKEN)


def test_a_token_that_is_refused_is_denied(server: GitlabStandIn) -> None:
    with pytest.raises(Denied) as caught:
        store(server, token="glpat-wrong-wrong").read(place())
    assert caught.value.permission == "scope api, Maintainer of the project"
    assert secret_free(caught.value, "glpat-wrong-wrong")


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [({}, "token"), ({"token": "glpat-0123"}, "token"), ({"token": "env:X", "masked": "yes"}, "masked")],
)
def test_settings_that_cannot_be_used_are_named(settings: Mapping[str, Any], wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        GitlabCiStore.from_settings("ci", settings, lambda _: TOKEN, timedelta(seconds=5))
    assert wrong in caught.value.message


def test_the_least_roles_are_told(server: GitlabStandIn) -> None:
    assert store(server).least_policy(["projects/a/b", "groups/a"]).splitlines() == [
        "groups/a: scope api, Owner of the group",
        "projects/a/b: scope api, Maintainer of the project",
    ]
