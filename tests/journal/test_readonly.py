"""The quick look: the same answers as the journal's, without SQLAlchemy, and without a trace."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rotator.adapters.journal.errors import Damaged, Newer, NotAJournal, Older
from rotator.adapters.journal.migrating import upgrade
from rotator.adapters.journal.opening import connect, open_journal
from rotator.adapters.journal.readonly import look_at
from rotator.adapters.journal.sqlite import SqliteJournal
from rotator.domain.records import CredentialRow, KnownKey, Origin
from rotator.domain.rotation import Phase
from rotator.ports import Change
from rotator.testing.journal_contract import SIGNER
from rotator.testing.journal_contract.full import filled
from rotator.testing.journal_contract.values import NOTHING, NOW, SECOND, begun, claimed, noting
from tests.journal.places import as_nobody, open_directory

ROOT = Path(__file__).parents[2]
IMPORTS = """
import json, sys
from rotator.adapters.journal.readonly import look_at
with look_at(sys.argv[1]) as journal:
    journal.rotations(), journal.credentials(), journal.events()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rotator.db"


def busy_day(journal: SqliteJournal) -> None:
    row = filled(claimed(journal))
    key = KnownKey(key_id="k1", credential="openai", origin=Origin.MINTED, since=NOW, dead_at=NOW)
    credential = CredentialRow(name="openai", current="k1", next_due=NOW, drift=("aws:a",))
    journal.commit(row, NOW, Change(events=noting("mint", "stage").events, keys=(key,), credential=credential))
    ended = claimed(journal, "r2", "github")
    journal.commit(replace(ended, phase=Phase.DONE, owner=None), NOW, noting("end"))
    begun(journal, "r3", "github")
    journal.save(CredentialRow(name="aws", held=True, held_why="audit"), NOW, noting("hold"))
    journal.checkpoint(NOW)
    journal.set_older_than_world("key k9 is unknown")


def test_it_answers_as_the_journal_does(path: Path) -> None:
    with open_journal(f"sqlite:///{path}", signer=SIGNER) as journal:
        busy_day(journal)
        with look_at(f"sqlite:///{path}") as look:
            for credential in (None, "openai", "github", "nobody"):
                assert look.rotations(credential) == journal.rotations(credential)
                assert look.rotations(credential, limit=1) == journal.rotations(credential, limit=1)
            for name in ("openai", "github", "aws", "nobody"):
                assert look.open_rotation(name) == journal.open_rotation(name)
                assert look.credential(name) == journal.credential(name)
                assert look.keys(name) == journal.keys(name)
            for rotation_id in ("r1", "r2", "nobody"):
                assert look.rotation(rotation_id) == journal.rotation(rotation_id)
                assert look.events(rotation_id, after=1) == journal.events(rotation_id, after=1)
            assert look.credentials() == journal.credentials()
            assert look.every_key() == journal.every_key() != ()
            assert look.events() == journal.events()
            assert look.events(after=1, limit=2) == journal.events(after=1, limit=2)
            assert look.checkpoints() == journal.checkpoints()
            assert look.older_than_world() == journal.older_than_world() == "key k9 is unknown"
            assert [row.id for row in look.open_rotations()] == ["r1", "r3"]


def test_it_sees_what_others_write_meanwhile(path: Path) -> None:
    with open_journal(f"sqlite:///{path}") as journal, look_at(f"sqlite:///{path}") as look:
        assert look.older_than_world() is None
        row = begun(journal)
        assert look.open_rotation("openai") == row


def test_it_imports_neither_sqlalchemy_nor_pydantic(path: Path) -> None:
    open_journal(f"sqlite:///{path}").close()
    command = [sys.executable, "-c", IMPORTS, f"sqlite:///{path}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    modules = json.loads(found.stdout)
    assert not {"sqlalchemy", "alembic", "pydantic", "cryptography", "greenlet"} & set(modules)


def test_it_can_write_nothing(path: Path) -> None:
    with open_journal(f"sqlite:///{path}") as journal:
        begun(journal)
    content = path.read_bytes()
    with look_at(f"sqlite:///{path}") as look, pytest.raises(sqlite3.OperationalError, match="readonly"):
        look._connection.execute("DELETE FROM meta")
    assert path.read_bytes() == content


@pytest.mark.parametrize("held", [True, False], ids=["while it is open elsewhere", "while nobody has it"])
def test_who_may_only_read_can_look(held: bool) -> None:
    with open_directory() as directory:
        path = directory / "rotator.db"
        journal = open_journal(f"sqlite:///{path}")
        row = claimed(journal)
        if not held:
            journal.close()
        for each in directory.iterdir():
            each.chmod(0o444)
        with as_nobody(), look_at(f"sqlite:///{path}") as look:
            assert look.open_rotation("openai") == row
        journal.close()


def test_what_is_not_there_is_not_made(path: Path) -> None:
    for text in (f"sqlite:///{path}", f"sqlite:///{path.parent}/missing/rotator.db"):
        with pytest.raises(NotAJournal):
            look_at(text)
    path.write_bytes(b"")
    with pytest.raises(NotAJournal):
        look_at(f"sqlite:///{path}")
    assert path.read_bytes() == b""
    assert [each.name for each in path.parent.iterdir()] == ["rotator.db"]


def test_a_relative_path_is_relative_to_the_config(path: Path) -> None:
    open_journal("sqlite:///rotator.db", base=path.parent).close()
    assert path.is_file()
    with look_at("sqlite:///rotator.db", base=path.parent) as look:
        assert look.rotations() == ()


def test_an_older_journal_is_told_and_not_migrated(path: Path) -> None:
    connection = connect(path, SECOND)
    upgrade(connection, "0001")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(Older) as found:
        look_at(f"sqlite:///{path}")
    assert found.value.hint
    assert path.read_bytes() == content


def test_a_newer_a_foreign_and_a_damaged_file_are_told(path: Path) -> None:
    with open_journal(f"sqlite:///{path}") as journal:
        row = claimed(journal)
        journal.commit(row, NOW, NOTHING)
    good = path.read_bytes()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(Newer):
        look_at(f"sqlite:///{path}")
    path.write_bytes(b"not a database\n" * 100)
    with pytest.raises(NotAJournal):
        look_at(f"sqlite:///{path}")
    path.write_bytes(good[:100] + b"\xff" * 3996 + good[4096:])
    with pytest.raises(Damaged):
        look_at(f"sqlite:///{path}")
