"""A value is cut out of whatever it stands in, exactly; and whatever is fed, the look ends and memory is bounded."""

from __future__ import annotations

import io
import string

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from rotator.adapters.finding.candidates import LONGEST, SHORTEST, Seeker, candidates
from rotator.adapters.finding.looked import Bounds, Where
from rotator.adapters.finding.looking import Looking, TooMuch
from rotator.adapters.finding.texts import BLOCK, LINE, texts
from tests.cli.planting import PACKINGS, TEXTS, tar

ODD = 'ks_live_"abcd1234\\efgh5678&%/0123456789abcdef'
VENDOR = st.text(string.ascii_letters + string.digits + "_-", min_size=20, max_size=60).map(lambda text: f"ks_{text}")
PASSWORD = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=SHORTEST, max_size=40)
TAKES_ANY = sorted(
    set(TEXTS)
    # these say a value without any escaping, so that a reader would not get every one back either
    - {"YAML, plain", "INI", "dotenv", "a header", "curl", "ps eww", "YAML, a block", "a Helm release"}
)
OVER_LINES = {("binary", "base64 over lines"), ("binary", "YAML, a block")}
"""In what is no text there are no lines."""


def found(value: str, data: bytes) -> list[tuple[Where, int | None]]:
    """Where the value is found, and in which line."""
    seeker = Seeker(lambda text: True if text == value else None)
    pieces = Looking().at_stream("-", io.BytesIO(data))
    return [(where, text.line) for where, text in pieces if seeker.found(text.text)]


@pytest.mark.parametrize("text", TEXTS)
@given(value=VENDOR)
@settings(max_examples=6)
def test_a_vendors_key_is_found_in_every_text(text: str, value: str) -> None:
    assert found(value, TEXTS[text](value).encode())


@pytest.mark.parametrize("text", TAKES_ANY)
@given(value=PASSWORD)
@example(value=ODD)
@settings(max_examples=12)
def test_any_password_is_found_in_every_text_that_can_say_it(text: str, value: str) -> None:
    assume(value == value.strip())
    assert found(value, TEXTS[text](value).encode())


@pytest.mark.parametrize("packing", PACKINGS)
@given(value=VENDOR, text=st.sampled_from(sorted(TEXTS)), noise=st.binary(max_size=300))
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
def test_a_key_is_found_in_every_packing_of_every_text(packing: str, value: str, text: str, noise: bytes) -> None:
    assume((packing, text) not in OVER_LINES)
    where = found(value, PACKINGS[packing](f"{TEXTS[text](value)}\n{noise.hex()}\n".encode()))
    assert where, text


@given(value=PASSWORD, outer=st.sampled_from(TAKES_ANY), inner=st.sampled_from(TAKES_ANY))
@settings(max_examples=30)
def test_one_coding_around_another_is_seen_through(value: str, outer: str, inner: str) -> None:
    assume(value == value.strip())
    assume("base64 over lines" not in (inner, outer))
    text = TEXTS[inner](value)
    assert found(value, TEXTS[outer](text.strip()).encode())


@given(before=st.integers(0, 3 * LINE), after=st.integers(0, 2 * BLOCK), value=VENDOR)
@settings(max_examples=6, suppress_health_check=[HealthCheck.large_base_example, HealthCheck.too_slow])
def test_a_key_is_found_wherever_it_lies_in_a_line_without_an_end(before: int, after: int, value: str) -> None:
    filler = b"x " * (before // 2) + value.encode() + b" y" * (after // 2)
    assert [line for _, line in found(value, filler)] in ([1], [1, 1])


@given(offset=st.integers(0, 3 * BLOCK), value=VENDOR)
@settings(max_examples=6, suppress_health_check=[HealthCheck.large_base_example])
def test_a_key_is_found_wherever_blocks_of_a_binary_are_cut(offset: int, value: str) -> None:
    for coding in ("ascii", "utf-16-le"):
        data = (
            b"\x7fELF\x01\x02" + b"\xff\x00" * (offset // 2) + b"\x01\x02" + value.encode(coding) + b"\x01\x02\x03" * 99
        )
        assert found(value, data), coding


def test_the_line_that_is_told_is_the_values_own() -> None:
    for end in ("\n", "\r\n", "\0"):
        text = end.join([*(f"line {number}" for number in range(1, 40_000)), "key=abcdefgh", "more", ""])
        assert found("abcdefgh", text.encode()) == [(Where("-"), 40_000)], repr(end)


@given(data=st.binary(max_size=2000))
@settings(max_examples=50)
def test_whatever_comes_is_looked_at_or_named(data: bytes) -> None:
    looking = Looking()
    for _, text in looking.at_stream("-", io.BytesIO(data)):
        for each in candidates(text.text):
            assert SHORTEST <= len(each) <= LONGEST
    assert looking.looked.files == 1


@given(data=st.data(), packing=st.sampled_from(["tar", "tar.gz", "tar.xz", "zip", "gz", "bz2", "docker save"]))
@settings(max_examples=30)
def test_an_archive_with_bytes_changed_ends_in_a_word_or_is_read(data: st.DataObject, packing: str) -> None:
    whole = bytearray(PACKINGS[packing](b"key=abcdefgh\n" * 20))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    looking = Looking()
    for _ in looking.at_stream("-", io.BytesIO(bytes(whole))):
        pass


def test_more_files_or_bytes_than_there_may_be_end_the_look_with_a_word() -> None:
    many = tar({f"f{number}": b"text\n" for number in range(30)})
    for bounds in (Bounds(files=10), Bounds(total=50)):
        with pytest.raises(TooMuch):
            list(Looking(bounds).at_stream("-", io.BytesIO(many)))


HOSTILE = {
    "blanks": " " * 300_000 + "#",
    "quotes": "\"'" * 100_000,
    "single quotes": "'" * 200_000,
    "a scheme without an end": "a" * 300_000 + "://",
    "separators": "=:/@&" * 50_000,
    "escapes": '\\"' * 100_000,
    "blocks": "a: |\n" * 30_000,
    "deeper blocks": "".join(f"{' ' * (number % 200)}a: |\n" for number in range(10_000)),
    "percents": "%25" * 60_000,
    "base64": "QUJD" * 60_000,
    "assignments": "A=b " * 50_000,
    "URLs": "x://a:b@" * 30_000,
}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_takes_about_linear_time(text: str) -> None:
    """By the number of letters in all candidates, which is what the time goes into: no clock is asked."""
    work = 0
    for piece in texts(io.BytesIO(HOSTILE[text].encode())):
        work += sum(len(each) for each in candidates(piece.text))
    assert work < 300 * len(HOSTILE[text])
