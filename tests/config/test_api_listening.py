"""Where the API listens, by the config, and what of it is refused with its line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.calendar import CronCalendar
from rotator.config.api_listening import Listening
from rotator.config.errors import ConfigError
from rotator.config.reading import read_config
from rotator.domain.tokens import Role

OIDC = {"issuer": "https://id.example/", "audience": "r", "jwks": "https://id.example/keys", "roles": {"viewer": ["a"]}}

SIGN_IN = {
    "client_id": "pages",
    "client_secret": "env:SECRET",
    "authorization_endpoint": "https://id.example/authorize",
    "token_endpoint": "https://id.example/token",
    "redirect_uri": "https://rotator.internal/sign-in/back",
}


def read(folder: Path, *, lenient: bool = False, **more: Any) -> Listening | None:
    path = folder / "rotator.yaml"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"state": "sqlite:///r.db", "installation": {"key": "file:k"}, **more}, indent=1))
    return read_config(path, calendar=CronCalendar(), lenient=lenient).api


def found(folder: Path, **more: Any) -> Listening:
    listening = read(folder, **more)
    assert listening is not None
    return listening


def test_without_a_word_there_is_none(tmp_path: Path) -> None:
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    ("told", "host", "port", "loopback"),
    [
        ("127.0.0.1:8750", "127.0.0.1", 8750, True),
        ("localhost:1", "127.0.0.1", 1, True),
        ("[::1]:8750", "::1", 8750, True),
        ("127.8.8.8:0", "127.8.8.8", 0, True),
        ("0.0.0.0:8443", "0.0.0.0", 8443, False),  # noqa: S104 - read, and not bound
        ("[::]:8443", "::", 8443, False),
        ("10.0.0.1:443", "10.0.0.1", 443, False),
    ],
)
def test_an_address_is_read(tmp_path: Path, told: str, host: str, port: int, loopback: bool) -> None:
    for more in ({"listen": told}, {"api": {"listen": told}}):
        listening = found(tmp_path, **more)
        assert (listening.host, listening.port, listening.loopback) == (host, port, loopback)


def test_an_api_without_an_address_is_on_loopback(tmp_path: Path) -> None:
    assert found(tmp_path, api={}) == Listening(host="127.0.0.1")


def test_the_environment_overrides_the_address_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTATOR_LISTEN", "127.0.0.1:9")
    assert found(tmp_path).port == 9
    assert found(tmp_path, api={"listen": "127.0.0.1:8", "hosts": ["a"]}) == Listening(
        host="127.0.0.1", port=9, hosts=("a",)
    )
    monkeypatch.setenv("ROTATOR_LISTEN", "everywhere")
    with pytest.raises(ConfigError, match="the environment variable ROTATOR_LISTEN is no address and port"):
        read(tmp_path)


def test_names_are_our_own_and_those_of_the_config(tmp_path: Path) -> None:
    assert found(tmp_path, listen="127.0.0.1:1").names == {"localhost", "127.0.0.1", "[::1]"}
    assert found(tmp_path, api={"listen": "0.0.0.0:1", "hosts": ["Rotator.Internal"]}).names == {"rotator.internal"}
    assert found(tmp_path, api={"listen": "[fd00::1]:1"}).names == {"[fd00::1]"}


def test_an_identity_provider_is_read(tmp_path: Path) -> None:
    oidc = found(tmp_path, api={"oidc": {**OIDC, "owners": "teams", "everything": ["sec"]}}).oidc
    assert oidc is not None
    assert (oidc.claim, oidc.owners_claim, oidc.everything) == ("groups", "teams", frozenset({"sec"}))
    assert oidc.roles == {Role.VIEWER: {"a"}, Role.OPERATOR: frozenset(), Role.RESPONDER: frozenset()}


def signing_in(**changes: Any) -> dict[str, Any]:
    return {"api": {"oidc": {**OIDC, "sign_in": {**SIGN_IN, **changes}}}}


def test_how_people_sign_in_there_is_read(tmp_path: Path) -> None:
    oidc = found(tmp_path, **signing_in()).oidc
    assert oidc is not None
    assert oidc.sign_in is not None
    assert (str(oidc.sign_in.client_secret), oidc.sign_in.scopes) == ("env:SECRET", ("openid", "profile", "email"))
    assert found(tmp_path, api={"oidc": OIDC}).oidc == replace(oidc, sign_in=None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"listen": "8750"}, "listen is no address and port"),
        ({"listen": "rotator.internal:8750"}, "listen is no address and port"),
        ({"listen": "127.0.0.1:99999"}, "listen has a port that there is not"),
        ({"listen": "127.0.0.1:-1"}, "listen is no address and port"),
        ({"listen": "::1:8750"}, "listen is no address and port"),
        ({"listen": "127.0.0.1:1", "api": {"listen": "127.0.0.1:2"}}, "listen is said twice"),
        ({"api": {"hosts": ["https://a"]}}, "'https://a' is no host's name"),
        ({"api": {"hosts": ["a:1"]}}, "'a:1' is no host's name"),
        ({"api": {"tls": {"cert": "c"}}}, "key"),
        ({"api": {"lisen": "x"}}, "lisen"),
        ({"api": {"oidc": {**OIDC, "jwks": "http://id.example/keys"}}}, "jwks is no https URL"),
        ({"api": {"oidc": {**OIDC, "jwks": "file:///etc/passwd"}}}, "jwks is no https URL"),
        ({"api": {"oidc": {**OIDC, "issuer": "id"}}}, "issuer is no https URL"),
        ({"api": {"oidc": {**OIDC, "roles": {}}}}, "nobody has a role"),
        (signing_in(token_endpoint="http://id.example/token"), "token_endpoint is no https URL"),
        (signing_in(authorization_endpoint="//id.example"), "authorization_endpoint is no https URL"),
        (signing_in(authorization_endpoint="http://["), "authorization_endpoint is no https URL"),
        (signing_in(redirect_uri="https://rotator.internal/"), "redirect_uri is no page of ours"),
        (signing_in(redirect_uri="https://rotator.internal/sign-in/back?a=b"), "redirect_uri is no page of ours"),
        (signing_in(client_secret="hunter2"), "client_secret is not a reference"),
        (signing_in(client_secret="volt:a#b"), "client_secret is not a reference"),
        (signing_in(scopes=["email"]), "scopes are words"),
        (signing_in(scopes=["openid email"]), "scopes are words"),
        (signing_in(token="x"), "token"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as told:
        read(tmp_path, **more)
    assert said in told.value.message
    assert "rotator.yaml:" in told.value.message
    assert told.value.hint
    assert read(tmp_path, lenient=True, **more) in (None, Listening(host="127.0.0.1"))
