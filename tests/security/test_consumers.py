"""I4 where consumers are told: no value and no proof in what they are sent, what is said of them, or the journal."""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.domain.acknowledgement import acknowledgement
from tests.cli.scene import NAME
from tests.consumers.receiver import Post, Receiver, Reply
from tests.security.guarded import Guarded, guarded

pytestmark = pytest.mark.stand_in("API provider: keyserver")
EMERGENCY = ("--assume-compromise", "--contained", "--yes", "--again")
DUMP = """import os, pathlib, sys
with open({path!r}, "ab") as file:
    file.write(repr((dict(os.environ), sys.argv)).encode() + sys.stdin.buffer.read())
    file.write(pathlib.Path("/proc/self/environ").read_bytes())
print({answer!r})
"""


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as each:
        yield each


def _program(folder: Path, answer: str) -> str:
    path = folder / "reload"
    path.write_text(f"#!{sys.executable} -IS\n" + DUMP.format(path=str(folder / "dumped"), answer=answer))
    path.chmod(0o755)
    return str(path)


def _secret(guard: Guarded) -> str:
    """A webhook's secret, in a file that may hold it."""
    raw = secrets.token_bytes(32)
    text = "whsec_" + base64.b64encode(raw).decode()
    path = guard.scene.folder / "whsec"
    path.touch(mode=0o600)
    path.write_text(text)
    guard.watch.ours |= {path}
    guard.configured.update({"webhook": text, "webhook's bytes": raw})
    return text


def _configure(guard: Guarded, receiver: Receiver, answer: str) -> None:
    consumers = {
        "reader": {"reload": {"webhook": receiver.url, "secret": "file:whsec"}},
        "batch": {"reload": {"command": [_program(guard.scene.folder, answer)]}},
        "cron": {},
    }
    guard.scene.rewrite(consumers=consumers)
    guard.scene.credential(consumers=list(consumers))
    guard.scene.policy(overlap="1h", max_overlap="2h", min_overlap="0s")


def test_what_consumers_are_sent_and_answer_leaks_nothing(guard: Guarded) -> None:
    scene, secret = guard.scene, _secret(guard)
    proofs: list[str] = []

    def reads(post: Post) -> Reply:
        value, rotation = scene.published(), post.json["data"]["rotation"]
        proofs.append(acknowledgement(value, rotation, "reader"))
        return Reply(status=200, body=json.dumps({"acknowledgement": proofs[-1], "key": value}).encode())

    with Receiver(reads) as receiver:
        _configure(guard, receiver, answer="ack1_" + "0" * 64)
        assert guard.run("adopt", NAME).code == 0
        assert guard.run("rotate", NAME).code == 0
        for name in ("cron", "batch"):
            with scene.journal() as journal:
                rotation = journal.rotations(NAME)[0].id
            proofs.append(acknowledgement(scene.published(), rotation, name))
            assert guard.run("acknowledge", NAME, name, stdin=proofs[-1]).code == 0
        assert guard.run("acknowledge", NAME, "reader", stdin=scene.published()).code != 0
        assert guard.run("rotate", "--due", "--wait").code == 0
        receiver.reply = lambda _: Reply(status=503, body=scene.published().encode())
        assert guard.run("rotate", NAME, *EMERGENCY).code == 0
        for words in (["status", NAME], ["log", "export"], ["check"], ["rotate", NAME, *EMERGENCY, "--dry-run"]):
            guard.run(*words)
        posts = list(receiver.posts)
    assert posts[0].authentic(secret)
    for post in posts:
        guard.watch.add("webhook", post.body + repr(post.headers).encode())
    guard.configured.update({f"proof {number}": proof[5:] for number, proof in enumerate(proofs)})
    seen = {where.split()[0] for where, _ in guard.watch.sinks}
    assert seen >= {"stdout", "stderr", "cmdline", "environ", "file", "webhook"}
    assert "file dumped" in {where for where, _ in guard.watch.sinks}
    assert len(proofs) >= 3
    assert guard.leaks() == []


def test_a_planted_leak_in_a_webhook_is_found(guard: Guarded) -> None:
    guard.run("adopt", NAME)
    guard.watch.add("webhook", b"x" + guard.scene.published().encode())
    assert {leak.where for leak in guard.leaks()} == {"webhook"}
