"""An acknowledgement proves possession of one key, for one rotation and one consumer, and nothing else does."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.acknowledgement import MOST, acknowledgement, acknowledgements, proves

WORDS = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20)
GIVEN = st.tuples(st.text(min_size=1, max_size=40), WORDS, WORDS)


@given(GIVEN, GIVEN)
def test_it_proves_exactly_what_it_was_made_of(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    made = acknowledgement(*one)
    assert proves(made, *one)
    padded = [each[0].encode("utf-8", "surrogatepass").ljust(64, b"\0") for each in (one, other)]
    same = one[1:] == other[1:] and padded[0] == padded[1]  # HMAC fills a short key with zeros
    assert proves(made, *other) is same


def test_it_is_what_the_documentation_says() -> None:
    text = b"rotator acknowledgement 1\nr1\nweb"
    assert acknowledgement("sk-1", "r1", "web") == "ack1_" + hmac.new(b"sk-1", text, hashlib.sha256).hexdigest()


@given(st.text(max_size=30), st.text(max_size=30).filter(lambda text: text[:1] not in set("0123456789abcdef")))
def test_it_is_found_in_whatever_stands_around_it(before: str, behind: str) -> None:
    made = acknowledgement("sk-1", "r1", "web")
    assert made in acknowledgements(before + made + behind)


def test_digests_of_other_things_are_not_taken_for_one_and_not_many_are_looked_at() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    assert acknowledgements(f"{digest} sha256:{digest} ack1_{digest}0 ack1_{digest[:-1]} ACK1_{digest}") == ()
    assert len(acknowledgements(f"ack1_{digest} " * 100)) == MOST
