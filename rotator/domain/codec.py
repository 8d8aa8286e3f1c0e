"""Values as JSON and back: whatever crosses a port can cross a pipe.

Text, numbers, truth and None are themselves. An instant is RFC 3339 in UTC, a duration its seconds, an enum its value,
a tuple or set a list, a mapping an object, a dataclass an object with all its fields, a `Secret` {"parts": {…}}, a
failure an object with its type's name. Reading is strict: every field, none besides, each of its declared type, texts
and lists bounded. Complaints name the place and never what stood there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from rotator.domain import failures, scalars
from rotator.domain.failures import Failure
from rotator.domain.scalars import CodecError
from rotator.domain.secret import SECRET_TEXT, Secret
from rotator.domain.times import LONGEST, format_time

__all__ = ["CodecError", "decode", "encode"]

T = TypeVar("T")
Decoder = Callable[[Any, str], Any]


# -- writing ---------------------------------------------------------------------------------------------------------


def encode(value: object, *, reveal: bool = False) -> Any:
    """The value as what `json.dumps` takes.

    Raises `TypeError` for what has no JSON form, which a secret has only with `reveal`, and `CodecError` for a value
    that could not be read back.
    """
    if isinstance(value, Secret):
        if not reveal:
            raise TypeError("a secret is not encoded unless asked for")
        return {"parts": {name: scalars.text(text, "a secret") for name, text in value.parts().items()}}
    if isinstance(value, Failure):
        return _encode_failure(value)
    if isinstance(value, Mapping):
        return {_key(name): encode(each, reveal=reveal) for name, each in scalars.few(value, "a mapping").items()}
    if isinstance(value, tuple):
        return [encode(each, reveal=reveal) for each in scalars.few(value, "a tuple")]
    if isinstance(value, frozenset):
        return sorted((encode(each, reveal=reveal) for each in scalars.few(value, "a set")), key=repr)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _encode_field(value, each, reveal=reveal) for each in fields(value)}
    return _encode_scalar(value)


def _encode_field(value: object, field: Field[Any], *, reveal: bool) -> Any:
    part = getattr(value, field.name)
    if part is not None and not reveal and field.metadata == SECRET_TEXT:
        raise TypeError("a secret is not encoded unless asked for")
    return encode(part, reveal=reveal)


def _encode_scalar(value: object) -> Any:
    if isinstance(value, Enum):
        return _encode_scalar(value.value)
    if value is None or isinstance(value, bool):
        return value
    what = type(value).__name__
    for kind, check in ((str, scalars.text), (int, scalars.whole), (float, scalars.number)):
        if isinstance(value, kind):
            return check(value, what)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise CodecError(what, "names no time zone")
        return format_time(value)
    if isinstance(value, timedelta):
        return scalars.number(value.total_seconds(), what, most=LONGEST.total_seconds())
    raise TypeError(f"a {what} has no JSON form")


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError("the names of a mapping are texts")
    return scalars.text(name, "a name")


def _encode_failure(failure: Failure) -> dict[str, Any]:
    # a driver's own subclass travels as the failure that it is to the engine
    kind = next(each for each in type(failure).__mro__ if _FAILURES.get(each.__name__) is each)
    parts = {name: getattr(failure, name) for name in _PARAMETERS[kind.__name__]}
    return {
        "failure": kind.__name__,
        **{name: scalars.line(part, name) if isinstance(part, str) else encode(part) for name, part in parts.items()},
    }


# -- reading ---------------------------------------------------------------------------------------------------------


@overload
def decode(kind: type[T], data: object) -> T: ...
@overload
def decode(kind: Any, data: object) -> Any: ...
def decode(kind: Any, data: object) -> Any:
    """The value of that type: a class, or what stands in a type hint, like `tuple[Key, ...]`.

    `Failure` reads any failure, control characters in its texts replaced and the texts cut. Raises `CodecError`.
    """
    return _decoder(kind)(data, getattr(kind, "__name__", None) or str(kind))


@cache
def _decoder(kind: Any) -> Decoder:
    """How to read that type; type hints are resolved once."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        # None first, so that a complaint is about the type that was meant
        return _any_of(tuple(_decoder(each) for each in sorted(args, key=lambda each: each is not NoneType)))
    if origin is tuple:
        return _tuple_of(args)
    if origin is frozenset:
        return _set_of(_decoder(args[0]))
    if origin is not None and issubclass(origin, Mapping) and args[0] is str:
        return _mapping_of(_decoder(args[1]))
    if isinstance(kind, type):
        if issubclass(kind, Enum):
            return _member_of(kind)
        if issubclass(kind, Failure):
            return _failure_of(kind)
        if is_dataclass(kind):
            return _dataclass(kind)
    raise TypeError(f"{kind} has no JSON form")


