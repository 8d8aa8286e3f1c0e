"""What the drivers of Redis, MariaDB and RabbitMQ do when something else answers, and by which door they leave."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, BinaryIO

import pytest
from rotator_mysql import Mysql
from rotator_rabbitmq import Rabbitmq
from rotator_redis import Redis

from rotator.sdk import Ambiguous, Denied, Failure, KeyState, Permanent, Principal, Provider, Transient, Verdict
from tests.providers import mysql_setup, redis_setup
from tests.providers.logins import ADMIN_PASSWORD, SHORT, TIMEOUT, login, mint
from tests.providers.logins import request as wish
from tests.sdk.canned_server import Canned, Reply, reply

VALUE = "SecretOfTheTests4711"
RULES: dict[str, tuple[str, ...]] = {"rules": ("+get",), "permissions": ("/ ^$ ^$ .*",)}
GARBAGE = [
    b"",
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    b"\0" * 64,
    b"\xff" * 64,
    b"*1000000000\r\n",
    b"$9999999999\r\nxx",
    b"-ERR \x1b[31mred\r\n",
    b"J\0\0\0\x0a8.0\0",
    b"SSH-2.0\r\n",
]


def principal_of(kind: str) -> Principal:
    words = {"redis": ("rules",), "rabbitmq": ("permissions",)}.get(kind, ())
    return Principal(name="app", settings={"users": ("app_a", "app_b"), **{word: RULES[word] for word in words}})


def driver_at(kind: str, port: int, timeout: timedelta = TIMEOUT, **settings: object) -> Provider:
    if kind == "rabbitmq":
        settings = {"base_url": f"http://127.0.0.1:{port}", "user": "rotator", **settings}
        return Rabbitmq.from_settings("x", settings, ADMIN_PASSWORD, timeout)
    settings = {"host": "127.0.0.1", "port": port, "user": "rotator", "tls": "off", **settings}
    made = Redis if kind == "redis" else Mysql
    return made.from_settings("x", settings, ADMIN_PASSWORD, timeout)


def every_call(driver: Provider, principal: Principal) -> list[Callable[[], object]]:
    value = login("app_a", VALUE)
    return [
        lambda: driver.check_admin(principal),
        lambda: driver.keys(principal),
        lambda: driver.mint(principal, wish("app_a@absent")),
        lambda: driver.verify(principal, value),
        lambda: driver.identify(principal, value),
        lambda: driver.set_state(principal, "app_a@absent", KeyState.DELETED),
    ]


@contextmanager
def listening(answer: bytes) -> Iterator[int]:
    """Something that says this to whoever comes, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        guests: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    guest, _ = listener.accept()
                except OSError:
                    return
                guests.append(guest)
                with suppress(OSError):  # who has left again
                    guest.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for guest in guests:
                guest.close()


@pytest.mark.parametrize("kind", ["redis", "mysql", "rabbitmq"])
@pytest.mark.parametrize("answer", GARBAGE)
def test_whatever_else_answers_is_a_failure_in_time_that_shows_no_secret(kind: str, answer: bytes) -> None:
    with listening(answer) as port:
        driver, principal = driver_at(kind, port, SHORT / 3), principal_of(kind)
        for call in every_call(driver, principal):
            began = time.monotonic()
            with pytest.raises((Transient, Permanent, Denied)) as failed:
                call()
            assert time.monotonic() - began < TIMEOUT.total_seconds()
            said = f"{failed.value.message} {failed.value.hint} {failed.value!r}"
            assert ADMIN_PASSWORD not in said
            assert VALUE not in said
            assert failed.value.message.isprintable()


# -- a stranger that speaks the protocol of MySQL ----------------------------------------------------------------------

NATIVE, SHA2 = b"mysql_native_password", b"caching_sha2_password"
SALT = b"0123456789abcdefghij"
OK, FULL, FAST = b"\0\0\0\2\0\0\0", b"\1\4", b"\1\3"


def greeting(plugin: bytes) -> bytes:
    """Protocol 10, without TLS, with authentication plug-ins."""
    low, high = struct.pack("<H", 0xA20D), struct.pack("<H", 0x008A)
    return (
        b"\x0a8.4.0\0"
        b"\1\0\0\0"
        + SALT[:8]
        + b"\0"
        + low
        + b"\xff\2\0"
        + high
        + b"\x15"
        + bytes(10)
        + (SALT[8:] + b"\0" + plugin + b"\0")
    )


