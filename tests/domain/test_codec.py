"""The codec: everything that crosses a port comes back equal, and nothing else is read."""

from __future__ import annotations

import inspect
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator import ports
from rotator.domain import failures
from rotator.domain.codec import CodecError, decode, encode
from rotator.domain.consumers import ConsumerState, Heard, News
from rotator.domain.failures import Ambiguous, Denied, Failure, Permanent, Transient
from rotator.domain.keys import OVERLAP, Capabilities, Key, KeyState, Minted, MintRequest, Strategy
from rotator.domain.records import Event
from rotator.domain.rotation import Rotation
from rotator.domain.scalars import MOST_ITEMS, MOST_OF_A_MESSAGE, MOST_TEXT
from rotator.domain.secret import Secret
from rotator.domain.times import LONGEST

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
KEY = Key(id="key-1", state=KeyState.ENABLED, created_at=NOW, grant=("read",))
SECRET = Secret({"user": "app", "password": "hunter2-hunter2"})


# -- what crosses a port ---------------------------------------------------------------------------------------------


def inside(hint: Any) -> Iterator[type]:
    """The dataclasses that a type hint mentions, and those that they mention."""
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
        for inner in get_type_hints(hint).values():
            yield from inside(inner)
    for argument in get_args(hint):
        yield from inside(argument)


def crossing() -> list[type]:
    """Every dataclass that a method of a port takes or gives."""
    found: set[type] = set()
    for port in (each for each in vars(ports).values() if getattr(each, "_is_protocol", False)):
        for method in (each for each in vars(port).values() if inspect.isfunction(each)):
            for hint in get_type_hints(method).values():
                found.update(inside(hint))
    return sorted(found, key=lambda each: each.__name__)


