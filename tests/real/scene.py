"""A login of a real PostgreSQL, published to a real OpenBao, and the real commands over both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pg8000.exceptions import DatabaseError

from rotator.config.installation import new_installation
from tests.cli.scene import SCRIPTS, Answer
from tests.providers.postgres_setup import ADMIN_PASSWORD, OWNER, ROLES, Arena
from tests.servers.openbao import OpenBaoServer, Refused

NAME = "app-db"
FIRST = "FirstPasswordOfAppA0815"
REF = "app/db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """One folder with a config, over both servers."""

    folder: Path
    arena: Arena
    bao: OpenBaoServer
    mount: str

    @property
    def config(self) -> Path:
        """The config's path."""
        return self.folder / "rotator.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """What commands and children see."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERM": "dumb"}

    def run(self, *arguments: str, script: str = "rotator", timeout: float = 240) -> Answer:
        """Run a command."""
        done = subprocess.run(
            [str(SCRIPTS / script), *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    def lease(self, lease: str) -> None:
        """Change how long a lease is: emergencies, and whoever follows a process that was killed, wait for its end."""
        config = json.loads(self.config.read_text())
        config["defaults"]["lease"] = lease
        self.config.write_text(json.dumps(config))

    def document(self) -> dict[str, str]:
        """What consumers read."""
        answer = self.bao.request("GET", f"{self.mount}/data/{REF}")
        return dict(answer["data"]["data"])

    def publish(self, fields: dict[str, str]) -> None:
        """What a colleague writes."""
        self.bao.request("POST", f"{self.mount}/data/{REF}", {"data": fields})

    def private(self) -> list[str]:
        """Names of what the rotator keeps where consumers cannot read."""
        with suppress(Refused):
            return list(self.bao.request("GET", f"{self.mount}/metadata/rotator?list=true")["data"]["keys"])
        return []

    def login(self) -> bool:
        """Whether what consumers read opens the database."""
        parts = urlsplit(self.document()["url"])
        return self.opens(parts.username or "", parts.password or "")

    def opens(self, user: str, password: str) -> bool:
        """Whether this login works."""
        try:
            self.arena.database.connect(user, password).close()
        except DatabaseError:
            return False
        return True

    def roles_that_open(self) -> list[str]:
        """Roles that may log in and have a password."""
        able = "rolcanlogin and rolpassword is not null"
        statement = f"select rolname from pg_authid where rolname in ('app_a', 'app_b') and {able}"
        return sorted(str(name) for [name] in self.arena.execute(statement))


def make(
    folder: Path,
    arena: Arena,
    bao: OpenBaoServer,
    mount: str,
    *,
    lease: str = "20s",
    overlap: str = "1s",
    isolation: str | None = None,
) -> Real:
    """Set both servers up: `app_a` logs in, its URL is published beside a colleague's field."""
    arena.execute(f"create role app_a login in role app password '{FIRST}'")
    if arena.major >= 16:
        arena.execute("grant app_a to rotator with admin option")
    database = arena.database
    template = f"postgresql://{{user}}:{{password}}@{database.host}:{database.port}/{database.name}"
    provider = {
        "driver": "postgres",
        "admin": "file:pg-admin",
        "host": database.host,
        "port": database.port,
        "database": database.name,
        "user": "rotator",
        "tls": "off",
    }
    policy = {"every": "30d", "overlap": overlap, "quiet_for": "0s", "max_overlap": "1h", "compromise_grace": "0s"}
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "defaults": {"lease": lease} | ({"isolation": isolation} if isolation else {}),
        "providers": {"pg": provider},
        "stores": {
            "bao": {
                "driver": "vault",
                "address": bao.address,
                "mount": mount,
                "auth": {"method": "token", "token": "file:token"},
            }
        },
        "policies": {"quick": policy},
        "credentials": {
            NAME: {
                "provider": "pg",
                "principal": {"roles": list(ROLES), "owner_role": OWNER, "exclusive": True},
                "publish": [{"store": "bao", "ref": REF, "fields": {"url": template}}],
                "policy": "quick",
            }
        },
    }
    for name, text in (
        ("pg-admin", ADMIN_PASSWORD),
        ("token", bao.token),
        ("installation.key", new_installation().text()),
        ("rotator.yaml", json.dumps(config)),
    ):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    real = Real(folder=folder, arena=arena, bao=bao, mount=mount)
    real.publish({"url": template.format(user="app_a", password=FIRST), "other": "theirs"})
    return real


@dataclass
class Reader:
    """Reads what is published and logs in, again and again; remembers every refusal (I1)."""

    real: Real
    pace: float = 0.05
    logins: int = 0
    refused: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """For as long as the block lasts."""
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,))
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self.pace):
            self.logins += 1
            if not self.real.login() and not self.real.login():  # read just before the cutover, used just after
                self.refused.append(time.strftime("%X"))


@contextmanager
def child(real: Real, *arguments: str, module: str = "tests.real.victim") -> Iterator[subprocess.Popen[str]]:
    """A process that runs rotations; killed at the end of the block if it still lives."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(real.config), *arguments],
        cwd=root,
        env=real.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
