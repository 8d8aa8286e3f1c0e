"""A driver that has a process when it needs one: started at its first call, again after its end, stopped when idle."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any

from rotator.adapters.isolation.closures import OURS, Closure, NoClosure, closure_of
from rotator.adapters.isolation.copies import Copies
from rotator.adapters.isolation.egress import Hosts, NotAHost
from rotator.adapters.isolation.granted import Files, only, texts, texts_behind
from rotator.adapters.isolation.pins import NotPinned, Pins
from rotator.adapters.isolation.processes import DriverProcess, Gone, Launch, NotStarted, Overdue, Unsent
from rotator.adapters.isolation.questions import Resolve
from rotator.adapters.isolation.redaction import without
from rotator.child.wire import BrokenFrame
from rotator.domain.codec import CodecError, decode
from rotator.domain.reach import Reach

IDLE = 600.0
"""Seconds without a call after which a process is stopped; it takes 30 to 50 MB."""
LOOK = 15.0
ROUNDS = 3
"""In which a driver may find out what it needs."""
TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables by which a machine says whom it trusts; every driver gets them."""


STARTED, GONE, OVERDUE, NOT_MADE = "started", "gone", "overdue", "not started"
"""What becomes of a driver's processes; one that is stopped because nobody calls is nothing to tell."""


class NotMade(Exception):
    """The driver cannot work with its settings: what is wrong, and what to write."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a driver's process is made from. `label` names it for people, and in the pins.

    `admin`: a provider's admin credential, given when it is confined; a store's `resolve` gives it what it asks for.
    `hosts` are the operator's. `seconds`: the longest request.
    """

    label: str
    entry: EntryPoint
    name: str
    settings: Mapping[str, Any] = field(repr=False)
    copies: Copies
    pins: Pins
    confine: bool
    seconds: float
    hosts: tuple[str, ...] = ()
    admin: str | None = field(default=None, repr=False)
    resolve: Resolve | None = None
    store: bool = False

    @property
    def ours(self) -> bool:
        """Whether the rotator's own distribution brings it."""
        return self.entry.dist is None or self.entry.dist.name == OURS


@dataclass(frozen=True, slots=True)
class _Ready:
    """A process that may do what its driver needs: `reach`, and in it these files."""

    process: DriverProcess
    closure: Closure
    reach: Reach
    files: Files


