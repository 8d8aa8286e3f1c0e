"""`rotator init` finds keys by their form, writes a config that loads, and shows no value."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from rotator.app.configs import load_config
from rotator.app.initializing import find, read_env
from rotator.app.logins import read_login
from rotator.cli.init import show
from rotator.cli.terminal import Terminal
from rotator.config.installation import read_installation
from tests.cli.in_process import main

BODY = "a1B2c3D4e5F6g7H8i9J0"
OPENAI = f"sk-proj-{BODY}"
PASSWORD = "pW7zzQ91kLm"
DATABASE = f"postgresql://app:{PASSWORD}@127.0.0.1:1/shop?sslmode=disable"
ENV = f"""\
# the keys of shop
export OPENAI_API_KEY="{OPENAI}"
DATABASE_URL={DATABASE}\r
KS_KEY = 'ks_{BODY}'  # of the keyserver
INTERNAL_TOKEN=abc{BODY}
DEBUG=true
EMPTY_KEY=
CERT="-----BEGIN RSA PRIVATE KEY-----
{BODY}
-----END RSA PRIVATE KEY-----"
"""
SECRETS = (BODY, PASSWORD)


@dataclass(frozen=True, slots=True)
class Shell:
    """A working directory."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors of one command."""
        code = main(list(arguments))
        said = self.capture.readouterr()
        return code, said.out, said.err


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    folder = tmp_path / "shop"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "ROTATOR_CONFIG", "ROTATOR_STATE", "KS_KEY_ADMIN"):
        monkeypatch.delenv(name, raising=False)
    return Shell(folder, capsys)


@pytest.fixture
def env(shell: Shell) -> Path:
    file = shell.folder / ".env"
    file.touch(mode=0o600)
    file.write_bytes(ENV.encode())
    return file


def line_of(out: str, name: str) -> str:
    (line,) = (each for each in out.splitlines() if each.startswith(name))
    return line


def verdict_of(out: str, name: str) -> str:
    """The heading of the table in which a name stands."""
    lines = out.splitlines()
    above = lines[: lines.index(line_of(out, name))]
    return next(each for each in reversed(above) if "looks like" in each)


def test_the_table_says_what_can_be_done_about_each_key(shell: Shell, env: Path) -> None:
    code, out, err = shell.run("init", "--from", ".env")
    assert (code, err) == (0, "")
    assert verdict_of(out, "OPENAI_API_KEY").startswith("by hand ")
    assert "api.management.write" in line_of(out, "OPENAI_API_KEY")
    assert verdict_of(out, "KS_KEY").startswith("needs an admin key ")
    assert "exported as KS_KEY_ADMIN" in line_of(out, "KS_KEY")
    assert verdict_of(out, "DATABASE_URL").startswith("needs an admin key ")
    assert "asked: nobody listens at 127.0.0.1:1" in line_of(out, "DATABASE_URL"), (
        "it was asked whether the login works"
    )
    assert "app_owner" in line_of(out, "DATABASE_URL")
    assert "of no form known here: INTERNAL_TOKEN" in out
    assert "3 other variables of no known kind" in out


