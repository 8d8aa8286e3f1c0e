"""JWTs of an identity provider: what it signed for us is believed, and nothing else, however it is forged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from rotator.api.limits import Limits
from rotator.api.oidc import FETCHES, FRESH, STALE, Keys
from rotator.api.problems import Problem
from tests.api.conftest import MINE, THEIRS, Api, served
from tests.cli.scene import Scene
from tests.servers.api import Listener
from tests.servers.dripping import say

ISSUER, AUDIENCE = "https://id.example/", "rotator"
PATIENT, BRIEF = timedelta(seconds=60), timedelta(seconds=0.5)
"""For a whole fetch: of what answers, also on a busy machine, and of what never does."""


@dataclass
class Issuer:
    """An identity provider: keys by id, and a real server that publishes the public halves."""

    keys: dict[str, Any] = field(default_factory=dict)
    published: bytes | None = None  # instead of the keys
    asked: list[str] = field(default_factory=list)
    drips: threading.Event | None = None  # a byte now and then, until this is set
    head: bool = False  # it drips before its head is whole
    url: str = ""

    def jwks(self) -> bytes:
        """What is published."""
        if self.published is not None:
            return self.published
        return json.dumps({"keys": [public(kid, key) for kid, key in self.keys.items()]}).encode()

    def sign(self, kid: str = "rsa", algorithm: str = "RS256", **claims: Any) -> str:
        """A JWT; a claim that is None is left out."""
        now = int(time.time())
        whole = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "u-1",
            "email": "eva@example",
            "iat": now,
            "exp": now + 300,
            "groups": ["ops"],
            "teams": ["team-ml"],
            **claims,
        }
        said = {name: each for name, each in whole.items() if each is not None}
        return jwt.encode(said, self.keys[kid], algorithm, headers={"kid": kid})


def public(kid: str, key: Any) -> dict[str, Any]:
    kind: Any = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    if isinstance(key, ed25519.Ed25519PrivateKey):
        kind = jwt.algorithms.OKPAlgorithm
    found: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": kid, "use": "sig"}


@pytest.fixture(scope="module")
def rsa_keys() -> list[rsa.RSAPrivateKey]:
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


@pytest.fixture
def issuer(rsa_keys: list[rsa.RSAPrivateKey]) -> Iterator[Issuer]:
    made = Issuer(
        keys={
            "rsa": rsa_keys[0],
            "ec": ec.generate_private_key(ec.SECP256R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            say(self, 200, made.jwks(), drips=made.drips, head=made.head)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    with Listener(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_address[1]}/keys"
        yield made
        server.shutdown()


@pytest.fixture
def sso(two_owners: Scene, issuer: Issuer) -> Iterator[Api]:
    roles = {"claim": "groups", "viewer": ["staff"], "operator": ["ops"], "responder": ["security"]}
    oidc = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": issuer.url,
        "roles": roles,
        "owners": "teams",
        "everything": ["security"],
    }
    two_owners.rewrite(listen=None, api={"listen": "127.0.0.1:0", "oidc": oidc})
    with served(two_owners, limits=Limits(failed_logins=1000)) as running:
        yield running


@pytest.mark.parametrize(("kid", "algorithm"), [("rsa", "RS256"), ("rsa", "PS384"), ("ec", "ES256"), ("ed", "EdDSA")])
def test_what_the_issuer_signed_is_believed(sso: Api, issuer: Issuer, kid: str, algorithm: str) -> None:
    who = sso.get("/v1/me", issuer.sign(kid, algorithm))
    assert who == {"name": "oidc:u-1 (eva@example)", "role": "operator", "owners": ["team-ml"]}
    assert issuer.asked == ["/keys"]


def test_roles_and_owners_are_what_the_claims_say(sso: Api, issuer: Issuer) -> None:
    assert sso.get("/v1/me", issuer.sign(groups=["staff"]))["role"] == "viewer"
    assert sso.get("/v1/me", issuer.sign(groups=["staff", "security"])) == {
        "name": "oidc:u-1 (eva@example)",
        "role": "responder",
        "owners": None,
    }
    listed = sso.get("/v1/credentials", issuer.sign())
    assert [each["credential"] for each in listed["credentials"]] == [MINE]
    assert sso.call("GET", f"/v1/credentials/{THEIRS}", issuer.sign()).status == 404
    wrong: list[dict[str, Any]] = [
        {"groups": []},
        {"groups": None},
        {"groups": ["others"]},
        {"teams": None},
        {"teams": []},
        {"teams": 3},
    ]
    for claims in wrong:
        assert sso.call("GET", "/v1/me", issuer.sign(**claims)).status == 403, claims


def encoded(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hmac_signed(token: str, header: dict[str, Any], key: bytes) -> str:
    body = f"{encoded(header)}.{token.split('.')[1]}"
    return f"{body}.{encoded(hmac.new(key, body.encode(), hashlib.sha256).digest())}"


def pem(issuer: Issuer, form: serialization.PublicFormat) -> bytes:
    found: bytes = issuer.keys["rsa"].public_key().public_bytes(serialization.Encoding.PEM, form)
    return found


def stranger(issuer: Issuer, other: Any, **header: Any) -> str:
    """Signed with somebody else's key."""
    claims = jwt.decode(issuer.sign(), options={"verify_signature": False})
    return jwt.encode(claims, other, "RS256", headers={"kid": "rsa", **header})


