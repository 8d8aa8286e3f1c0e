"""What needs no server: verifiers, comments, principals and settings."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rotator_postgres import Postgres
from rotator_postgres.scram import Challenge, verifier
from rotator_postgres.slot import Note, empty_note, read_note
from scramp import ScramMechanism  # type: ignore[import-untyped]

from rotator.sdk import DUAL, Disabling, KeyState, Permanent, Principal, SettingsError

PLAIN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=64)
NOTES = st.builds(
    Note,
    tag=st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True),
    state=st.sampled_from(KeyState),
    mark=st.none() | st.from_regex(r"rot-[a-z0-9-]{1,59}", fullmatch=True),
    since=st.none() | st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1)),  # noqa: DTZ001
    digest=st.none() | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
)
NO_TIME = Note(tag="0", state=KeyState.ENABLED)
TEXTS = st.text(st.characters(exclude_characters="[]\0"), max_size=80)


# -- verifiers ---------------------------------------------------------------------------------------------------------


def test_a_verifier_takes_part_in_the_exchange_that_rfc_7677_prints() -> None:
    challenge = Challenge(base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    kind, salted, keys = verifier("pencil", challenge).split("$")
    stored_key, server_key = (base64.b64decode(key) for key in keys.split(":"))
    nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    said = f"n=user,r=rOprNGfwEbeRWgbNEkqO,{nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,{nonce}".encode()
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored_key, said, "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert (kind, salted) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    assert hashlib.sha256(client_key).digest() == stored_key
    answer = base64.b64encode(hmac.digest(server_key, said, "sha256")).decode()
    assert answer == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@given(password=PLAIN)
def test_a_verifier_is_what_another_implementation_makes(password: str) -> None:
    challenge = Challenge.fresh()
    salt, stored, server, iterations = ScramMechanism("SCRAM-SHA-256").make_auth_info(
        password, iteration_count=challenge.iterations, salt=challenge.salt
    )
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    assert verifier(password, challenge) == f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


@pytest.mark.parametrize("password", ["", "a b", "pä", "a-b", "a\u00ad", "a\0"])
def test_a_password_that_saslprep_could_change_is_refused(password: str) -> None:
    with pytest.raises(Permanent):
        verifier(password, Challenge.fresh())


# -- comments ----------------------------------------------------------------------------------------------------------


@given(note=NOTES, successor=NOTES, before=TEXTS, after=TEXTS)
def test_a_note_is_read_back_and_replaced_and_the_rest_of_the_comment_stays(
    note: Note, successor: Note, before: str, after: str
) -> None:
    comment = before + str(note) + after
    assert read_note(comment) == note
    assert successor.within(comment) == before + str(successor) + after


@given(note=NOTES, text=TEXTS)
def test_a_note_is_written_behind_the_text_of_a_comment_that_has_none(note: Note, text: str) -> None:
    comment = note.within(text)
    assert comment == (f"{text} {note}" if text else str(note))
    assert read_note(comment) == note
    assert read_note(text) is None


@given(text=st.text())
def test_no_comment_is_too_odd_to_be_read(text: str) -> None:
    """Strangers write comments, too; what they write is no note of ours, or one without a time."""
    assert read_note(text) is None
    assert read_note(f"[rotator 0 - enabled {text} -]") in (None, NO_TIME)
    assert read_note("[rotator 0 - enabled 9999-99-99T99:99:99Z -]") == NO_TIME


def test_no_two_empty_slots_have_one_tag() -> None:
    now = datetime.now(UTC)
    assert len({empty_note(now).tag for _ in range(100)}) == 100


# -- principals and settings -------------------------------------------------------------------------------------------

SETTINGS = {"host": "db.internal", "user": "rotator", "tls": "off"}


def made(**changes: object) -> Postgres:
    given_settings = {name: value for name, value in {**SETTINGS, **changes}.items() if value is not None}
    return Postgres.from_settings("pg", given_settings, "AdminPassword1", timedelta(seconds=5))


def test_two_roles_are_slots_used_in_turn() -> None:
    offers = made().capabilities(Principal(name="app", settings={"roles": ("app_a", "app_b"), "owner_role": "app"}))
    assert offers.strategy == DUAL
    assert offers.slots == ("app_a", "app_b")
    assert (offers.parts, offers.secret_part) == (("user", "password"), "password")
    assert offers.disabling is Disabling.REVERSIBLE
    assert "CREATEROLE" in offers.least_permission


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({}, "roles"),
        ({"roles": ("app_a",)}, "one role"),
        ({"roles": ("app_a", "app_a")}, "twice"),
        ({"roles": "app_a"}, "roles"),
        ({"roles": ("app_a", "rotator")}, "the admin's own role"),
        ({"roles": ("app_a", "app_b"), "owner_role": "app_b"}, "own itself"),
        ({"roles": ("app_a", "app@b")}, "cannot be used as a role"),
        ({"roles": ("app_a", "app\nb")}, "cannot be used as a role"),
        ({"roles": ("app_a", "ä" * 32)}, "cannot be used as a role"),
        ({"roles": ("app_a", "app_b"), "owner_rol": "app"}, "owner_rol"),
    ],
)
def test_a_principal_that_makes_no_sense_is_refused(settings: dict[str, str | tuple[str, ...]], what: str) -> None:
    with pytest.raises(Permanent, match=what) as refused:
        made().capabilities(Principal(name="app", settings=settings))
    assert refused.value.hint


def test_a_name_may_have_as_many_bytes_as_the_server_keeps() -> None:
    longest = "ä" * 31 + "x"
    offers = made().capabilities(Principal(name="app", settings={"roles": (longest, "app_b")}))
    assert offers.slots == (longest, "app_b")


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"host": None}, "host"),
        ({"user": None}, "user"),
        ({"port": "5432"}, "port"),
        ({"port": 0}, "port"),
        ({"tls": "prefer"}, "tls"),
        ({"ca": "ca.pem"}, "ca"),
        ({"tls": "verify-full", "ca": "/nowhere/ca.pem"}, "ca"),
        ({"password": "x"}, "password"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], what: str) -> None:
    with pytest.raises(SettingsError, match=what) as refused:
        made(**changes)
    assert refused.value.hint


def test_a_ca_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="ca"):
        made(tls="verify-full", ca=str(tmp_path / "ca.pem"))
