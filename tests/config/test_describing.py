"""A description in a file beside the config: it becomes the provider's setting, is trusted with it, and has lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.app.configs import load_config
from rotator.app.describing import brought, described, place_of
from rotator.app.drivers import make_provider
from rotator.config.errors import ConfigError
from rotator.config.including import digest, load_document
from rotator.config.location import trust, trusted
from tests.providers.described import TIMEOUT, description

ADMIN = "admin-secret-0123456789"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A config over one described provider."""
    write(tmp_path, "mine.yaml", description("keyserver"))
    return with_provider(tmp_path, description="mine.yaml", base_url="http://127.0.0.1:9")


def write(folder: Path, name: str, table: Any) -> None:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(table if isinstance(table, str) else yaml.safe_dump(table, sort_keys=False))


def with_provider(folder: Path, **provider: Any) -> Path:
    providers = {"mine": {"driver": "rest", "admin": "file:admin", **provider}}
    place = {"store": "files", "ref": "a.json", "fields": {"KEY": "{secret}"}}
    one = {"provider": "mine", "principal": {"principal": "svc"}, "publish": [place]}
    write(
        folder,
        "rotator.yaml",
        {
            "state": "sqlite:///rotator.db",
            "installation": {"key": "file:installation.key"},
            "providers": providers,
            "stores": {"files": {"driver": "file", "root": "store", "format": "json"}},
            "credentials": {"one": one},
        },
    )
    return folder


def test_a_file_that_a_provider_names_is_what_its_driver_is_given(folder: Path) -> None:
    config = load_config(folder / "rotator.yaml").providers["mine"]
    assert config.settings["description"] == description("keyserver")
    make_provider(described(config), ADMIN, TIMEOUT)


def test_what_is_wrong_in_it_is_said_with_its_file_and_line(folder: Path) -> None:
    text = yaml.safe_dump(description("keyserver"), sort_keys=False)
    write(folder, "mine.yaml", text.replace("  path: /resource", "  path: https://evil.example.com/"))
    config = load_config(folder / "rotator.yaml").providers["mine"]
    line = text.splitlines().index("  path: /resource") + 1
    with pytest.raises(ConfigError) as caught:
        make_provider(described(config), ADMIN, TIMEOUT)
    assert caught.value.message == f"{folder / 'mine.yaml'}:{line}: mine: description.verify.path is no path"
    assert caught.value.hint


def test_what_is_wrong_in_a_table_written_into_the_config_has_its_line_too(tmp_path: Path) -> None:
    table = description("keyserver")
    del table["verify"]["path"]
    table["list"]["id"] = "id"
    with_provider(tmp_path, description=table)
    config = load_config(tmp_path / "rotator.yaml").providers["mine"]
    lines = (tmp_path / "rotator.yaml").read_text().splitlines()
    with pytest.raises(ConfigError) as caught:
        make_provider(described(config), ADMIN, TIMEOUT)
    number = int(caught.value.message.removeprefix(f"{tmp_path / 'rotator.yaml'}:").partition(":")[0])
    assert lines[number - 1].strip() == "id: id"


def test_a_complaint_of_something_else_is_said_of_the_provider(folder: Path) -> None:
    config = load_config(folder / "rotator.yaml").providers["mine"]
    assert place_of(config, "base_url is missing") == config.where
    assert place_of(config, "descriptions are fine").file == config.where.file
    assert place_of(config, "description.'mint' is not known").line == place_of(config, "description.mint.x is …").line
    assert str(place_of(config, "description.nothing.like.it is missing")).startswith(str(folder / "mine.yaml"))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "cannot be read"),
        ("", "this is no description"),
        ("- a", "this is no description"),
        ("base_url: &x y", "anchors"),
        ("base_url: [", "check indentation"),
    ],
)
def test_a_file_that_is_none_is_a_fault_of_its_provider(folder: Path, content: str | None, word: str) -> None:
    (folder / "mine.yaml").unlink()
    if content is not None:
        write(folder, "mine.yaml", content)
    with pytest.raises(ConfigError) as caught:
        load_config(folder / "rotator.yaml")
    assert word in f"{caught.value.message} {caught.value.hint}"
    assert "mine.yaml" in caught.value.message
    assert list(load_config(folder / "rotator.yaml", lenient=True).broken) == ["one"], "an emergency goes on without it"


def test_a_file_that_others_may_write_is_refused(folder: Path) -> None:
    (folder / "mine.yaml").chmod(0o666)
    with pytest.raises(ConfigError, match="may be written by others"):
        load_config(folder / "rotator.yaml")


def test_a_change_of_it_asks_again_whether_the_config_is_trusted(folder: Path) -> None:
    environment = {"XDG_STATE_HOME": str(folder / "state")}
    config = folder / "rotator.yaml"
    trust(config, environment)
    assert trusted(config, environment)
    before = digest(load_document(config))
    table = description("keyserver")
    write(folder, "mine.yaml", {**table, "base_url": "https://evil.example.com"})
    assert not trusted(config, environment)
    assert digest(load_document(config)) != before


def test_a_pointer_to_a_secret_is_none_but_a_secret_in_a_description_is_refused(folder: Path) -> None:
    table = description("keyserver")
    assert table["mint"]["secret"] == "/secret"
    table["headers"] = {"X-Api-Key": "sk-proj-a1B2c3D4e5F6g7H8i9J0"}
    write(folder, "mine.yaml", table)
    with pytest.raises(ConfigError, match="secret") as caught:
        load_config(folder / "rotator.yaml")
    assert str(folder / "mine.yaml") in caught.value.message
    assert "a1B2c3" not in caught.value.message


def test_a_name_is_a_description_that_the_driver_brings(tmp_path: Path) -> None:
    with_provider(tmp_path, description="elevenlabs")
    config = described(load_config(tmp_path / "rotator.yaml").providers["mine"])
    assert config.settings["description"] == description("elevenlabs")
    assert "elevenlabs" in brought()["rest"]
    make_provider(config, ADMIN, TIMEOUT)


def test_a_name_that_it_does_not_bring_is_answered_with_the_nearest(tmp_path: Path) -> None:
    for name, hint in (("elevenlab", "did you mean elevenlabs?"), ("../../etc/x", "fireworks")):
        with_provider(tmp_path, description=name)
        with pytest.raises(ConfigError) as caught:
            described(load_config(tmp_path / "rotator.yaml").providers["mine"])
        assert hint in caught.value.hint


def test_its_rate_counts_where_the_config_has_none(folder: Path) -> None:
    write(folder, "mine.yaml", {**description("keyserver"), "rate": "120/m"})
    assert described(load_config(folder / "rotator.yaml").providers["mine"]).rate == 2.0
    with_provider(folder, description="mine.yaml", rate="7/s")
    assert described(load_config(folder / "rotator.yaml").providers["mine"]).rate == 7.0
    write(folder, "mine.yaml", {**description("keyserver"), "rate": "often"})
    with_provider(folder, description="mine.yaml")
    with pytest.raises(ConfigError, match=r"mine.yaml:\d+: description.rate is not a rate"):
        described(load_config(folder / "rotator.yaml").providers["mine"])


def test_another_drivers_setting_of_that_name_is_its_own(tmp_path: Path) -> None:
    with_provider(tmp_path, driver="keyserver", description="a keyserver")
    config = load_config(tmp_path / "rotator.yaml").providers["mine"]
    assert described(config).settings == {"description": "a keyserver"}
