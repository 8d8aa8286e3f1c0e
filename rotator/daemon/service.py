"""The service itself: one config is in force until another one takes its place, or somebody stops it.

    generation   the config put together: rotations, duties, all closed at its end; a reload is a new one
    turn         once a second: begin what is due, say that we are alive, see whether the config changed; what
                 reading it takes keeps none of them waiting

Nothing is kept in this process that the journal does not know, so it may be killed anywhere, and stopping is only the
polite form of it: the effects in hand are finished, every row is given back, and whoever comes next goes on.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from rotator.app.alive import folder_of, remove_heartbeat, write_heartbeat
from rotator.app.assembly import Assembly
from rotator.app.housekeeping import begin_due, spread_missed
from rotator.app.journals import alone
from rotator.app.reloading import Applied
from rotator.app.reloading_apart import ReloadingApart
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.daemon.beside import Beside
from rotator.daemon.duties import Clockwork
from rotator.daemon.looking import Looking
from rotator.daemon.reminders import Reminders
from rotator.daemon.systemd import ServiceManager
from rotator.daemon.works import JOURNAL, Works
from rotator.domain.failures import Failure, Transient
from rotator.ports import Observer

TURN = 1.0
"""Seconds from one look for what is due to the next."""
LOOK = 30.0
"""Seconds from one look at the config to the next."""
PATIENCE = 60.0
"""Seconds without a turn of the rotations after which we no longer say that we are alive."""


class Daemon:
    """Serves one config after the other, as they lie in the file that `reloading` watches, and are approved.

    `adjusted`: a config as this command was typed. `owner`: who claims.
    """

    def __init__(
        self,
        reloading: ReloadingApart,
        *,
        owner: str,
        adjusted: Callable[[Config], Config],
        manager: ServiceManager | None = None,
    ) -> None:
        self._owner = owner
        self._adjusted = adjusted
        self._manager = manager or ServiceManager()
        self._current: Assembly | None = None
        self._beside = Beside(self.current)
        self._reminders = Reminders(lambda: self.current().told, self._now)
        self._woken, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._stopping = False
        self._asked = False  # to look at the config now
        self._answering = False  # somebody asked for the look that goes on
        self._looking = Looking(reloading, self._wake)
        self._turned = (0, 0.0)

    def stop(self) -> None:
        """Finish what is in hand, and return. Takes no lock: a signal's handler may call it. Twice: nothing more."""
        self._stopping = True
        self._wake()

    def reload(self) -> None:
        """Look at the config now. As `stop`."""
        self._asked = True
        self._wake()

    def current(self) -> Assembly:
        """The assembly of the config that is in force; only while it serves. Any thread may ask."""
        assert self._current is not None
        return self._current

    def _now(self) -> datetime:
        return self.current().clock.now()

    def serve(self, config: Config) -> None:
        """Until stopped. `config`: the file, for whom it names. Raises `ConfigError` and `Failure` at the start.

        Later `Overtaken`, once a newer rotator has the journal; what was in hand is let go of first.
        """
        try:
            with alone(config):
                following = self._first_config(config)
                if following is None:
                    remove_heartbeat(folder_of(config))
            while following is not None:
                config = following
                with alone(config):
                    following = self._generation(config)
        finally:
            self._looking.close()
            self._beside.close()
            self._manager.stopping()

    def _first_config(self, config: Config) -> Config | None:
        """What is approved of the file; a database that is away at the start is waited for."""
        told = Assembly(config=self._adjusted(config), observer=self._beside.early).told
        said = ""
        while not self._stopping:
            try:
                found = self._looking.first(told, lambda: self._stopping)
                return self._adjusted(found) if found is not None else None
            except Transient as failure:
                said = self._wait(config, told, failure, said)
        return None

    def _wait(self, config: Config, told: Observer, failure: Transient, said: str) -> str:
        """A moment, for a journal that is away at the start. It is said once for each reason; returns what was said.

        Whoever watches this process hears that it waits: else it would be started again and again, and wait again.
        """
        if failure.message != said:
            told.alert("journal away", JOURNAL, failure.message)
        self._manager.waiting(f"waits for the journal: {failure.message}")
        self._heartbeat(config)
        self._sleep(10 * TURN)
        return failure.message

    # -- one config ------------------------------------------------------------------------------------------------

    def _generation(self, config: Config) -> Config | None:
        """Work with one config; the one that takes its place, or None at the end."""
        assembly = self._current = Assembly(config=config, alone=True)
        try:
            self._beside.follow()
            self._open(assembly)
            works, duties = Works(assembly, self._owner), Clockwork(assembly, self._reminders)
            works.start()
            duties.start()
            try:
                self._manager.ready(_count(config))
                _lifecycle(assembly, "serving", _count(config))
                following = self._turns(assembly, works, duties)
            finally:
                works.stop()
                duties.stop()
                self._looking.give_up()
            if following is None:
                self._manager.stopping()
                _lifecycle(assembly, "stopping", "the effects in hand are finished, nothing else is begun")
            else:
                _lifecycle(assembly, "reloading", "another config takes the place of this one")
            while not (works.wait(TURN) and duties.wait(TURN)):
                self._alive(assembly)
            if following is None:
                remove_heartbeat(folder_of(config))
            if works.overtaken is not None:
                raise works.overtaken
            return following
        finally:
            assembly.close()

    def _open(self, assembly: Assembly) -> None:
        """The journal; a database that is away at the start is waited for, unless somebody stops it."""
        said = ""
        while not self._stopping:
            try:
                spread_missed(assembly)
                return
            except Transient as failure:
                said = self._wait(assembly.config, assembly.told, failure, said)

    def _turns(self, assembly: Assembly, works: Works, duties: Clockwork) -> Config | None:
        looked = time.monotonic()
        while not self._stopping and works.overtaken is None:
            works.look()
            duties.look()
            self._begin(assembly, works)
            self._say_alive(works, duties, assembly)
            if not self._looking.going and (self._asked or time.monotonic() - looked >= LOOK):
                looked = time.monotonic()
                self._look(assembly)
            following = self._seen(assembly)
            if following is not None:
                return following
            self._sleep(TURN)
        return None

    def _begin(self, assembly: Assembly, works: Works) -> None:
        if not works.room:
            return
        try:
            begun = begin_due(assembly, works.room, put_off=True)
        except (ConfigError, Failure) as failure:
            works.is_away(failure)
            return
        except Exception as error:  # noqa: BLE001 - a defect must not end the service; its text may hold anything
            assembly.defect("the daemon", error)
            return
        for name, (message, hint) in begun.problems.items():
            assembly.told.alert("cannot begin", name, message + (f" — {hint}" if hint else ""))

    def _look(self, assembly: Assembly) -> None:
        if self._asked:
            self._asked, self._answering = False, True
            self._manager.reloading()
        self._looking.begin(assembly)

    def _seen(self, assembly: Assembly) -> Config | None:
        """The config that takes the place of this one, if the last look has found one."""
        try:
            outcome = self._looking.outcome()
        except Transient:
            return None  # the journal is away; the next look sees the same
        except Failure as failure:
            self._reminders.also_true("cannot look at the config", "the config", f"{failure.message} — {failure.hint}")
            return None
        except Exception as error:  # noqa: BLE001 - as above
            assembly.defect("the config", error)
            return None
        finally:
            if self._answering and not self._looking.going:
                self._answering = False
                self._manager.ready(_count(assembly.config))
        return self._adjusted(outcome.config) if isinstance(outcome, Applied) else None

    def _say_alive(self, works: Works, duties: Clockwork, assembly: Assembly) -> None:
        """Only while rotations are looked for and duties move: a service that hangs must look as if it did."""
        if works.hangs or duties.hangs:
            return
        turns, at = self._turned
        if works.turns != turns or works.away:
            self._turned = works.turns, time.monotonic()
        elif time.monotonic() - at > PATIENCE:
            return
        self._alive(assembly)

    def _alive(self, assembly: Assembly) -> None:
        self._manager.alive(_count(assembly.config))
        self._heartbeat(assembly.config)

    def _heartbeat(self, config: Config) -> None:
        with suppress(OSError):  # who asks for it sees that there is none
            write_heartbeat(folder_of(config))

    def _sleep(self, seconds: float) -> None:
        select.select([self._woken], [], [], seconds)
        while select.select([self._woken], [], [], 0)[0]:
            os.read(self._woken, 1024)

    def _wake(self) -> None:
        try:
            os.write(self._waker, b".")
        except BlockingIOError:
            return  # it is full: whoever reads it is woken anyhow


def _lifecycle(assembly: Assembly, action: str, message: str) -> None:
    if assembly.log is not None:
        assembly.log.service(action, message)


def _count(config: Config) -> str:
    return f"{len(config.credentials)} credentials"
