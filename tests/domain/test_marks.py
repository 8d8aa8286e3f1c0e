"""A mark is ours when this installation wrote it for this credential, and everything else is foreign."""

from __future__ import annotations

import hashlib
import hmac
import re
from string import ascii_lowercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.marks import Mark, Marker

KEY = bytes(range(32))
OURS = Marker("prod1", KEY)
MARK = OURS.write("openai-prod", "01hzy3q7x0", 7)

names = st.text(ascii_lowercase + digits, min_size=1, max_size=20)
fences = st.integers(0, 999_999_999)


@given(st.text(ascii_lowercase + digits, min_size=1, max_size=12), st.text(min_size=1), names, fences)
def test_every_mark_is_read_back_and_fits_wherever_a_label_fits(
    installation: str, credential: str, rotation: str, fence: int
) -> None:
    marker = Marker(installation, KEY)
    mark = marker.write(credential, rotation, fence)
    assert len(mark) <= 63
    assert re.fullmatch("[a-z][-a-z0-9]*[a-z0-9]", mark)
    assert marker.read(credential, mark) == Mark(rotation, fence)
    assert marker.write(credential, rotation, fence) == mark


def test_the_longest_ids_and_the_greatest_fence_give_at_most_63_characters() -> None:
    assert len(Marker("i" * 12, KEY).write("c" * 500, "r" * 20, 999_999_999)) <= 63


@pytest.mark.parametrize(
    ("installation", "rotation", "fence"),
    [
        ("prod-eu", "r1", 1),
        ("PROD", "r1", 1),
        ("i" * 13, "r1", 1),
        ("", "r1", 1),
        ("prod", "R1", 1),
        ("prod", "r-1", 1),
        ("prod", "r" * 21, 1),
        ("prod", "", 1),
        ("prod", "r1", -1),
        ("prod", "r1", 1_000_000_000),
    ],
)
def test_a_mark_that_nobody_would_know_again_is_never_written(installation: str, rotation: str, fence: int) -> None:
    with pytest.raises(ValueError, match="form of a mark"):
        Marker(installation, KEY).write("c", rotation, fence)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "rot-",
        "rot----",
        MARK.upper(),
        MARK.replace("rot-", "Rot-"),
        MARK[:-1],
        MARK[1:],
        MARK + "a",
        MARK + "\n",
        " " + MARK,
        MARK + " ",
        MARK.replace("-7-", "-8-"),
        MARK.replace("-7-", "-07-"),
        MARK.replace("-7-", "-٧-"),
        MARK.replace("01hzy3q7x0", "01hzy3q7x1"),
        MARK.replace("prod1", "prod2"),
        MARK.replace("-", "_"),
        MARK[:-13] + "a" * 13,
        MARK[:-14],
        "rot-prod1-01hzy3q7x0-7-0000000000000",
        "x" * 100_000,
        "rot-" + "a" * 100_000,
        "made by hand",
    ],
)
def test_what_was_changed_cut_or_made_up_is_foreign(text: str | None) -> None:
    assert OURS.read("openai-prod", text) is None
    assert OURS.read("openai-prod", MARK) == Mark("01hzy3q7x0", 7)


@given(st.data())
def test_no_single_other_character_leaves_it_ours(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(MARK) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]).filter(lambda c: c != MARK[at]))
    assert OURS.read("openai-prod", MARK[:at] + other + MARK[at + 1 :]) is None


@given(st.text())
def test_arbitrary_text_is_foreign_and_no_error(text: str) -> None:
    assert OURS.read("openai-prod", text) is None


@given(names, names)
def test_a_mark_says_whose_it_is(one: str, other: str) -> None:
    assert (OURS.read(other, OURS.write(one, "r1", 1)) is not None) == (one == other)


def test_another_installation_s_mark_is_foreign_even_under_the_same_name() -> None:
    assert Marker("prod1", b"another key").read("openai-prod", MARK) is None
    assert Marker("prod2", KEY).read("openai-prod", MARK) is None
    assert OURS.read("openai-prod", Marker("prod2", KEY).write("openai-prod", "01hzy3q7x0", 7)) is None


def test_what_follows_the_rotation_cannot_be_moved_into_the_credential() -> None:
    assert OURS.read("a", OURS.write("a1", "1", 1)) is None
    assert OURS.read("a1", OURS.write("a", "11", 1)) is None


def test_the_mac_is_not_a_plain_hash_that_anybody_could_write() -> None:
    text = b"prod1\0openai-prod\x0001hzy3q7x0\x007"
    for forged in (hashlib.sha256(text).digest(), hmac.digest(b"", text, "sha256")):
        assert forged.hex()[:13] not in MARK


def test_a_marker_never_shows_its_key() -> None:
    marker = Marker("prod1", b"very private key")
    assert "private" not in f"{marker} {marker!r} {[marker]}"
