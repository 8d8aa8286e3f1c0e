"""The folder of `tests.cli.scene` with secrets that need escaping, everything that happens in it watched."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rotator.config.installation import read_installation
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, SCRIPTS, Answer, Scene, make
from tests.security.hunt import Hunt, Leak
from tests.security.tap import Tap
from tests.security.watching import Watch

ROOT = Path(__file__).parents[2]
CAUGHT = b'"action": "redacted"'


def odd(prefix: str) -> str:
    """A secret that reads differently in JSON, in a URL, in HTML and in Python, and fits into a header."""
    return f'{prefix}_"{secrets.token_hex(4)}\\{secrets.token_hex(4)}&%/{secrets.token_hex(8)}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """One folder. `configured`: the secrets that nobody issued, by name."""

    scene: Scene
    tap: Tap
    watch: Watch
    configured: dict[str, str | bytes] = field(repr=False)

    def run(self, *arguments: str, stdin: str = "") -> Answer:
        """A command with `--debug`, as a process of its own, under watch."""
        script = "rotate" if arguments[0] == "rotate" else "rotator"
        words = [*(arguments[1:] if script == "rotate" else arguments), "--debug"]
        with self.scene.leased_for(words):
            code, out, err = self.watch.run([str(SCRIPTS / script), *self.scene.with_config(words)], stdin=stdin)
        return Answer(code=code, out=out, err=err)

    def module(self, name: str, *arguments: str, stdin: str = "") -> Answer:
        """One of the tests' own modules, under watch."""
        command = [sys.executable, "-m", name, str(self.scene.config), *arguments]
        code, out, err = self.watch.run(command, stdin=stdin, cwd=ROOT)
        return Answer(code=code, out=out, err=err)

    def secrets(self) -> dict[str, str | bytes]:
        """Everything that must not be found, by name."""
        heard = {f"heard {number}": secret for number, secret in enumerate(self.tap.heard)}
        return {**self.configured, **heard}

    def leaks(self) -> list[Leak]:
        """What was found until now, also by the log's own last net: what that has cut out had leaked into it."""
        self.watch.look()
        caught = [Leak(where, "cut out", "redacted") for where, data in self.watch.sinks if CAUGHT in data]
        return [*Hunt(self.secrets()).search(self.watch.sinks), *caught]

    def phases(self) -> set[str]:
        """The phases in which the rotations are."""
        with self.scene.journal() as journal:
            return {row.phase.value for row in journal.rotations()}


@contextmanager
def guarded(
    folder: Path, behaviour: Behaviour | None = None, names: tuple[str, ...] = (NAME,), log: str = "debug"
) -> Iterator[Guarded]:
    """Keyserver, tap and folder; each credential's key and a colleague's field beside it are odd ones.

    `log`: everything is logged, unless it is empty; then progress is shown instead.
    """
    with ExitStack() as ending:
        keyserver = ending.enter_context(Keyserver(behaviour or Behaviour(), admin=odd("ks_admin")))
        server = urlsplit(keyserver.url)
        tap = Tap(server.hostname or "", server.port or 0)
        ending.callback(tap.close)
        scene = make(folder, keyserver, names)
        configured: dict[str, str | bytes] = {"admin": keyserver.admin}
        for name in names:
            configured |= _odd_key(scene, name)
        providers = json.loads(scene.config.read_text())["providers"]
        scene.rewrite(providers={"ks": {**providers["ks"], "base_url": tap.url}})
        installation = read_installation((folder / "installation.key").read_text())
        configured |= {"installation": installation.text().split()[-1], "installation seed": installation.seed}
        (folder / "tmp").mkdir()
        ours = frozenset(folder / name for name in ("store", "admin", "installation.key"))
        environment = {**scene.environment(), "TMPDIR": str(folder / "tmp"), "ROTATOR_LOG": log}
        watch = Watch(folder=folder, ours=ours, environment=environment)
        yield Guarded(scene=scene, tap=tap, watch=watch, configured=configured)


def _odd_key(scene: Scene, name: str) -> dict[str, str | bytes]:
    """Another key in the place of the credential's own."""
    (plain,) = scene.keyserver.live(name)
    value, theirs = odd("ks_live"), odd("theirs")
    first = scene.published(name)
    scene.keyserver.seed_key(name, secret=value)
    scene.keyserver.delete_key(name, plain.id)
    path = scene.folder / "store" / f"{name}.json"
    path.write_text(json.dumps({"API_KEY": value, "OTHER": theirs}))
    return {f"first of {name}": first, f"key of {name}": value, f"colleague's of {name}": theirs}
