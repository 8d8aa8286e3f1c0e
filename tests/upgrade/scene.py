"""An installation that is upgraded: credentials on a keyserver, places in files, a journal on either database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Answer, Scene, make
from tests.daemon.running import Running
from tests.journal.on_postgres import url_of
from tests.servers.postgres import Database
from tests.testing.keyserver_client import call_as
from tests.upgrade.wheels import Installed

QUICK = {"every": "30d", "overlap": "1s", "quiet_for": "0s", "max_overlap": "1h", "compromise_grace": "0s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """One installation. `ask`: a question to the journal's database, whose answer is one value."""

    scene: Scene
    ask: Callable[[str], object]

    @property
    def schema(self) -> str:
        """The journal's."""
        return str(self.ask("select version_num from alembic_version"))

    @property
    def open(self) -> int:
        """How many rotations are not over."""
        return int(str(self.ask("select count(*) from rotation where open = 1")))

    def run(self, by: Installed, *words: str, script: str = "rotator") -> Answer:
        """A command of one of the wheels."""
        done = subprocess.run(
            [by.script(script), *self.scene.with_config(words)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.scene.folder,
            env=self._environment(by),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    @contextmanager
    def serving(self, by: Installed, *options: str, first: str = "serving") -> Iterator[Running]:
        """A daemon of one of the wheels, which has said `first`; killed at the end if it still runs."""
        process = subprocess.Popen(
            [by.script("rotator"), *self.scene.with_config(["daemon", *options])],
            cwd=self.scene.folder,
            env=self._environment(by),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            running = Running(process)
            if first:
                running.until(first)
            yield running
        finally:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()

    def works(self, name: str) -> bool:
        """Whether what consumers read is a key that the provider takes."""
        return call_as(self.scene.keyserver.url, self.scene.published(name)) == 200

    def alive(self, name: str) -> set[str]:
        """The ids of its keys that live."""
        return {key.id for key in self.scene.keyserver.live(name)}

    def _environment(self, by: Installed) -> dict[str, str]:
        path = f"{by.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return {
            "PATH": path,
            "HOME": str(self.scene.folder),
            "TERM": "dumb",
            "XDG_CACHE_HOME": str(by.folder / "cache"),
        }


def on_sqlite(folder: Path, keyserver: Keyserver, names: tuple[str, ...], *, isolation: str = "off") -> Upgraded:
    """With its journal in a file."""
    scene = make(folder, keyserver, names, isolation=isolation)

    def ask(question: str) -> object:
        with closing(sqlite3.connect(folder / "rotator.db")) as connection:
            [value] = connection.execute(question).fetchone()
            return value

    return Upgraded(scene=scene, ask=ask)


def on_postgres(folder: Path, keyserver: Keyserver, names: tuple[str, ...], database: Database) -> Upgraded:
    """With its journal in a database."""
    scene = make(folder, keyserver, names)
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(database.password)
    scene.rewrite(state={"url": url_of(database), "password": "file:password"})
    return Upgraded(scene=scene, ask=lambda question: database.execute(question)[0][0])
