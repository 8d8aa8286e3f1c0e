"""`rotate --package`: the night of litellm 1.82.7 and 1.82.8, told from the lockfiles' history in Git."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.litellm_night import BAD, NAMES, WINDOW, exposed, night, recorded
from tests.cli.scene import Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    return night(tmp_path, keyserver)


@pytest.fixture
def known(scene: Scene) -> Scene:
    """The same, with its history recorded."""
    return recorded(scene)


def test_exactly_the_exposed_ones_are_replaced_and_what_an_exposed_identity_may_read(known: Scene) -> None:
    before = {name: known.published(name) for name in NAMES}
    answer = known.say("rotate", *BAD, *GO)
    assert answer.code == 0, answer.err
    assert exposed(answer) == ["app-db", "openai"]
    assert {name for name in NAMES if known.published(name) != before[name]} == {"openai", "app-db"}
    assert answer.out.splitlines()[-1].endswith("2 old keys of 2 credentials proven dead")


def test_why_each_of_them_is_told_and_kept_in_the_evidence(known: Scene) -> None:
    answer = known.say("rotate", *BAD, *GO)
    had = "agents had litellm 1.82.8 from 2026-03-24T10:00:00Z until 2026-03-31T13:00:00Z (svc/agents/uv.lock)"
    assert f"exposed: openai: {had} → openai" in answer.err
    assert f"exposed: app-db: {had} → role agents-role → files:app-db.json" in answer.err
    incident = re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.lines[0])[0]
    assert known.say("incident", "report", incident, "--json", "e.json").code == 0
    evidence = json.loads((known.folder / "e.json").read_text())["evidence"]
    assert evidence["window"] == {"from": "2026-03-24T10:39:00Z", "to": "2026-03-24T16:00:00Z"}
    assert {each["credential"]: each["why"] for each in evidence["credentials"]} == {
        "openai": [[had, "openai"]],
        "app-db": [[had, "role agents-role", "files:app-db.json"]],
    }


def test_without_one_consumers_record_coverage_is_not_all(known: Scene) -> None:
    data = json.loads(known.config.read_text())
    data["consumers"]["cron"] = {}
    data["credentials"]["mail"]["consumers"] = ["web", "cron"]
    known.config.write_text(json.dumps(data))
    answer = known.say("rotate", *BAD, *GO)
    assert answer.code == 3
    assert exposed(answer) == ["app-db", "openai"]
    assert "unknown: credential mail: read by cron, of which nobody knows what it had" in answer.err
    assert "not the same as safe" in answer.err
    incident = re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.lines[0])[0]
    report = known.say("incident", "report", incident)
    assert report.code == 3
    assert report.out.startswith(f"incident {incident}: 50 % proven clean")  # two, of two and cron and what it reads


def test_what_was_unknown_is_replaced_too_by_the_same_words_and_its_name(known: Scene) -> None:
    data = json.loads(known.config.read_text())
    data["credentials"]["mail"]["consumers"] = []
    known.config.write_text(json.dumps(data))
    answer = known.say("rotate", "mail", *BAD, *GO)
    incident = re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.lines[0])[0]
    assert answer.out.splitlines()[-1].endswith("3 old keys of 3 credentials proven dead")
    assert known.say("incident", "report", incident).code == 0


def test_todays_lockfiles_say_nothing_of_march(scene: Scene) -> None:
    assert scene.say("audit", "record").code == 0
    answer = scene.say("rotate", *BAD, *GO)
    assert answer.code == 3
    assert answer.out.splitlines()[-1] == "nothing was changed: no record says that anything is exposed"
    assert "no record shows that anybody had litellm==1.82.7, litellm==1.82.8" in answer.out + answer.err
    assert scene.mints == 0
    for name in NAMES:
        assert f"unknown: credential {name}" in answer.out + answer.err


def test_where_everybody_is_known_not_to_have_had_it_nothing_is_done_and_all_is_well(known: Scene) -> None:
    answer = known.say("rotate", "--package", "litellm==1.82.9", *WINDOW, *GO)
    assert (answer.code, known.mints) == (0, 0)
    assert "unknown" not in answer.out + answer.err


def test_a_dry_run_tells_it_and_changes_nothing(known: Scene) -> None:
    answer = known.say("rotate", *BAD, "--assume-compromise", "--dry-run")
    assert answer.code == 0, answer.err
    assert exposed(answer) == ["app-db", "openai"]
    assert known.mints == 0


def test_the_admin_credential_of_a_provider_comes_first(known: Scene) -> None:
    data = json.loads(known.config.read_text())
    data["credentials"]["vault-login"]["consumers"] = ["agents"]
    data["stores"]["second"] = {**data["stores"]["files"], "root": "files:vault-login.json#API_KEY"}
    known.config.write_text(json.dumps(data))
    answer = known.say("rotate", *BAD, "--assume-compromise", "--dry-run")
    assert exposed(answer)[0] == "vault-login"
    assert "exposed: vault-login (opens a store):" in answer.err


def test_what_an_owner_leaves_out_is_still_exposed(known: Scene) -> None:
    known.credential("openai", owner="team-ml")
    answer = known.say("rotate", *BAD, *GO, "--owner", "team-ml")
    assert answer.code == 3
    assert answer.out.splitlines()[-1].endswith("1 unknown, not called safe: app-db")
    incident = re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.err)[0]
    assert known.say("incident", "report", incident).out.startswith(f"incident {incident}: 50 % proven clean")


def test_who_had_it_is_told_also_where_nothing_is_known_to_be_read(known: Scene) -> None:
    data = json.loads(known.config.read_text())
    del data["consumers"]["agents"]
    data["credentials"]["openai"]["consumers"] = ["web"]
    known.config.write_text(json.dumps(data))
    answer = known.say("rotate", *BAD, *GO)
    assert answer.code == 3
    assert "had it: consumer agents had litellm 1.82.8" in answer.out + answer.err
    assert known.mints == 0


def test_this_rotator_itself_is_told_first(known: Scene) -> None:
    answer = known.say("rotate", "--package", "pyyaml", *WINDOW, "--assume-compromise", "--dry-run")
    first = next(line for line in (answer.err + answer.out).splitlines() if "pyyaml" in line)
    assert first.startswith("this rotator itself has pyyaml ")
    assert set(exposed(answer)) == set(NAMES)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("--package", "litellm==1.82.8"), "--package: since when was it bad?", "--from 2026-03-24T10:00:00Z"),
        (("--package", "litellm", "--from", "2026-03-24"), "--from: '2026-03-24' is not a time", "write it like"),
        (
            ("--package", "litellm", "--from", "2026-03-25T00:00:00Z", "--to", "2026-03-24T00:00:00Z"),
            "the window ends before it starts",
            "write the earlier time behind --from",
        ),
        (
            ("--package", "litellm", "--from", "2036-03-25T00:00:00Z", "--to", "2036-03-26T00:00:00Z"),
            "the window starts in the future",
            "write the time since when",
        ),
        (
            ("--package", "litellm", "--from", "2036-03-25T00:00:00Z"),
            "the window starts in the future",
            "write the time since when",
        ),
        (("--package", "litellm=1", *WINDOW), "'=1' says no versions", "write it like litellm==1.82.8"),
        (("llm", *WINDOW), "--from and --to are of --package", "name the package"),
        (("--package", "", *WINDOW), "an empty word is given as --package", "is a variable not set?"),
    ],
)
def test_what_is_not_understood_is_told_in_two_lines(
    scene: Scene, words: tuple[str, ...], message: str, hint: str
) -> None:
    answer = scene.say("rotate", *words, *GO)
    assert answer.code == 2
    assert answer.lines[0].startswith(f"rotate: {message}")
    assert answer.lines[1].startswith(f"hint: {hint}")
    assert scene.mints == 0
