"""Notes beside logins, and what a login with a note holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.failures import Conflict, Permanent
from rotator.domain.keys import KeyState, MintRequest
from rotator.domain.secret import Secret
from rotator.domain.settings import Settings, SettingsError
from rotator.sdk.slots import (
    Login,
    Note,
    empty_note,
    expected,
    login_parts,
    minted_note,
    read_note,
    seal,
    shown,
    users_in,
    wanted,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOTES = st.builds(
    Note,
    tag=st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True),
    mark=st.none() | st.from_regex(r"rot-[a-z0-9-]{1,59}", fullmatch=True),
    since=st.none()
    | st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1)).map(  # noqa: DTZ001
        lambda at: at.replace(microsecond=0)
    ),
    seal=st.none() | st.builds(seal, st.text()),
)
REQUEST = MintRequest(
    mark="rot-a-b-1-c",
    fingerprint="0123456789abcdef",
    chosen=Secret({"password": "Abc123"}),
    slot="app_a",
    expects="app_a@absent",
)
HELD = Login(name="app_a", exists=True, open=True, stored="hash", seen_at=NOW, note=minted_note(REQUEST, "hash", NOW))


@given(note=NOTES)
def test_a_note_is_read_back_and_has_no_blank_and_no_comma(note: Note) -> None:
    assert read_note(str(note)) == note
    assert not set(str(note)) & set(" ,()'\"")
    assert len(str(note)) <= 200


@given(text=st.text())
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    assert read_note(text) is None
    assert read_note(f"rotator/{text}/-/999999999999/-") in (None, Note(tag=text))


def test_the_longest_mark_and_tag_fit() -> None:
    note = Note(tag="t" * 64, mark="m" * 63, since=NOW, seal=seal("x"))
    assert read_note(str(note)) == note
    assert len(str(note)) < 255  # letters of a tag of RabbitMQ, and of a row in MariaDB


@pytest.mark.parametrize("change", [{"mark": "UPPER"}, {"mark": "m" * 64}, {"fingerprint": "a/b"}, {"mark": ""}])
def test_a_mark_that_does_not_fit_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(Permanent):
        minted_note(replace(REQUEST, **change), "hash", NOW)  # type: ignore[arg-type]


def test_a_seal_is_salted_and_tells_texts_apart() -> None:
    first, second = seal("hash"), seal("hash")
    assert first != second
    assert seal("hash", first.partition(".")[0]) == first
    assert seal("other", first.partition(".")[0]) != first


def test_no_two_empty_slots_have_one_tag() -> None:
    assert len({empty_note(NOW).tag for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("login", "tag", "state", "mark"),
    [
        (HELD, "0123456789abcdef", KeyState.ENABLED, REQUEST.mark),
        (replace(HELD, open=False), "0123456789abcdef", KeyState.DISABLED, REQUEST.mark),
        (replace(HELD, stored=None), "0123456789abcdef", KeyState.DELETED, None),
        (replace(HELD, exists=False, stored=None, note=None), "absent", KeyState.DELETED, None),
        (replace(HELD, note=None), "unmanaged", KeyState.ENABLED, None),
        (replace(HELD, note=None, unmanaged="unmanaged-1"), "unmanaged-1", KeyState.ENABLED, None),
        (replace(HELD, stored="theirs"), "changed-", KeyState.ENABLED, None),
        (replace(HELD, note=empty_note(NOW)), "changed-", KeyState.ENABLED, None),
        (replace(HELD, note=empty_note(NOW), stored=None), "empty-", KeyState.DELETED, None),
    ],
)
def test_what_a_login_holds(login: Login, tag: str, state: KeyState, mark: str | None) -> None:
    key = login.key()
    assert key.id.startswith(f"app_a@{tag}")
    assert (key.state, key.mark, key.slot) == (state, mark, "app_a")
    assert (key.created_at == NOW) is (mark is not None)


def test_two_passwords_of_somebody_elses_are_two_keys() -> None:
    assert replace(HELD, stored="one").key_id != replace(HELD, stored="two").key_id
    assert replace(HELD, stored="one").key_id == replace(HELD, stored="one").key_id


def test_what_clients_say_of_themselves_is_bounded_and_printable() -> None:
    key = replace(HELD, sessions=1, used_by="\x1b[31m" + "x" * 500).key()
    assert key.last_used_at == NOW
    assert key.last_used_by == "?[31m" + "x" * 75
    assert shown("ä\n") == "ä?"


@pytest.mark.parametrize("users", [["a"], ["a", "admin"], ["a@b", "c"], ["a", "b\x7f"], ["a" * 9, "b"], [" a", "b"]])
def test_users_that_cannot_be_rotated_are_refused(users: list[str]) -> None:
    with pytest.raises((Permanent, SettingsError)):
        users_in(Settings({"users": users}), "admin", longest=8)


@pytest.mark.parametrize(
    "change",
    [
        {"slot": "other"},
        {"slot": None},
        {"chosen": None},
        {"fingerprint": None},
        {"expects": None},
        {"chosen": Secret({"password": "with blank"})},
        {"chosen": Secret({"password": "new\nline"})},
        {"chosen": Secret({"password": "ümlaut"})},
    ],
)
def test_a_request_that_cannot_be_filled_is_refused_without_its_password(change: dict[str, object]) -> None:
    with pytest.raises(Permanent) as refused:
        wanted(replace(REQUEST, **change), ("app_a", "app_b"))  # type: ignore[arg-type]
    assert "blank" not in refused.value.message


def test_a_slot_that_holds_something_else_is_a_conflict() -> None:
    assert expected(HELD, replace(REQUEST, expects=HELD.key_id)) is HELD
    with pytest.raises(Conflict):
        expected(HELD, REQUEST)


@pytest.mark.parametrize("parts", [{"password": "x"}, {"user": "x"}, {"user": "a\0", "password": "x"}])
def test_a_value_that_is_no_login_is_refused(parts: dict[str, str]) -> None:
    with pytest.raises(Permanent, match="no login"):
        login_parts(Secret(parts))
