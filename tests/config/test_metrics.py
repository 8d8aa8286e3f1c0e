"""What `metrics:` becomes, and what is refused there, with its line."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.app.configs import load_config
from rotator.config.errors import ConfigError
from rotator.config.values import MetricsConfig
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def scene(tmp_path: Any) -> Any:
    with Keyserver(Behaviour()) as keyserver:
        yield make(tmp_path, keyserver)


def test_left_out_it_is_shown_nowhere_and_empty_it_is_on_loopback(scene: Scene) -> None:
    assert load_config(scene.config).metrics is None
    scene.rewrite(metrics={})
    assert load_config(scene.config).metrics == MetricsConfig(address="127.0.0.1", port=9464)


def test_on_another_address_only_who_says_so_is_heard(scene: Scene) -> None:
    scene.rewrite(metrics={"listen": "10.0.0.1:9464"})
    with pytest.raises(ConfigError) as told:
        load_config(scene.config)
    assert told.value.message.endswith("metrics.listen is reached from other machines, and nothing there is encrypted")
    scene.rewrite(metrics={"listen": "10.0.0.1:9464", "unencrypted": True, "hosts": ["Rotator"]})
    assert load_config(scene.config).metrics == MetricsConfig(address="10.0.0.1", port=9464, hosts=("rotator",))


def test_in_an_emergency_metrics_that_cannot_be_shown_stop_nothing(scene: Scene) -> None:
    scene.rewrite(metrics={"listen": "nowhere"})
    config = load_config(scene.config, lenient=True)
    assert config.metrics is None
    assert NAME in config.credentials


def test_each_credential_has_the_name_of_its_policy(scene: Scene) -> None:
    assert load_config(scene.config).policies == {NAME: "quick"}
    scene.credential(policy={"every": "9d"})
    assert load_config(scene.config).policies == {NAME: "own"}
    scene.credential(policy=None)
    assert load_config(scene.config).policies == {NAME: "default"}