def flipped(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def promoted(token: str) -> str:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{encoded({**claims, 'groups': ['security']})}.{signature}"


SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
FORGED: dict[str, Callable[[Issuer, Any], str]] = {
    "no algorithm": lambda i, _: f"{encoded({'alg': 'none', 'kid': 'rsa'})}.{i.sign().split('.')[1]}.",
    "None": lambda i, _: f"{encoded({'alg': 'None', 'kid': 'rsa'})}.{i.sign().split('.')[1]}.",
    "algorithm left out": lambda i, _: f"{encoded({'kid': 'rsa'})}.{i.sign().split('.')[1]}.x",
    "HMAC with the public key": lambda i, _: hmac_signed(i.sign(), {"alg": "HS256", "kid": "rsa"}, pem(i, SPKI)),
    "HMAC with its other form": lambda i, _: hmac_signed(i.sign(), {"alg": "HS256", "kid": "rsa"}, pem(i, PKCS1)),
    "HMAC with the published text": lambda i, _: hmac_signed(i.sign(), {"alg": "HS256", "kid": "rsa"}, i.jwks()),
    "HMAC with nothing": lambda i, _: hmac_signed(i.sign(), {"alg": "HS256", "kid": "rsa"}, b""),
    "a stranger's key": stranger,
    "a stranger's key in the header": lambda i, other: stranger(i, other, jwk=public("rsa", other)),
    "a stranger's key at a URL": lambda i, other: stranger(i, other, jku="http://127.0.0.1:1/keys"),
    "a stranger's certificate": lambda i, other: stranger(i, other, x5u="http://127.0.0.1:1/x", x5c=["MIIB"]),
    "a key of another kind": lambda i, _: i.sign("ec", "ES256").replace(
        i.sign("ec", "ES256").split(".")[0], encoded({"alg": "ES256", "kid": "rsa"})
    ),
    "an unknown key": lambda i, other: stranger(i, other, kid="nobody"),
    "a key's id that is a path": lambda i, other: stranger(i, other, kid="../../dev/null"),
    "no key's id": lambda i, _: jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "u"}, i.keys["rsa"], "RS256"),
    "a changed signature": lambda i, _: flipped(i.sign()),
    "no signature": lambda i, _: i.sign().rpartition(".")[0] + ".",
    "changed claims": lambda i, _: promoted(i.sign()),
    "an extension that must be known": lambda i, _: jwt.encode(
        jwt.decode(i.sign(), options={"verify_signature": False}),
        i.keys["rsa"],
        "RS256",
        headers={"kid": "rsa", "crit": ["exp"]},
    ),
    "expired": lambda i, _: i.sign(exp=int(time.time()) - 120),
    "not yet": lambda i, _: i.sign(nbf=int(time.time()) + 600),
    "made in the future": lambda i, _: i.sign(iat=int(time.time()) + 600),
    "no end": lambda i, _: i.sign(exp=None),
    "no subject": lambda i, _: i.sign(sub=None),
    "for somebody else": lambda i, _: i.sign(aud="grafana"),
    "for nobody": lambda i, _: i.sign(aud=None),
    "another issuer": lambda i, _: i.sign(iss="https://id.example"),
    "no issuer": lambda i, _: i.sign(iss=None),
    "an end that is a word": lambda i, _: i.sign(exp="never"),
    "dots": lambda i, _: "..",
    "no JSON": lambda i, _: f"{encoded(b'x')}.{encoded(b'y')}.z",
    "a list": lambda i, _: f"{encoded([1])}.{encoded([2])}.z",
}


