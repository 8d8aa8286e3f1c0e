"""A folder with a config over a keyserver and a file store, and the real commands run in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from rotator.adapters.journal.opening import open_journal
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.cli.main import main
from rotator.config.installation import new_installation
from rotator.testing.keyserver import Keyserver, Operation

NAME = "llm-prod"
SCRIPTS = Path(sys.executable).parent
LEASE, SHORT = "25s", "2s"
"""A request may take nearly a fifth of a lease: no machine is so busy that it outlasts the long one.

The short one is for what waits for the end of a lease: a process that was killed, and twice what was not clean.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One folder."""

    folder: Path
    keyserver: Keyserver

    @property
    def config(self) -> Path:
        """The config's path."""
        return self.folder / "rotator.yaml"

    def rewrite(self, **changes: Any) -> None:
        """Change top-level entries of the config."""
        data = json.loads(self.config.read_text())
        data.update(changes)
        self.config.write_text(json.dumps(data))

    def run(
        self,
        *arguments: str,
        script: str = "rotator",
        stdin: str = "",
        timeout: float = 240,
        more: dict[str, str] | None = None,
    ) -> Answer:
        """Run a command with this config, as a process of its own. `more`: of its environment."""
        with self.leased_for(arguments):
            done = subprocess.run(
                [str(SCRIPTS / script), *self.with_config(arguments)],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                cwd=self.folder,
                env={**self.environment(), **(more or {})},
                check=False,
            )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    def say(self, *arguments: str, stdin: str = "") -> Answer:
        """The same command in this process, which is ten times as fast; it is told apart by nothing but the time."""
        prog = "rotate" if arguments[:1] == ("rotate",) else "rotator"
        out, err, before = StringIO(), StringIO(), sys.stdin
        sys.stdin = StringIO(stdin)
        try:
            with (
                self.leased_for(arguments),
                chdir(self.folder),
                environment(self.environment()),
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                code = main(self.with_config(arguments), prog=prog)
        finally:
            sys.stdin = before
        return Answer(code=code, out=out.getvalue(), err=err.getvalue())

    def json(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        """What a command prints with `--json`."""
        found = json.loads(self.say(*arguments, "--json", stdin=stdin).out)
        assert isinstance(found, dict)
        return found

    def with_config(self, arguments: Sequence[str]) -> list[str]:
        """The words with `--config`, unless they name one, or a server, which has its own."""
        return [*arguments] if {"--config", "--server"} & {*arguments} else [*arguments, "--config", str(self.config)]

    @contextmanager
    def leased_for(self, arguments: Sequence[str]) -> Iterator[None]:
        """An emergency waits for two leases before it is over, so the config has short ones for as long as it runs."""
        shortened = "--assume-compromise" in arguments and self.lease(SHORT, instead_of=LEASE)
        try:
            yield
        finally:
            if shortened:
                self.lease(LEASE, instead_of=SHORT)

    def lease(self, lease: str, *, instead_of: str = LEASE) -> bool:
        """Change how long a lease is, at once for whoever reads the config; whether it was `instead_of`."""
        before, after = (f'"lease": "{each}"'.encode() for each in (instead_of, lease))
        found = self.config.read_bytes() if self.config.is_file() else b""
        if before not in found:
            return False
        fresh = self.folder / "fresh.yaml"
        fresh.write_bytes(found.replace(before, after))
        shutil.copymode(self.config, fresh)
        fresh.replace(self.config)
        return True

    def environment(self) -> dict[str, str]:
        """Nothing of the environment of whoever runs the tests but its path."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "dumb"}

    @property
    def alive(self) -> set[str]:
        """The ids of the keys that live at the principal, whatever a list says."""
        return {key.id for key in self.keyserver.live(NAME)}

    @property
    def mints(self) -> int:
        """How many mint requests came."""
        return self.keyserver.log.calls()[Operation.MINT]

    def policy(self, **changes: str) -> None:
        """Change settings of the policy."""
        policy = json.loads(self.config.read_text())["policies"]["quick"]
        self.rewrite(policies={"quick": {**policy, **changes}})

    def credential(self, name: str = NAME, **changes: Any) -> None:
        """Change settings of a credential."""
        credentials = json.loads(self.config.read_text())["credentials"]
        self.rewrite(credentials={**credentials, name: {**credentials[name], **changes}})

    def journal(self) -> SqliteJournal:
        """The journal, to be closed."""
        return open_journal(f"sqlite:///{self.folder / 'rotator.db'}")

    def publish(self, value: str, name: str = NAME) -> None:
        """Write what consumers read, as somebody else would."""
        path = self.folder / "store" / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "API_KEY": value}))

    def published(self, name: str = NAME) -> str:
        """What consumers read."""
        return str(json.loads((self.folder / "store" / f"{name}.json").read_text())["API_KEY"])


def make(
    folder: Path,
    keyserver: Keyserver,
    names: tuple[str, ...] = (NAME,),
    *,
    isolation: str = "off",
    lease: str = LEASE,
    **provider: Any,
) -> Scene:
    """Make the folder; each credential has a key of its own at a principal of its name.

    `isolation`: in process, because each folder is an installation of its own and would copy and compile its drivers;
    `tests/isolation` runs the commands as they are by default.
    """
    store = folder / "store"
    store.mkdir(mode=0o700)
    credentials = {}
    for name in names:
        wish = {"slot": provider["slots"][0]} if provider.get("slots") else {}
        _write(store / f"{name}.json", json.dumps({"API_KEY": keyserver.seed_key(name, **wish)[1], "OTHER": "theirs"}))
        place = {"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}
        principal = {"principal": name, "exclusive": True}
        credentials[name] = {
            "provider": "ks",
            "principal": principal,
            "publish": [place],
            "policy": "quick",
            "tags": ["t"],
        }
    policy = {"every": "30d", "overlap": "1s", "quiet_for": "0s", "max_overlap": "1h", "compromise_grace": "0s"}
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "defaults": {"lease": lease, "isolation": isolation},
        "providers": {"ks": {"driver": "keyserver", "admin": "file:admin", "base_url": keyserver.url, **provider}},
        "stores": {"files": {"driver": "file", "root": "store", "format": "json"}},
        "policies": {"quick": policy},
        "credentials": credentials,
    }
    _write(folder / "admin", keyserver.admin)
    _write(folder / "installation.key", new_installation().text())
    _write(folder / "rotator.yaml", json.dumps(config))
    return Scene(folder=folder, keyserver=keyserver)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """These variables and no others."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
