"""Commands of the command line, run for callers: each in a process of its own, with the daemon's config.

What a caller is, what was typed and what comes on standard input cross a pipe; nothing of it is in arguments, which
every user of the machine can read, nor in the environment.
"""

from __future__ import annotations

import codecs
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any

from rotator.api.callers import Caller
from rotator.api.limits import Limits
from rotator.api.slots import Slots
from rotator.app.assembly import Assembly
from rotator.app.configs import send
from rotator.config.reading import Config

CHILD = "rotator.cli.served"
BREATH = 2.0
"""Seconds after which an empty line says that it is still at work; whoever has hung up is noticed then."""
CHUNK = 16 * 1024
_NOT_ITS = ("PYTHON", "LD_", "BASH_", "NOTIFY_", "WATCHDOG_", "LISTEN_")
_OURS = frozenset(f"ROTATOR_{name}" for name in ("STATE", "PARALLEL", "LOG", "LISTEN", "CONFIG", "TOKEN_FILE"))


class Commands:
    """At most so many at once. Safe for many threads."""

    def __init__(self, assembly_of: Callable[[], Assembly], limits: Limits) -> None:
        self._assembly_of = assembly_of
        self._slots = Slots(limits)
        self._lock = threading.Lock()
        self._running: set[Running] = set()

    def start(self, caller: Caller, prog: str, words: Sequence[str], stdin: bytes) -> Running:
        """Start one, to be left by whoever listens to it. Raises `Problem` where too many are at work."""
        self._slots.take(caller)

        def ended(running: Running) -> None:
            self._ended(running, caller)

        try:
            running = Running(self._header(caller, prog, words), stdin, self._config(), ended)
        except BaseException:
            self._slots.give(caller)
            raise
        with self._lock:
            self._running.add(running)
        running.begin()
        return running

    def stop(self) -> None:
        """Interrupt all of them: each finishes the effects in hand. Twice: nothing more."""
        with self._lock:
            running = list(self._running)
        for each in running:
            each.interrupt()

    def _ended(self, running: Running, caller: Caller) -> None:
        with self._lock:
            self._running.discard(running)
        self._slots.give(caller)

    def _config(self) -> Config:
        """The one in force; the command's words are for its caller, who wants no log among them."""
        return replace(self._assembly_of().config, log=None)

    def _header(self, caller: Caller, prog: str, words: Sequence[str]) -> bytes:
        config = self._assembly_of().config
        said: dict[str, Any] = {
            "name": caller.name,
            "role": caller.role.value,
            "owners": sorted(caller.owners) if caller.owners is not None else None,
            "config": str(config.path.resolve()),
            "state": config.state,
            "prog": prog,
            "words": list(words),
        }
        # Escaped, it could be three times as long as the body that it came in, and the other end reads only so much.
        return json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


class Running:
    """One process and what it says."""

    def __init__(self, header: bytes, stdin: bytes, config: Config, ended: Callable[[Running], None]) -> None:
        """`config`: the one in force, which it works with whatever the file says by now."""
        self._input = header + stdin
        self._config = config
        self._ended = ended
        self._said: queue.Queue[tuple[str, str] | None] = queue.Queue(maxsize=64)
        self._alone = threading.Event()  # nobody listens any more
        self._asking = threading.Lock()
        self._interrupted = False
        ours, self._in_force = os.pipe()
        try:
            self._process = self._started(ours)
        except BaseException:
            os.close(self._in_force)
            raise
        finally:
            os.close(ours)

    @staticmethod
    def _started(config: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-m", CHILD, str(config)],
            pass_fds=[config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # a Ctrl-C for the daemon is not for it
        )

    def begin(self) -> None:
        """Feed it, and hear it."""
        threading.Thread(target=self._feed, name="command-in", daemon=True).start()
        threading.Thread(target=self._hand_over, name="command-config", daemon=True).start()
        threading.Thread(target=self._wait, name="command", daemon=True).start()

    def interrupt(self) -> None:
        """As Ctrl-C would. Twice: nothing more; a second one would cut off the effect in hand."""
        with self._asking:
            asked, self._interrupted = self._interrupted, True
        if not asked:
            with suppress(ProcessLookupError):  # it ended by itself
                self._process.send_signal(signal.SIGINT)

    def frames(self) -> Iterator[bytes]:
        """Its output as lines of JSON, `out` and `err` as they come, until it ends, and `exit` at last."""
        while not self._alone.is_set():
            try:
                said = self._said.get(timeout=BREATH)
            except queue.Empty:
                yield b"\n"
                continue
            if said is None:
                yield json.dumps({"exit": _code(self._process.wait())}).encode() + b"\n"
                return
            yield json.dumps({said[0]: said[1]}).encode() + b"\n"

    def leave(self) -> None:
        """Nobody listens any more: what still runs is interrupted, as Ctrl-C would once. Twice: nothing more."""
        if not self._alone.is_set():
            self._alone.set()
            if self._process.poll() is None:
                self.interrupt()

    def _feed(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # it ended without reading that, and its exit code says how
            self._process.stdin.write(self._input)
        with suppress(OSError):  # what was not read cannot be flushed
            self._process.stdin.close()
        self._input = b""

    def _hand_over(self) -> None:
        with suppress(OSError), os.fdopen(self._in_force, "wb") as pipe:  # who was refused does not read it
            send(self._config, pipe)

    def _wait(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        other = threading.Thread(target=self._hear, args=("err", self._process.stderr), daemon=True)
        other.start()
        self._hear("out", self._process.stdout)
        other.join()
        self._process.wait()
        try:
            self._ended(self)  # first: whoever hears of its end has room for another one
        finally:
            self._put(None)

    def _hear(self, name: str, stream: IO[bytes]) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with stream:
            while data := os.read(stream.fileno(), CHUNK):
                if text := decoder.decode(data):
                    self._put((name, text))
            if text := decoder.decode(b"", final=True):
                self._put((name, text))

    def _put(self, said: tuple[str, str] | None) -> None:
        """Waits while the queue is full, unless nobody will ever take anything from it."""
        while not self._alone.is_set():
            try:
                self._said.put(said, timeout=BREATH)
            except queue.Full:
                continue
            return


def _environment() -> dict[str, str]:
    """The daemon's own, for its config's references, without what changes an interpreter or is for it alone."""
    return {
        **{name: text for name, text in os.environ.items() if name not in _OURS and not name.startswith(_NOT_ITS)},
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "NO_COLOR": "1",
    }


def _code(status: int) -> int:
    """An exit code of INTERFACE; 3 for whatever a signal ended."""
    return status if status >= 0 else 3
