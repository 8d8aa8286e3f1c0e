"""A thief who has the admin key, and moves: he mints until it dies, marks his keys like ours, renames ours, fills caps.

At the end no key of his lives, or exit 3 names each one that does.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver, Operation
from tests.cli.scene import NAME, Answer, Scene, make
from tests.testing.keyserver_client import Client

pytestmark = pytest.mark.stand_in("API provider: keyserver")
EVERY = 0.2
ADMIN = "ks-admin"
ELSEWHERE = "nobody-s"
GO = ("--assume-compromise", "--yes", "--store-wait", "2s")


@dataclass
class Thief:
    """Holds one admin key, from a thread of his own. `made`: his keys, by principal, the oldest first."""

    url: str
    admin: str
    principals: tuple[str, ...]
    made: list[tuple[str, str]] = field(default_factory=list)
    climbs: bool = False  # he goes on with admin keys that he minted himself
    rests: float = 0.0  # seconds for which he keeps still when the alarm comes
    wakes_at: float = 0.0
    shut_out: bool = False
    ladder: list[str] = field(default_factory=list)

    def act(self, stop: threading.Event) -> None:
        """A mint at one principal after the other, and a change of what our keys are called; once more at the end."""
        turn, last = 0, False
        while not last:
            last = stop.wait(EVERY)
            if time.time() < self.wakes_at and not last:
                continue
            with Client(self.url, self.admin, consumer="thief") as client:
                if self._mint(client, self.principals[turn % len(self.principals)], turn):
                    turn += 1
                    continue
            if not self.ladder:
                self.shut_out = True
                return
            self.admin, last = self.ladder.pop(), False

    def _mint(self, client: Client, principal: str, turn: int) -> bool:
        listed = client.call("GET", f"/principals/{principal}/keys")
        if listed.status == 401:
            return False
        his = {key_id for _, key_id in self.made}
        ours = [each for each in listed.body["keys"] if each["id"] not in his]
        mark = ours[-1]["mark"] if ours and turn % 2 else None  # a copy of ours, every other time
        minted = client.mint(principal, **({"mark": mark} if mark else {}))
        if minted.status == 201:
            self.made.append((principal, minted.body["id"]))
            self.ladder += [minted.body["secret"]] if self.climbs and principal == "admins" else []
        for each in ours:
            client.call("PATCH", f"/principals/{principal}/keys/{each['id']}", {"mark": f"backup {turn}"})
        return True


@contextmanager
def at_work(thief: Thief, *, first: int = 4) -> Iterator[Thief]:
    """He has minted some when the alarm comes, and goes on until it is over."""
    stop = threading.Event()
    thread = threading.Thread(target=thief.act, args=(stop,), daemon=True)
    thread.start()
    while len(thief.made) < first:
        assert thread.is_alive()
        time.sleep(0.05)
    thief.wakes_at = time.time() + thief.rests
    try:
        yield thief
    finally:
        stop.set()
        thread.join()


def living(keyserver: Keyserver, thief: Thief) -> set[str]:
    """His keys that live."""
    alive = {key.id for principal in {name for name, _ in thief.made} for key in keyserver.live(principal)}
    return {key_id for _, key_id in thief.made} & alive


def named(answer: Answer, keyserver: Keyserver, thief: Thief) -> set[str]:
    """Of his living keys those that the answer does not name, but for what he minted after the last list of it."""
    lists = [each for each in keyserver.log.of(Operation.LIST, Operation.TRAIL) if each.consumer != "thief"]
    last = {each.principal: each.done_at or 0.0 for each in lists}
    minted = {each.key_id: each.done_at or 0.0 for each in keyserver.log.of(Operation.MINT)}
    at = {key_id: principal for principal, key_id in thief.made}
    words = set(answer.out.replace(",", " ").replace(";", " ").replace(":", " ").split())
    known = {each for each in living(keyserver, thief) if minted[each] < last.get(at[each], time.time())}
    return known - words


def managed(scene: Scene, keyserver: Keyserver) -> str:
    """The admin key becomes a credential of the config; returns what the thief read."""
    keyserver.tell(admins="admins")
    _, secret = keyserver.seed_key("admins")
    document = scene.folder / "store" / "admin.json"
    document.touch(mode=0o600)
    document.write_text(json.dumps({"API_KEY": secret}))
    data = json.loads(scene.config.read_text())
    data["providers"]["ks"]["admin"] = "files:admin.json#API_KEY"
    publish = [{"store": "files", "ref": "admin.json", "fields": {"API_KEY": "{secret}"}}]
    principal = {"principal": "admins", "exclusive": True}
    data["credentials"][ADMIN] = {**data["credentials"][NAME], "publish": publish, "principal": principal}
    scene.rewrite(**data)
    return secret


@pytest.fixture
def keyserver() -> Iterator[Keyserver]:
    with Keyserver(Behaviour(cap=40)) as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return make(tmp_path, keyserver, names=(NAME, "second"), cap=40)


def test_where_the_admin_key_dies_no_key_of_his_lives_at_an_exclusive_principal(
    scene: Scene, keyserver: Keyserver
) -> None:
    stolen = managed(scene, keyserver)
    with at_work(Thief(keyserver.url, stolen, (NAME, "second", "admins"))) as thief:
        answer = scene.run("rotate", "--all", *GO, "--contained", timeout=240)
    assert thief.shut_out
    assert not living(keyserver, thief), answer.out + answer.err
    assert answer.code == 0, answer.out + answer.err
    assert {len(keyserver.live(name)) for name in (NAME, "second", "admins")} == {1}


def test_what_he_mints_where_a_rotation_is_done_already_dies_too(scene: Scene, keyserver: Keyserver) -> None:
    stolen = managed(scene, keyserver)
    policies = json.loads(scene.config.read_text())["policies"]
    scene.rewrite(policies={**policies, "slow": {**policies["quick"], "compromise_grace": "25s"}})
    scene.credential(ADMIN, policy="slow")  # so the stolen key works on when all the others are done
    with at_work(Thief(keyserver.url, stolen, (NAME, "second"), rests=20)) as thief:
        answer = scene.run("rotate", "--all", *GO, "--contained", timeout=240)
    assert thief.shut_out
    assert not living(keyserver, thief), answer.out + answer.err
    assert "dead (absent: two lists lack it)" in answer.out
    assert answer.code == 0, answer.out + answer.err


def test_who_mints_himself_admin_keys_is_shut_out_too_or_named(scene: Scene, keyserver: Keyserver) -> None:
    stolen = managed(scene, keyserver)
    with at_work(Thief(keyserver.url, stolen, (NAME, "admins"), climbs=True)) as thief:
        answer = scene.run("rotate", "--all", *GO, "--contained", timeout=240)
    left = living(keyserver, thief)
    assert answer.code == (3 if left or not thief.shut_out else 0), answer.out + answer.err
    assert not named(answer, keyserver, thief), answer.out


def test_where_it_dies_his_keys_at_a_shared_principal_are_named_and_then_revoked(
    scene: Scene, keyserver: Keyserver
) -> None:
    stolen = managed(scene, keyserver)
    scene.credential(principal={"principal": NAME})
    with at_work(Thief(keyserver.url, stolen, (NAME,))) as thief:
        answer = scene.run("rotate", "--all", *GO, "--contained", timeout=240)
    assert thief.shut_out
    assert living(keyserver, thief)
    assert answer.code == 3
    assert not named(answer, keyserver, thief), answer.out
    shown = len(living(keyserver, thief))
    answer = scene.run("rotate", "--all", *GO, "--contained", f"--revoke-foreign={shown}", timeout=240)
    left = living(keyserver, thief)
    assert answer.code == (3 if left else 0), answer.out + answer.err
    assert not named(answer, keyserver, thief), answer.out


def test_where_nobody_replaces_it_the_command_ends_all_the_same_and_names_his_keys(
    scene: Scene, keyserver: Keyserver
) -> None:
    scene.credential(principal={"principal": NAME})
    with at_work(Thief(keyserver.url, keyserver.admin, (NAME, "second"))) as thief:
        answer = scene.run("rotate", "--all", *GO, "--not-contained", timeout=240)
    assert not thief.shut_out
    assert answer.code == 3
    assert "the admin key of ks was not replaced in this incident: whoever has it can still mint" in answer.out
    assert living(keyserver, thief)
    assert not named(answer, keyserver, thief), answer.out


def test_keys_at_a_principal_that_the_config_does_not_name_are_told_by_the_trail(
    scene: Scene, keyserver: Keyserver
) -> None:
    stolen = managed(scene, keyserver)
    with at_work(Thief(keyserver.url, stolen, (NAME, ELSEWHERE))) as thief:
        answer = scene.run("rotate", "--all", *GO, "--contained", timeout=240)
    assert thief.shut_out
    assert living(keyserver, thief) == {key.id for key in keyserver.live(ELSEWHERE)}
    assert answer.code == 3
    assert not named(answer, keyserver, thief), answer.out


def test_a_cap_that_he_filled_is_emptied_first_or_named(tmp_path: Path) -> None:
    with Keyserver(Behaviour(cap=6)) as keyserver:
        scene = make(tmp_path, keyserver, cap=6)
        stolen = managed(scene, keyserver)
        with at_work(Thief(keyserver.url, stolen, (NAME,)), first=5) as thief:
            answer = scene.run("rotate", "--all", *GO, "--contained", timeout=240)
        left = living(keyserver, thief)
        assert answer.code == (3 if left else 0), answer.out + answer.err
        assert not named(answer, keyserver, thief), answer.out
