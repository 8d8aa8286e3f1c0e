"""Reading a config with this machine's calendar; and from one process to another, which ends with what parsing took.

python -m rotator.app.configs FILE PARENT SECONDS      writes the head of a config for the process that began it
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from rotator.adapters.calendar import CronCalendar
from rotator.app.beneath import beneath, stay_beneath
from rotator.config.errors import ConfigError
from rotator.config.reading import Config, read_config, read_head
from rotator.domain.credential import Credential

AT_ONCE = 1000
LIMIT = 60.0
"""Seconds that reading the head of a config may take, which is as long as the first file of it."""
NONE: Mapping[str, Credential] = {}


def load_config(path: Path, *, lenient: bool = False) -> Config:
    """`rotator.config.reading.read_config`. Raises `ConfigError`."""
    return read_config(path, calendar=CronCalendar(), lenient=lenient)


def load_head(path: Path) -> Config:
    """`rotator.config.reading.read_head`. Raises `ConfigError`."""
    return read_head(path, calendar=CronCalendar())


def load_head_apart(path: Path, limit: float = LIMIT) -> Config:
    """The same by another process, so that what reads YAML is not loaded into this one: 8 MB. Raises `ConfigError`.

    `limit`: seconds that it may take.
    """
    command = [sys.executable, "-I", "-m", __spec__.name, str(path), *beneath(limit)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as apart:
        assert apart.stdout is not None
        try:
            return receive(apart.stdout)
        except (EOFError, pickle.UnpicklingError):
            if apart.wait() == -signal.SIGALRM:
                message = f"{path} could not be read within {limit:g} seconds"
                raise ConfigError(message, "see what its disk does, or who writes what it names") from None
            return load_head(path)  # which says what is wrong


def headless(config: Config) -> Config:
    """A config without its credentials, which are what is large in it."""
    others = {name: policy for name, policy in config.policies.items() if name not in config.credentials}
    return replace(config, credentials={}, policies=others)


def receive(stream: IO[bytes], here: Mapping[str, Credential] = NONE) -> Config:
    """What `send` wrote; our own process did, to our own pipe. Raises `EOFError` and `UnpicklingError`.

    `here`: credentials that are in this process anyway. What is the same among those that come is taken from them, so
    that two configs of which one takes the other's place cost little more than one.
    """
    config: Config = pickle.load(stream)  # noqa: S301
    credentials: dict[str, Credential] = {}
    policies = dict(config.policies)
    while some := pickle.load(stream):  # noqa: S301
        for came, policy in some:
            known = here.get(came.name)
            spec = known if known is not None and known == came else came
            credentials[spec.name] = spec
            if policy is not None:
                policies[spec.name] = sys.intern(policy)
    return replace(config, credentials=credentials, policies=policies)


def send(config: Config, stream: IO[bytes]) -> None:
    """The config without its credentials, then those, some at a time: what reads them remembers each until its end."""
    pickle.dump(headless(config), stream, pickle.HIGHEST_PROTOCOL)
    specs = [(spec, config.policies.get(name)) for name, spec in config.credentials.items()]
    for at in range(0, len(specs), AT_ONCE):
        pickle.dump(specs[at : at + AT_ONCE], stream, pickle.HIGHEST_PROTOCOL)
    pickle.dump([], stream, pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    stay_beneath(int(sys.argv[2]), float(sys.argv[3]))
    send(load_head(Path(sys.argv[1])), sys.stdout.buffer)