class Driver:
    """One driver. Used by many threads. `tells`: what a store says besides its port; `hosts`: where it may connect."""

    def __init__(self, recipe: Recipe, told: Callable[[str], None] = lambda what: None) -> None:
        """`told` hears what becomes of its processes, one of the words above; it must not raise."""
        self._recipe = recipe
        self._tell = told
        self._starting = threading.Lock()
        self._process: DriverProcess | None = None
        self._used = time.monotonic()
        self.tells: tuple[str, ...] = ()
        self.hosts = Hosts(())
        self._files = Files(())
        self._told: set[str] = {recipe.admin} if recipe.admin is not None else set()
        _Idle.watch(self)

    def start(self) -> None:
        """Have a process. Raises `NotMade`, `NotStarted`, `NotPinned`, `NoClosure`."""
        self._have()

    def call(self, name: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
        """The frame that answers. Raises `Gone`, `Unsent` and `Overdue`, and as `start`.

        After `Gone` nothing lands any more; after `Overdue` nothing later than so many seconds again, because others'
        calls get their time. A process that had ended unnoticed is replaced, since nothing was sent.
        """
        try:
            return self._call(self._have(), name, arguments, seconds)
        except Unsent:
            return self._call(self._have(), name, arguments, seconds)

    def _call(self, process: DriverProcess, name: str, arguments: Sequence[Any], seconds: float) -> dict[str, Any]:
        self._used = time.monotonic()
        try:
            return process.call(name, arguments, seconds)
        except Overdue:
            self._retire(process, seconds)
            raise
        except Gone:
            self._forget(process)
            raise
        finally:
            self._used = time.monotonic()

    @property
    def refused(self) -> str:
        """The last connection that was not allowed, as text."""
        process = self._process
        return process.questions.refused if process is not None else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the driver was told of secrets: its credential, or what references of its settings stand for."""
        return tuple(self._told)

    def _resolve(self, reference: str) -> str:
        resolve = self._recipe.resolve
        assert resolve is not None
        text = resolve(reference)
        self._told.add(text)
        return text

    def stop(self) -> None:
        """End the process; the next call starts another one."""
        with self._starting:
            process, self._process = self._process, None
        if process is not None:
            process.end()

    def stop_if_idle(self, now: float) -> None:
        """End the process if nobody called for a while."""
        process = self._process
        if process is not None and now - self._used > IDLE:
            process.end(if_idle=True)

    def _have(self) -> DriverProcess:
        """A process; another one where a file that it may read was replaced: it was allowed the old one alone."""
        process = self._process
        if process is not None and not process.ended and not self._files.changed:
            return process
        with self._starting:
            process = self._process
            if process is None or process.ended or self._files.changed:
                self._process = self._told_of(self._begin)
                if process is not None:
                    self._end_later(process, self._recipe.seconds)
                process = self._process
            return process

    def _forget(self, process: DriverProcess) -> None:
        self._part_from(process, GONE)
        process.end()

    def _retire(self, process: DriverProcess, seconds: float) -> None:
        """A process that kept a call waiting gets no other; it is ended when those under way have had their time."""
        self._part_from(process, OVERDUE)
        self._end_later(process, seconds)

    def _part_from(self, process: DriverProcess, why: str) -> None:
        """Give it no call more; of many threads that notice at the same time, one tells."""
        with self._starting:
            mine = self._process is process
            if mine:
                self._process = None
        if mine:
            self._tell(why)

    @staticmethod
    def _end_later(process: DriverProcess, seconds: float) -> None:
        def end() -> None:
            deadline = time.monotonic() + seconds
            while process.busy and time.monotonic() < deadline:
                time.sleep(0.05)
            process.end()

        threading.Thread(target=end, daemon=True).start()

    def __del__(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            process.end()  # its threads would keep it for ever

    # -- beginning ---------------------------------------------------------------------------------------------------

    def look(self) -> tuple[Hosts, Reach]:
        """Start dry and end: what it may connect to, what else it needs. It gets no credential. Raises as `start`."""
        ready = self._prepare()
        ready.process.end()
        return ready.process.questions.hosts, ready.reach

    def _told_of(self, begin: Callable[[], DriverProcess]) -> DriverProcess:
        try:
            process = begin()
        except NOT_STARTED:
            self._tell(NOT_MADE)
            raise
        self._tell(STARTED)
        return process

    def _begin(self) -> DriverProcess:
        ready = self._prepare()
        process = ready.process
        try:
            self.tells = self._open(process, ready.closure)
            self.hosts, self._files = process.questions.hosts, ready.files
        except (Gone, Overdue):
            process.end()
            raise NotStarted("the driver's process ended before it could work") from None
        except NotMade as error:
            process.end()
            message, hint = (without(text, self.secrets) for text in (error.message, error.hint))
        except BaseException:
            process.end()
            raise
        else:
            threading.Thread(target=self._compile, args=(process,), daemon=True).start()
            return process
        raise NotMade(message, hint)

    def _prepare(self) -> _Ready:
        """A process that may do what its driver needs, and has no credential yet."""
        recipe = self._recipe
        closure = closure_of(recipe.entry)
        recipe.pins.check(recipe.label, closure.digests())
        try:
            launch = self._launch(closure)
        except OSError as error:
            raise NotStarted(f"the driver's code cannot be copied: {error.strerror or error}") from None
        process = DriverProcess(launch, Hosts(()), None)
        try:
            reach, granted, files = self._reach(process, closure), Reach(), Files(())
            for _ in range(ROUNDS):  # what it may read now may tell it more, as a kubeconfig does
                if (reach.paths, reach.variables) == (granted.paths, granted.variables):
                    break
                process.end()
                files = Files(reach.paths)  # before it may read them
                process = DriverProcess(widened(launch, reach), Hosts(()), None)
                reach, granted = self._reach(process, closure), reach
            process.questions.hosts = self._hosts(reach)
            if recipe.resolve is not None:
                process.questions.resolve = only(self._resolve, recipe.settings, reach)
        except (Gone, Overdue):
            process.end()
            raise NotStarted("the driver's process ended before it could work") from None
        except NotMade as error:
            process.end()
            message, hint = (without(text, self.secrets) for text in (error.message, error.hint))
        except BaseException:
            process.end()
            raise
        else:
            return _Ready(process, closure, reach, files)
        raise NotMade(message, hint)

    def _launch(self, closure: Closure) -> Launch:
        copies, trusted = self._recipe.copies, {name: os.environ[name] for name in TRUST if os.environ.get(name)}
        return Launch(
            path=copies.of(closure),
            readable=tuple(trusted.values()),
            bytecode=copies.checked(),
            confine=self._recipe.confine,
            variables=trusted,
        )

    def _reach(self, process: DriverProcess, closure: Closure) -> Reach:
        """What the driver says it needs.

        Only a store of ours gets files and variables that the config does not mention: those by which a cloud or a
        cluster gives it its identity.
        """
        try:
            told = process.call("reach", [closure.entry, self._recipe.settings], self._recipe.seconds + LOOK)
        except (BrokenFrame, TypeError, ValueError, RecursionError):
            raise NotMade("the settings hold what is neither text, number nor list", "write it in quotes") from None
        try:
            reach = decode(Reach, _returned(told))
        except CodecError:
            raise NotMade("the driver says in an unreadable way what it needs", "") from None
        mentioned = set(texts(self._recipe.settings))
        if not all(path.startswith("/") and path.strip("/") and ".." not in path.split("/") for path in reach.paths):
            raise NotMade(
                "the driver wants to read a file that is not named from the root on", "write paths absolutely"
            )
        beyond = [each for each in (*reach.paths, *reach.variables) if each not in mentioned]
        if beyond and not (self._recipe.ours and self._recipe.store):
            raise NotMade(f"the driver wants {beyond[0]}, which its settings do not mention", "ask who wrote it why")
        return reach

    def _hosts(self, reach: Reach) -> Hosts:
        """Where it may connect to; a stranger's gets no host that the config does not name."""
        try:
            hosts = Hosts.of(self._recipe.hosts, reach.hosts, ours=self._recipe.ours)
            hosts = hosts.named([*texts(self._recipe.settings), *texts_behind(reach)])
        except NotAHost as error:
            raise NotMade(str(error), "write HOST, HOST:PORT or a network like 10.0.0.0/8 in hosts:") from None
        beyond = [each for each in hosts.hosts if not each.listed]
        if beyond and not self._recipe.ours:
            host = f"{beyond[0].name}:{beyond[0].port}"
            raise NotMade(
                f"the driver wants to reach {host}, which the config does not name", f"hosts: [{host}] allows it"
            )
        return hosts

    def _open(self, process: DriverProcess, closure: Closure) -> tuple[str, ...]:
        recipe = self._recipe
        wanted = {
            "entry": closure.entry,
            "name": recipe.name,
            "settings": recipe.settings,
            "admin": recipe.admin,
            "seconds": recipe.seconds,
        }
        told = _returned(process.call("open", [wanted], recipe.seconds + LOOK))
        return tuple(str(each) for each in told) if isinstance(told, list) else ()

    def _compile(self, process: DriverProcess) -> None:
        """So that the next process starts quickly."""
        with suppress(Gone, Overdue, OSError):  # it starts slowly, then
            told = process.call("loaded", [], LOOK).get("returned")
            if isinstance(told, list):
                self._recipe.copies.compile(str(each) for each in told)


def widened(launch: Launch, reach: Reach) -> Launch:
    """The same with the files and variables that a driver needs."""
    variables = {name: os.environ[name] for name in reach.variables if name in os.environ}
    return Launch(
        path=launch.path,
        readable=(*launch.readable, *reach.paths),
        bytecode=launch.bytecode,
        confine=launch.confine,
        variables={**launch.variables, **variables},
    )


def _returned(told: dict[str, Any]) -> Any:
    """What a call returned while the driver was made. Raises `NotMade`."""
    if "returned" in told:
        return told["returned"]
    if isinstance(told.get("wrong"), list) and len(told["wrong"]) == 2:
        raise NotMade(str(told["wrong"][0])[:500], str(told["wrong"][1])[:500])
    if "missing" in told:
        missing = str(told["missing"])[:100]
        raise NotMade(f"the driver cannot be loaded: {missing} is missing", "its distribution has to require it")
    if isinstance(told.get("failed"), dict):
        raise NotMade(str(told["failed"].get("message"))[:500], str(told["failed"].get("hint"))[:500])
    broke = str(told.get("broke", "an unreadable answer"))[:100]
    raise NotMade(f"the driver broke while it was made: {broke}", BROKEN)


class _Idle:
    """One thread that looks after all drivers of this process."""

    def __init__(self) -> None:
        self._drivers: weakref.WeakSet[Driver] = weakref.WeakSet()
        threading.Thread(target=self._look, name="idle drivers", daemon=True).start()

    def _look(self) -> None:
        while True:
            time.sleep(LOOK)
            for driver in list(self._drivers):
                driver.stop_if_idle(time.monotonic())

    @classmethod
    def watch(cls, driver: Driver) -> None:
        _idle()._drivers.add(driver)


@cache
def _idle() -> _Idle:
    return _Idle()


BROKEN = "in its process there is no file, variable or socket but what `reach` names; `isolation: off` shows more"

NOT_STARTED = (NotStarted, NotPinned, NoClosure, NotMade)
"""Why a driver has no process: nothing was sent."""
