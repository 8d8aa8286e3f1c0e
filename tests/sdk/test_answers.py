"""Reading what a provider answered: what is strange is said without showing it, what is long or hostile is bounded."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.domain.failures import Ambiguous, Transient
from rotator.sdk.answers import LONGEST_ID, LONGEST_LABEL, LONGEST_SECRET, Fields, after_mint

SHOWN = "super-secret-value"


def of(**members: Any) -> Fields:
    return Fields.of(members, "acme")


def test_what_an_answer_holds_is_read() -> None:
    read = of(id="key_1", on=True, at=0, on_day="2026-11-25T10:00:00Z", inner={"id": "x"}, rows=[{"id": "y"}])
    assert (read.text("id"), read.secret("id"), read.flag("on")) == ("key_1", "key_1", True)
    assert read.unix("at") == datetime(1970, 1, 1, tzinfo=UTC)
    assert of(at=1_500).millis("at") == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert read.time("on_day") == datetime(2026, 11, 25, 10, tzinfo=UTC)
    assert read.fields("inner").text("id") == "x"
    assert [row.text("id") for row in read.rows("rows")] == ["y"]


def test_counts_and_lists_of_what_people_wrote_are_read() -> None:
    assert of(count=7).whole("count") == 7
    assert of(models=["gpt 4", "a\nb"]).labels("models") == ("gpt 4", "a\ufffdb")
    assert (of(models=None).labels("models"), of().labels("models"), of(models=[]).labels("models")) == ((), (), ())


def test_a_time_that_is_not_there_is_none() -> None:
    assert (of().unix("at"), of(at=None).unix("at"), of().time("at"), of(at=None).time("at")) == (None,) * 4
    assert (of(at=None).has("at"), of().has("at"), of(at=0).has("at")) == (False, False, True)


READERS: dict[str, tuple[Callable[[Fields], object], list[Any]]] = {
    "text": (lambda read: read.text("it"), [None, "", 5, f"{SHOWN}\n", "two words", "ä", "x" * (LONGEST_ID + 1), []]),
    "secret": (lambda read: read.secret("it"), [None, "", f"{SHOWN}\n", f"{SHOWN}\x00", "x" * (LONGEST_SECRET + 1)]),
    "flag": (lambda read: read.flag("it"), [None, "true", 1]),
    "unix": (lambda read: read.unix("it"), ["1", True, -1, 2**40, float("nan"), float("inf"), SHOWN]),
    "millis": (lambda read: read.millis("it"), ["1", True, -1, 2**50, float("nan"), float("inf"), SHOWN]),
    "time": (lambda read: read.time("it"), [5, "", SHOWN, "2026-11-25T10:00:00", True]),
    "fields": (lambda read: read.fields("it"), [None, [], SHOWN]),
    "whole": (lambda read: read.whole("it"), [None, "1", True, -1, 1.5]),
    "labels": (lambda read: read.labels("it"), [SHOWN, {}, [SHOWN, 5], [None]]),
    "rows": (lambda read: read.rows("it"), [None, {}, [SHOWN], SHOWN]),
}


@pytest.mark.parametrize(
    ("read", "value"),
    [(read, value) for read, values in READERS.values() for value in values],
    ids=[f"{name}-{number}" for name, (_, values) in READERS.items() for number in range(len(values))],
)
def test_what_has_another_form_is_transient_and_not_shown(read: Callable[[Fields], object], value: Any) -> None:
    with pytest.raises(Transient, match=r"^acme answered with(out| a strange) it$") as caught:
        read(of(it=value))
    seen: BaseException | None = caught.value
    while seen is not None:
        assert SHOWN not in repr(vars(seen)) + repr(seen.args)
        seen = seen.__cause__ or seen.__context__
    assert SHOWN not in "".join(traceback.format_exception(caught.value)).replace(repr(SHOWN), "")


@pytest.mark.parametrize("body", [None, [], "text", 5])
def test_an_answer_that_is_no_object_is_transient(body: Any) -> None:
    with pytest.raises(Transient, match="another form"):
        Fields.of(body, "acme")


def test_what_people_wrote_is_bounded_and_never_a_failure() -> None:
    assert of(name="a\x1b[31m\nb$(reboot)<b>ä").label("name") == "a\ufffd[31m\ufffdb$(reboot)<b>ä"
    assert len(of(name="x" * 10_000).label("name")) == LONGEST_LABEL
    for other in (None, 5, ["a"]):
        assert of(name=other).label("name") == ""


def test_what_cannot_be_read_of_a_mints_answer_leaves_a_key_behind() -> None:
    with pytest.raises(Ambiguous, match="there may be a key"), after_mint():
        of(value=f"{SHOWN}\n").secret("value")
    with after_mint():
        assert of(value=SHOWN).secret("value") == SHOWN


def test_an_answer_shows_nothing_of_itself() -> None:
    assert SHOWN not in repr(of(value=SHOWN))
