"""The notifier on a real journal: told once across restarts and replicas, again after a while, and told when over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.notifying.target import Pace
from rotator.app import incidents
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.notifying import Notifier, is_for, told_so_far
from rotator.app.tokens import break_glass, revoke, tokens_of
from rotator.domain.incidents import Closed, Incident
from rotator.domain.notices import Severity
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import ON_HOLD, Mode, Phase, Problem, Rotation, WaitFor, Waiting
from rotator.policy.notifying import of_alert
from rotator.ports import Change
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Scene, make
from tests.consumers.receiver import Post, Receiver, Reply
from tests.notifying.made import NOW, notice, until

pytestmark = pytest.mark.stand_in("API provider: keyserver")
QUICK = Pace(gather=0.05, minute=0.2, again=(0.05,))
SECRET = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" + "zzYx"


class Later:
    """A clock that is moved."""

    def __init__(self, assembly: Assembly) -> None:
        self._real = assembly.clock
        self.more = timedelta(0)

    def now(self) -> Any:
        return self._real.now() + self.more

    def boottime(self) -> float:
        return self._real.boottime()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Who is told."""
    with Receiver() as found:
        yield found


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver, receiver: Receiver) -> Scene:
    """a and b, adopted; everything of team-ml's and everybody's is told."""
    made = make(tmp_path, keyserver, names=("a", "b"))
    for name in ("a", "b"):
        assert made.say("adopt", name).code == 0
    made.rewrite(notifications={"ops": {"webhook": receiver.url, "severity": "info"}})
    return made


@pytest.fixture
def assembly(scene: Scene) -> Iterator[Assembly]:
    """The scene's config, put together, with a clock that can be moved."""
    made = Assembly(config=load_config(scene.config))
    made.clock = Later(made)
    yield made
    made.close()


def notifier(assembly: Assembly) -> Notifier:
    return Notifier(lambda: assembly, pace=QUICK, look=None)


def later(assembly: Assembly, more: timedelta) -> None:
    assert isinstance(assembly.clock, Later)
    assembly.clock.more += more


def open_rotation(assembly: Assembly, name: str = "a", **more: Any) -> Rotation:
    now = assembly.clock.now()
    row = Rotation(id=f"r{name}", credential=name, mode=Mode.MANUAL, reason="", started_at=now, next_at=now, since=now)
    assert assembly.journal.begin(row, Change())
    row = replace(assembly.journal.rotation(row.id) or row, **more)
    assembly.journal.commit(row, now, Change())
    return row


def kinds(posts: list[Post]) -> list[tuple[str, str]]:
    return [(each.json["type"], each.json["data"]["kind"]) for each in posts]


def test_an_alert_is_told_once_across_restarts_and_replicas(
    assembly: Assembly, receiver: Receiver, scene: Scene
) -> None:
    first, replica = notifier(assembly), notifier(assembly)
    for _ in range(3):
        first.observer.alert("needs a key", "a", "make one")
    until(lambda: len(receiver.posts) == 1)
    first.close()
    replica.observer.alert("needs a key", "a", "make one")
    replica.close()
    restarted = Assembly(config=load_config(scene.config))
    again = notifier(restarted)
    again.observer.alert("needs a key", "a", "make one")
    again.close()
    restarted.close()
    assert len(receiver.posts) == 1
    assert again.counts()["ops"].dropped == 0


def test_what_goes_on_is_told_again_after_a_day(assembly: Assembly, receiver: Receiver) -> None:
    waiting = Waiting(until=assembly.clock.now(), for_=WaitFor.PERSON, note="make one")
    open_rotation(assembly, waiting=waiting)
    found = notifier(assembly)
    found.look_now()
    until(lambda: len(told_so_far(assembly)["ops"]) == 1)
    found.look_now()
    later(assembly, timedelta(hours=23))
    found.look_now()
    later(assembly, timedelta(hours=2))
    found.look_now()
    until(lambda: len(receiver.posts) == 2)
    found.close()
    assert kinds(receiver.posts) == [("notice.raised", "needs a key")] * 2


