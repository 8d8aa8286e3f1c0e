"""Which keys are never put out of use as foreign ones, although nothing in the config shows whose they are."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import chdir
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.adapters.calendar import CronCalendar
from rotator.app.assembly import Assembly
from rotator.app.holding import Held, held_at
from rotator.app.last_looks import LastLooks
from rotator.config.installation import read_installation
from rotator.config.reading import read_config
from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene, make
from tests.cli.test_after import incident_of, mint
from tests.testing.keyserver_client import Client

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")
DRY = ("--assume-compromise", "--dry-run", "--revoke-foreign")
SHARED = {"principal": NAME}


def beside(scene: Scene, name: str = "other", **more: object) -> str:
    """One more credential at the same principal, with a key of its own; returns the key's id."""
    key_id, secret = scene.keyserver.seed_key(NAME)
    document = scene.folder / "store" / f"{name}.json"
    document.touch(mode=0o600)
    document.write_text(json.dumps({"API_KEY": secret}))
    data = json.loads(scene.config.read_text())
    publish = [{"store": "files", "ref": f"{name}.json", "fields": {"API_KEY": "{secret}"}}]
    data["credentials"][name] = {**data["credentials"][NAME], "publish": publish, **more}
    scene.rewrite(**data)
    return key_id


def leave_the_config(scene: Scene, name: str) -> None:
    credentials = json.loads(scene.config.read_text())["credentials"]
    scene.rewrite(credentials={key: each for key, each in credentials.items() if key != name})


def number(scene: Scene) -> str:
    """The number that the dry run says."""
    told = re.search(r"--revoke-foreign=(\d+)", scene.say("rotate", NAME, *DRY).out)
    return f"--revoke-foreign={told[1] if told else 0}"


@pytest.fixture
def shared(scene: Scene) -> Scene:
    scene.credential(principal=SHARED)
    return scene


def test_a_broken_entry_may_hold_any_key_so_none_dies(shared: Scene) -> None:
    key_id = beside(shared, policy="quickk")
    answer = shared.say("rotate", NAME, *GO, "--revoke-foreign=1")
    assert answer.code == 3
    assert key_id in shared.alive
    assert "nobody can say that no store holds it: other: " in answer.out


def test_the_old_key_of_a_credential_that_left_the_config_is_spared(shared: Scene) -> None:
    key_id = beside(shared)
    shared.policy(overlap="1h")
    shared.say("rotate", "other", "--no-wait")
    leave_the_config(shared, "other")
    both = shared.alive
    assert key_id in both
    answer = shared.say("rotate", NAME, *GO, number(shared))
    assert answer.code == 3
    assert len(both & shared.alive) == 2  # all but the credential's own old one
    assert key_id in shared.alive


def second_entry(scene: Scene) -> str:
    """`other`, of another entry for the same account, in its overlap; returns its old key."""
    key_id = beside(scene, provider="ks2", policy="slow", principal=SHARED)
    data = json.loads(scene.config.read_text())
    data["providers"]["ks2"] = dict(data["providers"]["ks"])
    data["policies"]["slow"] = {**data["policies"]["quick"], "overlap": "1h"}
    scene.rewrite(**data)
    scene.say("rotate", "other", "--no-wait")
    return key_id


def test_a_key_of_another_entry_of_the_same_account_is_no_foreign_one(shared: Scene) -> None:
    key_id = second_entry(shared)
    theirs = shared.alive
    answer = shared.say("rotate", NAME, *GO, number(shared))
    assert answer.code == 0, answer.out
    assert key_id in shared.alive
    assert len(theirs & shared.alive) == 2
    assert "foreign key" not in answer.out


def test_any_mark_of_our_own_is_spared_beside_a_shared_principal(shared: Scene) -> None:
    mark = f"rot-{installation(shared)}-1abc-1-{'a' * 13}"
    key_id, _ = shared.keyserver.seed_key(NAME, mark=mark)
    answer = shared.say("rotate", NAME, *GO, "--revoke-foreign=1")
    assert answer.code == 3
    assert key_id in shared.alive
    assert "it bears a mark of this installation of the rotator, and of no credential of the config" in answer.out


