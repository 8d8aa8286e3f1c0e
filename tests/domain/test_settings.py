"""Reading a driver's settings: what is wrong is named, what stood there is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rotator import sdk
from rotator.domain.settings import Settings, SettingsError

WORDS = {"one": 1, "two": 2}
READERS: dict[str, Callable[[Settings], Any]] = {
    "text": lambda read: read.text("it"),
    "choice": lambda read: read.choice("it", WORDS),
    "texts": lambda read: read.texts("it"),
    "flag": lambda read: read.flag("it"),
    "whole": lambda read: read.whole("it", least=1),
    "duration": lambda read: read.duration("it"),
}
GOOD: list[tuple[str, Any, Any]] = [
    ("text", "x", "x"),
    ("choice", "two", 2),
    ("texts", ["a", "b"], ("a", "b")),
    ("texts", [], ()),
    ("flag", False, False),
    ("whole", 1, 1),
    ("duration", "90s", timedelta(seconds=90)),
    ("duration", timedelta(milliseconds=5), timedelta(milliseconds=5)),
]
BAD: list[tuple[str, Any]] = [
    ("text", ""),
    ("text", 5),
    ("choice", "three"),
    ("texts", "ab"),
    ("texts", ["a", "a"]),
    ("texts", [1]),
    ("flag", "yes"),
    ("flag", 1),
    ("whole", 0),
    ("whole", True),
    ("whole", 1.0),
    ("duration", 90),
    ("duration", "soon"),
    ("duration", timedelta(-1)),
]


@pytest.mark.parametrize(("reader", "given", "value"), GOOD)
def test_a_setting_is_read_as_what_it_means(reader: str, given: Any, value: Any) -> None:
    read = Settings({"it": given})
    assert READERS[reader](read) == value
    read.finish()


@pytest.mark.parametrize(("reader", "given"), BAD)
def test_a_setting_of_another_form_is_refused_with_a_hint(reader: str, given: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        READERS[reader](Settings({"it": given}))
    assert caught.value.message.startswith("it")
    assert caught.value.hint


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_setting_that_is_missing_is_an_error_without_a_default(reader: str) -> None:
    with pytest.raises(SettingsError, match="it is missing"):
        READERS[reader](Settings({}))


def test_a_default_stands_in_for_what_is_missing() -> None:
    read = Settings({})
    assert read.text("a", "x") == "x"
    assert read.choice("b", WORDS, "one") == 1
    assert read.texts("c", ()) == ()
    assert read.flag("d", False) is False
    assert read.whole("e", 0, 0) == 0
    assert read.duration("f", timedelta(0)) == timedelta(0)
    read.finish()


def test_a_setting_that_nobody_read_is_refused_with_the_nearest_one() -> None:
    read = Settings({"base_url": "x", "list_lagg": "1s"})
    read.text("base_url")
    read.duration("list_lag", timedelta(0))
    with pytest.raises(SettingsError) as caught:
        read.finish()
    assert (caught.value.message, caught.value.hint) == ("'list_lagg' is not known", "did you mean list_lag?")


def test_a_value_in_the_wrong_place_is_not_shown() -> None:
    for reader in ("flag", "whole", "duration", "texts"):
        with pytest.raises(SettingsError) as caught:
            READERS[reader](Settings({"it": "sk-live-0123456789"}))
        assert "sk-live" not in f"{caught.value!r}{caught.value.hint}"


def test_where_all_names_are_known_a_stranger_is_refused_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings({"adress": "x"}, known=("address", "mount"))
    assert (caught.value.message, caught.value.hint) == ("'adress' is not known", "did you mean address?")


def test_what_is_wrong_within_a_table_is_named_with_the_table() -> None:
    table = Settings({"auth": {"method": 5}}).table("auth", ("method",))
    with pytest.raises(SettingsError, match=r"^auth\.method is not text"):
        table.text("method")


def test_a_table_that_was_read_is_not_complained_about() -> None:
    read = Settings({"auth": {}})
    with pytest.raises(SettingsError, match="'auth' is not known"):
        read.finish()
    read.table("auth", ("method",))
    read.finish()


def test_a_choice_among_words_is_the_word() -> None:
    assert Settings({"it": "two"}).choice("it", ("one", "two")) == "two"


def test_what_is_left_empty_is_as_if_it_were_not_there() -> None:
    assert not Settings({"cap": None}).has("cap")
    assert Settings({"cap": 0}).has("cap")


def test_a_driver_gets_the_same_reader_from_the_sdk() -> None:
    assert (sdk.Settings, sdk.SettingsError) == (Settings, SettingsError)


def test_a_tree_is_whatever_stands_there_and_is_read_then() -> None:
    read = Settings({"body": {"a": [1, {"b": None}]}})
    assert read.tree("body") == {"a": [1, {"b": None}]}
    assert read.tree("nothing") is None
    read.finish()
