"""A throwaway Redis with users of its own in a file: the system's program, else Debian's (`tests.servers.debian`)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis

from tests.servers import started
from tests.servers.debian import find, surroundings
from tests.servers.process import Kept, Order, new_directory, on_a_free_port

NAME = "Redis"
ROOT = "root"


class RedisServer:
    """A running server. Stopping it twice is harmless; it stops by itself when this process ends."""

    def __init__(self, kept: Kept, port: int, password: str) -> None:
        """Wait until it answers. Raises `StartFailed`."""
        self._kept = kept
        self.host = "127.0.0.1"
        self.port = port
        self.password = password
        kept.wait_until(self._answers)
        self.version = str(self.info("server")["redis_version"])
        started[NAME] = self.version

    @property
    def directory(self) -> Path:
        """Its files: `log`, and `users.acl` where it has one."""
        return self._kept.directory

    def client(self, user: str = ROOT, password: str | None = None) -> redis.Redis:
        """A client of the one who may do everything, or of another, with one connection of its own, made at once."""
        return redis.Redis(
            self.host,
            self.port,
            username=user,
            password=password or self.password,
            decode_responses=True,
            protocol=2,
            single_connection_client=True,
        )

    def run(self, *words: str) -> Any:
        """One command as the one who may do everything."""
        with self.client() as client:
            return client.execute_command(*words)

    def info(self, section: str) -> dict[str, Any]:
        """What it says of itself."""
        with self.client() as client:
            return dict(client.info(section))

    def empty(self) -> None:
        """Remove every user but our own, and all keys."""
        with self.client() as client:
            for user in client.acl_users():
                if user not in ("default", ROOT):
                    client.acl_deluser(user)
            client.flushall()

    def stop(self) -> None:
        """End it and remove its files."""
        self._kept.close()

    def _answers(self) -> bool:
        try:
            self.info("server")
        except redis.RedisError:
            return False
        return True


def start(*, options: Sequence[str] = (), users_in_a_file: bool = True) -> RedisServer:
    """Start one; takes 0.1 s. `options` are lines of its configuration. Raises `Unavailable`, `StartFailed`."""
    program = find("redis-server")
    return on_a_free_port(lambda port: _start(program, port, options, users_in_a_file=users_in_a_file))


def _start(program: Path, port: int, options: Sequence[str], *, users_in_a_file: bool) -> RedisServer:
    directory, password = new_directory("redis"), secrets.token_hex(16)
    users = ["user default off resetpass", f"user {ROOT} on >{password} ~* &* +@all"]
    (directory / "users.acl").write_text("\n".join(users) + "\n")
    own = [f"aclfile {directory}/users.acl"] if users_in_a_file else users
    lines = ["bind 127.0.0.1", f"port {port}", f"dir {directory}", 'save ""', "loglevel debug", *own, *options]
    config = directory / "redis.conf"
    config.write_text("\n".join(lines) + "\n")
    kept = Kept(
        Order(
            directory=str(directory), command=[str(program), str(config)], env={**surroundings(program), "LC_ALL": "C"}
        )
    )
    try:
        return RedisServer(kept, port, password)
    except BaseException:
        kept.close()
        raise
