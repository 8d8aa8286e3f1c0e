"""A config that crosses to another process is the same config; its head is what can be known without credentials."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from rotator.app import configs
from rotator.app.configs import headless, load_config, load_head, load_head_apart, receive, send
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import Scene, make
from tests.config.folder import assert_two_lines

EXAMPLE = Path(__file__).parents[2] / "config" / "rotator.example.yaml"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    with Keyserver(Behaviour()) as keyserver:
        return make(tmp_path, keyserver)


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 2001])
def test_a_config_that_was_sent_is_the_same(scene: Scene, count: int) -> None:
    config = with_credentials(scene, count)
    came = receive(sent(config))
    assert came == config
    assert list(came.credentials) == [f"key-{number}" for number in range(count)]
    assert came.policies == config.policies


def test_the_example_that_was_sent_is_the_same() -> None:
    config = load_config(EXAMPLE)
    assert len(set(config.policies.values())) > 1
    assert receive(sent(config)) == config


def test_the_policy_of_a_credential_that_is_broken_comes_too(scene: Scene) -> None:
    config = with_credentials(scene, 2)
    broken = replace(config, credentials={"key-0": config.credentials["key-0"]})
    assert receive(sent(broken)).policies == config.policies
    assert headless(broken).policies == {"key-1": config.policies["key-1"]}


def test_of_what_is_here_already_nothing_is_held_twice(scene: Scene) -> None:
    config = with_credentials(scene, 3)
    changed = replace(config.credentials["key-1"], owner="others")
    later = replace(config, credentials={**config.credentials, "key-1": changed})
    came = receive(sent(later), config.credentials)
    assert came == later
    assert came.credentials["key-0"] is config.credentials["key-0"]
    assert came.credentials["key-1"] == changed
    assert came.credentials["key-2"] is config.credentials["key-2"]


def test_the_head_is_the_config_without_credentials_and_who_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_config(EXAMPLE)
    head = load_head(EXAMPLE)
    assert whole.credentials
    assert whole.consumers
    assert head == replace(whole, credentials={}, consumers={}, identities={}, policies={})

    def nobody(path: Path) -> Config:
        raise AssertionError("it was read here after all")

    monkeypatch.setattr(configs, "load_head", nobody)
    assert load_head_apart(EXAMPLE) == head


def test_the_head_is_read_though_an_included_file_is_none(scene: Scene) -> None:
    scene.rewrite(include="more/*.yaml")
    (scene.folder / "more").mkdir()
    (scene.folder / "more" / "bad.yaml").touch(mode=0o600)
    (scene.folder / "more" / "bad.yaml").write_text("credentials: [")
    with pytest.raises(ConfigError, match=r"bad\.yaml:2"):
        load_config(scene.config)
    assert load_head_apart(scene.config).state == load_head(scene.config).state


def test_what_is_wrong_is_said_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "rotator.yaml"
    path.touch(mode=0o600)
    path.write_text("state: sqlite:///rotator.db\nstaet: 1\n")
    with pytest.raises(ConfigError) as here:
        load_config(path)
    with pytest.raises(ConfigError) as apart:
        load_head_apart(path)
    assert (apart.value.message, apart.value.hint) == (here.value.message, here.value.hint)


def test_reading_the_head_that_never_ends_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "rotator.yaml"
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="could not be read within 1 seconds") as told:
        load_head_apart(path, limit=1.0)
    assert_two_lines(told.value)


def sent(config: Config) -> BytesIO:
    pipe = BytesIO()
    send(config, pipe)
    pipe.seek(0)
    return pipe


def with_credentials(scene: Scene, count: int) -> Config:
    entry = json.loads(scene.config.read_text())["credentials"]["llm-prod"]
    names = [f"key-{number}" for number in range(count)]
    scene.rewrite(credentials={name: _of(entry, name) for name in names})
    return load_config(scene.config)


def _of(entry: dict[str, object], name: str) -> dict[str, object]:
    place = {"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}
    return {**entry, "principal": {"principal": name, "exclusive": True}, "publish": [place]}