@pytest.mark.parametrize("how", sorted(FORGED))
def test_a_forged_one_is_nobody(sso: Api, issuer: Issuer, rsa_keys: list[rsa.RSAPrivateKey], how: str) -> None:
    assert sso.get("/v1/me", issuer.sign())["role"] == "operator"
    answer = sso.call("GET", "/v1/credentials", FORGED[how](issuer, rsa_keys[1]))
    assert answer.status == 401
    assert MINE not in answer.data.decode()


def test_a_clock_may_differ_by_a_minute(sso: Api, issuer: Issuer) -> None:
    now = int(time.time())
    assert sso.get("/v1/me", issuer.sign(exp=now - 30, iat=now + 30, nbf=now + 30))


def test_unknown_keys_do_not_send_us_to_the_issuer_each_time(
    sso: Api, issuer: Issuer, rsa_keys: list[rsa.RSAPrivateKey]
) -> None:
    sso.get("/v1/me", issuer.sign())
    for n in range(20):
        assert sso.call("GET", "/v1/me", stranger(issuer, rsa_keys[1], kid=f"k{n}")).status == 401
    assert len(issuer.asked) == 1


@pytest.mark.parametrize("published", [b"", b"no JSON", b"[]", b'{"keys": {}}', b'{"keys": [1]}', b"[" * 100_000])
def test_without_keys_it_is_503_and_tokens_of_ours_go_on(sso: Api, issuer: Issuer, published: bytes) -> None:
    issuer.published = published
    answer = sso.call("GET", "/v1/me", issuer.sign())
    assert (answer.status, answer.json()["hint"]) == (503, "`rotator token break-glass` on the host")
    assert sso.get("/v1/me", "viewer")["name"] == "anna"


def test_what_is_published_as_secret_or_twice_is_nobodys_key(
    sso: Api, issuer: Issuer, rsa_keys: list[rsa.RSAPrivateKey]
) -> None:
    shared = {"kty": "oct", "kid": "oct", "k": encoded(b"k" * 32), "alg": "HS256"}
    twice = [public("rsa", rsa_keys[0]), public("rsa", rsa_keys[1])]
    issuer.published = json.dumps({"keys": [shared, *twice, public("ec", issuer.keys["ec"])]}).encode()
    assert sso.get("/v1/me", issuer.sign("ec", "ES256"))
    assert sso.call("GET", "/v1/me", issuer.sign()).status == 401
    assert (
        sso.call("GET", "/v1/me", hmac_signed(issuer.sign(), {"alg": "HS256", "kid": "oct"}, b"k" * 32)).status == 401
    )


