"""`incident drill`: the emergency rehearsed, without a secret, a request, a journal, and with nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.calendar import CronCalendar
from rotator.app.drilling import Pace, cast, stage, undisturbed
from rotator.config.reading import read_config
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import SCRIPTS, Answer, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")
FAST = ("--speed", "10", "--latency", "50")
POLICY = {"every": "30d", "compromise_grace": "10s"}


def credential(provider: str, ref: str = "doc", **changes: Any) -> dict[str, Any]:
    name = changes.pop("principal", None) or {"principal": ref, "exclusive": True}
    place = {"store": "vault", "ref": ref, "fields": changes.pop("fields", {"key": "{secret}"})}
    return {"provider": provider, "principal": name, "publish": [place], "policy": "quick", **changes}


@pytest.fixture
def real(tmp_path: Path, keyserver: Keyserver) -> Scene:
    """A config whose secrets are nowhere and whose provider would tell of every request."""
    folder = tmp_path / "real"
    folder.mkdir()
    (tmp_path / "temporary").mkdir()
    config = {
        "state": "sqlite:///rotator.db",
        "installation": {"key": "file:/nonexistent/installation.key"},
        "defaults": {"lease": "60s", "isolation": "off"},
        "providers": {
            "ks": {
                "driver": "keyserver",
                "admin": "file:/nonexistent/admin",
                "base_url": keyserver.url,
                "rate": "20/s",
                "propagation": "5s",
                "death_window": "20s",
                "list_lag": "5s",
            },
            "groq": {"driver": "assisted", "admin": "none", "vendor": "groq"},
        },
        "stores": {
            "vault": {
                "driver": "vault",
                "address": "https://vault.internal:8200",
                "mount": "kv",
                "auth": {"method": "token", "token": "file:/nonexistent/token"},
            }
        },
        "policies": {"quick": POLICY},
        "credentials": {"llm-a": credential("ks", "ai/a", tags=["prod"]), "llm-b": credential("ks", "ai/b")},
    }
    path = folder / "rotator.yaml"
    path.touch(mode=0o600)
    path.write_text(json.dumps(config))
    return Scene(folder=folder, keyserver=keyserver)


def changed(scene: Scene, section: str, **entries: Any) -> None:
    data = json.loads(scene.config.read_text())
    scene.rewrite(**{section: {**data[section], **entries}})


def drill(scene: Scene, *words: str) -> dict[str, Any]:
    answer = scene.say("incident", "drill", *FAST, *words, "--json")
    found = json.loads(answer.out)
    assert isinstance(found, dict)
    assert answer.code == (3 if found["unproven"] else 0), answer.err
    return found


def nothing_left(scene: Scene) -> bool:
    temporary = scene.folder.parent / "temporary"
    return not list(temporary.iterdir()) and list(scene.folder.iterdir()) == [scene.config]


def in_its_own_folder(scene: Scene) -> dict[str, str]:
    return {**scene.environment(), "TMPDIR": str(scene.folder.parent / "temporary")}


def test_how_long_the_real_thing_takes_is_told_as_if_it_had_gone_at_lifes_speed(real: Scene) -> None:
    found = drill(real)
    assert (found["selected"], found["proven"], found["unproven"]) == (2, 2, [])
    seconds = found["seconds"]
    # grace, then the old keys are accepted for nine tenths of their window; then that window, two leases and the lag
    assert 10 + 0.9 * 20 <= seconds["first_death"] <= seconds["last_death"] < seconds["over"]
    assert seconds["over"] >= seconds["last_death"] + 20 + 2 * 60 + 5
    assert found["bounds"]["longest_path"] == pytest.approx(20 + 0.05 * (10 + 6))
    assert found["bounds"]["limits"] == {"ks": pytest.approx(2 * 10 / 20)}
    assert [each["provider"] for each in found["providers"]] == ["ks"]
    assert not list(real.keyserver.log)


def test_with_contain_first_the_old_keys_are_disabled_before_anything_else(real: Scene) -> None:
    changed(real, "policies", quick={**POLICY, "compromise_grace": "10m"})  # which only those wait for that live
    found = drill(real, "llm-a", "--contain-first")
    assert found["proven"] == 1, found
    seconds = found["seconds"]
    assert seconds["first_disabled"] + 0.9 * 20 <= seconds["first_death"]
    assert seconds["first_disabled"] < 10 * 60


def test_who_needs_a_person_is_named_and_not_waited_for(real: Scene) -> None:
    changed(real, "credentials", agents=credential("groq", "ai/groq"))
    answer = real.say("incident", "drill", "llm-a", "agents", *FAST)
    assert answer.code == 3
    lines = answer.out.splitlines()
    assert lines[0] == "drill: 1 of 2 credentials proven dead"
    assert "  not in these times: whatever waits for a person, 1 credential" in lines
    why = "a person makes its key and deletes the old one at https://console.groq.com/keys"
    at = lines.index(f"not proven: agents: {why}")
    assert lines[at + 1] == "  `rotator provide agents`"
    assert all(line.startswith("drill: ") for line in answer.lines[2:]), answer.err  # nothing to be taken for real


def test_slots_parts_shared_documents_and_a_lack_of_probes_are_shown(real: Scene) -> None:
    changed(real, "providers", pg={"driver": "postgres", "admin": "env:NOPE", "host": "db.internal", "user": "r"})
    url = {"url": "postgresql://{user}:{password}@db/app"}
    slots = {"principal": {"roles": ["app_a", "app_b"], "owner_role": "app"}, "fields": url}
    more = {"principal": {"roles": ["b_a", "b_b"], "owner_role": "app"}, "fields": {"other": url["url"]}}
    changed(real, "credentials", db=credential("pg", "app", **slots), db2=credential("pg", "app", **more))
    found = drill(real, "--provider", "pg")
    assert (found["proven"], found["by_word"]) == (2, ["db", "db2"]), found


def test_principals_that_differ_by_their_console_alone_share_a_keyserver_and_its_rate(real: Scene) -> None:
    windows = dict.fromkeys(("propagation", "death_window", "list_lag"), "5s")
    changed(real, "providers", aws={"driver": "aws_iam", "admin": "file:/nonexistent/admin", "rate": "20/s", **windows})
    users = {f"u{number}": credential("aws", f"u/{number}", principal={"user": f"user{number}"}) for number in range(3)}
    changed(real, "credentials", **users)
    answer = real.say("incident", "drill", "--provider", "aws", *FAST)
    assert answer.lines[1].startswith("3 credentials at 1 keyserver, "), answer.err


def test_all_keyservers_of_one_provider_share_its_rate(real: Scene, tmp_path: Path) -> None:
    config = read_config(real.config, calendar=CronCalendar())
    specs = tuple(config.credentials.values())
    players = cast(config, specs, tmp_path)
    other = replace(players.offers["llm-b"], list_lag=timedelta(seconds=1))
    players = replace(players, offers={**players.offers, "llm-b": other})
    with stage(config, specs, players, tmp_path, Pace(latency=timedelta(0))) as set_up:
        first, second = set_up.real
        assert set(set_up.real.values()) == {"ks"}
        for name in (first, second):
            set_up.assembly.provider(name)
        assert set_up.assembly.line(first) is set_up.assembly.line(second)
        assert set_up.assembly.line(first).interval == pytest.approx(1 / 20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_must_not_be_left_half_way_is_not_disturbed(number: signal.Signals) -> None:
    def end(number: int, frame: object) -> None:
        raise AssertionError("disturbed")

    before = signal.signal(number, end)
    try:
        with undisturbed():
            signal.raise_signal(number)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)


def test_what_cannot_be_begun_is_named_and_the_rest_goes(real: Scene) -> None:
    changed(real, "providers", lost={"driver": "nosuch", "admin": "file:/x"})
    changed(real, "credentials", lost=credential("lost", "lost"), astray=credential("kss", "astray"))
    found = drill(real)
    assert found["proven"] == 2
    why = {each["credential"]: (each["why"], each["hint"]) for each in found["unproven"]}
    assert "there is no driver nosuch" in why["lost"][0]
    assert "there is no provider 'kss'" in why["astray"][0]
    assert why["astray"][1] == "did you mean ks?"


def test_where_nobody_can_take_part_it_says_why(real: Scene) -> None:
    changed(real, "providers", lost={"driver": "nosuch", "admin": "file:/x"})
    changed(real, "credentials", lost=credential("lost", "lost"))
    answer = real.say("incident", "drill", "lost")
    assert answer.code == 3
    assert answer.out.splitlines()[0] == "drill: 0 of 1 credential proven dead"
    assert "there is no driver nosuch" in answer.out


def test_no_file_and_no_process_is_left(real: Scene) -> None:
    command = [str(SCRIPTS / "rotator"), *real.with_config(["incident", "drill", "llm-a", *FAST, "--json"])]
    environment = in_its_own_folder(real)
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=real.folder, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert nothing_left(real)
    assert not list(real.keyserver.log)


@pytest.mark.parametrize(("number", "often"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_ctrl_c_leaves_nothing_either(real: Scene, number: int, often: int) -> None:
    command = [str(SCRIPTS / "rotator"), *real.with_config(["incident", "drill", "--latency", "300"])]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=in_its_own_folder(real),
        cwd=real.folder,
        start_new_session=True,
    )
    assert process.stderr is not None
    while "looking" not in process.stderr.readline():
        assert process.poll() is None
    children = _children(process.pid)
    assert children
    for _ in range(often):
        os.kill(process.pid, number)
        time.sleep(0.1)
    process.communicate(timeout=200)
    assert process.returncode == 3
    _end(children)
    assert nothing_left(real)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _end(children: list[int]) -> None:
    """Every child is gone, or goes within seconds."""
    until = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < until, "a keyserver outlives the drill"
        time.sleep(0.05)


def said(scene: Scene, *words: str) -> Answer:
    return scene.say("incident", *words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("drill", "lm-a"), ("there is no credential 'lm-a'", "did you mean llm-a?")),
        (("drill", "--tag", "prd"), ("there is no tag 'prd'", "did you mean prod?")),
        (("drill", "llm-b", "--tag", "prod"), ("the selection matches no credential", "`rotator status` lists them")),
        (("drill", "--speed", "0"), ("--speed is out of range", "write a number from 1 to 60")),
        (("drill", "--speed", "nan"), ("--speed is out of range", "write a number from 1 to 60")),
        (("drill", "--speed", "40"), ("--speed 40 is too fast for a lease of 60 s", "at most --speed 30")),
        (("drill", "--latency", "-1"), ("--latency is out of range", "write milliseconds from 0 to 10000")),
        (("drill", "--parallel", "0"), ("--parallel is out of range", "write a number from 1 to 256")),
        (("drill", ""), ("an empty word is given as NAME", "is a variable not set?")),
        (("--key", "K", "drill"), ("drill stands before its options", "rotator incident drill --help")),
    ],
)
def test_bad_input_is_told_in_two_lines(real: Scene, words: tuple[str, ...], told: tuple[str, str]) -> None:
    answer = said(real, *words)
    assert answer.code == 2
    assert answer.lines == [f"rotator: {told[0]}", f"hint: {told[1]}"]


def test_a_config_without_credentials_and_one_that_is_none_are_refused(real: Scene) -> None:
    real.rewrite(credentials={})
    assert said(real, "drill").lines[0] == "rotator: the config has no credential"
    real.config.write_text("state: [\n")
    answer = said(real, "drill")
    assert (answer.code, len(answer.lines)) == (2, 2)


def test_an_override_of_the_environment_does_not_lead_to_the_real_journal(
    real: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = real.folder.parent / "real.db"
    found = subprocess.run(
        [str(SCRIPTS / "rotator"), *real.with_config(["incident", "drill", "llm-a", *FAST, "--json"])],
        capture_output=True,
        text=True,
        env={**in_its_own_folder(real), "ROTATOR_STATE": f"sqlite:///{journal}"},
        cwd=real.folder,
        timeout=200,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert not journal.exists()
