"""The end of an emergency: what the trails tell, checklists, admin credentials, and all of it in the evidence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rotator.app.aftermath import recall
from rotator.domain.aftermath import AdminState
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Answer, Scene, make
from tests.cli.test_moving_attacker import managed
from tests.testing.keyserver_client import Client

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")


def incident_of(answer: Answer) -> str:
    return str(re.findall(r"inc-\d{8}-[0-9a-f]{6}", answer.err + answer.out)[0])


def mint(scene: Scene, principal: str, **wish: object) -> str:
    with Client(scene.keyserver.url, scene.keyserver.admin) as thief:
        return str(thief.mint(principal, **wish).body["id"])


def test_a_quiet_end_says_little_and_is_0(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 0
    assert "note: the admin key of ks was not replaced in this incident" in answer.out
    assert "ks's trail since " in answer.out
    assert "nothing that nobody here made" in answer.out
    assert "  besides, look at ks for: keys of principals that the config does not name" in answer.out


def test_a_key_made_at_a_principal_that_nobody_named_is_left_for_a_person(scene: Scene) -> None:
    key_id = mint(scene, "elsewhere", mark="helper")
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 3
    assert f"made in the window, and not by the rotator: key {key_id} 'helper' of elsewhere" in answer.out
    scene.keyserver.delete_key("elsewhere", key_id)
    assert scene.say("rotate", NAME, *GO).code == 0


def test_where_the_trail_is_not_read_people_get_a_checklist(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, trail=False)
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 0
    assert "not read: the driver reads no trail; look for yourself" in answer.out
    assert "  [ ] keys of principals that the config does not name" in answer.out


def test_a_trail_that_is_refused_gives_the_reason_and_the_checklist(scene: Scene) -> None:
    scene.keyserver.fail(Operation.TRAIL, FaultKind.FORBIDDEN, calls=None)
    answer = scene.say("rotate", NAME, *GO)
    assert answer.code == 1
    assert "not read: " in answer.out
    assert "  [ ] " in answer.out


def test_the_evidence_has_the_foreign_key_until_it_is_dead(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    scene.keyserver.seed_key(NAME, mark="<script>alert(1)</script>")
    incident = incident_of(scene.say("rotate", NAME, *GO))
    report = ("incident", "report", incident, "--json", "e.json", "--html", "e.html")
    answer = scene.say(*report)
    assert answer.code == 3
    assert "left: llm-prod: foreign key key-2 at ks may be the thief's, and lives" in answer.out
    assert scene.say("rotate", NAME, *GO, "--revoke-foreign=1").code == 0
    assert scene.say(*report).code == 0
    after = json.loads((scene.folder / "e.json").read_text())["evidence"]["after"]
    (key,) = after["foreign_keys"]
    assert (key["key_id"], key["state"], key["in_plan"]) == ("key-2", "absent", True)
    assert None not in (key["revoked_at"], key["deleted_at"], key["missing_at"], key["absent_at"])
    assert after["admins"] == [
        {"provider": "ks", "credential": None, "state": "not replaced", "exposed": False, "dead_at": None}
    ]
    page = (scene.folder / "e.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "two full lists lack it" in page


def test_the_evidence_says_where_nobody_looked(scene: Scene) -> None:
    incident = incident_of(scene.say("rotate", NAME, *GO, "--no-wait"))
    scene.say("resume", NAME)
    answer = scene.say("incident", "report", incident)
    assert answer.code == 3
    assert "nobody looked for foreign keys afterwards" in answer.out


def test_an_admin_key_of_the_same_incident_is_told_as_dead(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    managed(scene, keyserver)
    answer = scene.say("rotate", "--all", *GO)
    assert answer.code == 0, answer.out
    assert "admin key" not in answer.out
    with scene.journal() as journal:
        after = recall(journal, incident_of(answer))
    assert after is not None
    (admin,) = after.admins
    assert (admin.state, admin.credential) == (AdminState.DEAD, "ks-admin")
    assert admin.dead_at is not None


def test_an_admin_key_of_the_config_that_was_not_selected_is_named(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    managed(scene, keyserver)
    answer = scene.say("rotate", NAME, "--assume-compromise", "--not-contained", "--yes")
    assert answer.code == 3
    assert "whoever has it can still mint; `rotate ks-admin --assume-compromise`, then" in answer.out


def test_from_alone_is_of_an_emergency(scene: Scene) -> None:
    answer = scene.say("rotate", NAME, "--from", "2026-01-01T00:00:00Z")
    assert (answer.code, answer.lines[0]) == (2, "rotate: --from and --to are of --package and --advisory")
    answer = scene.say("rotate", NAME, *GO, "--from", "yesterday")
    assert answer.code == 2
    assert answer.lines[-2].startswith("rotate: --from: ")
    assert scene.mints == 0
