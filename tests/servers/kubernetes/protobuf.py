"""The protobuf that `kubectl create` sends, read as far as it goes for Secrets and Namespaces.

Numbers of fields: `generated.proto` of k8s.io/api/core/v1 and k8s.io/apimachinery, v1.34.
"""

from __future__ import annotations

import base64
from collections import defaultdict

from tests.servers.kubernetes.objects import Object, bad_request

MAGIC = b"k8s\0"
_VARINT, _BYTES = 0, 2
Fields = dict[int, list[bytes]]


def read(content: bytes) -> Object:
    """The object as JSON would have it. Raises `Refusal`."""
    if not content.startswith(MAGIC):
        raise bad_request("the protobuf has no prefix")
    envelope = _fields(content[len(MAGIC) :])
    kind_of = _fields(envelope[1][0])
    api_version, kind = kind_of[1][0].decode(), kind_of[2][0].decode()
    message = _fields(envelope[2][0]) if envelope[2] else defaultdict(list)
    result: Object = {"apiVersion": api_version, "kind": kind, "metadata": _metadata(_fields(message[1][0]))}
    if kind == "Secret":
        result["data"] = {key: base64.b64encode(value).decode() for key, value in _pairs(message[2])}
        result["stringData"] = {key: value.decode() for key, value in _pairs(message[4])}
        if message[3] and message[3][0]:
            result["type"] = message[3][0].decode()
        if message[5]:
            result["immutable"] = message[5][0] != b"\0"
    return result


def _metadata(message: Fields) -> Object:
    found: Object = {
        key: message[number][0].decode() for number, key in ((1, "name"), (3, "namespace")) if message[number]
    }
    for number, key in ((11, "labels"), (12, "annotations")):
        if message[number]:
            found[key] = {name: value.decode() for name, value in _pairs(message[number])}
    return {key: value for key, value in found.items() if value}


def _pairs(entries: list[bytes]) -> list[tuple[str, bytes]]:
    read_entries = [_fields(each) for each in entries]
    return [(each[1][0].decode(), each[2][0] if each[2] else b"") for each in read_entries]


def _fields(content: bytes) -> Fields:
    """Every field's values in the order in which they came; numbers as their last byte."""
    found: Fields = defaultdict(list)
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        if tag & 7 == _BYTES:
            length, at = _varint(content, at)
            found[tag >> 3].append(content[at : at + length])
            at += length
        elif tag & 7 == _VARINT:
            number, at = _varint(content, at)
            found[tag >> 3].append(bytes([number & 255]))
        else:
            raise bad_request("the protobuf has a field of a kind that is not expected")
    return found


def _varint(content: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return number, at
