"""The commands with a journal on PostgreSQL, and in two lines what is wrong with the database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Scene, make
from tests.journal.on_postgres import url_of
from tests.servers.postgres import Database
from tests.servers.process import reserved_port

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def scene(tmp_path: Path, postgres_database: Database) -> Iterator[Scene]:
    with Keyserver(Behaviour()) as keyserver:
        made = make(tmp_path, keyserver)
        password = tmp_path / "db-password"
        password.touch(mode=0o600)
        password.write_text(postgres_database.password)
        made.rewrite(state={"url": url_of(postgres_database), "password": "file:db-password"})
        made.rewrite(defaults={"lease": "20s"})
        yield made


def test_a_rotation_and_everything_that_looks_at_it(scene: Scene, postgres_database: Database) -> None:
    fresh = scene.say("status")
    assert (fresh.code, "not adopted yet" in fresh.out) == (0, True)
    assert postgres_database.execute("select count(*) from pg_tables where schemaname = 'public'") == [[0]]
    before = scene.published()
    assert scene.say("check").code == 0
    done = scene.run("rotate", NAME, "--wait")
    assert done.code == 0, done.err
    assert scene.published() != before
    status = scene.run("status")
    assert (status.code, "fresh" in status.out) == (0, True)
    assert [row["phase"] for row in scene.json("history", NAME)["rotations"]] == ["done"]
    assert scene.say("why", NAME).code == 0
    verified = scene.say("log", "verify")
    assert verified.code == 0
    exported = [json.loads(line) for line in scene.say("log", "export").out.splitlines()]
    assert [each["seq"] for each in exported if each["rotation"] == exported[-1]["rotation"]]
    assert scene.say("reconcile").code == 0
    kept = postgres_database.execute("select * from event")
    assert kept
    assert scene.published() not in str(kept)


def test_without_a_server_commands_say_so_in_two_lines(scene: Scene) -> None:
    with reserved_port() as port:
        scene.rewrite(state={"url": f"postgresql://rotator@127.0.0.1:{port}/rotator", "password": "file:db-password"})
        for command in (("status",), ("history",), ("rotate", NAME), ("log", "verify")):
            answer = scene.say(*command)
            assert answer.code == 2, command
            assert len(answer.lines) == 2
            assert f"127.0.0.1:{port} cannot be reached" in answer.lines[0]
            assert answer.lines[1].startswith("hint: ")
        checked = scene.say("check")
        assert checked.code == 1
        assert "bad   journal: " in checked.out
        assert "cannot be reached" in checked.out


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("postgresql://rotator:sw0rdfish@db/rotator", "the URL of state holds a password"),
        ("postgresql://[nowhere", "state is not the URL of a database"),
        ("mysql://db/rotator", "names no database that can hold the journal"),
    ],
)
def test_a_bad_url_is_said_in_two_lines_and_not_repeated(scene: Scene, state: str, said: str) -> None:
    scene.rewrite(state=state)
    for command in (("status",), ("history",)):
        answer = scene.run(*command)
        assert (answer.code, len(answer.lines)) == (2, 2), answer
        assert said in answer.lines[0] or "state" in answer.lines[0]
        assert "sw0rdfish" not in answer.out + answer.err


def test_a_bad_url_on_the_command_line_is_said_in_two_lines(scene: Scene) -> None:
    for state in ("postgresql+psycopg://db/rotator", "postgresql://db:x/rotator"):
        answer = scene.say("history", "--state", state)
        assert (answer.code, len(answer.lines)) == (2, 2), answer


def test_a_wrong_password_is_said_by_check(scene: Scene) -> None:
    (scene.folder / "db-password").write_text("not-the-word-4711")
    checked = scene.say("check")
    assert checked.code == 1
    assert "refuses the password" in checked.out
    assert "not-the-word-4711" not in checked.out + checked.err
    (scene.folder / "db-password").unlink()
    assert "the password of the database" in scene.say("check").out


def test_a_password_reference_without_a_password_is_said(scene: Scene) -> None:
    (scene.folder / "db-password").unlink()
    answer = scene.say("history")
    assert (answer.code, len(answer.lines)) == (2, 2)
    assert "cannot be read" in answer.lines[0]
