"""What is wrong with the gcp store's settings is said in two lines, before anything happens, without their text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.stores.gcp import GcpStore
from rotator.domain.settings import SettingsError

TIMEOUT = timedelta(seconds=1)
TOKEN = "ya29.a0AfH6SMBx"
GCP: Mapping[str, Any] = {"project": "acme-prod", "auth": {"method": "metadata"}}


def never(reference: str) -> str:
    raise AssertionError(f"{reference} was read before it was needed")


@pytest.mark.parametrize(
    ("changed", "message", "hint"),
    [
        ({"projekt": "x"}, "'projekt' is not known", "did you mean project?"),
        ({"project": None}, "project is missing", "add project"),
        ({"project": "projects/x"}, "project is no name of a project", "my-project"),
        ({"location": "europe/west3"}, "location is no name of a location", "europe-west3"),
        ({"alias": "latest"}, "alias is no name of an alias", "neither latest nor NEW"),
        ({"alias": "1st"}, "alias is no name of an alias", "begin it with a letter"),
        ({"transport": "http"}, "transport is none of the known", "rest, grpc"),
        ({"endpoint": "secretmanager"}, "endpoint is no address", "https://secretmanager.googleapis.com"),
        ({"endpoint": "https://x:port"}, "endpoint is no address", "https://"),
        ({"endpoint": f"https://me:{TOKEN}@x"}, "endpoint is more than an address", "https://"),
        ({"endpoint": "https://x/v1"}, "endpoint is more than an address", "https://"),
        ({"endpoint": "http://10.0.0.1"}, "without encryption", "https://"),
        ({"auth": None}, "auth is not a table", "method"),
        ({"auth": TOKEN}, "auth is not a table", "method"),
        ({"auth": {}}, "auth.method is missing", "method"),
        ({"auth": {"method": "gcloud"}}, "auth.method is none of the known", "metadata, workload_identity_federation"),
        ({"auth": {"method": "access_token"}}, "auth.token is missing", "token"),
        ({"auth": {"method": "access_token", "token": TOKEN}}, "auth.token is not a reference", "file:PATH"),
        ({"auth": {"method": "metadata", "token": "env:T"}}, "auth.token does not belong", "host"),
        ({"auth": {"method": "adc_file", "file": '{"private_key": "x"}'}}, "auth.file is not a reference", "file:PATH"),
        ({"auth": {"method": "adc_file", "config": "/x"}}, "auth.config does not belong", "file"),
        ({"auth": {"method": "workload_identity_federation", "config": "x"}}, "auth.config is not an absolute", "/"),
        ({"auth": {"method": "workload_identity_federation", "config": "/no/such"}}, "no file /no/such", "credential"),
    ],
)
def test_a_wrong_setting_is_named_and_never_repeated(changed: Mapping[str, Any], message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        GcpStore.from_settings("mine", {**GCP, **changed}, never, TIMEOUT)
    assert message in refusal.value.message
    assert hint in refusal.value.hint
    for line in (refusal.value.message, refusal.value.hint):
        assert line.isprintable()
        assert TOKEN not in line


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({}, "https://secretmanager.googleapis.com"),
        ({"location": "europe-west3"}, "https://secretmanager.europe-west3.rep.googleapis.com"),
        ({"endpoint": "http://127.0.0.1:8080/", "transport": "grpc"}, "http://127.0.0.1:8080"),
        ({"auth": {"method": "access_token", "token": "env:T"}, "alias": "live"}, "https://secretmanager.googleapis"),
        ({"auth": {"method": "adc_file", "file": "file:/run/key.json"}}, "https://secretmanager.googleapis.com"),
        ({"auth": {"method": "metadata", "host": "metadata.google.internal"}}, "https://secretmanager.googleapis.com"),
    ],
)
def test_settings_are_taken_without_a_request_and_without_reading_a_secret(
    settings: Mapping[str, Any], endpoint: str
) -> None:
    store = GcpStore.from_settings("mine", {**GCP, **settings}, never, TIMEOUT)
    assert store.capabilities().max_bytes == 65536
    assert not store.capabilities().exact
    assert endpoint in repr(store)


def test_a_federation_config_that_is_there_is_not_read_yet(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text("no json")
    auth = {"method": "workload_identity_federation", "config": str(config)}
    assert "googleapis.com" in repr(GcpStore.from_settings("mine", {**GCP, "auth": auth}, never, TIMEOUT))
