"""The program `git`, so called that nothing of a repository's config is run and nothing leaves this machine.

What a config may name as a program: hooks, file system monitors, pagers, diff drivers, text converters, signature
checkers, transports. What reads the config of this user and of the system is left out, too.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rotator.domain.failures import Permanent

_SETTINGS = {
    "safe.directory": "*",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.alternateRefsCommand": "",
    "log.showSignature": "false",
    "gpg.program": "false",
    "protocol.allow": "never",
    "diff.external": "",
}
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
_MOST_SAID = 300


def arguments(folder: Path, words: list[str]) -> list[str]:
    """The command for a repository."""
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return ["git", "--no-pager", *settings, "-C", str(folder), *words]


def environment() -> dict[str, str]:
    """Nothing of ours but where programs are."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.devnull, **_ENVIRONMENT}


@contextmanager
def running(folder: Path, *words: str, talk: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """The program while it writes; `talk`: it is asked on its standard input. Raises `Permanent` when it failed.

    Who leaves early ends it. Its end is waited for.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                arguments(folder, list(words)),
                stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment(),
            )
        except FileNotFoundError:
            raise Permanent("the program git is not installed", "install it where this is run") from None
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            process.wait()
        if process.returncode:
            raise Permanent(f"git {words[0]} failed: {_said(said)}", "try `git fsck` in the repository")


def output(folder: Path, *words: str) -> str | None:
    """What it prints, without the last line's end; None when it fails."""
    try:
        with running(folder, *words) as process:
            assert process.stdout is not None
            return process.stdout.read().decode("utf-8", "replace").rstrip("\n")
    except Permanent as failure:
        if "not installed" in failure.message:
            raise
        return None


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    text = " ".join(file.read(4096).decode("utf-8", "replace").split())
    return text[:_MOST_SAID] or "it says nothing"
