"""A sealed document: one changed byte, another key, a missing or moved seal, and it is refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.app.sealing import HTML, JSON, Form, check, public_key, seal
from rotator.config.errors import ConfigError
from rotator.config.installation import new_installation

OURS, OTHERS = new_installation(), new_installation()
BODY = b"<!doctype html>\n<p>12 keys are dead</p>\n"
SEALED = seal(BODY, HTML, OURS)


@pytest.mark.parametrize("form", [HTML, JSON])
@given(body=st.binary(max_size=300))
def test_what_was_sealed_is_believed(form: Form, body: bytes) -> None:
    check(seal(body, form, OURS), OURS.public())


@given(at=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_one_changed_bit_is_refused(at: int, bit: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= 1 << bit
    with pytest.raises(ConfigError):
        check(bytes(changed), OURS.public())


def test_every_letter_of_the_seal_counts_be_it_one_that_decodes_to_the_same() -> None:
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    start = len(BODY) + len(HTML.before)
    for at in (start + 42, start + 44 + 1 + 85):  # the last letters before the padding
        for letter in letters:
            changed = bytearray(SEALED)
            if changed[at] == letter:
                continue
            changed[at] = letter
            with pytest.raises(ConfigError):
                check(bytes(changed), OURS.public())


@pytest.mark.parametrize("extra", [b"\n", b" ", b"<p>and one more</p>", SEALED])
def test_what_is_added_before_or_behind_is_refused(extra: bytes) -> None:
    for changed in (extra + SEALED, SEALED + extra):
        with pytest.raises(ConfigError):
            check(changed, OURS.public())


@pytest.mark.parametrize("cut", [1, 10, len(SEALED) - len(BODY), len(SEALED)])
def test_what_is_cut_off_is_missed(cut: int) -> None:
    with pytest.raises(ConfigError):
        check(SEALED[:-cut], OURS.public())


def test_a_document_sealed_anew_with_another_key_is_refused_and_that_is_said() -> None:
    with pytest.raises(ConfigError, match="sealed with another key"):
        check(seal(BODY, HTML, OTHERS), OURS.public())


def test_another_key_with_our_name_on_it_is_refused() -> None:
    forged = seal(BODY, HTML, OTHERS).replace(base64.b64encode(OTHERS.public()), base64.b64encode(OURS.public()))
    with pytest.raises(ConfigError, match="changed since it was sealed"):
        check(forged, OURS.public())


def test_the_seal_of_one_document_fits_no_other() -> None:
    other = b"<p>0 keys are dead</p>" + SEALED[len(BODY) :]
    with pytest.raises(ConfigError, match="changed since it was sealed"):
        check(other, OURS.public())


def test_a_sealed_object_is_still_an_object() -> None:
    sealed = seal(b'{"evidence": {"n": 1}', JSON, OURS)
    assert json.loads(sealed)["evidence"] == {"n": 1}


@pytest.mark.parametrize("text", ["", "abc", "A" * 43, "A" * 44, "é" * 44, base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_public_key_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="that is no public key"):
        public_key(text)


def test_a_public_key_is_read_as_it_is_shown() -> None:
    assert public_key(base64.b64encode(OURS.public()).decode() + "\n") == OURS.public()
