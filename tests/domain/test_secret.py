"""A secret shows no part in any way that happens by accident."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pprint import pformat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.failures import Permanent
from rotator.domain.keys import Minted, MintRequest
from rotator.domain.secret import HIDDEN, Fingerprinter, Secret

CLEAR = "sk-live-Xy7$(very)private"
NAME = "app-user-private"
VALUE = Secret({"secret": CLEAR, "user": NAME})


@dataclass(frozen=True)
class Holder:
    value: Secret
    many: tuple[Secret, ...] = ()


SHOWN: dict[str, Callable[[], str]] = {
    "str": lambda: str(VALUE),
    "repr": lambda: repr(VALUE),
    "ascii": lambda: ascii(VALUE),
    "format": lambda: format(VALUE, ">40"),
    "f-string": lambda: f"{VALUE} {VALUE!s} {VALUE!r} {VALUE:>99}",
    "percent": lambda: "%s %r" % (VALUE, VALUE),  # noqa: UP031
    "str.format": lambda: "{} {0!r}".replace("{}", "{0}").format(VALUE),
    "a list": lambda: str([VALUE]),
    "a dict": lambda: str({"value": VALUE}),
    "pprint": lambda: pformat({"value": [VALUE]}),
    "a dataclass": lambda: repr(Holder(VALUE, (VALUE,))),
    "json with a default": lambda: json.dumps({"value": VALUE}, default=str),
    "a log record": lambda: logging.LogRecord("n", 20, "f", 1, "got %s and %r", (VALUE, VALUE), None).getMessage(),
    "an exception": lambda: repr(ValueError(VALUE)) + str(ValueError(VALUE)),
    "a failure": lambda: repr(Permanent(f"refused {VALUE}", f"{VALUE}")),
    "a missing part": lambda: _message(lambda: VALUE.reveal("nothing")),
    "a minted key": lambda: repr(Minted(key_id="k1", value=VALUE)),
    "a mint request": lambda: repr(MintRequest(mark="m", chosen=VALUE)),
    "its names": lambda: repr(VALUE.names) + repr(list(VALUE)),
    "its hash": lambda: str(hash(VALUE)),
    "its fingerprint": lambda: Fingerprinter(b"k" * 32).of(VALUE, "secret"),
    "the fingerprinter": lambda: repr(Fingerprinter(CLEAR.encode())) + str(Fingerprinter(NAME.encode())),
}


def _message(act: Callable[[], object]) -> str:
    with pytest.raises(Exception) as caught:
        act()
    return "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.mark.parametrize("way", SHOWN)
def test_no_way_of_showing_a_secret_shows_a_part(way: str) -> None:
    shown = SHOWN[way]()
    assert CLEAR not in shown
    assert NAME not in shown


@pytest.mark.parametrize("spec", ["", "s", ">40", "{}", "q"])
def test_no_format_makes_it_show_or_fail(spec: str) -> None:
    assert format(VALUE, spec) == HIDDEN


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_never_pickled_under_any_protocol(protocol: int) -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(VALUE, protocol)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Holder(VALUE), protocol)


@pytest.mark.parametrize("act", [copy.copy, copy.deepcopy, lambda value: asdict(Holder(value))])
def test_it_is_not_copied_behind_anybody_s_back(act: Callable[[Secret], object]) -> None:
    assert CLEAR not in _message(lambda: act(VALUE))


def test_a_frozen_holder_is_replaced_without_copying_it() -> None:
    assert replace(Holder(VALUE), many=(VALUE,)).value is VALUE


def test_it_cannot_be_written_as_json_by_accident() -> None:
    assert CLEAR not in _message(lambda: json.dumps({"value": VALUE}))


def test_it_has_no_dict_that_a_debugger_or_a_logger_would_print() -> None:
    with pytest.raises(TypeError):
        vars(VALUE)


def test_a_traceback_with_the_locals_of_every_frame_shows_no_part() -> None:
    def fails(value: Secret, holder: Holder, request: MintRequest) -> None:
        found = {"value": value}
        raise RuntimeError(f"no {found} in {holder} {request}")

    with pytest.raises(RuntimeError) as caught:
        fails(VALUE, Holder(VALUE), MintRequest(mark="m", chosen=VALUE))
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "holder = " in shown  # the locals are there
    assert CLEAR not in shown
    assert NAME not in shown


@pytest.mark.parametrize("parts", [{}, {"secret": 5}, {"secret": None}, {"secret": CLEAR.encode()}, {5: CLEAR}])
def test_what_is_no_mapping_of_names_to_text_is_refused_without_showing_it(parts: dict[str, str]) -> None:
    with pytest.raises(TypeError) as caught:
        Secret(parts)
    assert CLEAR not in repr(caught.value)


def test_reveal_and_parts_are_the_ways_to_the_text() -> None:
    assert VALUE.reveal("secret") == CLEAR
    assert VALUE.parts() == {"secret": CLEAR, "user": NAME}


def test_changing_what_it_was_made_of_or_what_it_gave_away_changes_nothing() -> None:
    parts = {"secret": CLEAR}
    value = Secret(parts)
    parts["secret"] = "other"
    value.parts()["secret"] = "other"
    assert value.reveal("secret") == CLEAR


def test_two_secrets_are_equal_when_all_their_parts_are() -> None:
    assert Secret({"user": NAME, "secret": CLEAR}) == VALUE
    assert hash(Secret({"user": NAME, "secret": CLEAR})) == hash(VALUE)
    assert Secret({"secret": CLEAR}) != VALUE
    assert Secret({"secret": CLEAR, "user": "another"}) != VALUE
    assert VALUE != {"secret": CLEAR, "user": NAME}


# -- fingerprints ----------------------------------------------------------------------------------------------------


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_every_text_has_a_fingerprint_of_sixteen_hexadecimal_digits(text: str) -> None:
    fingerprint = Fingerprinter(b"a" * 32).of(Secret({"secret": text}), "secret")
    assert len(fingerprint) == 16
    assert set(fingerprint) <= set("0123456789abcdef")
    assert fingerprint == Fingerprinter(b"a" * 32).of(Secret({"secret": text, "user": NAME}), "secret")


@given(st.text(), st.text())
def test_different_values_have_different_fingerprints(one: str, other: str) -> None:
    prints = Fingerprinter(b"a" * 32)
    same = prints.of(Secret({"s": one}), "s") == prints.of(Secret({"s": other}), "s")
    assert same == (one == other)


@given(st.text())
def test_another_installation_s_fingerprint_of_the_same_value_is_another(text: str) -> None:
    value = Secret({"secret": text})
    assert Fingerprinter(b"a" * 32).of(value, "secret") != Fingerprinter(b"b" * 32).of(value, "secret")


def test_text_that_utf8_cannot_say_is_no_error_that_holds_the_text() -> None:
    """A store's JSON may hold a lone surrogate, and `UnicodeEncodeError` shows in its repr what it could not encode."""
    broken = Secret({"secret": CLEAR + "\ud800"})
    prints = Fingerprinter(b"a" * 32)
    assert prints.of(broken, "secret") != prints.of(VALUE, "secret")
