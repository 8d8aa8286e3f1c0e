"""One command for a caller of the API, in a process of its own: what `rotator --server` runs on the daemon's machine.

The first line of standard input says who calls and what was typed; whatever follows is the command's own. The pipe
whose number is the one argument brings the config in force: what lies in the file may wait for its approval.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from rotator.app.configs import receive
from rotator.cli import context
from rotator.cli.main import main
from rotator.cli.streams import settle
from rotator.config.reading import Config

LONGEST = 16 * 2**20


def run() -> int:
    """Read who and what, check the rights, run it; returns its exit code."""
    settle()
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        context.in_force = config = receive(pipe)
    said: dict[str, Any] = json.loads(sys.stdin.buffer.readline(LONGEST))
    context.caller = said["name"]
    os.environ["ROTATOR_STATE"] = said["state"]
    return main(said["words"], prog=said["prog"], before=lambda args: prepare(args, said, config))


def prepare(args: argparse.Namespace, said: Mapping[str, Any], config: Config) -> None:
    """Raises `Told` for what the caller may not; else it has the daemon's config, and his name in its reason."""
    from rotator.cli.errors import Told
    from rotator.cli.rights import admit, key
    from rotator.domain.tokens import Role

    if getattr(args, "server", None) is not None:
        raise Told("--server is where you are already", "leave out --server")
    owners = None if said["owners"] is None else frozenset(said["owners"])
    admit(args, Role(said["role"]), owners, lambda name: _owner(config, name))
    if key(args) == "find" and args.paths != ["-"]:
        raise Told("a path would be one of the server's machine", "the text on standard input: find -")
    args.config, args.in_force = said["config"], config
    if hasattr(args, "reason"):
        args.reason = f"{args.reason} (by {said['name']})" if args.reason else f"by {said['name']}"


def _owner(config: Config, name: str) -> str:
    spec = config.credentials.get(name)
    return spec.owner if spec is not None else ""


if __name__ == "__main__":
    sys.exit(run())
