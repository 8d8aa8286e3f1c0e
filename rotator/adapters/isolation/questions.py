"""What a driver's process asks of its parent, answered: connections to its hosts, texts that its references stand for.

Whatever it asks, and however often, the parent goes on and holds little of it.
"""

from __future__ import annotations

import array
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from rotator.adapters.isolation.egress import Hosts, Refused
from rotator.child.asking import MOST_BYTES
from rotator.domain.scalars import line

QUESTIONS = 16
"""Of one process that are answered at the same time; others wait on its side."""
WAITS = 20.0
"""Seconds for a connection whose driver names no time."""
LONGEST = 60.0
"""Seconds that a connection may take, whatever a driver asks for."""

Resolve = Callable[[str], str]


class NotResolved(Exception):
    """A reference cannot be resolved; why, for the driver's failure."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Questions:
    """Those of one process. `refused`: the last connection that was not allowed, for who explains a failure."""

    def __init__(self, channel: socket.socket, hosts: Hosts, resolve: Resolve | None) -> None:
        self.channel = channel
        self.hosts = hosts
        self.resolve = resolve
        self.refused = ""

    def hear(self) -> None:
        """Questions, as many at a time as may be under way: what else a driver asks, and hands over, stays outside."""
        answering = threading.Semaphore(QUESTIONS)
        while True:
            answering.acquire()
            try:
                text, handed, _, _ = socket.recv_fds(self.channel, MOST_BYTES, 1)
            except OSError:  # the driver's process is over
                return
            way_back = _way_back(handed)
            if way_back is not None:
                with suppress(RuntimeError):  # no thread is to be had: it is not answered
                    threading.Thread(target=self._answer, args=(text, way_back, answering), daemon=True).start()
                    continue
                way_back.close()
            if not (text or handed):
                return
            answering.release()

    def _answer(self, text: bytes, way_back: socket.socket, answering: threading.Semaphore) -> None:
        try:
            with way_back, suppress(OSError, ValueError, RecursionError):  # the child sees it closed, and no answer
                question = json.loads(text)
                if isinstance(question, dict) and "connect" in question:
                    self._connect(question, way_back)
                elif isinstance(question, dict) and "resolve" in question:
                    _say(way_back, self._told(question["resolve"]))
        finally:
            answering.release()

    def _connect(self, question: dict[str, Any], way_back: socket.socket) -> None:
        try:
            name, port = question["connect"]
            connected = self.hosts.connect(str(name)[:300], int(port), _bounded(question.get("seconds")))
        except Exception as error:  # noqa: BLE001 - whatever a driver asks, it gets an answer and the parent goes on
            kind, why = _kind(error)
            if kind == "denied":
                self.refused = why
            _say(way_back, {"error": kind, "text": why})
            return
        with connected:
            _say(way_back, {}, connected.fileno())

    def _told(self, reference: Any) -> dict[str, str]:
        try:
            if self.resolve is None or not isinstance(reference, str):
                raise NotResolved("a provider's driver has no references to resolve", "")
            return {"secret": self.resolve(reference)}
        except NotResolved as error:
            return {"text": error.message, "hint": error.hint}
        except Exception:  # noqa: BLE001 - it gets an answer; what went wrong may hold a secret
            return {"text": "the reference cannot be resolved"}


def _way_back(handed: Sequence[int]) -> socket.socket | None:
    """The socket that a question brought along; None where it brought none, or something else."""
    for each in handed:
        try:
            return socket.socket(fileno=each)
        except OSError:
            os.close(each)
    return None


def _say(way_back: socket.socket, answer: Mapping[str, str], *descriptors: int) -> None:
    """Answer a question. Raises `OSError`, also where its way back is full: it may lead nowhere."""
    handed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    way_back.sendmsg([json.dumps(answer).encode()], handed, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)


def _bounded(seconds: Any) -> float:
    """What a driver asks for, as far as it makes sense."""
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
        return min(float(seconds), LONGEST)
    return WAITS


def _kind(error: Exception) -> tuple[str, str]:
    """What went wrong in a word for the child, and a line of text."""
    if isinstance(error, Refused):
        return "denied", line(str(error), "a host")
    for kind, type_ in (("refused", ConnectionRefusedError), ("timeout", TimeoutError), ("unknown", socket.gaierror)):
        if isinstance(error, type_):
            return kind, kind
    return "unreachable", type(error).__name__
