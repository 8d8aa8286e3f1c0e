"""What `rotator check --policy` prints is all that a rotation needs of a real OpenBao; denials say what to add."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from tests.real.scene import NAME, REF, Real


def policy_of(answer: str, store: str = "bao") -> str:
    """What stands beneath the store's name, to be handed to `vault policy write` as it is."""
    _, _, after = answer.partition(f"# {store}\n")
    return after.partition("\n\n")[0]


def restrict(real: Real, policy: str) -> None:
    """Let the rotator's token be one that may this and nothing else."""
    real.bao.request("PUT", f"sys/policies/acl/{real.mount}", {"policy": policy})
    wanted = {"policies": [real.mount], "ttl": "10m", "no_default_policy": True}
    token = real.bao.request("POST", "auth/token/create", wanted)["auth"]["client_token"]
    (real.folder / "token").write_text(token)


def overlap(real: Real, text: str) -> None:
    config = json.loads(real.config.read_text())
    config["policies"]["quick"]["overlap"] = text
    real.config.write_text(json.dumps(config))


@pytest.fixture
def least(real: Real) -> str:
    """The policy as the command prints it; from here on the rotator has no other right."""
    answer = real.run("check", "--policy")
    assert answer.code == 0, answer.err
    policy = policy_of(answer.out)
    assert f'path "{real.mount}/data/{REF}"' in policy
    restrict(real, policy)
    return policy


@pytest.mark.usefixtures("least")
def test_it_suffices_to_adopt_rotate_look_and_reconcile(real: Real) -> None:
    checked = real.run("check")
    assert checked.code == 0, checked.out
    assert "may do everything" not in checked.out
    assert real.run("adopt", NAME).code == 0
    assert real.run(NAME, "--wait", script="rotate").code == 0
    assert urlsplit(real.document()["url"]).username == "app_b"
    assert real.run("reconcile").code == 0
    assert real.document()["other"] == "theirs"
    assert real.private() == []


@pytest.mark.usefixtures("least")
def test_it_suffices_to_roll_back_and_for_an_emergency(real: Real) -> None:
    overlap(real, "1h")
    config = json.loads(real.config.read_text())
    config["policies"]["quick"]["max_overlap"] = "2h"
    real.config.write_text(json.dumps(config))
    assert real.run(NAME, script="rotate").code == 0
    assert urlsplit(real.document()["url"]).username == "app_b"
    assert real.run("rollback", NAME).code == 0
    overlap(real, "0s")
    real.run("--due", "--wait", script="rotate")
    assert "rolled" in real.run("history", NAME).out
    assert urlsplit(real.document()["url"]).username == "app_a"
    real.lease("2s")
    answer = real.run(NAME, "--assume-compromise", "--contained", "--yes", script="rotate")
    assert answer.code == 0, answer.err
    assert real.private() == []


def test_it_suffices_for_a_first_publication_that_is_taken_back(real: Real, least: str) -> None:
    assert f'path "{real.mount}/delete/{REF}"' in least
    real.bao.request("DELETE", f"{real.mount}/metadata/{REF}")
    answer = real.run("check")
    assert "empty; the first rotation fills it" in answer.out
    assert "bad" not in answer.out


@pytest.mark.parametrize("capability", ["update", "read"])
def test_what_is_missing_is_named_with_store_reference_and_permission(real: Real, least: str, capability: str) -> None:
    restrict(real, re.sub(rf'(data/{REF}" .*)"{capability}"', r'\1"sudo"', least))
    answer = real.run(NAME, "--wait", script="rotate")
    assert answer.code != 0
    assert f"{capability} on {real.mount}/data/{REF}" in answer.out + answer.err
    assert "Traceback" not in answer.err
    if capability == "read":
        checked = real.run("check")
        assert checked.code == 1
        assert f"bao:{REF}: vault at {real.bao.address} does not let us read on {real.mount}/data/{REF}" in checked.out
        assert f"hint: grant read on {real.mount}/data/{REF}" in checked.out


def test_check_warns_of_a_token_that_may_do_everything(real: Real) -> None:
    checked = real.run("check")
    assert checked.code == 0
    assert "note  bao: the token may do everything" in checked.out
