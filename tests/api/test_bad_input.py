"""Nobody stops the daemon with its API, or gets in by another name, another page, or by guessing."""

from __future__ import annotations

import json
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from rotator.api.authenticating import Authenticator
from rotator.api.connections import Counting, door
from rotator.api.limits import MIB, Limits
from rotator.api.problems import Problem
from rotator.api.throttle import Throttle
from rotator.app.tokens import tokens_of
from rotator.config.errors import ConfigError
from rotator.domain.failures import Transient
from tests.api.conftest import MINE, QUICK, Api, served
from tests.cli.scene import Scene
from tests.servers.certificate import self_signed


@pytest.fixture
def quick(two_owners: Scene) -> Iterator[Api]:
    with served(two_owners, limits=QUICK) as running:
        yield running


@contextmanager
def raw(api: Api, data: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(api.server.address, timeout=30) as connection:
        connection.sendall(data)
        yield connection


def ended(connection: socket.socket) -> bytes:
    """Whatever comes until the other end hangs up."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionResetError:
        return found
    return found


def head(api: Api, method: str = "GET", path: str = "/v1/me", **headers: str) -> bytes:
    own = {"Host": f"127.0.0.1:{api.server.address[1]}", "Authorization": f"Bearer {api.tokens['operator']}"}
    lines = [f"{name.replace('_', '-')}: {text}" for name, text in {**own, **headers}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


# -- other names and pages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "", "[::2]", "a, b"])
def test_a_name_that_is_not_ours_is_refused_also_on_loopback(api: Api, host: str) -> None:
    answer = api.call("GET", "/v1/credentials", headers={"Host": host})
    assert answer.status in (400, 421)
    assert MINE not in answer.data.decode()


def test_our_own_names_are_taken_whatever_the_port(api: Api) -> None:
    for host in ("127.0.0.1", "localhost", "LOCALHOST:1234", "[::1]:8750"):
        assert api.call("GET", "/v1/me", headers={"Host": host}).status == 200


def test_two_hosts_are_one_too_many(api: Api) -> None:
    request = head(api).replace(b"\r\n", b"\r\nHost: evil.example\r\n", 1)
    with raw(api, request) as connection:
        assert b" 400 " in connection.recv(4096)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_post_from_another_page_is_refused(api: Api, headers: dict[str, str]) -> None:
    before = api.assembly.journal.events()
    answer = api.post(f"/v1/credentials/{MINE}/hold", {}, headers=headers)
    assert (answer.status, answer.json()["detail"]) == (403, "another site sent this")
    assert api.assembly.journal.events() == before


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
def test_what_a_form_could_send_is_refused(api: Api, kind: str) -> None:
    path = f"/v1/credentials/{MINE}/hold"
    answer = api.call("POST", path, "operator", body=b'{"reason": "x"}', headers={"Content-Type": kind})
    assert answer.status == 415


def test_nothing_lets_another_page_read_an_answer_and_nothing_is_kept(api: Api) -> None:
    for method, path in (("GET", "/v1/me"), ("OPTIONS", "/v1/me"), ("GET", "/nothing"), ("POST", "/v1/me")):
        answer = api.call(method, path, headers={"Origin": "https://e"})
        headers = {name.lower(): text for name, text in answer.headers.items()}
        assert not [name for name in headers if name.startswith("access-control")]
        assert "server" not in headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


# -- too much ----------------------------------------------------------------------------------------------------------


def test_a_hundred_megabytes_are_refused_before_they_come(api: Api) -> None:
    request = head(api, "POST", "/v1/rotations", Content_Type="application/json", Content_Length=str(100 * MIB))
    with raw(api, request) as connection:
        assert b" 413 " in ended(connection).split(b"\r\n")[0]


def test_a_hundred_megabytes_of_which_nobody_says_how_many_are_cut_off(api: Api) -> None:
    request = head(api, "POST", "/v1/rotations", Content_Type="application/json", Transfer_Encoding="chunked")
    sent = 0
    with raw(api, request) as connection:
        chunk = b"%x\r\n%s\r\n" % (64 * 1024, b" " * 64 * 1024)
        try:
            for _ in range(1600):
                connection.sendall(chunk)
                sent += 64 * 1024
        except OSError:
            pass
    assert sent < 100 * MIB
    assert api.get("/v1/me")["name"] == "anna"


def test_headers_without_end_are_cut_off(api: Api) -> None:
    with raw(api, head(api)[:-2]) as connection:
        try:
            for at in range(10_000):
                connection.sendall(b"X-%d: %s\r\n" % (at, b"a" * 100))
        except OSError:
            pass
        assert b" 200 " not in ended(connection)
    assert api.get("/v1/me")


def test_a_request_that_does_not_become_whole_is_not_waited_for(quick: Api) -> None:
    whole = head(quick, "POST", "/v1/rotations", Content_Type="application/json", Content_Length="20")
    for begun in (b"", b"GE", head(quick)[:-1], whole, whole + b'{"names"'):
        with raw(quick, begun) as connection:
            assert b" 200 " not in ended(connection)
    with raw(quick, head(quick)) as connection:  # nor a second one on the same connection
        assert b" 200 " in connection.recv(65536)
        connection.sendall(b"GET /v1/me HTTP/1.1\r\n")
        ended(connection)


def drip(connection: socket.socket) -> None:
    """A header now and then, for a minute."""
    for at in range(600):
        connection.sendall(b"X-%d: a\r\n" % at)
        time.sleep(0.1)


def test_a_drop_now_and_then_does_not_prolong_it(quick: Api) -> None:
    with raw(quick, b"GET /v1/me HTTP/1.1\r\n") as connection, pytest.raises(OSError):
        drip(connection)
    assert quick.get("/v1/me")


def press(connection: socket.socket, requests: bytes) -> None:
    """Ask and ask, and read no answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(0.2)
    for _ in range(200):
        try:
            connection.sendall(requests)
        except TimeoutError:
            time.sleep(0.1)


def test_a_reader_that_takes_nothing_is_left(quick: Api) -> None:
    many = head(quick, path="/v1/openapi.json") * 400
    with raw(quick) as connection, pytest.raises(OSError):
        press(connection, many)
    assert quick.get("/v1/me")


def test_ten_thousand_connections_leave_room_for_the_daemon(two_owners: Scene) -> None:
    """As many at once as this machine lets one process have, and ten thousand in all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with served(two_owners, limits=Limits(connections=100, of_one_address=100)) as api, ExitStack() as held:
        most = 12_000 if hard == resource.RLIM_INFINITY else min(hard, 12_000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        kept: list[socket.socket] = []
        for _ in range(10_000):
            connection = socket.create_connection(api.server.address, timeout=30)
            kept.append(connection)
            if len(kept) == max(most - 1_000, 500):
                for each in kept[100:]:
                    each.close()
                del kept[100:]
        assert api.server.counting.refused > 5_000
        two_owners.run("status")
        for each in kept:
            each.close()
        deadline = time.monotonic() + 60
        while True:
            try:
                assert api.get("/v1/me")
                break
            except urllib3.exceptions.HTTPError:
                assert time.monotonic() < deadline, "it never answered again"
                time.sleep(0.05)


# -- guessing ----------------------------------------------------------------------------------------------------------


def test_an_address_that_goes_on_guessing_is_not_listened_to(two_owners: Scene) -> None:
    with served(two_owners) as api:
        answers = [api.call("GET", "/v1/me", "rotk_" + f"{n}".zfill(43)) for n in range(12)]
        assert [each.status for each in answers] == [401] * 10 + [429] * 2
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert api.call("GET", "/v1/me").status == 200  # loopback may be many, behind a proxy
        assert api.call("GET", "/v1/alive", None).status == 200


def test_a_valid_token_is_heard_also_from_an_address_whose_logins_fail(api: Api) -> None:
    throttle = Throttle(lambda *_: None, Limits())
    guard = Authenticator(lambda: tokens_of(api.assembly), api.assembly.clock, throttle, None)
    answers = []
    for n in range(11):
        with pytest.raises(Problem) as told:
            guard.caller("Bearer rotk_" + f"{n}".zfill(43), "192.0.2.7")
        answers.append(told.value.status)
    assert answers == [401] * 10 + [429]
    assert guard.caller(f"Bearer {api.tokens['viewer']}", "192.0.2.7").name == "anna"
    for bad in ("Bearer rotk_" + "a" * 43, "Bearer x.y.z", "Basic x", None):
        with pytest.raises(Problem) as told:
            guard.caller(bad, "192.0.2.7")
        assert told.value.status == 429


def test_guesses_from_everywhere_do_not_keep_those_out_who_never_failed() -> None:
    now, told = [0.0], []
    throttle = Throttle(lambda address, _: told.append(address), Limits(), lambda: now[0])
    for n in range(300):
        throttle.failed(f"10.0.{n // 250}.{n % 250}")
    assert throttle.wait("10.0.1.1") > 0
    assert throttle.wait("192.0.2.1") == 0
    for _ in range(10):
        throttle.failed("2001:db8::1")
    assert throttle.wait("2001:db8::2") > 0
    assert told == ["2001:db8::/64"]
    now[0] = 61.0
    assert throttle.wait("2001:db8::2") == throttle.wait("10.0.1.1") == 0


def test_a_token_that_expired_or_was_revoked_opens_nothing(api: Api) -> None:
    assert api.get("/v1/me")["role"] == "viewer"
    api.scene.say("token", "revoke", "anna")
    assert api.call("GET", "/v1/me").status == 401
    api.scene.say("token", "new", "short", "--role", "viewer", "--for", "1s")
    text = api.scene.say("token", "new", "brief", "--role", "viewer", "--for", "1s").out.strip()
    time.sleep(1.1)
    assert api.call("GET", "/v1/me", text).status == 401


def test_when_it_was_used_last_is_known(api: Api) -> None:
    api.get("/v1/me")
    listed = {each["name"]: each["last_used_at"] for each in api.scene.json("token", "list")["tokens"]}
    assert listed["anna"] is not None
    assert listed["bert"] is None


# -- what is said ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"names": 1}', b'{"names": []}', b'{"x": "sk-live-abcdefghijklmnop"}', b"\xff"],
)
def test_what_is_not_as_described_is_refused_and_not_repeated(api: Api, body: bytes) -> None:
    answer = api.call("POST", "/v1/rotations", "operator", body=body, headers={"Content-Type": "application/json"})
    assert answer.status in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "hint"}
    assert "sk-live" not in answer.data.decode()


def test_a_defect_of_ours_shows_its_type_and_nothing_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise LookupError("the secret is hunter2")

    monkeypatch.setattr("rotator.app.seeing.credentials", broken)
    answer = api.call("GET", "/v1/credentials")
    assert answer.status == 500
    assert answer.json()["detail"] == "an error of the rotator itself (LookupError)"
    assert "hunter2" not in answer.data.decode()


def test_no_answer_holds_a_secret(api: Api) -> None:
    api.scene.say("adopt", MINE)
    api.scene.say("rotate", MINE)
    secrets = [api.scene.published(MINE), api.scene.keyserver.admin, *api.tokens.values()]
    secrets.append((api.scene.folder / "installation.key").read_text().split()[1])
    paths = ["credentials", f"credentials/{MINE}", f"credentials/{MINE}/history", "rotations", "events", "incidents"]
    for path in paths:
        text = json.dumps(api.get(f"/v1/{path}", "responder"))
        assert not [each for each in secrets if each in text], path


def test_a_token_is_believed_also_while_its_use_cannot_be_written(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Transient("the disk is full")

    monkeypatch.setattr(type(tokens_of(api.assembly)), "used", away)
    assert api.get("/v1/me")["name"] == "anna"


def test_what_is_written_between_two_configs_is_told_to_come_again(api: Api) -> None:
    api.assembly.close()
    asked: list[tuple[str, dict[str, Any], str]] = [
        (f"/v1/credentials/{MINE}/hold", {}, "operator"),
        ("/v1/rotations", {"names": [MINE]}, "operator"),
        ("/v1/incidents", {"names": [MINE]}, "responder"),
    ]
    for path, body, who in asked:
        answer = api.post(path, body, who)
        assert (answer.status, answer.headers.get("Retry-After")) == (503, "5"), answer.data
        assert answer.json()["detail"] == "the journal is closed"


# -- starting ----------------------------------------------------------------------------------------------------------


def refused(scene: Scene, **config: Any) -> ConfigError:
    scene.rewrite(**config)
    with pytest.raises(ConfigError) as told, served(scene):
        pass
    return told.value


def test_a_port_that_is_taken_is_told(two_owners: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused(two_owners, listen=f"127.0.0.1:{port}")
    assert told.message == f"the API cannot listen on 127.0.0.1:{port}: Address already in use"


def test_a_network_without_tls_is_refused(two_owners: Scene) -> None:
    told = refused(two_owners, listen="0.0.0.0:0")
    assert told.message == "the API would listen on 0.0.0.0 without TLS"
    assert told.hint.startswith("api: {tls:")


def test_every_address_needs_names(two_owners: Scene) -> None:
    two_owners.rewrite(listen=None)
    told = refused(two_owners, api={"listen": "0.0.0.0:0", "tls": {"cert": "c.pem", "key": "k.pem"}})
    assert "no host is named" in told.message
    told = refused(two_owners, api={"listen": "127.0.0.1:0", "tls": {"cert": "c.pem", "key": "k.pem"}})
    assert told.message == "the API's certificate cannot be used: No such file or directory"


def test_over_tls_it_answers_those_who_verify_it(two_owners: Scene, tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path, "api", "127.0.0.1")
    tls = {"cert": str(cert), "key": str(key)}
    two_owners.rewrite(listen=None, api={"listen": "127.0.0.1:0", "tls": tls})
    with served(two_owners) as api:
        host, port = api.server.address
        context = ssl.create_default_context(cafile=str(cert))
        http = urllib3.PoolManager(ssl_context=context, retries=False)
        headers = {"Authorization": f"Bearer {api.tokens['viewer']}"}
        assert http.request("GET", f"https://{host}:{port}/v1/me", headers=headers).json()["name"] == "anna"
        with pytest.raises(urllib3.exceptions.SSLError):
            urllib3.PoolManager(retries=False).request("GET", f"https://{host}:{port}/v1/me")
        with pytest.raises(urllib3.exceptions.HTTPError):
            urllib3.PoolManager(retries=False).request("GET", f"http://{host}:{port}/v1/me")


def test_it_stops_and_frees_its_port_and_twice_is_no_more(two_owners: Scene) -> None:
    with served(two_owners) as api:
        address, alive = api.server.address, [api.server.alive]
        api.get("/v1/me")
        for _ in range(2):
            api.server.stop()
            alive.append(api.server.alive)
        assert alive == [True, False, False]
        with socket.create_server(address):
            pass


def test_what_is_accepted_answers_at_once() -> None:
    """asyncio asks the protocol before it sets TCP_NODELAY."""
    opened = door("127.0.0.1", 0, Counting(Limits()))
    with opened, socket.create_connection(opened.getsockname()):
        opened.setblocking(True)
        accepted, _ = opened.accept()
        assert accepted.proto == socket.IPPROTO_TCP
        accepted.close()


def test_without_a_word_in_the_config_there_is_none(two_owners: Scene) -> None:
    told = refused(two_owners, listen=None)
    assert told.message == "the config says not where the API listens"


@pytest.mark.parametrize("origin", ["http://[", "http://]x[", "//[::1", "null"])
def test_an_origin_that_is_none_is_refused(api: Api, origin: str) -> None:
    answer = api.post("/v1/rotations", {"names": [MINE]}, headers={"Origin": origin})
    assert (answer.status, answer.json()["detail"]) == (403, "another site sent this")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T00:00:00Z"])
def test_a_time_at_the_end_of_all_times_is_refused(api: Api, at: str) -> None:
    for name in ("bad_from", "bad_to"):
        body = {"packages": ["litellm"], "bad_from": "2026-03-24T10:00:00Z", name: at}
        assert api.post("/v1/incidents", body, "responder").status == 422
    files = [{"name": "web/requirements.txt", "text": "a==1"}]
    assert api.post("/v1/inventories", {"files": files, "had_since": at}, "web").status == 422


def test_words_in_any_letters_arrive_however_many_they_are(api: Api) -> None:
    answer = api.post("/v1/commands", {"words": ["why", *["é" * 4000] * 700]})
    assert answer.status == 200
    frames = [json.loads(line) for line in answer.data.splitlines() if line]
    said = "".join(each.get("err", "") for each in frames)
    assert frames[-1] == {"exit": 2}
    assert "one argument too many" in said