def installation(scene: Scene) -> str:
    """The installation's id, as its marks say it."""
    return read_installation((scene.folder / "installation.key").read_text()).id


def the_admin_key_is_one_of(scene: Scene) -> str:
    scene.keyserver.tell(admins=NAME)
    key_id, secret = scene.keyserver.seed_key(NAME)
    (scene.folder / "admin").write_text(secret)
    return key_id


def test_the_rotator_s_own_admin_key_is_spared(shared: Scene) -> None:
    key_id = the_admin_key_is_one_of(shared)
    thief = mint(shared, NAME, mark="his")
    answer = shared.say("rotate", NAME, *GO, number(shared))
    assert answer.code == 0, answer.out
    assert key_id in shared.alive
    assert thief not in shared.alive


def test_the_admin_key_is_known_by_its_hint_where_the_provider_identifies_none(
    tmp_path: Path, keyserver: Keyserver
) -> None:
    scene = make(tmp_path, keyserver, identifies=False)
    scene.credential(principal=SHARED)
    scene.say("adopt", NAME, "--key-id", *scene.alive)
    key_id = the_admin_key_is_one_of(scene)
    answer = scene.say("rotate", NAME, *GO, "--revoke-foreign=1")
    assert answer.code == 3
    assert key_id in scene.alive
    assert "it seems to be the admin key of ks" in answer.out


@pytest.mark.parametrize(
    ("kind", "entry", "owner"),
    [
        ("providers", {"admin": "env:NOT_HERE"}, "the admin key of more"),
        ("stores", {"token": "env:NOT_HERE"}, "the credential of the store more"),
    ],
)
def test_what_may_be_a_key_of_our_own_that_cannot_be_read_is_said_before_it_dies(
    shared: Scene, kind: str, entry: dict[str, str], owner: str
) -> None:
    key_id = mint(shared, NAME, mark="whose")
    data = json.loads(shared.config.read_text())
    like = data[kind]["ks" if kind == "providers" else "files"]
    shared.rewrite(**{kind: {**data[kind], "more": {**like, **entry}}})
    answer = shared.say("rotate", NAME, *DRY)
    assert f"nobody can tell whether {key_id} is {owner}, which cannot be read here: compare it first" in answer.out


def test_the_window_alone_is_what_dies(shared: Scene) -> None:
    older, _ = shared.keyserver.seed_key(NAME, mark="colleague")
    time.sleep(0.3)
    since = datetime.now(UTC).isoformat()
    time.sleep(0.1)
    younger, _ = shared.keyserver.seed_key(NAME, mark="his")
    answer = shared.say("rotate", NAME, *GO, "--from", since, "--revoke-foreign=2")
    assert (answer.code, answer.lines[-2]) == (2, "rotate: there is 1 foreign key of the window and not 2")
    answer = shared.say("rotate", NAME, *GO, "--from", since, "--revoke-foreign=1")
    assert answer.code == 0, answer.out
    assert f"foreign key, not touched: {older} 'colleague'" in answer.err
    assert f"foreign key, to be revoked: {younger} 'his'" in answer.err
    assert older in shared.alive
    assert younger not in shared.alive


def test_a_number_of_keys_where_there_is_none_changes_nothing(shared: Scene) -> None:
    answer = shared.say("rotate", NAME, *GO, "--revoke-foreign=3")
    assert (answer.code, answer.lines[-2]) == (2, "rotate: there are 0 foreign keys of the window and not 3")
    assert shared.mints == 0


def enable_again(scene: Scene) -> str:
    """A dead key of the credential that is listed as disabled works again; returns its id."""
    with Client(scene.keyserver.url, scene.keyserver.admin) as client:
        keys = client.call("GET", f"/principals/{NAME}/keys").body["keys"]
        (dead,) = [key["id"] for key in keys if key["state"] != "enabled"]
        client.call("POST", f"/principals/{NAME}/keys/{dead}/state", {"state": "enabled"})
    return str(dead)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_dead_key_that_is_enabled_again_is_told_and_not_ours_any_more(
    tmp_path: Path, keyserver: Keyserver, *, exclusive: bool
) -> None:
    scene = make(tmp_path, keyserver, deletes=False)
    if not exclusive:
        scene.credential(principal=SHARED)
    assert scene.say("rotate", NAME, *GO).code == 0
    key_id = enable_again(scene)
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 3, answer.out
    assert f"foreign key {key_id} " in answer.out
    assert "dead (absent" not in answer.out
    state = next(key.state for key in scene.keyserver.live(NAME) if key.id == key_id)
    assert (state == "disabled") is exclusive


