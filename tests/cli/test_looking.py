"""`check`, `doctor`, `plugins`, help: looking without changing anything."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rotator.cli.main import VERBS
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, SCRIPTS, Scene, make

pytestmark = pytest.mark.stand_in("API provider: keyserver")


def _findings(scene: Scene) -> tuple[int, str]:
    answer = scene.say("check")
    return answer.code, answer.out


def test_when_all_is_well_it_says_so_and_changes_nothing(scene: Scene) -> None:
    before = (scene.folder / "store" / f"{NAME}.json").read_bytes()
    code, out = _findings(scene)
    assert code == 0
    assert "admin credential works; 1 living key\n" in out
    assert f"files:{NAME}.json: holds a key that works" in out
    assert out.endswith("all is well\n")
    assert (scene.folder / "store" / f"{NAME}.json").read_bytes() == before
    assert {record.operation.value for record in scene.keyserver.log} <= {"list", "check_admin", "resource", "identify"}


def test_a_wrong_admin_credential_is_found(scene: Scene) -> None:
    (scene.folder / "admin").write_text("wrong")
    code, out = _findings(scene)
    assert code == 1
    assert f"bad   {NAME}: ks: " in out
    assert "hint: " in out
    assert out.endswith("1 thing to mend\n")


def test_a_dead_value_is_found(scene: Scene) -> None:
    scene.keyserver.delete_key(NAME, "key-1")
    code, out = _findings(scene)
    assert code == 1
    assert "the provider refuses the value" in out


def test_an_empty_place_is_worth_knowing_and_no_fault(scene: Scene) -> None:
    scene.publish("")
    code, out = _findings(scene)
    assert code == 0
    assert "empty; the first rotation fills it" in out


def test_a_value_that_does_not_fit_its_template_is_found(scene: Scene) -> None:
    place = {"store": "files", "ref": f"{NAME}.json", "fields": {"API_KEY": "Bearer {secret}"}}
    scene.credential(publish=[place])
    code, out = _findings(scene)
    assert code == 1
    assert "API_KEY does not look like its template" in out


def test_a_broken_entry_does_not_hide_the_others(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=("good", "bad"))
    scene.credential("bad", policy="none-such")
    code, out = _findings(scene)
    assert code == 1
    assert "bad   bad: " in out
    assert "files:good.json: holds a key that works" in out


def test_a_journal_older_than_the_world_is_found(scene: Scene) -> None:
    scene.say("adopt", NAME)
    journal = scene.journal()
    journal.set_older_than_world("the journal is older than the world: a test")
    journal.close()
    code, out = _findings(scene)
    assert code == 1
    assert "`rotator reconcile --rebuild`" in out


def test_what_a_provider_cannot_do_is_worth_knowing(tmp_path: Path) -> None:
    with Keyserver(Behaviour(slots=("a",), disable=False)) as keyserver:
        scene = make(tmp_path, keyserver, strategy="in-place", slots=["a"], disable=False)
        _, out = _findings(scene)
    assert "no overlap: every rotation is a short outage" in out
    assert "keys cannot be disabled, only deleted" in out


def test_the_least_permissions_are_printed_for_providers_and_stores(scene: Scene) -> None:
    scene.rewrite(
        stores={
            "files": {"driver": "file", "root": "store", "format": "json"},
            "vault": {"driver": "vault", "address": "http://127.0.0.1:1", "mount": "kv", "auth": _TOKEN},
        }
    )
    place = {"store": "files", "ref": f"{NAME}.json", "fields": {"API_KEY": "{secret}"}}
    scene.credential(publish=[place, {**place, "store": "vault", "ref": "ai/openai"}])
    answer = scene.say("check", "--policy")
    assert answer.code == 0, answer.out + answer.err
    assert f"# ks for {NAME}" in answer.out
    assert 'path "kv/data/ai/openai"' in answer.out
    assert len(scene.keyserver.log) == 0


def test_what_else_is_read_from_a_store_is_told_even_while_it_cannot_be_reached(scene: Scene) -> None:
    vault = {"driver": "vault", "address": "http://127.0.0.1:1", "mount": "kv", "auth": _TOKEN}
    files = {"driver": "file", "root": "store", "format": "json"}
    provider = {"driver": "keyserver", "base_url": scene.keyserver.url, "admin": "vault:ops/ks#admin"}
    scene.rewrite(stores={"files": files, "vault": vault}, providers={"ks": provider})
    answer = scene.say("check", "--policy")
    assert answer.code == 1
    assert "vault:ops/ks#admin cannot be read" in answer.out
    assert "# files\nnot stated by the driver\n" in answer.out
    assert "# and read ops/ks: the admin credential of ks" in answer.out


_TOKEN = {"method": "token", "token": "file:admin"}


def test_doctor_looks_at_this_machine(scene: Scene) -> None:
    answer = scene.say("doctor")
    assert answer.code == 0
    for subject in ("python", "sqlite", "clock", "core files", "isolation"):
        assert subject in answer.out


def test_plugins_are_listed_and_shown_and_misspelt_ones_told(scene: Scene) -> None:
    listed = [line.split()[1:3] for line in scene.say("plugins").out.splitlines()[1:]]
    assert listed == [["ks", "keyserver"], ["files", "file"]]
    command, nowhere = [str(SCRIPTS / "rotator"), "plugins"], scene.folder / "store"
    done = subprocess.run(command, cwd=nowhere, env=scene.environment(), capture_output=True, text=True, check=True)
    assert {"keyserver", "file", "vault"} <= {line.split()[1] for line in done.stdout.splitlines()}
    (nowhere / "rotator.yaml").write_text("state: sqlite:///x.db\n")
    (nowhere / "rotator.yaml").chmod(0o600)
    done = subprocess.run(command, cwd=nowhere, env=scene.environment(), capture_output=True, text=True, check=True)
    assert "is not trusted" in done.stderr, "all drivers are listed, and why not those of the config"
    (nowhere / "rotator.yaml").unlink()
    shown = scene.say("plugins", "show", "keyserver")
    assert shown.code == 0
    assert "base_url" in shown.out
    answer = scene.say("plugins", "show", "keysrver")
    assert answer.code == 2
    assert answer.lines == ["rotator: there is no driver 'keysrver'", "hint: did you mean keyserver?"]
    assert scene.say("plugins", "show").code == 2
    answer = scene.say("plugins", "list", "keyserver")
    assert (answer.code, answer.out) == (2, "")
    assert answer.lines[1] == "hint: `rotator plugins show keyserver` shows one"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_names_the_exit_codes(
    scene: Scene, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = scene.run(verb, "--help") if verb == "rotate" else None
    if answer is None:
        with pytest.raises(SystemExit) as ended:
            scene.say(verb, "--help")
        assert ended.value.code == 0
    else:
        assert answer.code == 0
        assert "rotate --due" in answer.out
        assert "exit codes: 0 as planned" in answer.out


def test_a_misspelt_command_is_answered_with_the_nearest(scene: Scene) -> None:
    answer = scene.say("statsu")
    assert answer.code == 2
    assert answer.lines == ["rotator: there is no command 'statsu'", "hint: did you mean status?"]


def test_the_options_of_every_command_may_stand_before_it(scene: Scene) -> None:
    answer = scene.say("--config", str(scene.config), "--no-color", "status")
    assert answer.code == 0
    assert NAME in answer.out


def test_nobody_who_stops_reading_sees_a_traceback(scene: Scene) -> None:
    scene.policy(overlap="0s")
    scene.say("rotate", NAME, "--wait")
    command = " ".join([str(SCRIPTS / "rotator"), *scene.with_config(["log", "export"])])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} | true"],
        capture_output=True,
        text=True,
        timeout=200,
        env=scene.environment(),
        check=False,
    )
    assert done.stderr == ""
