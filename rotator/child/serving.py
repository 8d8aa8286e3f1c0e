"""One driver, served: a frame asks, a thread works, a frame answers. Many may be under way.

{"id": 7, "call": "keys", "with": [principal]}      {"id": 7, "returned": [...]}
                                                    {"id": 7, "failed": {...}}      a failure of the ports
                                                    {"id": 7, "broke": "KeyError"}  a defect; its text stays here
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rotator.child.asking import NotTold, Parent
from rotator.child.wire import BrokenFrame, frames, write
from rotator.domain.codec import CodecError, decode, encode
from rotator.domain.credential import Place, Principal, Publication
from rotator.domain.failures import Failure
from rotator.domain.keys import KeyState, MintRequest
from rotator.domain.reach import Reach, host_of
from rotator.domain.secret import Secret
from rotator.domain.settings import SettingsError

THREADS = 64
"""As many calls as a process of the rotator has in flight."""

CALLS: Mapping[str, tuple[Any, ...]] = {
    "capabilities": (Principal,),
    "mint": (Principal, MintRequest),
    "keys": (Principal,),
    "verify": (Principal, Secret),
    "identify": (Principal, Secret),
    "set_state": (Principal, str, KeyState),
    "check_admin": (Principal,),
    "trail": (Principal, datetime),
}
"""A provider's methods, and what each takes."""

STORE_CALLS: Mapping[str, tuple[Any, ...]] = {
    "capabilities": (),
    "read": (Place,),
    "write": (Place, Mapping[str, str], str),
    "remove": (Place, str),
    "places": (str,),
    "least_policy": (tuple[str, ...],),
    "worth_knowing": (tuple[Publication, ...],),
}
"""A store's."""

TELLS = ("least_policy", "worth_knowing")
"""What not every store can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which driver, and what it is made with. `admin` is None for a store, which asks for what it needs."""

    entry: str
    name: str
    settings: Mapping[str, Any]
    admin: str | None
    seconds: float


class Server:
    """Serves the frames of one connection until it ends."""

    def __init__(self, connection: socket.socket, parent: Parent) -> None:
        self._connection = connection
        self._parent = parent
        self._sending = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="call")
        self._driver: Any = None
        self._calls = CALLS

    def serve(self) -> None:
        """Until the other end closes, or sends what is no frame; then the process is over, whatever is under way."""
        try:
            for frame in frames(self._connection):
                self._threads.submit(self._answer, frame)
        except (BrokenFrame, OSError):
            pass  # nobody is there to be answered
        os._exit(0)

    def say(self, frame: Mapping[str, Any]) -> None:
        """Send one frame."""
        line = write(frame)
        with self._sending:
            self._connection.sendall(line)

    def _answer(self, frame: Mapping[str, Any]) -> None:
        try:
            answer = {"returned": self._called(str(frame.get("call")), frame.get("with"))}
        except Failure as failure:
            answer = {"failed": encode(failure)}
        except SettingsError as wrong:
            answer = {"wrong": [wrong.message, wrong.hint]}
        except ModuleNotFoundError as missing:
            answer = {"missing": str(missing.name)}
        except Exception as defect:  # noqa: BLE001 - a driver's defect must not end the process; its text may hold a secret
            answer = {"broke": f"{type(defect).__name__} at {where(defect)}"}
        try:
            self.say({"id": frame.get("id"), **answer})
        except (BrokenFrame, OSError):
            self.say({"id": frame.get("id"), "broke": "a result that is too long"})

    def _called(self, call: str, given: Any) -> Any:
        if call == "reach":
            return encode(reach(*given))
        if call == "open":
            return self._open(Wanted(**given[0]))
        if call == "loaded":
            return loaded()
        kinds = self._calls[call]
        if not isinstance(given, list) or len(given) != len(kinds):
            raise CodecError(call, "has other arguments")
        arguments = [decode(kind, each) for kind, each in zip(kinds, given, strict=True)]
        return encode(getattr(self._driver, call)(*arguments), reveal=True)

    def _open(self, wanted: Wanted) -> list[str]:
        """Make the driver; what it can tell besides its port."""
        kind, timeout = load(wanted.entry), timedelta(seconds=wanted.seconds)
        if wanted.admin is not None:
            self._driver = kind.from_settings(wanted.name, wanted.settings, wanted.admin, timeout)
            return []
        try:
            self._driver = kind.from_settings(wanted.name, wanted.settings, self._parent.resolve, timeout)
        except NotTold as not_told:
            wrong = SettingsError(not_told.message, not_told.hint)
        else:
            self._calls = STORE_CALLS
            return [each for each in TELLS if hasattr(self._driver, each)]
        raise wrong


def where(defect: BaseException) -> str:
    """File and line that it came from, for who wrote the driver; no value of anything."""
    trace = defect.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def load(entry: str) -> Any:
    """The class that `module:Class` names. Raises `ModuleNotFoundError`."""
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)


def reach(entry: str, settings: Mapping[str, Any]) -> Reach:
    """What the driver says that it needs; where it says nothing, the host of its `base_url` or `address`."""
    says: Callable[[Mapping[str, Any]], Reach] | None = getattr(load(entry), "reach", None)
    return (
        says(settings)
        if says is not None
        else Reach(hosts=host_of(settings.get("base_url") or settings.get("address")))
    )


def loaded() -> list[str]:
    """The source files that this process has imported."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted({each for each in files if isinstance(each, str) and each.endswith(".py")})
