"""`rotator token`: who may use the API."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest

from rotator.adapters.calendar import CronCalendar
from rotator.adapters.observe import Quiet
from rotator.app.assembly import Assembly
from rotator.app.tokens import break_glass
from rotator.config.reading import read_config
from rotator.domain.tokens import LENGTH, PREFIX
from tests.cli.scene import Scene, environment


@pytest.fixture
def owned(scene: Scene) -> Scene:
    scene.credential(owner="team-ml", consumers=["agents-api"])
    return scene


def test_a_token_is_printed_once_and_kept_as_a_hash(owned: Scene) -> None:
    answer = owned.say("token", "new", "ci", "--role", "operator", "--owner", "team-ml", "--for", "1d")
    assert answer.code == 0, answer.err
    text = answer.out.strip()
    assert text.startswith(PREFIX)
    assert len(text) == LENGTH
    assert "not shown again" in answer.err
    assert text not in answer.err
    with owned.journal() as journal:
        (kept,) = journal.tokens.every()
    assert kept.digest == hashlib.sha256(text.encode()).hexdigest()
    files = b"".join(path.read_bytes() for path in owned.folder.glob("rotator.db*"))
    assert kept.digest.encode() in files
    assert text.encode() not in files
    listed = owned.say("token", "list").out
    assert "ci" in listed
    assert "team-ml" in listed
    assert text not in listed


def test_the_trail_tells_of_each(owned: Scene) -> None:
    owned.say("token", "new", "web", "--consumer", "agents-api")
    owned.say("token", "revoke", "web")
    events = [json.loads(line) for line in owned.say("log", "export").out.splitlines()]
    assert [(each["rotation"], each["action"]) for each in events] == [
        ("token:web", "token made"),
        ("token:web", "token revoked"),
    ]
    assert events[0]["detail"]["consumer"] == "agents-api"
    assert owned.json("token", "list")["tokens"][0]["state"] == "revoked"


class Hearing(Quiet):
    """Keeps what it is alerted of."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []

    def alert(self, action: str, subject: str, message: str) -> None:
        self.heard.append((action, subject, message))


def test_break_glass_is_heard(owned: Scene) -> None:
    hearing = Hearing()
    with environment(owned.environment()):
        config = read_config(owned.config, calendar=CronCalendar())
    assembly = Assembly(config=config, observer=hearing)
    made = break_glass(assembly, "SSO is down")
    assembly.close()
    ((action, name, message),) = hearing.heard
    assert (action, name) == ("break-glass", made.token.name)
    assert message.endswith("SSO is down")
    assert made.text not in message + repr(made)
    assert made.token.expires_at == made.token.created_at + timedelta(hours=1)


def test_break_glass_lasts_an_hour_is_an_alert_and_says_why(owned: Scene) -> None:
    owned.rewrite()
    answer = owned.run("token", "break-glass", "--why", "the identity provider is down")
    assert answer.code == 0, answer.err
    (kept,) = owned.json("token", "list")["tokens"]
    assert kept["role"] == "responder"
    assert kept["why"] == "the identity provider is down"
    assert kept["expires_at"][:13] != kept["created_at"][:13]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "ci"), "a token has a --role or a --consumer, and not both"),
        (("new", "ci", "--role", "viewer", "--consumer", "agents-api"), "a token has a --role or a --consumer"),
        (("new", "ci", "--role", "admin"), "--role: 'admin' is none of"),
        (("new", "ci", "--role", "viewer", "--owner", "team-m"), "no credential has the owner 'team-m'"),
        (("new", "ci", "--consumer", "agents-ap"), "there is no consumer 'agents-ap'"),
        (("new", "c i", "--role", "viewer"), "is no name for a token"),
        (("new", "ci", "--role", "viewer", "--for", "9999d"), "a token lasts at most 366d"),
        (("new", "ci", "--role", "viewer", "--for", "0s"), "a token lasts at most 366d"),
        (("new", "ci", "--role", "viewer", "--for", "soon"), "--for: 'soon' is not a duration"),
        (("revoke", "ci"), "there is no token 'ci'"),
        (("break-glass",), "a break-glass token needs a reason"),
        (("break-glass", "--why", "  "), "a break-glass token needs a reason"),
        ((), "token needs a verb"),
    ],
)
def test_what_cannot_be_is_told_in_two_lines_and_nothing_is_made(
    owned: Scene, words: tuple[str, ...], said: str
) -> None:
    answer = owned.say("token", *words)
    assert answer.code == 2
    assert len(answer.lines) == 2
    assert said in answer.lines[0]
    assert owned.json("token", "list") == {"tokens": []}


def test_a_name_is_given_once(owned: Scene) -> None:
    assert owned.say("token", "new", "ci", "--role", "viewer").code == 0
    assert owned.say("token", "revoke", "ci").code == 0
    again = owned.say("token", "new", "ci", "--role", "viewer")
    assert (again.code, again.lines[0]) == (2, "rotator: there was a token ci already")
    assert owned.say("token", "revoke", "ci").lines[0] == "rotator: the token ci is revoked already"
