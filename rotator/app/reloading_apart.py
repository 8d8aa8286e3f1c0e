"""Reloading by a process that ends: what parsing and comparing take, ten times what a config does, is given back.

Only whether anything can have changed is seen here, which reads no file.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from rotator.app.assembly import Assembly
from rotator.app.beneath import beneath, stay_beneath
from rotator.app.configs import NONE, headless, receive, send
from rotator.app.reloading import Applied, Outcome, Reloading, Remembered, Unchanged
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.records import Event
from rotator.domain.rotation import Rotation
from rotator.ports import Observer

Alert = tuple[str, str, str]

LIMIT = 600.0
"""Seconds that reading may take: 100,000 credentials on a busy machine of two cores took three minutes."""
GRACE = 10.0
"""Seconds more until it ends by itself, which says less."""
_NO_ANSWER = (EOFError, OSError, pickle.UnpicklingError, AttributeError, ImportError, IndexError)
"""What reading an answer raises that was cut off, or that another version of this program gave."""


class NotRead(Permanent):
    """The process that reads the config ended, or was ended, before it had answered; the config in force stays."""


@dataclass(frozen=True, slots=True)
class _Request:
    """`remembered` None: begin."""

    path: Path
    state: str | None
    remembered: Remembered | None


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came of it, after the alerts. `failed`: kind, message, hint; a config follows where `outcome` has one."""

    outcome: Outcome | None
    remembered: Remembered | None
    failed: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Says:
    """Sends each alert at once: who says something of what it is about to do may end while it does it."""

    stdout: IO[bytes]

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """No rotation goes on here."""

    def alert(self, action: str, subject: str, message: str) -> None:
        """For the process that asked."""
        said: Alert = (action, subject, message)
        pickle.dump(said, self.stdout, pickle.HIGHEST_PROTOCOL)
        self.stdout.flush()


class ReloadingApart:
    """As `Reloading`. For one thread at a time, but for `give_up`. `limit`: seconds, then the other process is ended.

    Each method raises `NotRead`, too.
    """

    def __init__(self, path: Path, *, state: str | None, limit: float = LIMIT) -> None:
        self._limit = limit
        self._path = path
        self._state = state
        self._here = Reloading(path, state=state)
        self._ending = threading.Lock()
        self._apart: subprocess.Popen[bytes] | None = None  # not reaped yet

    def begin(self, observer: Observer) -> Config:
        """As `Reloading.begin`, with an assembly of its own; `observer` hears what it found. Only within `alone`."""
        _, config = self._asked(observer, _Request(self._path, self._state, None))
        assert config is not None
        return config

    def look(self, assembly: Assembly) -> Outcome:
        """As `Reloading.look`."""
        if self._here.quiet(assembly):
            return Unchanged()
        request = _Request(self._path, self._state, self._here.remembered())
        reply, config = self._asked(assembly.told, request, assembly.config)
        assert reply.outcome is not None
        return replace(reply.outcome, config=config) if isinstance(reply.outcome, Applied) and config else reply.outcome

    def give_up(self) -> None:
        """End the other process, if there is one: whoever waits for its answer gets `NotRead`. Any thread may call."""
        with self._ending:
            if self._apart is not None:
                _end(self._apart)

    @contextmanager
    def _known(self, apart: subprocess.Popen[bytes]) -> Iterator[None]:
        """So that it can be given up."""
        with self._ending:
            self._apart = apart
        try:
            yield
        finally:
            with self._ending:
                self._apart = None

    def _asked(
        self, observer: Observer, request: _Request, in_force: Config | None = None
    ) -> tuple[_Reply, Config | None]:
        """Raises `ConfigError` and `Failure`, as the other process did, and `NotRead`.

        The observer hears what it found, also where it then failed or ended.
        """
        # By import, not as __main__: what is pickled belongs to this module.
        command = [sys.executable, "-I", "-c", f"from {__name__} import main; main()", *beneath(self._limit + GRACE)]
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as apart,
            _ended_after(self._limit, apart) as late,
            self._known(apart),
        ):
            assert apart.stdin is not None
            assert apart.stdout is not None
            try:
                with apart.stdin as pipe:
                    pickle.dump(request, pipe, pickle.HIGHEST_PROTOCOL)
                    pickle.dump(in_force is not None, pipe, pickle.HIGHEST_PROTOCOL)
                    if in_force is not None:
                        send(headless(in_force), pipe)
                reply = _reply(observer, apart.stdout)
                here = in_force.credentials if in_force is not None else NONE
                config = receive(apart.stdout, here) if isinstance(reply.outcome, Applied) else None
            except _NO_ANSWER:
                raise _not_read(self._limit if late.is_set() else None) from None
        if reply.remembered is not None:
            self._here.go_on(reply.remembered)
        if reply.failed is not None:
            raise _failure(*reply.failed)
        return reply, config