def test_a_key_whose_admin_credential_is_there_can_be_rotated_today(
    shell: Shell, env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KS_KEY_ADMIN", "x")
    _, out, _ = shell.run("init", "--from", ".env")
    assert verdict_of(out, "KS_KEY").startswith("can be rotated today ")
    assert "first write its base_url" in line_of(out, "KS_KEY")
    assert verdict_of(out, "DATABASE_URL").startswith("needs an admin key ")


def test_no_address_is_made_up_to_which_an_admin_credential_would_be_sent(
    shell: Shell, env: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KS_KEY_ADMIN", "x")
    shell.run("init", "--from", ".env")
    text = (shell.folder / "rotator.yaml").read_text()
    assert "base_url" not in load_config(shell.folder / "rotator.yaml").providers["ks-key"].settings
    assert "# ks-key: base_url" in text
    _, out, _ = shell.run("check")
    assert "base_url is missing" in out
    assert "hint: add base_url" in out


def test_a_narrow_terminal_cuts_nothing_off(shell: Shell, env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find(read_env(ENV))
    screen = StringIO()
    monkeypatch.setattr(Terminal, "width", 60)
    show(found, ".env", Terminal(screen, color=False, live=True))
    assert "…" not in screen.getvalue()
    assert "KS_KEY_ADMIN" in screen.getvalue()
    assert max(map(len, screen.getvalue().splitlines())) <= 60


def test_what_check_says_of_a_provider_names_it_once(shell: Shell, env: Path) -> None:
    shell.run("init", "--from", ".env")
    assert "bad   ks-key: the admin credential of ks-key: the env" in shell.run("check")[1]


def test_no_value_is_shown_or_written_anywhere(shell: Shell, env: Path) -> None:
    before = env.read_bytes()
    _, out, err = shell.run("init", "--from", ".env")
    _, checked, wrong = shell.run("check")
    files = [each for each in shell.folder.parent.rglob("*") if each.is_file() and each != env]
    assert {each.name for each in files} >= {"rotator.yaml", "installation.key", "trusted.json"}
    everything = [out, err, checked, wrong, *(each.read_bytes().decode("latin-1") for each in files)]
    assert not [secret for secret in SECRETS for text in everything if secret in text]
    assert env.read_bytes() == before


def test_both_files_are_ours_alone_and_hold_what_they_must(shell: Shell, env: Path) -> None:
    shell.run("init", "--from", ".env")
    for name in ("rotator.yaml", "installation.key"):
        assert stat.S_IMODE((shell.folder / name).stat().st_mode) == 0o600
    read_installation((shell.folder / "installation.key").read_text())
    config = load_config(shell.folder / "rotator.yaml")
    assert set(config.credentials) == {"database-url", "ks-key"}
    fields = config.credentials["database-url"].publish[0].fields
    assert fields == {"DATABASE_URL": "postgresql://{user}:{password}@127.0.0.1:1/shop?sslmode=disable"}
    assert config.providers["database-url"].settings["tls"] == "off"


def test_check_accepts_it_but_for_the_admin_credentials(shell: Shell, env: Path) -> None:
    shell.run("init", "--from", ".env")
    code, out, err = shell.run("check")
    assert (code, err) == (1, "")
    bad = [each for each in out.splitlines() if each.startswith("bad")]
    assert len(bad) == 2
    assert all("_ADMIN is not set" in each for each in bad)


def test_what_init_writes_is_trusted_until_it_changes(shell: Shell, env: Path) -> None:
    shell.run("init", "--from", ".env")
    assert shell.run("status")[0] == 0
    with (shell.folder / "rotator.yaml").open("a") as file:
        file.write("# changed\n")
    code, _, err = shell.run("status")
    assert code == 2
    assert "not trusted, or was changed" in err


@pytest.mark.parametrize("name", ["rotator.yaml", "installation.key"])
def test_nothing_is_overwritten(name: str, shell: Shell, env: Path) -> None:
    (shell.folder / name).write_text("mine")
    code, out, err = shell.run("init", "--from", ".env")
    assert (code, out) == (2, "")
    assert f"{name} exists already" in err
    assert sorted(each.name for each in shell.folder.iterdir()) == sorted([".env", name])
    assert (shell.folder / name).read_text() == "mine"


def test_a_link_to_nowhere_is_not_followed(shell: Shell) -> None:
    (shell.folder / "rotator.yaml").symlink_to("elsewhere")
    assert shell.run("init")[0] == 2
    assert [each.name for each in shell.folder.iterdir()] == ["rotator.yaml"]


def test_a_folder_that_everybody_may_write_gets_nothing(shell: Shell) -> None:
    shell.folder.chmod(0o777)
    code, _, err = shell.run("init")
    assert code == 2
    assert "may be written by everybody" in err
    assert not list(shell.folder.iterdir())


def test_without_a_source_an_empty_config_is_written_that_loads(shell: Shell) -> None:
    code, out, _ = shell.run("init")
    assert code == 0
    assert "next: add a provider" in out
    assert not load_config(shell.folder / "rotator.yaml").credentials


@pytest.mark.parametrize("data", [None, b"\xff\xfe\x00", b"A=\0"], ids=["missing", "binary", "nul"])
def test_what_is_no_dotenv_file_is_refused_and_nothing_written(data: bytes | None, shell: Shell) -> None:
    if data is not None:
        (shell.folder / ".env").write_bytes(data)
    code, _, err = shell.run("init", "--from", ".env")
    assert code == 2
    assert len(err.splitlines()) == 2
    assert not (shell.folder / "rotator.yaml").exists()


def test_a_file_without_keys_says_so(shell: Shell, env: Path) -> None:
    env.write_text("A=1\nB=two\n")
    code, out, _ = shell.run("init", "--from", ".env")
    assert code == 0
    assert "no key was recognised in .env" in out


def test_git_is_told_what_to_keep_out(shell: Shell) -> None:
    (shell.folder / ".git").mkdir()
    assert "out of git" in shell.run("init")[1]


# -- from a store ------------------------------------------------------------------------------------------------------


def test_fields_of_a_store_are_looked_at_and_nothing_is_written(shell: Shell) -> None:
    shell.run("init")
    store = shell.folder / "store"
    store.mkdir(mode=0o700)
    (store / "app.json").write_text(json.dumps({"key": f"ks_{BODY}", "other": "x"}))
    config = shell.folder / "rotator.yaml"
    config.write_text(config.read_text() + "stores: {files: {driver: file, root: store}}\n")
    shell.run("trust")
    before = config.read_bytes()
    code, out, err = shell.run("init", "--from", "files:app.json#key,other,none")
    assert (code, err) == (0, "")
    assert verdict_of(out, "key").startswith("needs an admin key ")
    assert "nothing was written" in out
    assert BODY not in out
    assert config.read_bytes() == before
    addition = out[out.index("providers:") :]
    config.write_text(config.read_text() + addition)
    assert set(load_config(config).credentials) == {"key"}


@pytest.mark.parametrize(
    ("source", "message"),
    [("filez:a#b", "neither a file nor a store"), ("files:a", "names no fields"), ("files:none.json#a", "")],
)
def test_a_store_that_is_not_there_is_named(source: str, message: str, shell: Shell) -> None:
    shell.run("init")
    config = shell.folder / "rotator.yaml"
    config.write_text(config.read_text() + f"stores: {{files: {{driver: file, root: {shell.folder}}}}}\n")
    shell.run("trust")
    code, out, err = shell.run("init", "--from", source)
    assert message in err
    assert code == (2 if message else 0)
    assert bool(message) or "no key was recognised" in out


def test_a_store_needs_a_config(shell: Shell) -> None:
    code, _, err = shell.run("init", "--from", "vault:app/env#KEY")
    assert code == 2
    assert "there is no config" in err


# -- what is read ------------------------------------------------------------------------------------------------------


def test_every_way_to_write_a_variable_is_read() -> None:
    found = find(read_env(ENV))
    assert [each.variable for each in found.candidates] == ["OPENAI_API_KEY", "DATABASE_URL", "KS_KEY"]
    assert OPENAI not in repr(found)


def test_names_of_credentials_differ_and_are_names() -> None:
    found = find({"A_KEY": OPENAI, "a_key": OPENAI, "a__key": OPENAI, "_": OPENAI, OPENAI: OPENAI, "sk-x": OPENAI})
    assert [each.credential for each in found.candidates] == ["a-key", "a-key-2", "a-key-3", "key"]
    assert found.others == 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:p%40ss@db/app",
        "postgresql://app:pw@db/app?password=other",
        "postgresql://app:pw@db/app?sslpassword=other",
        "postgresql://app:pw@db/app#x",
        "postgresql://app:pw@db,other/app",
        "postgresql://app:pw@/app",
        "postgresql://app:pw@db:port/app",
        "postgresql://app:pw@db/{app}",
        "postgresql://app:pw@pw.internal/app",
    ],
)
def test_a_url_whose_other_parts_may_be_secret_is_left_to_a_person(url: str, shell: Shell, env: Path) -> None:
    assert read_login(url) is None
    env.write_text(f"DATABASE_URL={url}\n")
    _, out, _ = shell.run("init", "--from", ".env")
    assert verdict_of(out, "DATABASE_URL").startswith("by hand ")
    assert "next: add a provider" in out
    assert not load_config(shell.folder / "rotator.yaml").credentials
