"""A keyserver in a process of its own, so that its work does not count as that of who measures."""

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from rotator.testing.keyserver import codec
from rotator.testing.keyserver.behaviour import Behaviour, Fault, FaultKind, Operation
from rotator.testing.keyserver.keys import KeyState
from rotator.testing.keyserver.log import Log, Record
from rotator.testing.keyserver.server import ADMIN_VARIABLE


class KeyserverProcess:
    """As `Keyserver`, over the control endpoints; the process ends with the `with` block, or with ours at the latest.

    Every method raises RuntimeError if the keyserver turns the request down, and OSError if it is gone.
    """

    def __init__(self, behaviour: Behaviour | None = None, *, admin: str | None = None, port: int = 0) -> None:
        self.admin = admin if admin is not None else f"ks_admin_{secrets.token_urlsafe(24)}"
        self.url = ""
        self._lock = threading.RLock()
        self._told = json.dumps(codec.behaviour_json(behaviour or Behaviour()))
        self._port = port
        self._running: tuple[subprocess.Popen[str], HTTPConnection] | None = None
        self._records: list[Record] = []

    @property
    def pid(self) -> int:
        return self._started[0].pid

    @property
    def _started(self) -> tuple[subprocess.Popen[str], HTTPConnection]:
        if self._running is None:
            raise RuntimeError("the keyserver's process is not running")
        return self._running

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "rotator.testing.keyserver", "--while-stdin"]
        command += ["--port", str(self._port), "--behaviour", self._told]
        environment = {name: value for name, value in os.environ.items() if name != ADMIN_VARIABLE}
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        announced = _exchange(process, self.admin)
        if not announced:
            _end(process)
            raise RuntimeError("the keyserver's process did not start")
        self.url = json.loads(announced)["url"]
        self._running = process, HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, connection = self._started
        self._running = None
        connection.close()
        _end(process)

    @property
    def log(self) -> Log:
        """The log until now; each look fetches only what is new."""
        with self._lock:
            after: int | None = self._records[-1].seq if self._records else 0
            while after is not None:
                answer = self._control("GET", f"log?after={after}")
                self._records += [codec.record(given) for given in answer["records"]]
                after = answer["after"]
            return Log(self._records)

    def tell(self, **changes: Any) -> None:
        """Change fields of the behaviour, by their names."""
        self._control("PATCH", "behaviour", codec.changes_json(changes))

    def fail(self, operation: Operation | None, kind: FaultKind, *, calls: int | None = 1, **more: Any) -> None:
        """Add a row to the faults."""
        row = Fault(kind=kind, operation=operation, calls=calls, **more)
        self._control("POST", "faults", codec.fault_json(row))

    def seed_key(self, principal: str, **wish: Any) -> tuple[str, str]:
        """(id, secret) of a new key that got about long ago; not in the log."""
        answer = self._control("POST", "keys", {"principal": principal, **wish})
        return answer["id"], answer["secret"]

    def live(self, principal: str) -> dict[str, KeyState]:
        """Tell the truth: every key neither deleted nor expired, by its id."""
        answer = self._control("GET", f"keys/{quote(principal, safe='')}")
        return {key["id"]: KeyState(key["state"]) for key in answer["keys"]}

    def _control(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        connection = self._started[1]
        with self._lock:
            connection.request(
                method,
                f"/control/{path}",
                body=None if body is None else json.dumps(body),
                headers={"Authorization": f"Bearer {self.admin}"},
            )
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"the keyserver turned it down: {answer}")
        return answer


def _end(process: subprocess.Popen[str]) -> None:
    try:
        process.communicate(timeout=10)  # closes its stdin, which ends it
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _exchange(process: subprocess.Popen[str], line: str) -> str:
    """Write a line to a process and read one from it; nothing if it has ended."""
    if process.stdin is None or process.stdout is None:
        return ""
    with suppress(BrokenPipeError):
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    return process.stdout.readline()