def test_a_slow_issuer_stops_nobody_who_has_a_token_of_ours_and_is_asked_again(
    sso: Api, issuer: Issuer, rsa_keys: list[rsa.RSAPrivateKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotator.api.oidc.AGAIN", timedelta(0))
    issuer.drips = threading.Event()
    forged = stranger(issuer, rsa_keys[1])
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(sso.call, "GET", "/v1/me", forged) for _ in range(60)]
        try:
            while not issuer.asked:
                time.sleep(0.01)
            assert sso.get("/v1/me", "viewer")["name"] == "anna"
            assert sso.call("GET", "/v1/alive", None).status == 200
            assert {each.result().status for each in waiting} == {503}
        finally:
            issuer.drips.set()
    issuer.drips = None
    deadline = time.monotonic() + 30
    while sso.call("GET", "/v1/me", issuer.sign()).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sso.get("/v1/me", issuer.sign())["role"] == "operator"


def test_keys_that_are_known_are_used_while_they_are_fetched_again(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(issuer.url, PATIENT)
    assert keys.find("rsa", 0.0)
    monkeypatch.setattr(keys, "_timeout", BRIEF)
    issuer.drips = threading.Event()
    try:
        assert keys.find("rsa", FRESH.total_seconds()) is not None
        with pytest.raises(Problem):
            keys.find("rsa", STALE.total_seconds())
    finally:
        issuer.drips.set()


@pytest.mark.parametrize("published", [b"no JSON", b'{"keys": []}'])
def test_an_unknown_key_is_nobodys_only_if_the_issuer_could_be_asked(issuer: Issuer, published: bytes) -> None:
    keys = Keys(issuer.url, PATIENT)
    assert keys.find("new", 0.0) is None
    good, issuer.published = issuer.published, published
    for at in (FRESH.total_seconds(), FRESH.total_seconds() + 1):
        assert keys.find("rsa", at) is not None
        with pytest.raises(Problem) as told:
            keys.find("new", at)
        assert told.value.status == 503
    issuer.published = good
    assert keys.find("new", 2 * FRESH.total_seconds()) is None


def test_a_fetch_ends_also_where_the_head_of_the_answer_drips(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(issuer.url, BRIEF)
    issuer.head, issuer.drips = True, threading.Event()
    try:
        for tick in range(FETCHES):
            with pytest.raises(Problem):
                keys.find("rsa", 60.0 * tick)
        deadline = time.monotonic() + 60
        while any(each.name == "oidc keys" for each in threading.enumerate()):
            assert time.monotonic() < deadline, "it is waited for without an end"
            time.sleep(0.05)
        assert 0 < len(issuer.asked) <= FETCHES
    finally:
        issuer.drips.set()
    issuer.head, issuer.drips = False, None
    monkeypatch.setattr(keys, "_timeout", PATIENT)
    assert keys.find("rsa", 60.0 * FETCHES) is not None


def test_a_name_that_somebody_chose_hides_nobody_behind_another(sso: Api, issuer: Issuer) -> None:
    long = "cleo@example " + "x" * 500
    names = [sso.get("/v1/me", issuer.sign(email=long, sub=sub))["name"] for sub in ("mallory", "u-of-cleo")]
    assert [each.split()[0] for each in names] == ["oidc:mallory", "oidc:u-of-cleo"]
    assert max(map(len, names)) < 200
    assert sso.call("GET", "/v1/me", issuer.sign(sub="x" * 256)).status == 403


def test_answers_are_remembered_for_the_same_subject_with_the_same_owners_alone(sso: Api, issuer: Issuer) -> None:
    def rotate(**claims: Any) -> Any:
        headers = {"Idempotency-Key": "k"}
        return sso.post("/v1/rotations", {"names": [MINE]}, issuer.sign(**claims), headers=headers)

    assert rotate(teams=["team-ml"]).status == 200
    assert rotate(teams=["team-db"]).status == 404
    assert rotate(teams=["team-ml"]).status == 200