CROSSING = crossing()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SECRETS = st.builds(Secret, st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3))
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(-(2**63) + 1, 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    NoneType: st.none(),
    datetime: st.datetimes(datetime(2, 1, 1), datetime(9999, 1, 1), timezones=ZONES),  # noqa: DTZ001
    timedelta: st.timedeltas(-LONGEST, LONGEST),
    Secret: SECRETS,
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, as a type hint writes it."""
    if hint in VALUES:
        return VALUES[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return st.one_of(*(values(each) for each in arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=3)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(TEXTS, values(arguments[1]), max_size=3)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{each.name: values(hints[each.name]) for each in fields(hint)})
    return st.sampled_from(list(hint))


def through(kind: Any, value: Any) -> Any:
    return decode(kind, json.loads(json.dumps(encode(value, reveal=True), allow_nan=False)))


def test_the_values_of_the_ports_are_found() -> None:
    assert {Capabilities, Strategy, Key, Minted, MintRequest, Rotation, ports.Stored, ports.Change} <= set(CROSSING)
    assert {News, Heard, ConsumerState, ports.Way} <= set(CROSSING)
    assert len(CROSSING) > 20


@pytest.mark.parametrize("kind", CROSSING, ids=lambda kind: kind.__name__)
def test_whatever_crosses_a_port_comes_back_equal(kind: type) -> None:
    @given(values(kind))
    def comes_back(value: Any) -> None:
        back: Any = through(kind, value)
        assert back == value
        assert type(back) is kind

    comes_back()


@pytest.mark.parametrize("kind", CROSSING, ids=lambda kind: kind.__name__)
def test_a_field_too_few_or_too_many_is_refused(kind: type) -> None:
    @given(values(kind), st.data())
    def refused(value: Any, data: st.DataObject) -> None:
        written = encode(value, reveal=True)
        gone = data.draw(st.sampled_from(sorted(written)))
        with pytest.raises(CodecError, match=gone):
            decode(kind, {name: each for name, each in written.items() if name != gone})
        with pytest.raises(CodecError):
            decode(kind, {**written, "besides": None})

    refused()


@given(
    st.sampled_from(CROSSING),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
)
def test_any_other_json_is_refused_by_type(kind: type, data: Any) -> None:
    with pytest.raises(CodecError):
        decode(kind, data)


@given(st.data())
def test_a_field_of_another_type_is_refused_or_reads_as_the_same_json(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(CROSSING))
    written = encode(data.draw(values(kind)), reveal=True)
    name = data.draw(st.sampled_from(sorted(written)))
    other = data.draw(st.sampled_from([None, True, 7, 1.5, "text", [], ["text"], [7], {}, {"text": 7}]))
    back: Any
    try:
        back = decode(kind, {**written, name: other})
    except CodecError as refused:
        message = str(refused)
    else:
        assert encode(back, reveal=True)[name] == other
        return
    assert name in message


# -- one value -------------------------------------------------------------------------------------------------------


def test_a_value_reads_well() -> None:
    assert encode(KEY) == {
        "id": "key-1",
        "state": "enabled",
        "mark": None,
        "slot": None,
        "created_at": "2026-11-23T10:00:00Z",
        "created_by": "",
        "last_used_at": None,
        "last_used_by": "",
        "expires_at": None,
        "hint": "",
        "grant": ["read"],
    }
    assert encode(Capabilities(strategy=OVERLAP))["death_window"] == 120.0


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (str, 7),
        (str, None),
        (str, "x" * (MOST_TEXT + 1)),
        (str, "\ud800"),
        (bool, 1),
        (bool, "true"),
        (int, True),
        (int, 1.0),
        (int, "1"),
        (int, 2**63),
        (float, True),
        (float, "1.5"),
        (float, math.nan),
        (float, math.inf),
        (datetime, "2026-11-23T10:00:00"),
        (datetime, "2026-11-23"),
        (datetime, 1780000000),
        (datetime, "9999-12-31T23:59:59-23:00"),
        (timedelta, "90s"),
        (timedelta, True),
        (timedelta, 1e300),
        (KeyState, "gone"),
        (KeyState, None),
        (KeyState, ["enabled"]),
        (tuple[str, ...], "ab"),
        (tuple[str, ...], ["a", 1]),
        (tuple[str, ...], {"a": 1}),
        (frozenset[str], ["a", "a"]),
        (Mapping[str, str], []),
        (Mapping[str, str], {"a": 1}),
        (str | None, 7),
        (str | tuple[str, ...], 7),
        (Secret, {}),
        (Secret, "hunter2"),
        (Secret, {"parts": {}}),
        (Secret, {"parts": {"a": 1}}),
        (Secret, {"parts": {"a": "b"}, "more": 1}),
        (Failure, {"failure": "SystemExit", "message": "", "hint": ""}),
        (Failure, {"failure": "Transient", "message": "", "hint": ""}),
        (Failure, {"failure": ["Transient"]}),
        (Transient, {"failure": "Permanent", "message": "", "hint": ""}),
    ],
)
def test_what_has_another_form_is_refused_and_not_shown(kind: Any, data: Any) -> None:
    with pytest.raises(CodecError) as caught:
        decode(kind, data)
    assert caught.value.__context__ is None, "an error underneath would hold what stood there"
    assert "hunter2" not in str(caught.value)


def test_a_list_without_end_is_refused() -> None:
    assert len(decode(tuple[int, ...], [1] * MOST_ITEMS)) == MOST_ITEMS
    with pytest.raises(CodecError):
        decode(tuple[int, ...], [1] * (MOST_ITEMS + 1))
    with pytest.raises(CodecError):
        decode(Mapping[str, int], {str(number): number for number in range(MOST_ITEMS + 1)})


def test_an_error_names_the_place_and_not_what_stood_there() -> None:
    written = [encode(KEY), {**encode(KEY), "created_at": "hunter2"}]
    with pytest.raises(CodecError) as caught:
        decode(tuple[Key, ...], written)
    assert str(caught.value) == "tuple[1].created_at is no instant"
    with pytest.raises(CodecError) as caught:
        decode(Event, {**encode(Event(kind=next(iter(kinds())), action="x")), "detail": {"hunter2": 5}})
    assert str(caught.value) == "Event.detail[…] is no text"


def kinds() -> Any:
    return get_type_hints(Event)["kind"]


@pytest.mark.parametrize(
    "value",
    [
        "x" * (MOST_TEXT + 1),
        "half a character \udfff",
        2**63,
        math.nan,
        -math.inf,
        datetime(2026, 1, 1),  # noqa: DTZ001
        timedelta.max,
        (1,) * (MOST_ITEMS + 1),
        {"name": "\ud800"},
        {"\ud800": 1},
        frozenset({math.inf}),
        replace(KEY, id="x" * (MOST_TEXT + 1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_could_not_be_read_back_is_not_written(value: Any) -> None:
    with pytest.raises(CodecError):
        encode(value)


@pytest.mark.parametrize("value", [object(), b"bytes", {1: 2}, 1j, Key, ["a list"], {"deep": (object(),)}])
def test_what_has_no_json_form_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        encode(value)


@pytest.mark.parametrize("kind", [object, bytes, list[int], Mapping[int, str], tuple[int, object], Any])
def test_a_type_without_a_json_form_is_not_read(kind: Any) -> None:
    with pytest.raises(TypeError):
        decode(kind, {})


@dataclass(frozen=True)
class Even:
    """A value that refuses others."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(f"{self.number} is odd")


def test_a_value_that_refuses_itself_is_refused() -> None:
    assert decode(Even, {"number": 2}) == Even(2)
    with pytest.raises(CodecError, match="Even contradicts itself"):
        decode(Even, {"number": 3})


# -- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [SECRET, Minted(key_id="k", value=SECRET), MintRequest(mark="m", chosen=SECRET), (SECRET,), {"it": SECRET}],
    ids=lambda value: type(value).__name__,
)
def test_a_secret_is_never_written_by_accident(value: Any) -> None:
    with pytest.raises(TypeError) as caught:
        encode(value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" in json.dumps(encode(value, reveal=True))


# -- failures --------------------------------------------------------------------------------------------------------

TREE = [each for each in vars(failures).values() if isinstance(each, type) and issubclass(each, Failure)]
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)