@contextmanager
def mysql_that_says(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A greeting and, after each packet of the login, the next answer; then OK to everything. And what was heard."""
    heard: list[bytes] = []
    script = list(answers)

    def serve(guest: socket.socket, file: BinaryIO) -> None:
        number = 0
        while True:
            said = script.pop(0) if script else OK
            guest.sendall(struct.pack("<I", len(said))[:3] + bytes([number]) + said)
            if said == FAST:
                number += 1
                continue
            head = file.read(4)
            if len(head) < 4:
                return
            heard.append(file.read(int.from_bytes(head[:3], "little")))
            number = head[3] + 1

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            guest, _ = listener.accept()
            with guest, guest.makefile("rb") as file, suppress(OSError):
                serve(guest, file)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join()


@pytest.mark.parametrize("before", [[greeting(SHA2)], [greeting(NATIVE), b"\xfe" + SHA2 + b"\0" + SALT + b"\0"]])
def test_a_stranger_that_wants_more_than_a_hash_gets_no_password(before: list[bytes]) -> None:
    """Neither in clear text nor encrypted with a key that the stranger made."""
    with mysql_that_says(*before, FULL) as (port, heard):
        driver = driver_at("mysql", port)
        with pytest.raises(Denied, match="clear text"):
            driver.verify(principal_of("mysql"), login("app_a", VALUE))
    assert len(heard) == len(before)
    assert VALUE.encode() not in b"".join(heard)


@pytest.mark.parametrize("before", [[greeting(SHA2)], [greeting(NATIVE), b"\xfe" + SHA2 + b"\0" + SALT + b"\0"]])
def test_a_hash_is_enough_where_the_server_has_the_password_in_its_cache(before: list[bytes]) -> None:
    with mysql_that_says(*before, FAST) as (port, heard):
        assert driver_at("mysql", port).verify(principal_of("mysql"), login("app_a", VALUE)) is Verdict.WORKS
    assert VALUE.encode() not in b"".join(heard)


# -- the API of RabbitMQ over HTTP -------------------------------------------------------------------------------------

EMPTY_USER = {"name": "app_a", "password_hash": "", "tags": [f"rotator/empty-{'0' * 16}/-/1/-"]}
LOOKS: list[Reply] = [
    reply(200, {"name": "rotator", "tags": ["administrator"]}),
    reply(201),  # the lock
    reply(200, EMPTY_USER),
    reply(200, []),  # its connections
    reply(200, []),  # its permissions
    reply(201),  # the one permission
]
EXPECTS = f"app_a@empty-{'0' * 16}"


def minting(*last: Reply) -> tuple[Failure | None, Canned]:
    """Mint where everything goes well until the PUT that makes the key."""
    with Canned([*LOOKS, *last, reply(204)]) as server:
        driver = driver_at("rabbitmq", server.port)
        try:
            driver.mint(principal_of("rabbitmq"), wish(EXPECTS))
        except Failure as failure:
            return failure, server
    return None, server


@pytest.mark.stand_in("RabbitMQ")
def test_a_mint_is_one_request_that_nobody_repeats() -> None:
    failure, server = minting(reply(204))
    assert failure is None
    puts = [got for got in server.got if (got.method, got.target) == ("PUT", "/api/users/app_a")]
    assert len(puts) == 1
    assert sorted(json.loads(puts[0].body)) == ["hashing_algorithm", "password_hash", "tags"]


@pytest.mark.stand_in("RabbitMQ")
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(500, {"error": "internal"}), Ambiguous),
        (reply(200, "<html>proxy</html>"), Ambiguous),
        (reply(502, "<html>bad gateway</html>"), Ambiguous),
        (None, Ambiguous),
        (reply(429, {}, headers={"Retry-After": "7"}), Transient),
        (reply(429, {}), Transient),
        (reply(401, {"error": "not_authorised", "reason": "Not administrator user"}), Denied),
        (reply(403, {}), Denied),
        (reply(400, {"error": "bad_request", "reason": "a policy forbids it"}), Permanent),
        (reply(302, None, headers={"Location": "http://127.0.0.1:1/elsewhere"}), Permanent),
    ],
)
def test_what_a_mint_may_be_answered(answer: Reply, kind: type[Failure]) -> None:
    failure, server = minting(answer)
    assert type(failure) is kind
    assert len([got for got in server.got if (got.method, got.target) == ("PUT", "/api/users/app_a")]) == 1
    if isinstance(failure, Transient):
        assert failure.throttled


@pytest.mark.stand_in("RabbitMQ")
def test_a_redirect_gets_no_credentials() -> None:
    with Canned([reply(200, {})]) as elsewhere:
        moved = reply(307, None, headers={"Location": f"{elsewhere.url}/api/whoami"})
        with Canned([moved]) as server:
            for call in every_call(driver_at("rabbitmq", server.port), principal_of("rabbitmq")):
                with pytest.raises(Permanent, match="redirects"):
                    call()
        assert elsewhere.got == []


@pytest.mark.stand_in("RabbitMQ")
@pytest.mark.parametrize("word", ["error", "reason", "message"])
@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_secret_in_an_answer_is_in_no_failure(word: str, status: int) -> None:
    with Canned([echo(word, status)]) as server:
        calls = every_call(driver_at("rabbitmq", server.port, SHORT / 3), principal_of("rabbitmq"))
        sent = [ADMIN_PASSWORD, ADMIN_PASSWORD, ADMIN_PASSWORD, VALUE, ADMIN_PASSWORD, ADMIN_PASSWORD]
        for call, secret in zip(calls, sent, strict=True):
            with pytest.raises(Failure) as failed:
                call()
            assert secret not in f"{failed.value.message} {failed.value.hint}"


def echo(word: str, status: int) -> bytes:
    """An answer that repeats what a careless server might know."""
    return reply(status, {word: f"\x1b[31m{ADMIN_PASSWORD} {VALUE}"})


@pytest.mark.stand_in("RabbitMQ")
@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"password_hash": 5, "tags": []},
        {"password_hash": "x", "tags": {"a": 1}},
        {"password_hash": "x", "tags": [5]},
        {"password_hash": "not base64", "hashing_algorithm": "of tomorrow", "tags": ["\x1b[31m<script>"]},
    ],
)
def test_a_user_in_another_form_is_transient_or_unmanaged(body: Any) -> None:
    with Canned([reply(200, body), reply(200, [])]) as server:
        driver = driver_at("rabbitmq", server.port)
        try:
            keys = driver.keys(principal_of("rabbitmq"))
        except Transient:
            return
        assert [key.id for key in keys] == ["app_a@unmanaged", "app_b@unmanaged"]


# -- the door ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("redis", marks=pytest.mark.real("Redis")),
        pytest.param("mysql", marks=pytest.mark.real("MariaDB")),
    ],
)
def test_a_driver_leaves_by_create_connection_alone(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a process without sockets of its own, where that function gives out what its parent connected."""
    driver, principal = at_work(kind, request)
    within, connections = threading.local(), []
    create, made, look_up = socket.create_connection, socket.socket.__init__, socket.getaddrinfo

    def create_connection(*arguments: Any, **more: Any) -> socket.socket:
        within.it = True
        try:
            connections.append(arguments[0])
            return create(*arguments, **more)
        finally:
            within.it = False

    def init(self: socket.socket, *arguments: Any, **more: Any) -> None:
        # a wrapper around a descriptor that exists already is no new socket
        assert getattr(within, "it", False) or more.get("fileno") is not None, "a socket of its own"
        made(self, *arguments, **more)

    def getaddrinfo(*arguments: Any, **more: Any) -> Any:
        assert getattr(within, "it", False), "a name is looked up"
        return look_up(*arguments, **more)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    monkeypatch.setattr(socket.socket, "__init__", init)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    minted = mint(driver, principal)
    driver.check_admin(principal)
    driver.verify(principal, minted.value)
    driver.identify(principal, minted.value)
    driver.set_state(principal, minted.key_id, KeyState.DELETED)
    assert connections


def at_work(kind: str, request: pytest.FixtureRequest) -> tuple[Provider, Principal]:
    if kind == "redis":
        cache = redis_setup.arena(request.getfixturevalue("redis_server"))
        return cache.driver(), cache.principal
    db = mysql_setup.arena(request.getfixturevalue("mariadb_server"))
    return db.driver(), db.principal