def test_what_was_spared_once_is_tried_again(scene: Scene) -> None:
    assert scene.say("rotate", NAME, *GO).code == 0
    key_id = mint(scene, NAME, mark="his")
    folder = scene.folder / "store" / "folder.json"
    folder.mkdir()
    data = json.loads(scene.config.read_text())
    publish = [{"store": "files", "ref": "folder.json", "fields": {"API_KEY": "{secret}"}}]
    elsewhere = {**data["credentials"][NAME], "principal": {"principal": "o2"}, "publish": publish}
    scene.rewrite(credentials={**data["credentials"], "other": elsewhere})
    assert scene.say("rotate", NAME, *GO).code == 3
    assert key_id in scene.alive
    leave_the_config(scene, "other")
    assert f"foreign key {key_id} at ks: dead" in scene.say("rotate", NAME, *GO).out
    assert key_id not in scene.alive


def test_where_the_provider_lists_nothing_nobody_says_that_there_is_none(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, lists=False, list_lag="1h")
    mint(scene, NAME)
    with chdir(scene.folder):
        assembly = Assembly(config=read_config(scene.config, calendar=CronCalendar()))
    specs = list(assembly.config.credentials.values())
    looks = LastLooks(assembly, specs, 4, since=None).until_settled()
    assembly.close()
    assert dict(looks.untold) == {NAME: "the provider lists no keys"}
    assert (looks.settled, looks.rounds) == (False, 1)


def test_a_principal_that_cannot_be_listed_is_said_beside_the_number(shared: Scene) -> None:
    shared.keyserver.fail(Operation.LIST, FaultKind.FORBIDDEN, calls=None)
    answer = shared.say("rotate", NAME, *DRY)
    assert "foreign keys beside llm-prod are not in the number: " in answer.out + answer.err


def test_a_key_that_another_replica_mints_meanwhile_is_spared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Keyserver(Behaviour(marks=False)) as keyserver:
        scene = make(tmp_path, keyserver, strategy="unmarked")
        scene.credential(principal=SHARED)
        beside(scene)
        for name in (NAME, "other"):
            scene.say("adopt", name)
        scene.policy(overlap="1h")
        scene.lease("10m")
        before = scene.alive
        keyserver.fail(Operation.MINT, FaultKind.HELD)
        other = threading.Thread(target=lambda: scene.run("rotate", "other", "--no-wait"))

        def slowly(assembly: Assembly, provider: str) -> Held:
            found = held_at(assembly, provider)
            keyserver.tell(faults=())
            other.join()
            return found

        monkeypatch.setattr("rotator.app.revoking.held_at", slowly)
        other.start()
        while scene.alive == before:
            time.sleep(0.02)
        (minted,) = scene.alive - before
        answer = scene.say("rotate", NAME, *GO, "--revoke-foreign=1", "--no-wait")
        assert "revoking 1 foreign key" in answer.err
        assert minted in scene.alive


def test_who_ends_the_command_in_its_last_looks_has_what_died_in_the_evidence(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = scene.say("rotate", NAME, *GO)
    key_id = mint(scene, NAME, mark="his")

    def interrupted(_: object, seconds: float) -> None:
        if seconds > 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(LastLooks, "_rest", interrupted)
    answer = scene.say("rotate", NAME, *GO)
    assert key_id not in scene.alive
    scene.say("incident", "report", incident_of(answer), "--json", "e.json")
    after = json.loads((scene.folder / "e.json").read_text())["evidence"]["after"]
    assert [each["key_id"] for each in after["foreign_keys"]] == [key_id]


def test_it_is_said_how_long_the_last_looks_take_at_least(scene: Scene) -> None:
    told = scene.say("rotate", NAME, *GO).err
    assert re.search(r"looking for keys that nobody here made: until \d\d:\d\d:\d\d UTC at least, Ctrl-C is safe", told)
