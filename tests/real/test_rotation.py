"""A PostgreSQL login rotated and published to OpenBao: the rotation, its rollback, its emergency."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from pg8000.exceptions import Error

from tests.daemon.running import eventually
from tests.real.scene import FIRST, NAME, Reader, Real


def test_the_login_is_rotated_and_the_old_password_proven_dead(real: Real) -> None:
    with Reader(real).reading() as reader:
        answer = real.run(NAME, "--wait", "--json", script="rotate")
        eventually(lambda: reader.logins > 5)
    assert answer.code == 0, answer.err
    (rotation,) = json.loads(answer.out)["rotations"]
    assert rotation["phase"] == "done"
    assert [old["proof"] for old in rotation["old_keys"]] == ["refused"]
    assert real.login()
    assert not real.opens("app_a", FIRST)
    assert real.roles_that_open() == ["app_b"]
    assert real.document()["other"] == "theirs"
    assert real.private() == []
    assert reader.refused == []


def test_roles_are_used_in_turn(real: Real) -> None:
    users = []
    for _ in range(3):
        assert real.run(NAME, "--wait", script="rotate").code == 0
        users.append(urlsplit(real.document()["url"]).username)
    assert users == ["app_b", "app_a", "app_b"]


def test_no_clear_password_reaches_the_servers_log_or_the_journal(real: Real) -> None:
    real.arena.execute("alter system set log_statement = 'all'")
    real.arena.execute("select pg_reload_conf()")
    try:
        assert real.run(NAME, "--wait", script="rotate").code == 0
    finally:
        real.arena.execute("alter system reset log_statement")
        real.arena.execute("select pg_reload_conf()")
    password = urlsplit(real.document()["url"]).password or ""
    assert len(password) >= 32
    assert "SCRAM-SHA-256$" in real.arena.log()
    assert password not in real.arena.log()
    for path in real.folder.iterdir():
        if path.name.startswith("rotator.db"):
            data = path.read_bytes()
            assert password.encode() not in data
            assert FIRST.encode() not in data


def test_an_operator_rolls_back_and_the_old_password_is_published_again(real: Real) -> None:
    config = json.loads(real.config.read_text())
    config["policies"]["quick"]["overlap"] = "1h"
    config["policies"]["quick"]["max_overlap"] = "2h"
    real.config.write_text(json.dumps(config))
    assert real.run(NAME, script="rotate").code == 0
    assert urlsplit(real.document()["url"]).username == "app_b"
    assert real.run("rollback", NAME).code == 0
    config["policies"]["quick"]["overlap"] = "0s"
    real.config.write_text(json.dumps(config))
    with Reader(real).reading() as reader:
        real.run("--due", "--wait", script="rotate")
    assert "rolled" in real.run("history", NAME).out
    assert urlsplit(real.document()["url"]).username == "app_a"
    assert real.login()
    assert real.opens("app_a", FIRST)
    assert real.roles_that_open() == ["app_a"]
    assert real.private() == []
    assert reader.refused == []


@pytest.mark.parametrize("contain", [[], ["--contain-first"]], ids=["overlap", "contain first"])
def test_in_an_emergency_every_login_that_belongs_dies_and_sessions_end(real: Real, contain: list[str]) -> None:
    thief = real.arena.database.connect("app_a", FIRST)
    real.lease("2s")
    words = [NAME, "--assume-compromise", "--contained", "--yes", "--json", *contain]
    answer = real.run(*words, script="rotate")
    assert answer.code == 0, answer.err
    (rotation,) = json.loads(answer.out)["rotations"]
    assert all(old["proof"] in ("refused", "absent") for old in rotation["old_keys"])
    assert not real.opens("app_a", FIRST)
    assert real.login()
    assert real.roles_that_open() == ["app_b"]
    assert real.arena.sessions("app_a") == 0
    with pytest.raises(Error):
        thief.cursor().execute("select 1")
    thief._usock.close()  # the driver leaves the socket open when the server ended the session


def test_a_foreign_value_is_never_overwritten(real: Real) -> None:
    assert real.run("adopt", NAME).code == 0
    real.publish({"url": "postgresql://somebody:else@elsewhere/db", "other": "theirs"})
    answer = real.run(NAME, "--wait", script="rotate")
    assert answer.code == 1
    assert "did not write" in answer.out
    assert real.document()["url"] == "postgresql://somebody:else@elsewhere/db"
    assert real.roles_that_open() == ["app_a"]
