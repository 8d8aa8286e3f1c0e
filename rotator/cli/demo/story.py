"""The demo's story, told while it happens. Every number on screen is measured, none is written down here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.cli.demo.consumers import Caller, cached, from_store, once
from rotator.cli.demo.scene import NAME, Scene, scene
from rotator.cli.demo.telling import Telling
from rotator.cli.main import main
from rotator.cli.terminal import Terminal
from rotator.domain.rotation import Mode, Phase, Rotation, WaitFor
from rotator.engine import starting

CACHE = 3.0
"""Seconds that `cacher` remembers: less than the overlap."""


def play(out: Terminal) -> int:
    """Play it; 0 when everything went as it is told, 1 when not."""
    with scene() as stage:
        return Story(stage, out).play()


class Story:
    """One run of the demo."""

    def __init__(self, stage: Scene, out: Terminal) -> None:
        self.stage = stage
        self.tell = Telling(out)
        self.assembly = Assembly(config=load_config(stage.config), observer=self.tell)
        url, document = stage.keyserver.url, stage.document
        self.reader = Caller(name="reader", url=url, key=from_store(document))
        self.cacher = Caller(name="cacher", url=url, key=cached(document, CACHE))
        self.stubborn = Caller(name="stubborn", url=url, key=once(document))

    def play(self) -> int:
        """All acts."""
        self.tell.title(
            "rotator demo", "a provider, a store and three consumers, all on this machine; nothing is faked"
        )
        self.tell.line("provider", "a keyserver over HTTP: issues, lists, disables and deletes keys, 20 ms a call")
        self.tell.line("store", "one JSON file; the rotator writes one field of it")
        self.tell.line(
            "consumers", f"reader reads it for every call · cacher remembers it {CACHE:.0f} s · stubborn read it once"
        )
        adopt(self.assembly, self.assembly.config.credentials[NAME])
        for caller in (self.reader, self.cacher, self.stubborn):
            caller.start()
        try:
            failed = self.scheduled()
            thief = self.theft()
        finally:
            for caller in (self.reader, self.cacher, self.stubborn):
                caller.stop()
        return self.close(failed, thief)

    # -- act one ---------------------------------------------------------------------------------------------------

    def scheduled(self) -> int:
        """A scheduled rotation; returns how many calls failed."""
        self.tell.act("1", "a scheduled rotation: nobody should notice")
        self.start(Mode.SCHEDULED, "due")
        with self.running() as stop:
            row = self.wait_until(lambda row: row.waiting is not None and row.waiting.for_ is WaitFor.QUIET)
            note = row.waiting.note if row and row.waiting else "the old key is still used"
            self.tell.said(f"retirement is held: {note}", "yellow")
            self.tell.said("stubborn is restarted by its owner, and reads the store again")
            self.stubborn.key = from_store(self.stage.document)
            done = self.wait_until(lambda row: not row.open)
            stop()
        calls, failed = self.counted()
        self.tell.said(f"{calls} calls by three consumers meanwhile, {failed} failed", "green" if not failed else "red")
        self.proven(done)
        return failed

    # -- act two ---------------------------------------------------------------------------------------------------

    def theft(self) -> float | None:
        """The key is stolen; returns after how many seconds the thief was refused."""
        self.tell.act("2", "the key is stolen")
        stolen = from_store(self.stage.document)()
        thief = Caller(name="thief", url=self.stage.keyserver.url, key=lambda: stolen, pace=0.02)
        self.tell.said(
            "a poisoned dependency has read the store; the thief's first call: " + _answer(thief.call()), "red"
        )
        thief.on_refusal = lambda: self.tell.said("the thief is refused: 401", "green")
        thief.start()
        self.tell.command(f"rotate {NAME} --assume-compromise --contained --yes")
        begun = time.monotonic()
        arguments = ["rotate", NAME, "--assume-compromise", "--contained", "--yes", "--no-color"]
        with redirect_stdout(self.tell.quoting()), redirect_stderr(self.tell.quoting()):
            code = main([*arguments, "--config", str(self.stage.config)], prog="rotate")
        thief.stop()
        after = thief.refused_since - begun if thief.refused_since is not None else None
        if after is None:
            self.tell.said("the thief is still answered", "red")
        if code:
            self.tell.said(f"the command ended with exit code {code}", "red")
            return None
        return after

    # -- the end ---------------------------------------------------------------------------------------------------

    def close(self, failed: int, thief: float | None) -> int:
        """Say what was seen, and what to do next."""
        calls, refused = self.counted()
        late = self.failures("cacher")
        well = thief is not None and not failed and refused == late
        color = "green" if well else "red"
        self.tell.act("3", "what you saw")
        if thief is not None:
            self.tell.seen(
                f"a stolen key was dead {thief:.1f} s after one command, and proven dead: the provider refused it twice"
            )
            self.tell.seen("while the same call with the new key succeeded before and after")
        self.tell.seen(
            f"{calls} calls by honest consumers; {refused - late} failed of those that read the store in time", color
        )
        if late:
            self.tell.seen(
                f"cacher remembers {CACHE:.0f} s and the grace was 1 s: {late} calls failed, as the plan said"
            )
        self.tell.next_commands(
            ("rotator init --from .env", "find your own keys and write a config, without printing one"),
            ("rotator check", "ask every provider and store, read-only"),
            ("rotate NAME --dry-run", "what would be minted, published and killed, and who would feel it"),
        )
        return 0 if well else 1

    # -- helpers ---------------------------------------------------------------------------------------------------

    def start(self, mode: Mode, reason: str) -> None:
        """Open a rotation as the scheduler does."""
        spec = self.assembly.config.credentials[NAME]
        starting.start(spec, self.assembly.journal, self.assembly.ids, self.assembly.clock, mode=mode, reason=reason)

    def running(self) -> _Running:
        """The engine on threads of its own, as long as the block lasts."""
        return _Running(Run(assembly=self.assembly, owner="demo", parallel=2))

    def wait_until(self, holds: Callable[[Rotation], bool]) -> Rotation | None:
        """The newest rotation as soon as that holds of it, at most two minutes later."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            row = self.assembly.journal.rotations(NAME, limit=1)[0]
            if holds(row) or row.phase is Phase.STUCK:
                return row
            time.sleep(0.02)
        return None

    def counted(self) -> tuple[int, int]:
        """Calls and failures of the honest, from the keyserver's own log."""
        failures = self.stage.keyserver.log.failed_resource_calls()
        honest = (self.reader, self.cacher, self.stubborn)
        return sum(each.calls for each in honest), sum(failures.get(each.name, 0) for each in honest)

    def failures(self, name: str) -> int:
        """How many calls of one consumer failed, from the keyserver's own log."""
        return self.stage.keyserver.log.failed_resource_calls().get(name, 0)

    def proven(self, row: Rotation | None) -> None:
        """What the journal says of the old keys."""
        for old in row.old_keys if row else ():
            proof = old.proof.value if old.proof else "not proven"
            self.tell.said(f"old key {old.key_id}: {proof}", "green" if old.proof else "red")


class _Running:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._thread = threading.Thread(target=run.until, args=(lambda: False,), daemon=True)

    def __enter__(self) -> Callable[[], None]:
        self._thread.start()
        return self.stop

    def stop(self) -> None:
        """Finish what is in hand."""
        self._run.stop()
        self._thread.join()

    def __exit__(self, *error: object) -> None:
        self.stop()


def _answer(ok: bool) -> str:
    return "200" if ok else "401"
