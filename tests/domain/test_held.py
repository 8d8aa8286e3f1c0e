"""The last net: any piece of a value, in any form, and nothing else; and what it keeps is no value."""

from __future__ import annotations

import base64
import json
import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.held import HIDDEN, PIECE, PREFIX, STEP, Held

LETTERS = string.ascii_letters + string.digits


def value(length: int = 40) -> str:
    return "sk-proj-" + "".join(secrets.choice(LETTERS) for _ in range(length))


def knowing(*parts: dict[str, str]) -> Held:
    net = Held()
    net.begin()
    for each in parts:
        net.parts(each)
    return net


@pytest.mark.parametrize(
    "write",
    [
        str,
        repr,
        json.dumps,
        lambda text: json.dumps(json.dumps(text)),
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(b"a" + text.encode()).decode(),
        lambda text: base64.b64encode(b"user:" + text.encode()).decode(),
    ],
    ids=["plain", "repr", "json", "json twice", "hex", "HEX", "base64", "base64 behind one", "basic"],
)
def test_a_value_is_cut_out_in_whatever_form(write: object) -> None:
    assert callable(write)
    secret = value()
    written = write(secret)
    cut = knowing({"secret": secret}).without(f"it said {written} and went on")
    assert HIDDEN in cut
    assert cut.startswith("it said ")
    assert cut.endswith(" and went on")
    assert not [at for at in range(len(written) - 5) if written[at : at + 6] in cut]


def test_around_a_value_a_line_stays_readable() -> None:
    secret = value()
    cut = knowing({"secret": secret}).without(f"GET https://user:{secret}@host/path?page=2&key={secret}")
    assert cut == f"GET https://user:{HIDDEN}@host/path?page=2&{HIDDEN}"


@given(st.data())
def test_any_few_characters_in_a_row_are_found_but_for_what_only_tells_whose_it_is(data: st.DataObject) -> None:
    secret = value(data.draw(st.integers(20, 80)))
    net = knowing({"secret": secret})
    begin = data.draw(st.integers(PREFIX, len(secret) - PIECE - STEP + 1))
    piece = secret[begin : begin + PIECE + STEP - 1]
    assert net.without(f"…{piece}…") == f"…{HIDDEN}…"
    assert net.without(f"…{secret[-PIECE:]}") == f"…{HIDDEN}"


@given(st.lists(st.text(max_size=60), max_size=4))
def test_what_is_no_value_stays_as_it_is(texts: list[str]) -> None:
    net = knowing({"secret": value()})
    for text in texts:
        assert net.without(text) == text


def test_two_values_side_by_side_and_one_twice_are_cut_out_and_the_words_between_stay() -> None:
    one, two = value(), value()
    net = knowing({"secret": one}, {"secret": two})
    assert net.without(f"{one} then {two}, {one}!") == f"{HIDDEN} then {HIDDEN}, {HIDDEN}!"


def test_users_and_ids_are_told() -> None:
    user, key_id, secret = "application_of_the_team", "AKIA" + "ABCDEFGH12345678", value()
    net = knowing({"user": user, "password": secret}, {"access_key_id": key_id, "secret_access_key": value()})
    line = f"{user} {key_id} arn:{key_id}"
    assert net.without(line) == line
    assert HIDDEN in net.without(secret)


def test_a_secret_id_is_a_secret() -> None:
    secret = "4d2c8a1e-9b7f-4e6d-8c5b-3a2f1e0d9c8b"
    assert knowing({"role_id": "r" * 3 + "oleoftheteam", "secret_id": secret}).without(secret) == HIDDEN


@pytest.mark.parametrize(
    ("text", "secret", "told"),
    [
        ("{v}", "{v}", "no"),
        ("AKIAABCDEFGH12345678:{v}", "{v}", "AKIAABCDEFGH12345678"),
        ("postgresql://administrator:{v}@database.internal/app", "{v}", "administrator database.internal"),
        ('{{"client_email": "rotator@project.example", "private_key": "{v}"}}', "{v}", "rotator@project.example"),
        ("-----BEGIN PRIVATE KEY-----\n{v}\n-----END PRIVATE KEY-----\n", "{v}", "BEGIN PRIVATE KEY"),
    ],
    ids=["alone", "pair", "url", "json", "pem"],
)
def test_of_an_admin_credential_only_what_is_secret_is_cut_out(text: str, secret: str, told: str) -> None:
    random = value(60)
    net = Held()
    net.begin()
    net.document(text.format(v=random))
    assert HIDDEN in net.without(secret.format(v=random))
    assert net.without(told) == told


def test_before_it_is_asked_to_it_learns_nothing() -> None:
    net, secret = Held(), value()
    net.parts({"secret": secret})
    assert net.without(secret) == secret


@pytest.mark.parametrize("text", ["", "short", "elevenchars", "-" * 60, "0" * 40, "ab" * 20])
def test_what_cannot_be_told_from_chance_is_not_looked_for(text: str) -> None:
    net = knowing({"secret": text})
    line = f"a line with {text} in it ---------------- 0000000000000000"
    assert net.without(line) == line


def test_it_forgets_the_oldest_and_stays_within_bounds() -> None:
    net = Held(most=500)
    net.begin()
    values = [value() for _ in range(100)]
    for each in values:
        net.parts({"secret": each})
    assert net.without(values[-1]) == HIDDEN
    assert net.without(values[0]) == values[0]
    assert net.size < 3 * 500


def test_it_keeps_numbers_and_no_piece_of_a_value() -> None:
    net = knowing({"secret": value()})
    kept = [getattr(net, name) for name in vars(net)]
    assert all(isinstance(each, int) for some in kept if isinstance(some, set) for each in some)
    assert not [each for each in kept if isinstance(each, str | bytes)]
