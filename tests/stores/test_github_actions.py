"""GitHub Actions' secrets: who we are, whose secrets they are, and what each refusal means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.github_actions import GithubActionsStore
from rotator.adapters.stores.github_actions.app import AppAuth, bearer
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.settings import SettingsError
from rotator.ports import ABSENT
from rotator.testing.store_contract import secret_free
from tests.servers import github
from tests.servers.api import Reply
from tests.servers.github import CLIENT, INSTALLATION, TOKEN, GithubStandIn

pytestmark = pytest.mark.stand_in(github.NAME)
TIMEOUT = timedelta(seconds=5)
HIDDEN = "sk-hidden-0123456789"
REPOSITORY = "repos/acme/api/actions"


@pytest.fixture
def server() -> Iterator[GithubStandIn]:
    with GithubStandIn() as server:
        yield server


def store(server: GithubStandIn, token: str = TOKEN, **settings: Any) -> GithubActionsStore:
    given = {"base_url": server.url, "auth": {"method": "token", "token": "file:/run/github"}, **settings}
    return GithubActionsStore.from_settings("ci", given, lambda _: token, TIMEOUT)


def place(ref: str = "acme/api", *fields: str) -> Place:
    return Place(ref=ref, kind=PlaceKind.CURRENT, fields=fields or ("API_KEY",))


def failing(server: GithubStandIn, line: str, reply: Reply, *, times: int = 1) -> Failure:
    """What a write ends with when a request is answered like this."""
    server.fail(line, reply, times=times)
    with pytest.raises(Failure) as caught:
        store(server).write(place(), {"API_KEY": HIDDEN}, ABSENT)
    assert secret_free(caught.value, HIDDEN)
    assert secret_free(caught.value, TOKEN)
    return caught.value


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_secret_is_sealed_for_its_repository_and_never_sent_in_the_clear(server: GithubStandIn) -> None:
    store(server).write(place(), {"API_KEY": HIDDEN}, ABSENT)
    assert server.opened(REPOSITORY, "API_KEY") == HIDDEN
    assert HIDDEN not in repr(server.asked)
    (put,) = (each for each in server.asked if each.method == "PUT")
    assert set(put.body) == {"encrypted_value", "key_id"}
    assert put.headers["x-github-api-version"] == "2022-11-28"
    assert put.headers["accept"] == "application/vnd.github+json"


def test_the_version_is_when_it_was_updated(server: GithubStandIn) -> None:
    version = store(server).write(place(), {"API_KEY": "x"}, ABSENT)
    assert version == server.secrets[(REPOSITORY, "API_KEY")]["updated_at"]


def test_an_environment_may_have_a_slash_in_its_name(server: GithubStandIn) -> None:
    server.scopes.add("repos/acme/api/environments/eu/production")
    store(server).write(place("acme/api/eu/production"), {"API_KEY": "x"}, ABSENT)
    assert server.opened("repos/acme/api/environments/eu/production", "API_KEY") == "x"


@pytest.mark.parametrize("visibility", ["private", "all"])
def test_an_organisations_secret_is_made_as_the_settings_say(server: GithubStandIn, visibility: str) -> None:
    store(server, visibility=visibility).write(place("acme"), {"API_KEY": "x"}, ABSENT)
    assert server.secrets[("orgs/acme/actions", "API_KEY")]["visibility"] == visibility


def test_an_organisations_secret_stays_with_the_repositories_that_were_chosen(server: GithubStandIn) -> None:
    ids = list(range(1, 131))
    server.selected["API_KEY"] = ids
    server._store("orgs/acme/actions", "API_KEY", "old", {"visibility": "selected"})
    server.advance(2)
    writer = store(server)
    writer.write(place("acme"), {"API_KEY": "new"}, writer.read(place("acme")).version)
    assert server.opened("orgs/acme/actions", "API_KEY") == "new"
    assert server.secrets[("orgs/acme/actions", "API_KEY")]["visibility"] == "selected"
    assert server.selected["API_KEY"] == ids


def test_a_secret_of_a_repository_that_nobody_sees_is_not_taken_for_absent(server: GithubStandIn) -> None:
    for _ in range(2):
        with pytest.raises(Permanent) as caught:
            store(server).read(place("acme/nowhere"))
        assert caught.value.hint.startswith("see that it exists, and that our token may see it")


@pytest.mark.parametrize("name", ["1ST", "with space", "GITHUB_TOKEN", "a-b", "", "../x", "ÄÖ"])
def test_a_name_that_no_secret_can_have_is_refused_before_anything_is_asked(server: GithubStandIn, name: str) -> None:
    with pytest.raises(Permanent):
        store(server).write(place("acme/api", name), {name: "x"}, ABSENT)
    assert server.asked == []


@pytest.mark.parametrize("ref", ["", "/acme", "acme/../other", "acme//api", "acme/api/", "a\nb"])
def test_a_reference_that_leads_elsewhere_is_refused_before_anything_is_asked(server: GithubStandIn, ref: str) -> None:
    for act in (store(server).read, lambda it: store(server).remove(it, ABSENT)):
        with pytest.raises(Permanent):
            act(place(ref))
    with pytest.raises(Permanent):
        store(server).places(ref)
    assert server.asked == []


def test_a_value_beyond_48_kilobytes_is_refused_before_anything_is_asked(server: GithubStandIn) -> None:
    store(server).write(place(), {"API_KEY": "x" * 48 * 1024}, ABSENT)
    server.asked.clear()
    with pytest.raises(Permanent, match="49153 bytes"):
        store(server).write(place(), {"API_KEY": "x" * (48 * 1024 + 1)}, "whatever")
    assert server.asked == []


# -- refusals ---------------------------------------------------------------------------------------------------------

PUT, KEY = "PUT /repos/acme/api/actions/secrets/API_KEY", "GET /repos/acme/api/actions/secrets/public-key"
ECHO = {"message": f"no: {HIDDEN} {TOKEN}"}


def test_a_missing_permission_is_named(server: GithubStandIn) -> None:
    denied = failing(server, PUT, github.FORBIDDEN)
    assert isinstance(denied, Denied)
    assert (denied.permission, denied.hint) == ("repository secrets: write", "grant repository secrets: write")


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (Reply(429, ECHO, {"Retry-After": "7"}), 7),
        (Reply(403, ECHO, {"Retry-After": "60"}), 60),  # the secondary limit
        (Reply(403, ECHO, {"X-RateLimit-Remaining": "0"}), 60),
        (Reply(429, ECHO), None),
    ],
)
def test_a_limit_is_a_throttle_and_says_how_long(server: GithubStandIn, reply: Reply, wait: int | None) -> None:
    failure = failing(server, PUT, reply)
    assert isinstance(failure, Transient)
    assert failure.throttled
    assert failure.retry_after == (None if wait is None else timedelta(seconds=wait))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(404, ECHO), Permanent),
        (Reply(422, ECHO), Permanent),
        (Reply(413, ECHO), Permanent),
        (Reply(409, ECHO), Conflict),
        (Reply(500, ECHO), Transient),
        (Reply(503, ECHO, {"Retry-After": "5"}), Transient),
        (Reply(200, content=b"<html>" + HIDDEN.encode()), Transient),
        (Reply(400, content=b"<html>a proxy</html>"), Transient),
        (Reply(201, content=b"{broken"), Transient),
        (Reply(200, ECHO), Transient),
    ],
)
def test_every_other_answer_has_its_meaning(server: GithubStandIn, reply: Reply, kind: type[Failure]) -> None:
    assert type(failing(server, PUT, reply)) is kind


def test_a_redirect_is_not_followed_with_a_token(server: GithubStandIn) -> None:
    with GithubStandIn() as elsewhere:
        failure = failing(server, KEY, Reply(307, ECHO, {"Location": f"{elsewhere.url}/x"}))
        assert isinstance(failure, Permanent)
        assert "renamed" in failure.hint
        assert elsewhere.asked == []


@pytest.mark.parametrize("body", [{}, [], {"key_id": "1", "key": "no key"}, {"key_id": "1"}, {"key": 7, "key_id": 7}])
def test_a_public_key_that_is_none_is_transient(server: GithubStandIn, body: object) -> None:
    server.set_by_hand(REPOSITORY, "API_KEY", "before")  # so that the key is not asked for by the look
    server.fail(KEY, Reply(200, body))
    writer = store(server)
    with pytest.raises(Transient):
        writer.write(place(), {"API_KEY": HIDDEN}, writer.read(place()).version)
    assert server.opened(REPOSITORY, "API_KEY") == "before"


def test_a_server_that_is_not_there_is_transient(server: GithubStandIn) -> None:
    writer = store(server)
    server.close()
    with pytest.raises(Transient) as caught:
        writer.read(place())
    assert secret_free(caught.value, TOKEN)


# -- who we are -------------------------------------------------------------------------------------------------------


def test_a_token_that_was_replaced_is_read_anew(server: GithubStandIn) -> None:
    texts = iter(["stale", TOKEN])
    given = {"base_url": server.url, "auth": {"method": "token", "token": "file:/run/github"}}
    writer = GithubActionsStore.from_settings("ci", given, lambda _: next(texts), TIMEOUT)
    writer.write(place(), {"API_KEY": "x"}, ABSENT)
    assert server.opened(REPOSITORY, "API_KEY") == "x"


def test_a_token_that_is_refused_is_denied(server: GithubStandIn) -> None:
    with pytest.raises(Denied, match="refuses our token") as caught:
        store(server, token="wrong-wrong-wrong").read(place())
    assert secret_free(caught.value, "wrong-wrong-wrong")


@pytest.mark.parametrize("text", ["", "two\nlines", "ключ"])
def test_a_token_that_fits_into_no_header_is_denied(server: GithubStandIn, text: str) -> None:
    with pytest.raises(Denied) as caught:
        store(server, token=text).read(place())
    assert "file:/run/github" in caught.value.message
    assert server.asked == []


def app_store(server: GithubStandIn, pem: str, **auth: str) -> GithubActionsStore:
    app = {"method": "app", "client_id": CLIENT, "installation": INSTALLATION, "private_key": "file:/run/app.pem"}
    given = {"base_url": server.url, "auth": {**app, **auth}}
    return GithubActionsStore.from_settings("ci", given, lambda _: pem, TIMEOUT)


def test_an_app_gets_one_token_for_many_requests(server: GithubStandIn) -> None:
    def clock() -> float:
        return server.now.timestamp()

    pem = server.app()
    app = AppAuth(server.url, CLIENT, INSTALLATION, "file:/run/app.pem", lambda _: pem, clock)
    first = app.token(Deadline(TIMEOUT))
    assert {app.token(Deadline(TIMEOUT)) for _ in range(5)} == {first}
    server.advance(54 * 60)
    assert app.token(Deadline(TIMEOUT)) == first
    server.advance(2 * 60)  # five minutes before its end
    second = app.token(Deadline(TIMEOUT))
    assert second != first
    assert server.issued == [first, second]
    assert bearer(second)["Authorization"] == f"Bearer {second}"


def test_an_app_whose_token_was_revoked_gets_another(server: GithubStandIn) -> None:
    server.now = server.now.now(server.now.tzinfo)  # the App's claims are by the machine's clock
    writer = app_store(server, server.app())
    version = writer.write(place(), {"API_KEY": "x"}, ABSENT)
    del server.tokens[server.issued[-1]]
    assert writer.read(place()).version == version
    assert len(server.issued) == 2


@pytest.mark.parametrize("wrong", [{"installation": "78"}, {"client_id": "Iv23other"}])
def test_an_app_that_is_not_installed_there_is_told_so(server: GithubStandIn, wrong: Mapping[str, str]) -> None:
    server.now = server.now.now(server.now.tzinfo)
    with pytest.raises((Permanent, Denied)) as caught:
        app_store(server, server.app(), **wrong).read(place())
    assert caught.value.hint
    assert secret_free(caught.value, "PRIVATE")


def test_what_is_no_rsa_key_is_denied_unseen(server: GithubStandIn) -> None:
    with pytest.raises(Denied, match="is no RSA key") as caught:
        app_store(server, "-----BEGIN PRIVATE KEY-----\nhidden\n").read(place())
    assert secret_free(caught.value, "hidden")


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, "auth"),
        ({"auth": {"method": "token"}}, "auth.token"),
        ({"auth": {"method": "token", "token": "ghp_0123"}}, "auth.token"),
        ({"auth": {"method": "token", "token": "env:X", "client_id": "a"}}, "auth.client_id"),
        ({"auth": {"method": "app", "client_id": "a", "installation": "1"}}, "auth.private_key"),
        ({"auth": {"method": "token", "token": "env:X"}, "visibility": "everybody"}, "visibility"),
        ({"auth": {"method": "token", "token": "env:X"}, "base_url": "http://github.internal"}, "base_url"),
        ({"auth": {"method": "token", "token": "env:X"}, "base_url": "https://u:p@github.internal"}, "base_url"),
        ({"auth": {"method": "token", "token": "env:X"}, "repo": "x"}, "repo"),
    ],
)
def test_settings_that_cannot_be_used_are_named(settings: Mapping[str, Any], wrong: str) -> None:
    with pytest.raises(SettingsError) as caught:
        GithubActionsStore.from_settings("ci", settings, lambda _: TOKEN, TIMEOUT)
    assert wrong in caught.value.message
    assert "ghp_0123" not in caught.value.message + caught.value.hint


def test_the_least_permissions_are_told(server: GithubStandIn) -> None:
    assert store(server).least_policy(["acme", "acme/api", "acme/api/production"]).splitlines() == [
        "acme: organization secrets: write",
        "acme/api: repository secrets: write",
        "acme/api/production: environments: write",
    ]