def failing(kind: type[Failure]) -> st.SearchStrategy[Failure]:
    hints = {name: hint for name, hint in get_type_hints(kind.__init__).items() if name != "return"}
    return st.builds(kind, **{name: PRINTABLE if hint is str else values(hint) for name, hint in hints.items()})


@given(st.sampled_from(TREE).flatmap(failing))
def test_a_failure_comes_back_as_the_same_failure(failure: Failure) -> None:
    back = through(Failure, failure)
    assert type(back) is type(failure)
    assert vars(back) == vars(failure)
    assert str(back) == str(failure)


def test_a_failure_can_be_asked_for_by_a_branch_of_the_tree() -> None:
    written = encode(failures.CapFull("full"))
    assert type(decode(Permanent, written)) is failures.CapFull
    with pytest.raises(CodecError):
        decode(Ambiguous, written)


def test_a_drivers_own_subclass_arrives_as_what_it_is_to_the_engine() -> None:
    class Quota(Denied):
        """Somebody's own."""

    back = through(Failure, Quota("over quota", permission="quota"))
    assert type(back) is Denied
    assert isinstance(back, Denied)
    assert (back.message, back.permission) == ("over quota", "quota")


def test_texts_of_a_failure_are_bounded_and_of_one_line() -> None:
    back = through(Failure, Denied("\x1b[31mno\r\n\ud800" + "x" * 9999, "try\tthis", permission="p\x00"))
    assert isinstance(back, Denied)
    assert back.message == " [31mno   " + "x" * (MOST_OF_A_MESSAGE - 10)
    assert (back.hint, back.permission) == ("try this", "p ")
    assert str(back) == back.message


# -- what it costs ---------------------------------------------------------------------------------------------------


def test_type_hints_are_resolved_once_for_each_class() -> None:
    code = """
import typing
resolved = []
resolve = typing.get_type_hints
typing.get_type_hints = lambda kind: resolved.append(kind) or resolve(kind)
from rotator.domain.codec import decode, encode
from rotator.domain.keys import Key, KeyState
resolved.clear()
written = encode(Key(id="k", state=KeyState.ENABLED))
for _ in range(3):
    decode(Key, written)
    decode(tuple[Key, ...], [written, written])
assert resolved == [Key], resolved
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_row_of_a_type_for_each_place_comes_back() -> None:
    row = (("introduced", 1), ("fixed", 2))
    assert decode(tuple[tuple[str, int], ...], encode(row)) == row


@pytest.mark.parametrize("data", [["a"], ["a", 1, 2], ["a", "b"], "ab", None])
def test_a_row_of_another_length_or_type_is_refused(data: Any) -> None:
    with pytest.raises(CodecError):
        decode(tuple[str, int], data)