def _dataclass(kind: type[Any]) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {each.name: _decoder(hints[each.name]) for each in fields(kind)}

    def read(data: Any, where: str) -> Any:
        given = _exactly(data, decoders.keys(), where)
        values = {name: decoder(given[name], f"{where}.{name}") for name, decoder in decoders.items()}
        try:
            return kind(**values)
        except (TypeError, ValueError):
            pass  # raised below: beneath this handler the error would carry what was read as its context
        raise CodecError(where, "contradicts itself")

    return read


def _failure_of(kind: type[Failure]) -> Decoder:
    def read(data: Any, where: str) -> Failure:
        name = data.get("failure") if isinstance(data, dict) else None
        named = _FAILURES.get(name) if isinstance(name, str) else None
        if named is None or not issubclass(named, kind):
            raise CodecError(where, "is no such failure")
        hints = _PARAMETERS[named.__name__]
        given = _exactly(data, {"failure", *hints}, where)
        readers = {name: scalars.line if hint is str else _decoder(hint) for name, hint in hints.items()}
        return named(**{name: reader(given[name], f"{where}.{name}") for name, reader in readers.items()})

    return read


def _any_of(decoders: tuple[Decoder, ...]) -> Decoder:
    def read(data: Any, where: str) -> Any:
        for decoder in decoders[:-1]:
            try:
                return decoder(data, where)
            except CodecError:
                continue
        return decoders[-1](data, where)

    return read


def _tuple_of(args: tuple[Any, ...]) -> Decoder:
    """Of any length and one type, or of a type for each place."""
    if args[1:] == (Ellipsis,):
        return _list_of(_decoder(args[0]))
    return _row_of(tuple(_decoder(each) for each in args))


def _list_of(decoder: Decoder) -> Decoder:
    def read(data: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(data, list):
            raise CodecError(where, "is no list")
        return tuple(decoder(each, f"{where}[{index}]") for index, each in enumerate(scalars.few(data, where)))

    return read


def _row_of(decoders: tuple[Decoder, ...]) -> Decoder:
    def read(data: Any, where: str) -> tuple[Any, ...]:
        if not isinstance(data, list) or len(data) != len(decoders):
            raise CodecError(where, f"is no list of {len(decoders)}")
        pairs = enumerate(zip(decoders, data, strict=True))
        return tuple(decoder(each, f"{where}[{index}]") for index, (decoder, each) in pairs)

    return read


def _set_of(decoder: Decoder) -> Decoder:
    members = _list_of(decoder)

    def read(data: Any, where: str) -> frozenset[Any]:
        found = members(data, where)
        if len(frozenset(found)) < len(found):
            raise CodecError(where, "has a member twice")
        return frozenset(found)

    return read


def _mapping_of(decoder: Decoder) -> Decoder:
    def read(data: Any, where: str) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise CodecError(where, "is no object")
        return {
            scalars.text(name, where): decoder(each, f"{where}[…]") for name, each in scalars.few(data, where).items()
        }

    return read


def _member_of(kind: type[Enum]) -> Decoder:
    members = {each.value: each for each in kind}

    def read(data: Any, where: str) -> Enum:
        if not isinstance(data, str) or data not in members:
            raise CodecError(where, f"is no {kind.__name__}")
        return members[data]

    return read


# -- one value -------------------------------------------------------------------------------------------------------


def _exactly(data: Any, names: Collection[str], where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise CodecError(where, "is no object")
    missing = sorted(set(names) - set(data))
    if missing:
        raise CodecError(where, f"lacks {', '.join(missing)}")
    if len(data) > len(names):
        raise CodecError(where, "has a field that it should not have")
    return data


def _secret(data: Any, where: str) -> Secret:
    parts = _mapping_of(scalars.text)(_exactly(data, {"parts"}, where)["parts"], where)
    if not parts:
        raise CodecError(where, "has no parts")
    return Secret(parts)


_SCALARS: dict[Any, Decoder] = {
    NoneType: scalars.nothing,
    str: scalars.text,
    bool: scalars.flag,
    int: scalars.whole,
    float: scalars.number,
    datetime: scalars.instant,
    timedelta: scalars.duration,
    Secret: _secret,
}

_FAILURES: dict[Any, type[Failure]] = {
    name: each for name, each in vars(failures).items() if isinstance(each, type) and issubclass(each, Failure)
}


_PARAMETERS: dict[str, dict[str, Any]] = {
    name: {each: hint for each, hint in get_type_hints(kind.__init__).items() if each != "return"}
    for name, kind in _FAILURES.items()
}
"""What each failure is made of: the parameters of its `__init__`, which are its attributes too."""
