"""The night of litellm 1.82.7 and 1.82.8: four consumers with a history in Git, and the credentials that they read."""

from __future__ import annotations

import re
from pathlib import Path

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Answer, Scene, make
from tests.lockfiles import written
from tests.repository.making import Made, on

NAMES = ("openai", "mail", "app-db", "grafana", "vault-login")
WINDOW = ("--from", "2026-03-24T10:39:00Z", "--to", "2026-03-24T16:00:00Z")
BAD = ("--package", "litellm==1.82.7", "--package", "litellm==1.82.8", *WINDOW)


def lock(version: str) -> str:
    """A lockfile with litellm in a version."""
    return written.UV.replace("1.82.8", version)


def night(folder: Path, keyserver: Keyserver) -> Scene:
    """Four consumers: one had the bad version, one an hour too early, one the one before, one the one behind it."""
    (folder / "config").mkdir()
    scene = make(folder / "config", keyserver, NAMES)
    scene.credential("openai", consumers=["agents"])
    scene.credential("mail", consumers=["web"])
    scene.credential("grafana", consumers=["batch"])
    scene.credential("vault-login", consumers=["late"])
    scene.credential("app-db", consumers=["late"])
    consumers = {name: {"lockfiles": [f"svc/{name}/uv.lock"]} for name in ("agents", "web", "batch", "late")}
    consumers["agents"]["identities"] = ["agents-role"]
    scene.rewrite(consumers=consumers, identities={"agents-role": {"reads": ["files:app*"]}})
    made = Made.at(scene.folder)
    (scene.folder / ".gitignore").write_text("*\n!svc\n!svc/**\n")
    first = {f"svc/{name}/uv.lock": lock("1.82.6") for name in consumers}
    made.commit(on(1), {**first, "svc/batch/uv.lock": lock("1.82.7")})
    made.commit(on(20), {"svc/batch/uv.lock": lock("1.82.6")})
    made.commit(on(24, hour=11), {"svc/agents/uv.lock": lock("1.82.8")})
    made.commit(on(31), {"svc/agents/uv.lock": lock("1.83.0"), "svc/late/uv.lock": lock("1.83.0")})
    return scene


def recorded(scene: Scene) -> Scene:
    """The same, with its history recorded."""
    answer = scene.say("audit", "backfill", ".", "--pad", "1h")
    assert answer.code == 0, answer.err
    return scene


def exposed(answer: Answer) -> list[str]:
    """The credentials that a command calls exposed, in order."""
    return re.findall(r"^exposed: ([a-z-]+)", answer.err + answer.out, flags=re.MULTILINE)


def incident_of(answer: Answer) -> str:
    """The id that a command said first."""
    return str(re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.out + answer.err)[0])
