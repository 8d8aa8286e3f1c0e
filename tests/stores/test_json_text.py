"""JSON documents are changed in place: what is not ours stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.adapters.stores import json_text
from rotator.domain.failures import Permanent

LAYOUT = """{
    "first" :1.10,
  "KEY":   "old",\t"nested": {"KEY": "theirs", "list": [1, 2.0e3,
     null]},

    "last": "\\u00e9"
}
"""

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def edited(text: str | None, **changes: str | None) -> str:
    result = json_text.edited(text, changes)
    assert result is not None
    return result


def test_a_changed_member_leaves_every_other_byte_alone() -> None:
    assert edited(LAYOUT, KEY='n"w') == LAYOUT.replace('"old"', '"n\\"w"')


def test_a_new_member_is_laid_out_like_the_last_one() -> None:
    assert edited(LAYOUT, NEW="x") == LAYOUT.replace('"\\u00e9"\n', '"\\u00e9",\n\n    "NEW": "x"\n')
    assert edited('{"a": 1}', NEW="x") == '{"a": 1, "NEW": "x"}'
    assert edited('{\n  "a": 1\n}\n', NEW="x") == '{\n  "a": 1,\n  "NEW": "x"\n}\n'
    assert json.loads(edited("{ }", NEW="x")) == {"NEW": "x"}
    assert edited(None, A="1", B="2") == '{\n  "A": "1",\n  "B": "2"\n}\n'


def test_a_removed_member_takes_its_comma_along() -> None:
    assert edited('{"a": 1, "KEY": "x", "b": 2}', KEY=None) == '{"a": 1, "b": 2}'
    assert edited('{"KEY": "x", "b": 2}', KEY=None) == '{"b": 2}'
    assert edited('{"a": 1, "KEY": "x"}', KEY=None) == '{"a": 1}'
    assert json_text.edited('{"KEY": "x"}', {"KEY": None}) is None
    assert edited('{"a": 1}', KEY=None) == '{"a": 1}'


def test_a_name_that_stands_twice_says_the_same_everywhere() -> None:
    assert edited('{"KEY": "a", "x": 1, "KEY": "b"}', KEY="new") == '{"KEY": "new", "x": 1, "KEY": "new"}'
    assert edited('{"KEY": "a", "x": 1, "KEY": "b"}', KEY=None) == '{"x": 1}'
    assert json_text.values('{"KEY": "a", "KEY": "b"}') == {"KEY": "b"}


def test_a_member_that_is_no_string_is_given_as_its_text() -> None:
    assert json_text.values('{"n": 1.10, "l": [1, 2], "s": "\\u0041", "z": null}') == {
        "n": "1.10",
        "l": "[1, 2]",
        "s": "A",
        "z": "null",
    }


@pytest.mark.parametrize(
    "broken",
    [
        "",
        " ",
        "[]",
        "null",
        '"text"',
        "{",
        '{"a"}',
        '{"a": 1,}',
        '{"a": 1}{}',
        '{"a": 1} x',
        "{1: 2}",
        '{"a" 1}',
        "[" * 9999,
    ],
)
def test_what_is_no_json_object_is_refused_and_not_shown(broken: str) -> None:
    with pytest.raises(Permanent) as refusal:
        json_text.values(broken)
    assert refusal.value.message == "the document is no JSON object"
    with pytest.raises(Permanent):
        json_text.edited(broken, {"KEY": "x"})


@given(st.dictionaries(st.text(), ANYTHING), st.none() | st.integers(0, 4), st.text(min_size=1), TEXT)
def test_the_members_of_others_and_their_order_survive_every_change(
    document: dict[str, Any], indent: int | None, name: str, value: str
) -> None:
    text = json.dumps(document, indent=indent)
    assert json.dumps(json.loads(edited(text, **{name: value}))) == json.dumps({**document, name: value})
    without = {key: each for key, each in document.items() if key != name}
    after = json_text.edited(text, {name: None})
    assert (json.dumps(json.loads(after)) if after is not None else "{}") == json.dumps(without)
