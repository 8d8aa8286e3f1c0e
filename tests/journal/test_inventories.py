"""All implementations of inventories keep the same contract; on a database they stay small."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.journal.opening import open_journal
from rotator.domain.packages import PYPI, Component, Inventory, Package
from rotator.ports import Inventories
from rotator.testing.inventories import MemoryInventories
from rotator.testing.inventories_contract import NOW, InventoriesContract, inventory
from tests.journal.on_postgres import opened
from tests.servers.postgres import Database


class TestMemoryInventories(InventoriesContract):
    @pytest.fixture
    def inventories(self) -> Inventories:
        return MemoryInventories()


class TestSqliteInventories(InventoriesContract):
    @pytest.fixture
    def inventories(self, tmp_path: Path) -> Iterator[Inventories]:
        with open_journal(f"sqlite:///{tmp_path}/rotator.db") as journal:
            yield journal.inventories


class TestPostgresInventories(InventoriesContract):
    @pytest.fixture
    def inventories(self, journal_database: Database) -> Iterator[Inventories]:
        with opened(journal_database) as journal:
            yield journal.inventories


HOUR = timedelta(hours=1)


def versions(count: int, packages: int) -> list[Inventory]:
    """A lockfile's commits: in each one package moves to another version."""
    current = {f"package-{n}": 0 for n in range(packages)}
    found = []
    for commit in range(count):
        current[f"package-{commit * 7 % packages}"] += 1
        components = tuple(
            Component(package=Package.of(PYPI, name), version=f"1.{version}", hashed=True)
            for name, version in current.items()
        )
        since = NOW + commit * HOUR
        found.append(inventory(components=components, since=since, commit=f"{commit:040x}", until=since + HOUR))
    return found


def test_a_thousand_commits_of_a_lockfile_with_300_packages_stay_small(tmp_path: Path) -> None:
    path = tmp_path / "rotator.db"
    with open_journal(f"sqlite:///{path}") as journal:
        empty = path.stat().st_size
        given = versions(1000, 300)
        for at in range(0, len(given), 200):
            assert journal.inventories.record(given[at : at + 200], NOW) == 200
        assert journal.inventories.record(given, NOW) == 0
        assert len(journal.inventories.history()) == 1000
        moved = journal.inventories.holding([Package.of(PYPI, "package-7")])
        assert len(moved) == 1000
        assert {each.components[0].version for each in moved} == {"1.0", "1.1", "1.2", "1.3", "1.4"}
        (found,) = journal.inventories.at(given[500].since)
        assert set(found.components) == set(given[500].components)
    # 300,000 rows of a component in a version would be some 8 MB.
    assert path.stat().st_size - empty < 3 * 2**20


def test_what_was_recorded_cannot_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "rotator.db"
    with open_journal(f"sqlite:///{path}") as journal:
        journal.inventories.record([inventory("1.82.8")], NOW)
    connection = sqlite3.connect(path)
    for statement in ("DELETE FROM inventory", "UPDATE inventory SET consumer = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()