def test_what_was_committed_while_nobody_listened_is_told_and_its_end_too(
    assembly: Assembly, receiver: Receiver
) -> None:
    row = open_rotation(assembly, phase=Phase.STUCK, problem=Problem(message=f"refused {SECRET}", hint="look"))
    found = notifier(assembly)
    found.look_now()
    until(lambda: len(told_so_far(assembly)["ops"]) == 1)
    data = receiver.posts[0].json["data"]
    assert (data["kind"], data["command"]) == ("stuck", "rotator resume a")
    assert SECRET not in receiver.posts[0].body.decode()
    assembly.journal.commit(replace(row, phase=Phase.RETIRING, problem=None), assembly.clock.now(), Change())
    found.look_now()
    until(lambda: len(receiver.posts) == 2)
    found.close()
    assert kinds(receiver.posts)[1] == ("notice.resolved", "stuck")
    assert told_so_far(assembly)["ops"] == ()
    assert assembly.journal.remembered("notice:") == ()


def test_a_commit_is_told_without_waiting_for_a_look(assembly: Assembly, receiver: Receiver) -> None:
    row = open_rotation(assembly, "b", phase=Phase.STUCK, problem=Problem(message="no room"))
    found = notifier(assembly)
    entered = Event(kind=EventKind.PHASE, action="phase", subject="stuck", detail={"from": "minting"})
    found.observer.committed(row, [entered])
    found.close()
    assert kinds(receiver.posts) == [("notice.raised", "stuck")]


def test_a_thousand_exposed_credentials_are_one_notice(assembly: Assembly, receiver: Receiver) -> None:
    found = Notifier(lambda: assembly, pace=Pace(gather=600.0), look=None)
    for number in range(1000):
        found.observer.alert("exposed until a person acts", f"app-{number}", "make a key")
    found.close()
    assert found.counts()["ops"].delivered == 1000
    (post,) = receiver.posts
    assert post.json["data"]["count"] == 1000
    assert len(post.body) < 2000
    again = notifier(assembly)
    again.observer.alert("exposed until a person acts", "app-500", "make a key")
    again.close()
    assert len(receiver.posts) == 1


def test_a_target_that_hangs_stops_neither_the_engine_nor_the_others(scene: Scene, receiver: Receiver) -> None:
    free = threading.Event()

    def hang(_: Post) -> Reply:
        free.wait(30)
        return Reply()

    with Receiver(hang) as stuck:
        scene.rewrite(notifications={"bad": {"webhook": stuck.url}, "ops": {"webhook": receiver.url}})
        made = Assembly(config=load_config(scene.config))
        found = notifier(made)
        made.observer = found.observer
        for name in ("a", "b"):
            made.told.alert("needs a key", name, "make one")
        until(lambda: len(receiver.posts) == 2)
        found.close(timedelta(seconds=0.3))
        assert found.counts()["bad"].dropped == 2
        free.set()
    made.close()


def test_an_observer_never_raises_whatever_it_is_given_and_wherever_the_journal_is(
    assembly: Assembly, receiver: Receiver
) -> None:
    found = notifier(assembly)
    found.observer.alert("needs a key", "a", None)  # type: ignore[arg-type]
    found.observer.committed(None, [None])  # type: ignore[arg-type, list-item]
    assembly.close()
    found.observer.alert("needs a key", "\ud800\x00", "x" * 100_000)
    found.close()
    assert len(receiver.posts) == 1


def test_a_reload_begins_new_targets_and_ends_old_ones(assembly: Assembly, scene: Scene, receiver: Receiver) -> None:
    now = [assembly]
    found = Notifier(lambda: now[0], pace=QUICK, look=None)
    with Receiver() as other:
        scene.rewrite(notifications={"two": {"webhook": other.url}})
        reloaded = Assembly(config=load_config(scene.config))
        now[0] = reloaded
        found.refresh()
        found.observer.alert("needs a key", "a", "make one")
        found.close()
        assert (len(other.posts), len(receiver.posts)) == (1, 0)
    reloaded.close()


