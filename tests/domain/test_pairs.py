"""Pairs are a mapping like any other, but smaller."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.codec import encode
from rotator.domain.pairs import Pairs

texts = st.text(max_size=3)


@given(st.dictionaries(texts, texts | st.tuples(texts), max_size=4), texts)
def test_pairs_are_the_mapping_that_they_were_made_of(said: dict[str, Any], name: str) -> None:
    pairs = Pairs(said)
    assert pairs == said
    assert said == pairs
    assert list(pairs.items()) == list(said.items())
    assert len(pairs) == len(said)
    assert pairs.get(name) == said.get(name)
    assert (name in pairs) == (name in said)
    assert pairs != {**said, name + "x": "another"}
    assert pickle.loads(pickle.dumps(pairs)) == copy.deepcopy(pairs) == pairs  # noqa: S301
    assert repr(pairs) == repr(said)
    assert encode(pairs) == encode(said)


def test_a_name_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nobody"):
        Pairs({"somebody": "nobody"})["nobody"]


def test_pairs_take_less_than_a_dict() -> None:
    said = {"service_account": "svc"}
    pairs = Pairs(said)
    assert sys.getsizeof(pairs) + sys.getsizeof(pairs._names_and_values) < 2 / 3 * sys.getsizeof(said)
