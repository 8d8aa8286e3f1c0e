"""Which config counts, and that one which somebody else could have written is not believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rotator.config import location
from rotator.config.errors import ConfigError
from rotator.config.location import find, trust
from tests.config.folder import GOOD, Folder


@pytest.fixture
def world(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home of the test's own, a machine without a config, and the config's folder as working directory."""
    monkeypatch.setattr(location, "SYSTEM", folder.path / "etc" / "rotator.yaml")
    monkeypatch.chdir(folder.path)
    return {"HOME": str(folder.path / "home")}


def refusal(given: str | None, world: dict[str, str]) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        find(given, world)
    return raised.value


def test_the_order_is_option_variable_system_user_and_here(folder: Folder, world: dict[str, str]) -> None:
    assert "there is no config" in refusal(None, world).message
    here = folder.write(GOOD)
    trust(here, world)
    assert find(None, world) == Path("rotator.yaml")
    (folder.path / "home" / ".config").mkdir(parents=True)
    user = folder.write(GOOD, "home/.config/rotator/rotator.yaml")
    assert find(None, world) == user
    system = folder.write(GOOD, "etc/rotator.yaml")
    assert find(None, world) == system
    named = folder.write(GOOD, "named.yaml")
    assert find(None, {**world, "ROTATOR_CONFIG": str(named)}) == named
    assert find(str(here), {**world, "ROTATOR_CONFIG": str(named)}) == here


def test_a_config_here_counts_only_as_it_was_trusted(folder: Folder, world: dict[str, str]) -> None:
    here = folder.write(GOOD)
    assert "is not trusted" in refusal(None, world).message
    trust(here, world)
    assert find(None, world) == Path("rotator.yaml")
    folder.write(GOOD + "# changed\n")
    error = refusal(None, world)
    assert "changed since" in error.message
    assert "rotator trust rotator.yaml" in error.hint


def test_trust_covers_what_is_included_too(folder: Folder, world: dict[str, str]) -> None:
    folder.write("", "more/a.yaml")
    here = folder.write("include: more/*.yaml\n" + GOOD)
    trust(here, world)
    assert find(None, world) == Path("rotator.yaml")
    folder.write("# changed\n", "more/a.yaml")
    assert "changed since" in refusal(None, world).message
    folder.write("", "more/a.yaml")
    assert find(None, world) == Path("rotator.yaml")
    folder.write("", "more/b.yaml")
    assert "changed since" in refusal(None, world).message


def test_trust_is_of_one_path(folder: Folder, world: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    trust(folder.write(GOOD), world)
    copy = folder.write(GOOD, "copy/rotator.yaml")
    monkeypatch.chdir(copy.parent)
    assert "is not trusted" in refusal(None, world).message


def test_a_book_of_trust_that_is_no_book_trusts_nothing(folder: Folder, world: dict[str, str]) -> None:
    here = folder.write(GOOD)
    trust(here, world)
    book = folder.path / "home" / ".local" / "state" / "rotator" / "trusted.json"
    assert book.stat().st_mode & 0o777 == 0o600
    for text in ("[]", "{", ""):
        book.write_text(text)
        assert "is not trusted" in refusal(None, world).message
    trust(here, world)
    assert find(None, world) == Path("rotator.yaml")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_config_that_others_may_write_is_refused_however_it_is_named(
    mode: int, folder: Folder, world: dict[str, str]
) -> None:
    here = folder.write(GOOD)
    trust(here, world)
    here.chmod(mode)
    for given in (None, str(here)):
        error = refusal(given, world)
        assert "may be written by others" in error.message
        assert error.hint.startswith("chmod go-w ")
    with pytest.raises(ConfigError, match="may be written by others"):
        trust(here, world)


def test_a_folder_that_everybody_may_write_is_refused(folder: Folder, world: dict[str, str]) -> None:
    here = folder.write(GOOD)
    folder.path.chmod(0o777)
    assert "may be written by everybody" in refusal(str(here), world).message
    folder.path.chmod(0o1777)
    assert find(str(here), world) == here
    folder.path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_config_of_somebody_else_is_refused(folder: Folder, world: dict[str, str]) -> None:
    here = folder.write(GOOD)
    os.chown(here, 12345, 12345)
    assert "belongs to somebody else" in refusal(str(here), world).message
    os.chown(here, 0, 0)
    os.chown(folder.path, 12345, 12345)
    assert "belongs to somebody else" in refusal(str(here), world).message
    os.chown(folder.path, 0, 0)
    assert find(str(here), world) == here


def test_a_link_is_judged_by_what_it_points_to(folder: Folder, world: dict[str, str]) -> None:
    real = folder.write(GOOD, "real/rotator.yaml")
    link = folder.path / "link.yaml"
    link.symlink_to(real)
    assert find(str(link), world) == link
    real.chmod(0o666)
    assert "may be written by others" in refusal(str(link), world).message


def test_a_folder_or_a_missing_file_is_no_config(folder: Folder, world: dict[str, str]) -> None:
    assert "is not a file" in refusal(str(folder.path), world).message
    assert "No such file" in refusal(str(folder.path / "none.yaml"), world).message