def test_a_reload_that_mends_a_target_delivers_what_waited_for_it(
    assembly: Assembly, scene: Scene, receiver: Receiver
) -> None:
    scene.rewrite(notifications={"ops": {"webhook": "http://127.0.0.1:1/typo", "severity": "info"}})
    now = [Assembly(config=load_config(scene.config))]
    found = Notifier(lambda: now[0], pace=Pace(gather=0.05, again=(600.0,)), look=None)
    found.observer.alert("stranger's use", "a", "key-1 was used")
    until(lambda: found.counts()["ops"].failures == 1)
    scene.rewrite(notifications={"ops": {"webhook": receiver.url, "severity": "info"}})
    now.insert(0, Assembly(config=load_config(scene.config)))
    found.refresh()
    until(lambda: len(receiver.posts) == 1)
    found.close()
    for each in now:
        each.close()
    assert kinds(receiver.posts) == [("notice.raised", "stranger's use")]


def test_a_target_that_cannot_be_made_keeps_no_other(scene: Scene, receiver: Receiver) -> None:
    scene.rewrite(notifications={"bad": {"webhook": "http://elsewhere/x"}, "ops": {"webhook": receiver.url}})
    made = Assembly(config=load_config(scene.config))
    found = notifier(made)
    found.observer.alert("needs a key", "a", "make one")
    found.close()
    made.close()
    assert len(receiver.posts) == 1


def test_severities_owners_and_kinds_decide_who_is_told(assembly: Assembly) -> None:
    config = assembly.config.notifications["ops"]
    mine, theirs = notice(owner="team-ml"), notice(owner="team-shop")
    assert is_for(replace(config, owners=("team-ml",)), mine)
    assert not is_for(replace(config, owners=("team-ml",)), theirs)
    assert is_for(replace(config, owners=("team-ml",)), notice(owner=""))
    assert not is_for(replace(config, severity=Severity.CRITICAL), replace(mine, severity=Severity.WARNING))
    assert not is_for(replace(config, kinds=("needs a key",)), mine)
    assert is_for(replace(config, kinds=("stuck",)), mine)


def test_a_record_that_nobody_understands_is_as_if_it_were_not_there(assembly: Assembly, receiver: Receiver) -> None:
    told = of_alert("needs a key", "a", "make one", NOW)
    assert told is not None
    for text in ("rubbish", "[1]", '[{"at": "x"}]', "[]"):
        assembly.journal.remember(f"notice:ops:{told.key}", text)
        assert told_so_far(assembly)["ops"] == ()
    found = notifier(assembly)
    found.observer.alert("needs a key", "a", "make one")
    found.close()
    assert len(receiver.posts) == 1


def leak(assembly: Assembly, said: str = "gitleaks found keys of a (key-1)", **more: Any) -> Incident:
    made = Incident(id="inc-1", opened_at=assembly.clock.now(), names=("a",), said=said, **more)
    incidents.keep(assembly.journal, made)
    return made


def test_a_leak_that_nobody_could_be_told_of_is_told_at_the_next_look_and_once(
    assembly: Assembly, receiver: Receiver
) -> None:
    incident, away = leak(assembly), [True]
    receiver.reply = lambda _: Reply(500) if away[0] else Reply(204)
    first = Notifier(lambda: assembly, pace=Pace(gather=0.05, again=()), look=None)
    first.observer.alert("leak reported", incident.id, incident.said)
    until(lambda: first.counts()["ops"].dropped == 1)
    first.close()
    away[0] = False
    receiver.posts.clear()
    found = notifier(assembly)
    for _ in range(2):
        found.look_now()
        until(lambda: len(told_so_far(assembly)["ops"]) == 1)
    found.observer.alert("leak reported", incident.id, incident.said)
    found.close()
    assert [(each.json["data"]["kind"], each.json["data"]["subject"]) for each in receiver.posts] == [
        ("leak reported", "inc-1")
    ]


