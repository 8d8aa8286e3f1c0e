"""What this rotator's own environment has is remembered as it changes, and costs nothing while it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.inventories import inventories_of
from rotator.app.own_environment import OWN, history_of, keep_own
from rotator.domain.packages import PYPI, Inventory, Package
from rotator.testing.keyserver import Keyserver
from tests.auditing.installed import install
from tests.cli.scene import make

pytestmark = pytest.mark.stand_in("API provider: keyserver")
LITELLM = Package.of(PYPI, "litellm")


@pytest.fixture
def assembly(tmp_path: Path) -> Iterator[Assembly]:
    with Keyserver() as keyserver:
        made = Assembly(config=load_config(make(tmp_path, keyserver).config))
        yield made
        made.close()


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    return install(tmp_path / "site-packages", "litellm", "1.82.6")


def history(assembly: Assembly) -> tuple[Inventory, ...]:
    kept = inventories_of(assembly)
    return history_of(kept, kept.holding([LITELLM]), assembly.clock.now()).held


def test_it_is_recorded_once_while_nothing_changes(assembly: Assembly, packages: Path) -> None:
    assert keep_own(assembly, [packages])
    assert not keep_own(assembly, [packages])
    [held] = history(assembly)
    assert held.consumer == OWN
    assert [each.version for each in held.components] == ["1.82.6"]


def test_what_is_installed_later_is_a_record_of_its_own_and_ends_the_one_before(
    assembly: Assembly, packages: Path
) -> None:
    keep_own(assembly, [packages])
    (packages / "litellm-1.82.6.dist-info").rename(packages.parent / "gone")
    install(packages, "litellm", "1.82.8")
    assert keep_own(assembly, [packages])
    before, after = history(assembly)
    assert [[each.version for each in held.components] for held in (before, after)] == [["1.82.6"], ["1.82.8"]]
    assert (before.until, after.until) == (after.since, None)


def test_what_was_touched_and_is_the_same_is_no_news(assembly: Assembly, packages: Path) -> None:
    keep_own(assembly, [packages])
    os.utime(packages, (1_700_000_000, 1_700_000_000))
    assert not keep_own(assembly, [packages])
    assert len(history(assembly)) == 1


def test_a_folder_that_went_away_meanwhile_stops_nothing(assembly: Assembly, packages: Path) -> None:
    assert not keep_own(assembly, [packages / "nowhere"])
    assert history(assembly) == ()


def test_consumers_records_are_not_its_own(assembly: Assembly, packages: Path) -> None:
    keep_own(assembly, [packages])
    kept = inventories_of(assembly)
    assert {each.consumer for each in kept.history()} == {OWN}
    found = history_of(kept, (), assembly.clock.now())
    assert found.held == ()
    assert not found.known(assembly.clock.now().replace(year=2000))
