"""What `check` says of a vault that cannot be used: two lines with store, reference and what to do, nothing changed."""

from __future__ import annotations

import json

import pytest

from tests.real.scene import NAME, REF, Real


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"address": "http://127.0.0.1:1"}, "cannot be reached", "http://127.0.0.1:1 is right"),
        ({"address": "https://127.0.0.1:1"}, "cannot be reached", "https://127.0.0.1:1 is right"),
        ({"namespace": "no/such"}, "namespace no/such, has no such namespace", "set `namespace`"),
        ({"mount": "nowhere"}, f"has no engine mounted for nowhere/data/{REF}", "set `mount`"),
        ({"mount": "cubbyhole"}, "cubbyhole", "set `mount`"),
        ({"auth": {"method": "token", "token": "file:wrong"}}, "refuses our token", "put a valid token at file:wrong"),
        ({"auth": {"method": "token", "token": "file:gone"}}, "cannot be read", "check the path"),
        ({"auth": {"method": "approle", "role_id": "r", "secret_id": "file:wrong"}}, "login", "role_id"),
    ],
    ids=lambda each: str(each)[:40] if isinstance(each, dict) else "",
)
def test_what_is_wrong_with_a_vault_is_said_in_two_lines(
    real: Real, settings: dict[str, object], message: str, hint: str
) -> None:
    (real.folder / "wrong").touch(mode=0o600)
    (real.folder / "wrong").write_text("s.wrong-token-0815")
    config = json.loads(real.config.read_text())
    config["stores"]["bao"] |= settings
    real.config.write_text(json.dumps(config))
    before = real.document()
    answer = real.run("check")
    assert answer.code == 1
    lines = answer.out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith(f"bad   {NAME}: bao:{REF}: ")]
    assert message in lines[at]
    assert lines[at + 1].startswith("      hint: ")
    assert hint in lines[at + 1]
    assert "s.wrong-token-0815" not in answer.out + answer.err
    assert real.run(NAME, script="rotate").code != 0
    assert real.document() == before
    assert real.roles_that_open() == ["app_a"]


def test_an_address_that_would_send_the_token_in_clear_text_is_refused(real: Real) -> None:
    config = json.loads(real.config.read_text())
    config["stores"]["bao"]["address"] = "http://192.0.2.1:8200"
    real.config.write_text(json.dumps(config))
    answer = real.run("check")
    assert answer.code == 1
    assert "'192.0.2.1' is asked without encryption" in answer.out
    assert "hint: write https://" in answer.out
