"""The daemon with what stands beside it: a config that changes, metrics, notices, a heartbeat."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import urllib3

from rotator.domain.rotation import Phase
from rotator.testing.keyserver import Behaviour, Keyserver, Operation
from tests.cli.scene import NAME, make
from tests.daemon.running import eventually, make_due, phases, serving

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def test_a_plain_change_of_the_config_is_in_force_at_once(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=(NAME, "new"))
    data = json.loads(scene.config.read_text())
    entry = data["credentials"].pop("new")
    scene.rewrite(credentials=data["credentials"])
    with serving(scene) as daemon:
        daemon.until("adopt", "key-1")
        scene.policy(every="20d")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("reloading")
        daemon.until("serving")
        scene.rewrite(credentials={NAME: data["credentials"][NAME], "new": entry})
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("config waits")
        shown = scene.say("config", "diff", "--json")
        assert shown.code == 1
        digest = json.loads(shown.out)["digest"]
        assert scene.say("config", "approve", "--yes", digest).code == 0
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("adopt", next(iter(keyserver.live("new"))).id)


def test_an_address_that_somebody_changed_is_not_asked_before_it_is_approved(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    with Keyserver(Behaviour(), admin=keyserver.admin) as thief:
        scene = make(tmp_path, keyserver)
        with serving(scene) as daemon:
            daemon.until("adopt")
            providers = json.loads(scene.config.read_text())["providers"]
            scene.rewrite(providers={"ks": {**providers["ks"], "base_url": thief.url}})
            daemon.process.send_signal(signal.SIGHUP)
            waiting = daemon.until("config waits")
            assert waiting["message"].startswith("providers.ks.base_url; `rotator config diff` shows it")
            daemon.end(signal.SIGTERM)
        with serving(scene, first="config waits") as daemon:  # nor after a restart
            make_due(scene, NAME)
            eventually(lambda: phases(scene) == [Phase.DONE])
            daemon.end(signal.SIGTERM)
        assert len(thief.log) == 0


@pytest.mark.parametrize("rubbish", [b"\xff\xfe\x00", b"", b"state: [", b"x" * 5_000_000])
def test_rubbish_in_place_of_the_config_changes_nothing(tmp_path: Path, keyserver: Keyserver, rubbish: bytes) -> None:
    scene = make(tmp_path, keyserver)
    good = scene.config.read_bytes()
    with serving(scene) as daemon:
        daemon.until("adopt")
        scene.config.write_bytes(rubbish)
        daemon.process.send_signal(signal.SIGHUP)
        assert "the config in force stays" in daemon.until("bad config")["message"]
        scene.config.write_bytes(good)
        scene.policy(every="20d")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("serving")
        assert daemon.end(signal.SIGTERM) == 0


def test_metrics_are_shown_and_a_heartbeat_is_written_while_it_serves(
    tmp_path: Path, keyserver: Keyserver, port: int
) -> None:
    scene = make(tmp_path, keyserver)
    assert scene.say("alive").code == 1
    scene.rewrite(metrics={"listen": f"127.0.0.1:{port}"})
    with serving(scene) as daemon:
        daemon.until("adopt")
        eventually(lambda: scene.say("alive").code == 0)
        text = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics").data.decode()
        assert "rotator_journal_up 1.0" in text
        assert daemon.end(signal.SIGTERM) == 0
    assert scene.say("alive").code == 1


def test_a_port_that_is_taken_is_said_in_two_lines(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    scene.rewrite(metrics={"listen": keyserver.url.removeprefix("http://")})
    answer = scene.run("daemon")
    assert answer.code == 2
    said = [line for line in answer.lines if not line.startswith("{")]
    assert "already in use" in said[0]
    assert said[1].startswith("hint: ")


def test_the_same_words_through_the_daemon_and_never_with_a_config_that_waits(
    tmp_path: Path, keyserver: Keyserver, port: int
) -> None:
    with Keyserver(Behaviour(), admin=keyserver.admin) as thief:
        scene = make(tmp_path, keyserver)
        scene.rewrite(listen=f"127.0.0.1:{port}")
        token = tmp_path / "token"
        token.touch(mode=0o600)
        token.write_text(scene.say("token", "new", "anna", "--role", "responder").out)
        with serving(scene) as daemon:
            daemon.until("adopt")
            words = ("--server", f"http://127.0.0.1:{port}")
            there = {"ROTATOR_TOKEN_FILE": str(token)}
            here, elsewhere = scene.run("status"), scene.run(*words, "status", more=there)
            assert (elsewhere.code, elsewhere.err) == (0, "")
            assert elsewhere.out.splitlines()[0].split() == here.out.splitlines()[0].split()  # ages differ in width
            providers = json.loads(scene.config.read_text())["providers"]
            scene.rewrite(providers={"ks": {**providers["ks"], "base_url": thief.url}})
            daemon.process.send_signal(signal.SIGHUP)
            daemon.until("config waits")
            rotated = scene.run(*words, "rotate", NAME, "--reason", "a test", more=there)
            assert rotated.code == 0, rotated.err
            assert "is live" in rotated.out
            refused = scene.run(*words, "rotate", NAME, "--admin", "ks=file:admin", more=there)
            assert refused.code == 2
            answer = urllib3.request("GET", f"http://127.0.0.1:{port}/v1/credentials")
            assert answer.status == 401
            shown = scene.run(*words, "config", "diff", "--json", more=there)
            digest = json.loads(shown.out)["digest"]
            assert scene.run(*words, "config", "approve", "--yes", digest, more=there).code == 0
            daemon.process.send_signal(signal.SIGHUP)
            daemon.until("reloading")
            daemon.until("serving")
        assert len(thief.log.of(Operation.MINT)) == 0
