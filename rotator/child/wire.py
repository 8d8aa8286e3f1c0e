"""Frames between the rotator and a driver's process: a line of JSON each, bounded, and nothing that runs when read."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from typing import Any

MOST_BYTES = 16 * 1024 * 1024
"""Of one frame: ten thousand keys are three million bytes."""
MOST_PARTS = 1_000_000
"""Members and lists of one frame: in memory an empty one is thirty times what it is on the wire."""
CHUNK = 1 << 16


class BrokenFrame(Exception):
    """What came is no frame: too long, no JSON, no object, or cut off. The message never quotes it."""


def write(frame: Mapping[str, Any]) -> bytes:
    """The frame as it is sent. Raises `BrokenFrame` when the other end would not take it."""
    line = json.dumps(frame, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    if len(line) > MOST_BYTES:
        raise BrokenFrame("a frame is too long")
    return line


def read(line: bytes) -> dict[str, Any]:
    """The frame that a line is. Raises `BrokenFrame`."""
    if sum(map(line.count, (b",", b"[", b"{"))) > MOST_PARTS:
        raise BrokenFrame("a frame has too many parts")
    try:
        frame = json.loads(line)
    except (ValueError, RecursionError):
        frame = None
    if not isinstance(frame, dict):
        raise BrokenFrame("a frame is no JSON object")
    return frame


def frames(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """Every frame that comes until the other end closes. Raises `BrokenFrame`, `OSError`."""
    rest = bytearray()
    while chunk := connection.recv(CHUNK):
        searched = len(rest)
        rest += chunk
        while (end := rest.find(b"\n", searched)) >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            searched = 0
            yield read(line)
        if len(rest) > MOST_BYTES:
            raise BrokenFrame("a frame is too long")
    if rest:
        raise BrokenFrame("a frame was cut off")
