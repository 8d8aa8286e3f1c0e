"""What most verbs begin with: the config, put together."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.cli.errors import Told
from rotator.config.errors import nearest
from rotator.config.location import find
from rotator.config.reading import Config
from rotator.domain.credential import Credential

in_force: Config | None = None
"""The config of a daemon that has this command run: it counts, whatever the file says by now."""
caller = ""
"""For whom that daemon has it run, as the trail calls him."""


def load(args: argparse.Namespace, *, lenient: bool = False) -> Config:
    """The config that counts. Raises `ConfigError`."""
    if in_force is not None:
        return in_force
    config = load_config(find(args.config), lenient=lenient)
    return replace(config, state=args.state) if args.state else config


def assemble(args: argparse.Namespace, *, lenient: bool = False) -> Assembly:
    """The config, put together. Raises `ConfigError`."""
    return Assembly(config=load(args, lenient=lenient), by=caller)


@contextmanager
def assembled(args: argparse.Namespace, *, lenient: bool = False) -> Iterator[Assembly]:
    """`assemble`; the journal is closed at the end."""
    assembly = assemble(args, lenient=lenient)
    try:
        yield assembly
    finally:
        assembly.close()


def named(config: Config, name: str) -> Credential:
    """The credential of that name; a misspelt one names the nearest, and nothing is done."""
    if name in config.credentials:
        return config.credentials[name]
    if name in config.broken:
        raise config.broken[name]
    raise unknown(name, config.credentials)


def unknown(name: str, known: Iterable[str]) -> Told:
    """The answer to a name that is not there."""
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else "`rotator status` lists the credentials"
    return Told(f"there is no credential {name!r}", hint)
