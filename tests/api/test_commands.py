"""`rotator --server`: the same words, and the same output and exit code as on the daemon's machine."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.api.callers import Caller
from rotator.domain.rotation import Phase
from rotator.domain.tokens import Role
from tests.api.conftest import MINE, THEIRS, Api, served
from tests.cli.scene import Answer, Scene

Say = Callable[..., Answer]


@pytest.fixture
def say(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """A command through the server, from another folder without a config, with somebody's token."""

    def through(*words: str, who: str = "operator", stdin: str = "") -> Answer:
        file = tmp_path / "token"
        file.touch(mode=0o600)
        file.write_text(api.tokens[who] + "\n")
        env = {**api.scene.environment(), "ROTATOR_TOKEN_FILE": str(file)}
        monkeypatch.setattr(type(api.scene), "environment", lambda self: env)
        monkeypatch.setattr(type(api.scene), "with_config", lambda self, words: [*words])
        try:
            return api.scene.say("--server", api.url, *words, stdin=stdin)
        finally:
            monkeypatch.undo()

    return through


@pytest.fixture
def lasting(two_owners: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Whose rotations stay live for long: the config in force says so, not the file of later."""
    monkeypatch.setattr("rotator.api.server.PATIENCE", 60)  # for commands that end on a busy machine
    two_owners.policy(overlap="1h")
    with served(two_owners) as running:
        yield running


def ageless(text: str) -> str:
    """Without ages and what is left until a time, which the second of the two finds other, nor the widths by them."""
    return re.sub(r" +", " ", re.sub(r"\b(?:now|[0-9]+ ?s (?:ago|old)|in [0-9]+ ?d(?: [0-9]+h)?)\b", "", text))


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("status", MINE),
        ("status", "no-such"),
        ("status", MINE, "--json"),
        ("why", MINE),
        ("history",),
        ("log", "export"),
        ("audit", "where", "litellm"),
        ("incident",),
        ("rotate", MINE, "--dry-run"),
        ("rotate", "--lef"),
        ("rotate",),
        ("nonsense",),
        ("why",),
    ],
)
def test_it_prints_the_same_and_ends_the_same_as_on_the_machine_itself(
    api: Api, say: Say, words: tuple[str, ...]
) -> None:
    api.scene.say("adopt", MINE)
    there, here = say(*words), api.scene.run(*words)
    assert there.code == here.code
    assert ageless(there.out) == ageless(here.out)
    assert ageless(there.err) == ageless(here.err)


def test_a_rotation_runs_to_its_end(api: Api, say: Say) -> None:
    before = api.scene.published(MINE)
    answer = say("rotate", MINE, "--wait", "--reason", "a try")
    assert answer.code == 0, answer.err
    assert api.scene.published(MINE) != before
    (row,) = api.assembly.journal.rotations(MINE)
    assert row.reason == "asked: a try (by bert)"


def test_the_trail_names_who_had_it_done(api: Api, say: Say) -> None:
    assert say("adopt", MINE).code == 0
    assert say("revoke", MINE, "--yes", who="responder").code == 0
    assert say("token", "revoke", "web-ci", who="responder").code == 0
    digest = json.loads(say("config", "diff", "--json").out)["digest"]
    assert say("config", "approve", "--yes", digest, who="responder").code == 0
    by = [(each.event.action, each.event.detail.get("by")) for each in api.assembly.journal.events()]
    assert by[-5:] == [
        ("adopt", "bert"),
        ("revoke", "cleo"),
        ("revoke", "cleo"),
        ("token revoked", "cleo"),
        ("config approved", "cleo"),
    ]
    approved = api.assembly.journal.events()[-1].event.detail
    assert approved["how"] == "cleo by the API"


def test_the_trail_names_who_did_what_no_rotation_tells_of(api: Api, say: Say) -> None:
    (api.scene.folder / "web").mkdir()
    (api.scene.folder / "web" / "requirements.txt").write_text("litellm==1.82.7\n")
    for words in (["pause", "--for", "1h"], ["pause", "--end"], ["audit", "record"]):
        answer = say(*words)
        assert answer.code == 0, answer
    opened = say("incident", "open", MINE, who="responder")
    assert opened.code == 0, opened
    incident = next(word.strip(":") for word in opened.out.split() if word.startswith("inc-"))
    assert say("incident", "verify", incident, who="responder").code == 3
    told = [(each.event.action, each.event.detail.get("by")) for each in api.assembly.journal.events()]
    wanted = [("paused", "bert"), ("pause over", "bert"), ("recorded", "bert"), ("verified", "cleo")]
    assert [each for each in told if each in wanted] == wanted


def test_the_trail_names_who_handed_something_to_an_open_rotation(api: Api, say: Say) -> None:
    api.scene.policy(overlap="1h")
    assert api.post("/v1/rotations", {"names": [MINE]}).status == 200
    assert say("hold", MINE).code == 0
    assert ("hold", "asked", "bert") in [
        (each.event.action, each.event.subject, each.event.detail.get("by")) for each in api.assembly.journal.events()
    ]


def test_an_emergency_needs_a_responder_and_its_yes(api: Api, say: Say) -> None:
    words = ("rotate", MINE, "--assume-compromise", "--contained")
    refused = say(*words, "--yes", who="operator")
    assert (refused.code, refused.lines[0]) == (2, "rotator: this needs the role responder, and yours is operator")
    assert not api.assembly.journal.rotations()
    assert say(*words, who="responder").code == 2
    assert not api.assembly.journal.rotations()
    api.assembly.config = replace(api.assembly.config, lease=timedelta(seconds=2))  # it waits for two of them
    done = say(*words, "--yes", who="responder")
    assert done.code == 0, done.err


def test_a_token_for_some_sees_and_touches_no_other(api: Api, say: Say) -> None:
    api.scene.say("adopt", MINE)
    api.scene.say("rotate", THEIRS)
    for words in (("status",), ("history",), ("status", "--json"), ("status", MINE)):
        answer = say(*words, who="mine")
        assert answer.code == 0, answer.err
        assert THEIRS not in answer.out + answer.err, words
    before = len(api.assembly.journal.events())
    for words in (("hold", THEIRS), ("rotate", THEIRS), ("status", THEIRS)):
        answer = say(*words, who="mine")
        assert answer.code == 2
        assert answer.lines[0].endswith(f"there is no credential '{THEIRS}'")
    assert len(api.assembly.journal.events()) == before
    assert say("hold", MINE, who="mine").code == 0


def test_status_is_of_the_config_in_force_whatever_lies_in_the_file(api: Api, say: Say) -> None:
    api.scene.say("adopt", MINE)
    approved = api.scene.config.read_text()
    try:
        changed = json.loads(approved)
        changed["credentials"]["planted"] = changed["credentials"][MINE]
        changed["credentials"][THEIRS]["owner"] = "team-ml"
        api.scene.config.write_text(json.dumps(changed))
        everything = say("status", who="viewer")
        assert everything.code == 0, everything.err
        assert "planted" not in everything.out
        assert THEIRS not in say("status", who="mine").out
        assert say("status", "planted").code == 2
        api.scene.config.write_text("rubbish: [")
        assert say("status", MINE).code == 0
    finally:
        api.scene.config.write_text(approved)


def test_values_go_as_standard_input_and_are_in_no_argument(api: Api, say: Say) -> None:
    value = api.scene.published(MINE)
    found = say("find", "-", stdin=f"KEY={value}\n")
    assert MINE in found.out
    assert value not in found.out + found.err
    file = api.scene.folder / "leak.env"
    file.write_text(f"KEY={value}\n")
    named = say("find", str(file))
    assert MINE in named.out
    folder = say("find", str(api.scene.folder))
    assert (folder.code, len(folder.lines)) == (2, 2)


def test_words_that_the_server_would_not_run_are_refused_also_when_sent_past_our_client(api: Api) -> None:
    bad = [
        ["status", "--config", "/etc/passwd"],
        ["status", "--config=/etc/passwd"],
        ["--config", "/etc/passwd", "status"],
        ["status", "--state", "sqlite:////tmp/other.db"],
        ["status", "--server", "http://127.0.0.1:1"],
        ["rotate", MINE, "--admin", "ks=-"],
        ["token", "break-glass", "--why", "x"],
        ["token", "new", "x", "--role", "responder"],
        ["init"],
        ["demo"],
        ["--debug", "status"],
        ["audit", "record", "/etc/passwd"],
        ["find", "/etc/passwd"],
        ["log", "export", "--follow"],
        ["find", "-", "/etc/passwd"],
        ["find", "--", "/proc"],
        ["find", "/nonexistent"],
    ]
    for words in bad:
        answer = api.post("/v1/commands", {"words": words}, "responder")
        frames = [json.loads(line) for line in answer.data.splitlines() if line]
        assert frames[-1] == {"exit": 2}, words
        assert len("".join(each.get("err", "") for each in frames).splitlines()) == 2
        assert not any("out" in each for each in frames), words


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"words": []},
        {"words": "status"},
        {"words": ["status"], "stdin": "no base64!"},
        {"words": ["status"], "who": "root"},
        {"words": ["sta\0tus"]},
        {"words": ["status"], "prog": "sh"},
        {"words": ["x" * 5000]},
    ],
)
def test_what_is_no_command_is_refused(api: Api, body: dict[str, object]) -> None:
    assert api.post("/v1/commands", body).status == 422


def test_only_so_many_run_at_once(api: Api) -> None:
    slots = api.server._parts.commands._slots
    others = [Caller(name=name, role=Role.VIEWER) for name in ("eva", "eva", "finn", "finn")]
    for each in others:
        slots.take(each)
    answer = api.post("/v1/commands", {"words": ["status"]})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert api.post("/v1/commands", {"words": ["status"]}, "responder").status == 200
    slots.give(others[0])
    assert api.post("/v1/commands", {"words": ["status"]}).status == 200


def test_one_caller_takes_not_all_the_room(api: Api) -> None:
    slots = api.server._parts.commands._slots
    me = api.get("/v1/me")["name"]
    for _ in range(2):
        slots.take(Caller(name=me, role=Role.VIEWER))
    answer = api.post("/v1/commands", {"words": ["status"]}, "viewer")
    assert (answer.status, answer.json()["detail"]) == (503, "so many of your commands are at work already")
    slots.give(Caller(name=me, role=Role.VIEWER))
    assert api.post("/v1/commands", {"words": ["status"]}, "viewer").status == 200


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("http://rotator.example:8750", "--server would carry the token in clear text"),
        ("ftp://127.0.0.1", "--server is no URL of a server"),
        ("127.0.0.1:8750", "--server is no URL of a server"),
        ("https://u:p@127.0.0.1", "--server holds a login"),
        ("http://127.0.0.1:99999", "--server is no URL"),
        ("http://127.0.0.1:8750/v1", "--server is no URL of a server"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1 cannot be reached"),
    ],
)
def test_a_server_that_is_none_is_told_in_two_lines(api: Api, say: Say, server: str, said: str) -> None:
    answer = say("--server", server, "status")
    assert answer.code == (3 if "reached" in said else 2)
    assert said in answer.lines[0]
    assert len(answer.lines) == 2


def test_a_token_that_everybody_may_read_or_that_is_none_is_told(api: Api, tmp_path: Path) -> None:
    from rotator.cli.errors import Told
    from rotator.cli.remote import token
    from tests.cli.scene import environment

    file = tmp_path / "token"
    for text, mode, said in (("rotk_x", 0o644, "read or written by everybody"), ("", 0o600, "holds no token")):
        file.write_text(text)
        file.chmod(mode)
        with environment({"ROTATOR_TOKEN_FILE": str(file)}), pytest.raises(Told, match=said):
            token()
    with environment({}), pytest.raises(Told, match="--server needs a token"):
        token()


def test_standard_input_of_any_bytes_arrives(api: Api) -> None:
    value = api.scene.published(MINE).encode()
    stdin = base64.b64encode(b"\xc3\x28\0 " + value + b"\0").decode()
    answer = api.post("/v1/commands", {"words": ["find", "-"], "stdin": stdin})
    frames = [json.loads(line) for line in answer.data.splitlines() if line]
    assert MINE in "".join(each.get("out", "") for each in frames)


def test_who_hangs_up_interrupts_what_was_begun_and_its_rotation_stays_resumable(lasting: Api) -> None:
    api = lasting
    words = ["rotate", MINE, "--wait"]
    headers = {"Authorization": f"Bearer {api.tokens['operator']}"}
    answer = api.http.request(
        "POST", f"{api.url}/v1/commands", json={"words": words}, headers=headers, preload_content=False
    )
    commands = api.server._parts.commands
    while not (rows := api.assembly.journal.rotations(MINE)) or rows[0].phase is not Phase.LIVE:
        time.sleep(0.05)
    assert len(commands._running) == 1
    answer.close()
    deadline = time.monotonic() + 60
    while commands._running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not commands._running
    (row,) = api.assembly.journal.rotations(MINE)
    assert (row.phase, row.open, row.owner) == (Phase.LIVE, True, None)


def test_when_the_api_ends_its_commands_do_too(lasting: Api) -> None:
    api = lasting
    headers = {"Authorization": f"Bearer {api.tokens['operator']}"}
    body = {"words": ["rotate", MINE, "--wait"]}
    answer = api.http.request("POST", f"{api.url}/v1/commands", json=body, headers=headers, preload_content=False)
    while not (rows := api.assembly.journal.rotations(MINE)) or rows[0].phase is not Phase.LIVE:
        time.sleep(0.05)
    api.server.stop()
    frames = [json.loads(line) for line in answer.data.splitlines() if line]
    assert frames[-1] == {"exit": 3}
    assert not api.server._parts.commands._running


def test_what_is_in_hand_when_the_api_ends_is_interrupted_once_and_finished(
    two_owners: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotator.api.server.PATIENCE", 1)  # then its reader is hung up on, while the mint goes on
    two_owners.rewrite(defaults={"isolation": "off", "lease": "120s"})
    two_owners.say("adopt", MINE)
    with served(two_owners) as api:
        two_owners.keyserver.tell(latency=5.0)
        headers = {"Authorization": f"Bearer {api.tokens['operator']}"}
        body = {"words": ["rotate", MINE, "--wait"]}
        answer = api.http.request("POST", f"{api.url}/v1/commands", json=body, headers=headers, preload_content=False)
        while not any(each.event.action == "mint" for each in api.assembly.journal.events()):
            time.sleep(0.05)
        (running,) = api.server._parts.commands._running
        api.server.stop()
        assert running._process.wait(60) == 3
        answer.close()
        (row,) = api.assembly.journal.rotations(MINE)
        assert row.phase is not Phase.MINTING
        assert row.owner is None