def test_of_a_closed_incident_and_of_one_that_no_report_opened_nothing_stands(
    assembly: Assembly, receiver: Receiver
) -> None:
    incident = leak(assembly, closed=Closed(at=assembly.clock.now()))
    incidents.keep(assembly.journal, replace(incident, id="inc-2", said="", closed=None))
    found = notifier(assembly)
    found.look_now()
    found.close()
    assert receiver.posts == []


def test_a_record_of_an_incident_that_cannot_be_read_stops_no_look(assembly: Assembly, receiver: Receiver) -> None:
    found = notifier(assembly)
    found.observer.alert("leak reported", "inc-x", "words")
    until(lambda: len(told_so_far(assembly)["ops"]) == 1)
    assembly.journal.remember("incident:inc-x", "{rubbish")
    open_rotation(assembly, phase=Phase.STUCK)
    found.look_now()
    until(lambda: len(receiver.posts) == 2)
    found.close()
    assert kinds(receiver.posts)[1] == ("notice.raised", "stuck")
    assert {each.kind for each in told_so_far(assembly)["ops"]} == {"leak reported", "stuck"}


def test_what_has_the_form_of_a_secret_is_nowhere_in_the_journal_either(assembly: Assembly, receiver: Receiver) -> None:
    found = notifier(assembly)
    found.observer.alert("foreign value", "a", f"store files holds {SECRET} now")
    until(lambda: len(told_so_far(assembly)["ops"]) == 1)
    found.close()
    (record,) = assembly.journal.remembered("notice:")
    assert SECRET not in str(assembly.journal.recall(record))


def test_a_rotation_on_hold_is_told_with_the_command_that_releases_it(assembly: Assembly, receiver: Receiver) -> None:
    row = assembly.journal.credential("a")
    assert row is not None
    assembly.journal.save(replace(row, held=True, held_why="audit"), assembly.clock.now(), Change())
    waiting = Waiting(until=assembly.clock.now(), for_=WaitFor.PERSON, note=ON_HOLD)
    held = open_rotation(assembly, waiting=waiting)
    found = notifier(assembly)
    found.look_now()
    until(lambda: len(told_so_far(assembly)["ops"]) == 1)
    row = assembly.journal.credential("a")
    assert row is not None
    assembly.journal.commit(held, assembly.clock.now(), Change(credential=replace(row, held=False)))
    found.look_now()
    until(lambda: len(receiver.posts) >= 2)
    found.close()
    first, second = receiver.posts[0].json["data"], receiver.posts[1].json
    assert (first["kind"], first["command"]) == ("on hold", "rotator release a")
    assert (second["type"], second["data"]["kind"]) == ("notice.resolved", "on hold")


def test_a_break_glass_token_is_told_by_the_command_that_makes_it(scene: Scene, receiver: Receiver) -> None:
    assert scene.say("token", "break-glass", "--why", "SSO is down").code == 0
    (post,) = receiver.posts
    assert "SSO is down" in post.body.decode()


def test_a_break_glass_token_that_nobody_was_told_of_is_told_by_the_next_look_and_once(
    scene: Scene, assembly: Assembly, receiver: Receiver
) -> None:
    break_glass(assembly, "SSO is down")
    revoke(assembly, tokens_of(assembly).every()[0].name)
    for _ in range(2):
        told = notifier(assembly)
        told.look_now()
        told.close()
    (post,) = receiver.posts
    assert "SSO is down" in post.body.decode()


def test_what_the_command_told_of_a_break_glass_token_the_daemon_does_not_tell_again(
    scene: Scene, assembly: Assembly, receiver: Receiver
) -> None:
    assert scene.say("token", "break-glass", "--why", "SSO is down").code == 0
    told = notifier(assembly)
    told.look_now()
    told.close()
    assert len(receiver.posts) == 1
