"""`rotator trust` accepts a config as it is now, and says where it sends credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.in_process import main
from tests.config.folder import GOOD


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cloned"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "ROTATOR_CONFIG", "ROTATOR_STATE"):
        monkeypatch.delenv(name, raising=False)
    config = folder / "rotator.yaml"
    config.touch(mode=0o600)
    config.write_text(GOOD)
    return config


def test_a_cloned_config_is_refused_until_it_is_trusted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 2
    assert "is not trusted" in capsys.readouterr().err
    assert main(["trust"]) == 0
    capsys.readouterr()
    assert main(["status"]) == 0
    assert "two" in capsys.readouterr().out


def test_it_says_where_credentials_go(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trust", "rotator.yaml"]) == 0
    out = capsys.readouterr().out
    assert "ks sends the admin credential env:KS_ADMIN to http://127.0.0.1:1" in out
    assert "files writes to store" in out


def test_a_change_asks_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["trust"])
    here.write_text(GOOD.replace("127.0.0.1:1", "127.0.0.1:2"))
    assert main(["status"]) == 2
    assert "was changed since" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mode", "text", "message"),
    [(0o666, GOOD, "may be written by others"), (0o600, "- a", "this is no config"), (0o600, "a: [", "rotator.yaml:")],
)
def test_what_cannot_be_believed_or_read_is_not_trusted(
    mode: int, text: str, message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here.write_text(text)
    here.chmod(mode)
    assert main(["trust"]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert len(said.err.splitlines()) == 2
    assert said.out == ""
    assert not (here.parent.parent / "home" / ".local").exists()


def test_control_characters_do_not_reach_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here.write_text(GOOD.replace("root: store", 'root: "st\\tore"'))
    assert main(["trust"]) == 0
    assert "st·ore" in capsys.readouterr().out