@contextmanager
def _ended_after(seconds: float, apart: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """End a process and all that it began when this takes longer, which the event says, or fails."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _end(apart)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    except BaseException:
        _end(apart)
        raise
    finally:
        # Not reaped yet, so that its number is nobody else's while the timer may use it.
        os.waitid(os.P_PID, apart.pid, os.WEXITED | os.WNOWAIT)
        timer.cancel()
        timer.join()


def _end(apart: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):  # it ended by itself
        os.killpg(apart.pid, signal.SIGKILL)


def _not_read(limit: float | None) -> NotRead:
    how = "ended before it had answered" if limit is None else f"did not answer within {limit:g} seconds"
    hint = "the log says what it said last; `rotator config diff` reads the same file"
    return NotRead(f"the process that reads the config {how}", hint)


def _reply(observer: Observer, stdout: IO[bytes]) -> _Reply:
    while True:
        found: Alert | _Reply = pickle.load(stdout)  # noqa: S301 - our own process wrote it, to our own pipe
        if isinstance(found, _Reply):
            return found
        observer.alert(*found)


def _failure(kind: str, message: str, hint: str) -> ConfigError | Failure:
    if kind == ConfigError.__name__:
        return ConfigError(message, hint)
    return Transient(message, hint) if kind == Transient.__name__ else Permanent(message, hint)


def _answered(stdin: IO[bytes], says: Observer) -> tuple[_Reply, Config | None]:
    request: _Request = pickle.load(stdin)  # noqa: S301
    in_force = receive(stdin) if pickle.load(stdin) else None  # noqa: S301
    reloading = Reloading(request.path, state=request.state)
    try:
        if request.remembered is None or in_force is None:
            outcome: Outcome = Applied(
                reloading.begin(lambda config: Assembly(config=replace(config, log=None), observer=says, alone=True))
            )
        else:
            reloading.go_on(request.remembered)
            assembly = Assembly(config=replace(in_force, log=None), observer=says)
            try:
                outcome = reloading.look(assembly)
            finally:
                assembly.close()
    except (ConfigError, Failure) as error:
        failed = (type(error).__name__, error.message, error.hint)
        asked = request.remembered  # nothing happened, but for what was said
        remembered = None if asked is None else replace(asked, told=reloading.remembered().told)
        return _Reply(None, remembered, failed), None
    if isinstance(outcome, Applied):
        config = outcome.config
        return _Reply(replace(outcome, config=headless(config)), reloading.remembered()), config
    return _Reply(outcome, reloading.remembered()), None


def main() -> None:
    """Answer one request. Nothing is thrown away that is worth looking for, and looking takes a quarter of the time."""
    stay_beneath(int(sys.argv[1]), float(sys.argv[2]))
    gc.disable()
    reply, config = _answered(sys.stdin.buffer, _Says(sys.stdout.buffer))
    pickle.dump(reply, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    if config is not None:
        send(config, sys.stdout.buffer)
