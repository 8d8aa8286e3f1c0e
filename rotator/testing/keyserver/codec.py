"""Values of the keyserver as JSON and back. What comes in is checked; a complaint names the field, never its value.

Instants of keys are RFC 3339 in UTC, as providers write them; those of log records are epoch seconds. An endless
duration is the string "inf".
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

from rotator.testing.keyserver.behaviour import Behaviour, Fault, FaultKind, Operation, RetryAfter
from rotator.testing.keyserver.errors import BadRequest
from rotator.testing.keyserver.keys import Key, KeyState, Listed, Wish
from rotator.testing.keyserver.log import Record

Json = Mapping[str, object]
MOST_TEXT = 4096
Decoder = Callable[[Any], Any]


def parse(body: bytes) -> dict[str, object]:
    """Read a JSON object; an empty body is an empty one. Raises BadRequest."""
    try:
        value = json.loads(body) if body else {}
    except ValueError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return value


def decode(given: Json, decoders: Mapping[str, Decoder]) -> dict[str, Any]:
    """Each field by its decoder. Raises BadRequest for one that is unknown or does not fit."""
    decoded = {}
    for name, value in given.items():
        if name not in decoders:
            raise BadRequest(f"there is no field {name[:40]!r}")
        try:
            decoded[name] = decoders[name](value)
        except (TypeError, ValueError) as error:
            raise BadRequest(f"the field {name} does not fit") from error
    return decoded


def whole(query: Mapping[str, str], name: str) -> int | None:
    """Read a number of a query; None if it is not there. Raises BadRequest."""
    given = query.get(name)
    if given is not None and not re.fullmatch("[0-9]{1,12}", given):
        raise BadRequest(f"the parameter {name} is not a number")
    return None if given is None else int(given)


# -- decoders of one field --------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > MOST_TEXT or not value.isprintable():
        raise ValueError
    return value


def _secret(value: object) -> str:
    # it must fit into an Authorization header
    text = _text(value)
    if not text.isascii() or " " in text:
        raise ValueError
    return text


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> float:
    if value == "inf":
        return math.inf
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _positive(value: object) -> float:
    number = _number(value)
    if not 0 < number < math.inf:
        raise ValueError
    return number


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(_text(item) for item in value)


def _optional(decoder: Decoder) -> Decoder:
    return lambda value: None if value is None else decoder(value)


def _faults(value: object) -> tuple[Fault, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(row, dict) for row in value):
        raise TypeError
    return tuple(Fault(**decode(row, _FAULT)) for row in value)


_FAULT: Mapping[str, Decoder] = {
    "kind": FaultKind,
    "operation": _optional(Operation),
    "calls": _optional(_whole),
    "skip": _whole,
    "probability": _number,
    "seconds": _optional(_number),
    "status": _whole,
}

_BEHAVIOUR: Mapping[str, Decoder] = {
    **dict.fromkeys(("latency", "jitter", "propagation", "death", "flapping", "list_lag"), _number),
    **dict.fromkeys(("marks", "disable", "expiry", "last_used", "identify", "in_place"), _flag),
    **dict.fromkeys(("burst", "page_size", "seed"), _whole),
    "rate": _optional(_positive),
    "throttled": lambda value: frozenset(Operation(name) for name in _texts(value)),
    "retry_after": RetryAfter,
    "cap": _optional(_whole),
    "slots": _texts,
    "admins": _optional(_text),
    "faults": _faults,
}

_WISH: Mapping[str, Decoder] = {
    "mark": _optional(_text),
    "slot": _optional(_text),
    "expects": _optional(_text),
    "secret": _optional(_secret),
    "fingerprint": _optional(_text),
    "expires_in": _optional(_positive),
    "scopes": _optional(_texts),
}

# -- whole values -----------------------------------------------------------------------------------------------------


def changed(behaviour: Behaviour, changes: Json) -> Behaviour:
    """Tell the given fields anew. Raises BadRequest."""
    decoded = decode(changes, _BEHAVIOUR)
    try:
        return replace(behaviour, **decoded)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def behaviour_json(behaviour: Behaviour) -> dict[str, object]:
    return changes_json({field.name: getattr(behaviour, field.name) for field in fields(behaviour)})


def changes_json(changes: Mapping[str, Any]) -> dict[str, object]:
    """Write some fields of a behaviour as `changed` reads them."""
    return {name: _field_json(name, value) for name, value in changes.items()}


def fault_json(fault: Fault) -> dict[str, object]:
    return {name: _endless(value) for name, value in asdict(fault).items()}


def fault(given: Json) -> Fault:
    """Read one row of the faults. Raises BadRequest."""
    row: Fault = decode({"faults": [given]}, _BEHAVIOUR)["faults"][0]
    return row


def _field_json(name: str, value: Any) -> object:
    if name == "faults":
        return [fault_json(fault) for fault in value]
    if name == "throttled":
        return sorted(value)
    return list(value) if isinstance(value, tuple) else _endless(value)


def wish(given: Json) -> Wish:
    """Read what the body of a mint asks for. Raises BadRequest."""
    return Wish(**decode(given, _WISH))


def wanted_state(given: Json) -> KeyState:
    """Read `enabled` or `disabled`; deleting has its own method. Raises BadRequest."""
    state: KeyState | None = decode(given, {"state": KeyState}).get("state")
    if state is None or state is KeyState.DELETED:
        raise BadRequest("the field state must be enabled or disabled")
    return state


def wanted_mark(given: Json) -> str | None:
    """Read the mark that a key shall have, null for none. Raises BadRequest."""
    if "mark" not in given:
        raise BadRequest("the field mark is missing")
    mark: str | None = decode(given, {"mark": _WISH["mark"]})["mark"]
    return mark


def made_json(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "principal": key.principal,
        "mark": key.mark,
        "created_at": instant(key.created_at),
        "created_by": key.created_by,
        "state": key.state,
    }


def listed_json(row: Listed) -> dict[str, object]:
    return {
        "id": row.id,
        "mark": row.mark,
        "state": row.state,
        "created_at": instant(row.created_at),
        "created_by": row.created_by,
        "last_used_at": instant(row.last_used_at),
        "last_used_by": row.last_used_by,
        "expires_at": instant(row.expires_at),
        "slot": row.slot,
        "scopes": row.scopes,
        "hint": row.hint,
    }


def record_json(record: Record) -> dict[str, object]:
    return asdict(record)


def record(given: Mapping[str, Any]) -> Record:
    """Read a record from a keyserver's own answer; not for input of strangers."""
    fault = given["fault"]
    return Record(**{**given, "operation": Operation(given["operation"]), "fault": fault and FaultKind(fault)})


def instant(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _endless(value: object) -> object:
    return "inf" if value == math.inf else value
