"""The one object of `--json`, checked key by key as INTERFACE fixes it: nothing may be missing and nothing added."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], None]


def check_report(data: Any) -> None:
    """Raises `AssertionError` for anything that scripts could stumble over."""
    _object(incident=_maybe(_text), rotations=_list(_rotation), foreign_keys=_list(_foreign), coverage=_coverage)(data)


def _text(value: Any) -> None:
    assert isinstance(value, str), value


def _flag(value: Any) -> None:
    assert isinstance(value, bool), value


def _number(value: Any) -> None:
    assert isinstance(value, int), value
    assert not isinstance(value, bool), value


def _time(value: Any) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value), value


def _one_of(*words: object) -> Check:
    def check(value: Any) -> None:
        assert any(value is word or (value == word and isinstance(word, str)) for word in words), value

    return check


def _maybe(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _list(check: Check) -> Check:
    def each(value: Any) -> None:
        assert isinstance(value, list), value
        for one in value:
            check(one)

    return each


def _object(**members: Check) -> Check:
    def check(value: Any) -> None:
        assert isinstance(value, dict), value
        assert value.keys() == members.keys()
        for name, one in members.items():
            one(value[name])

    return check


PHASES = (
    *("planned", "containing", "minting", "staging", "promoting", "live", "retiring"),
    *("rolling_back", "withdrawing", "sweeping", "stuck", "done", "rolled_back", "superseded"),
)
_coverage = _object(
    **dict.fromkeys(("selected", "done", "rolled_back", "stuck", "waiting", "proven", "exposed", "unknown"), _number)
)
_foreign = _object(
    provider=_text,
    principal=_text,
    key_id=_text,
    name=_text,
    created_at=_maybe(_time),
    created_by=_text,
    last_used_at=_maybe(_time),
    in_window=_flag,
    state=_one_of("alive", "deleted", "absent"),
    why=_text,
)
_rotation = _object(
    credential=_text,
    rotation=_maybe(_text),
    mode=_maybe(_one_of("scheduled", "manual", "compromise", "contain_first")),
    phase=_maybe(_one_of(*PHASES)),
    waiting=_maybe(_object(**{"for": _one_of("time", "quiet", "person", "store", "window"), "until": _maybe(_time)})),
    exposed=_one_of(True, False, "unknown", None),
    old_keys=_list(
        _object(
            key_id=_text,
            state=_one_of("enabled", "disabled", "deleted"),
            proof=_one_of("refused", "absent", "unproven"),
            dead_at=_maybe(_time),
        )
    ),
    new_key=_maybe(_object(key_id=_text, minted_at=_maybe(_time))),
    stores=_list(_object(store=_text, ref=_text, version=_maybe(_text), promoted_at=_maybe(_time), left_behind=_flag)),
    started_at=_maybe(_time),
    ended_at=_maybe(_time),
    error=_maybe(_object(message=_text, hint=_text)),
)
