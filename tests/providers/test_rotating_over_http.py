"""A whole emergency with each of these drivers: the command of a person, a config, a file store, and a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.isolation.possible import why_not
from rotator.config.installation import new_installation
from tests.cli.in_process import main
from tests.servers import langfuse, litellm, pinecone
from tests.servers.api import StandIn
from tests.servers.langfuse import LangfuseStandIn
from tests.servers.litellm import LiteLlmStandIn
from tests.servers.pinecone import PineconeStandIn

AT_ONCE = {"propagation": "0s", "death_window": "0s", "list_lag": "0s"}
POLICY = {"every": "30d", "overlap": "1s", "quiet_for": "0s", "max_overlap": "1h", "compromise_grace": "0s"}
OLD = {"public": "pk-lf-Old0123456789", "secret": "sk-lf-Old-key-of-everybody"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One provider with an old key, and how the config describes it."""

    driver: str
    server: StandIn
    admin: str
    provider: dict[str, Any]
    principal: dict[str, Any]
    mint: str
    keys: Callable[[], set[str]]
    fields: dict[str, str] = field(default_factory=lambda: {"SECRET": "{secret}"})


def of_litellm(exits: ExitStack) -> Case:
    server = exits.enter_context(LiteLlmStandIn())
    server.add(OLD["secret"], team_id="team-ml")
    return Case(
        driver="litellm",
        server=server,
        admin=litellm.ADMIN,
        provider={"base_url": server.url},
        principal={"team": "team-ml"},
        mint="POST /key/generate",
        keys=lambda: set(server.keys),
    )


def of_langfuse(exits: ExitStack) -> Case:
    server = exits.enter_context(LangfuseStandIn())
    server.add(OLD["public"], OLD["secret"])
    return Case(
        driver="langfuse",
        server=server,
        admin=langfuse.SECRET,
        provider={"base_url": server.url, "public_key": langfuse.PUBLIC},
        principal={"project": langfuse.PROJECT},
        mint="POST /api/public/projects/",
        keys=lambda: set(server.keys),
        fields={"PUBLIC": "{public}", "SECRET": "{secret}"},
    )


def of_pinecone(exits: ExitStack) -> Case:
    server = exits.enter_context(PineconeStandIn())
    server.add("everybody's", value=OLD["secret"])
    login = {"client_id": pinecone.CLIENT_ID, "login_url": server.login.url}
    return Case(
        driver="pinecone",
        server=server,
        admin=pinecone.CLIENT_SECRET,
        provider={"base_url": server.url, **login},
        principal={"project": pinecone.PROJECT},
        mint="POST /admin/projects/",
        keys=lambda: set(server.keys),
    )


@pytest.fixture(
    params=[
        pytest.param(of_litellm, marks=pytest.mark.stand_in(litellm.NAME)),
        pytest.param(of_langfuse, marks=pytest.mark.stand_in(langfuse.NAME)),
        pytest.param(of_pinecone, marks=pytest.mark.stand_in(pinecone.NAME)),
    ]
)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with ExitStack() as exits:
        yield request.param(exits)


@pytest.fixture(params=["off", "sandbox"])
def level(request: pytest.FixtureRequest) -> str:
    """Within our own process, and in one that has no sockets of its own."""
    if request.param == "sandbox" and why_not() is not None:
        pytest.skip(str(why_not()))
    return str(request.param)


def configure(folder: Path, case: Case, level: str, lease: str = "20s") -> Path:
    """A folder with all that a rotation needs."""
    # to an address of this machine a driver is let only by name; that both hosts are named `reach` is asked for
    driver = entry_points(group="rotator.providers")[case.driver].load()
    hosts = driver.reach(case.provider).hosts
    values = {name: OLD[template.strip("{}")] for name, template in case.fields.items()}
    (folder / "store").mkdir(mode=0o700)
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:installation.key"},
        "defaults": {"lease": lease, "isolation": level},
        "providers": {"it": {"admin": "file:admin", "driver": case.driver, "hosts": hosts, **case.provider, **AT_ONCE}},
        "stores": {"files": {"driver": "file", "root": "store", "format": "json"}},
        "policies": {"quick": POLICY},
        "credentials": {
            "prod": {
                "provider": "it",
                "principal": {**case.principal, "exclusive": True},
                "publish": [{"store": "files", "ref": "prod.json", "fields": case.fields}],
                "policy": "quick",
            }
        },
    }
    texts = {"admin": case.admin, "installation.key": new_installation().text(), "rotator.yaml": json.dumps(config)}
    for name, text in {**texts, "store/prod.json": json.dumps(values)}.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text)
    return folder / "rotator.yaml"


def test_an_exposed_key_is_replaced_and_proven_dead(
    case: Case, level: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(tmp_path, case, level, lease="5s")  # two of them are waited for
    (old,) = case.keys()
    words = ["rotate", "prod", "--assume-compromise", "--contained", "--yes", "--json", "--config", str(config)]
    assert main(words) == 0
    (rotation,) = json.loads(capsys.readouterr().out)["rotations"]
    assert (rotation["phase"], rotation["error"]) == ("done", None)
    assert [(each["key_id"], each["proof"]) for each in rotation["old_keys"]] == [(old, "refused")]
    assert case.keys() == {rotation["new_key"]["key_id"]}
    assert len([line for line in case.server.lines() if line.startswith(case.mint)]) == 1
    published = json.loads((tmp_path / "store" / "prod.json").read_text())
    assert set(published) == set(case.fields)
    assert not {*published.values()} & {*OLD.values()}


def test_the_admin_credential_is_checked_and_nothing_changes(
    case: Case, level: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(tmp_path, case, level)
    before = case.keys()
    assert main(["check", "--config", str(config)]) == 0
    capsys.readouterr()
    assert case.keys() == before
    assert not [line for line in case.server.lines() if not line.startswith("GET")]
