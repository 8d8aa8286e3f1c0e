"""A folder with a config over a keyserver and a file store, and the real commands run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.config.installation import new_installation
from rotator.testing.keyserver import Keyserver

NAME = "llm-prod"
SCRIPTS = Path(sys.executable).parent


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

    def run(self, *arguments: str, script: str = "rotator", stdin: str = "", timeout: float = 60) -> Answer:
        """Run a command with this config."""
        options = [] if "--config" in arguments else ["--config", str(self.config)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "dumb"}
        done = subprocess.run(
            [str(SCRIPTS / script), *arguments, *options],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=environment,
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    def published(self, name: str = NAME) -> str:
        """What consumers read."""
        return str(json.loads((self.folder / "store" / f"{name}.json").read_text())["API_KEY"])


def make(folder: Path, keyserver: Keyserver, names: tuple[str, ...] = (NAME,), **provider: Any) -> Scene:
    """Make the folder; each credential has a key of its own at a principal of its name."""
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
        "defaults": {"lease": "2s"},
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
