"""`rotate` as somebody runs it who types its answers at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess

from tests.cli.scene import SCRIPTS, Answer, Scene


def in_terminal(scene: Scene, typed: str, *words: str) -> Answer:
    """A command whose standard input is a terminal at which this is typed."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed.encode())
        with scene.leased_for(words):
            done = subprocess.run(
                [str(SCRIPTS / "rotate"), *scene.with_config(words)],
                stdin=theirs,
                capture_output=True,
                text=True,
                timeout=240,
                cwd=scene.folder,
                env=scene.environment(),
                check=False,
            )
    finally:
        os.close(ours)
        os.close(theirs)
    return Answer(code=done.returncode, out=done.stdout, err=done.stderr)
