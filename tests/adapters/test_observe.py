"""The log: which line has which level, what stands in it, and that it never stops anybody."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.adapters.logged import logged
from rotator.adapters.observe import LEVELS, Log, Quiet, Several
from rotator.domain.failures import Transient
from rotator.domain.records import CredentialRow, Event, EventKind, Verb
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.ports import Change
from rotator.testing.memory import MemoryJournal

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LEASE = timedelta(minutes=1)
SAMPLES = {
    "debug": Event(kind=EventKind.INTENT, action="mint", subject="ks"),
    "info": Event(kind=EventKind.OUTCOME, action="mint", subject="ks", detail={"result": "ok"}),
    "warning": Event(kind=EventKind.OUTCOME, action="mint", subject="ks", detail={"result": "denied"}),
    "error": Event(kind=EventKind.PHASE, action="phase", subject=Phase.STUCK.value, detail={"why": "no room"}),
}


class Ear:
    """An observer that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []

    def committed(self, row: Rotation, events: Any) -> None:
        self.heard.append(("committed", row.id, *(each.action for each in events)))

    def alert(self, action: str, subject: str, message: str) -> None:
        self.heard.append(("alert", action, subject, message))


def row(rotation: str = "r1", **changes: Any) -> Rotation:
    given: dict[str, Any] = {"mode": Mode.MANUAL, "reason": "asked: because", **changes}
    return Rotation(id=rotation, credential="c", started_at=NOW, next_at=NOW, since=NOW, **given)


def begun(rotation: Rotation) -> Change:
    detail = {"reason": rotation.reason}
    return Change(events=(Event(kind=EventKind.PHASE, action="begin", subject=rotation.mode.value, detail=detail),))


class Written:
    """A log at one level, and what it wrote."""

    def __init__(self, level: Any = "debug") -> None:
        self.text: list[str] = []
        self.log = Log(level, self.text.append)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text]


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_lets_through_itself_and_what_is_worse(level: str) -> None:
    written = Written(level)
    written.log.wrote("c", 1, tuple(SAMPLES.values()), "r1")
    assert [line["level"] for line in written.lines] == list(LEVELS)[list(LEVELS).index(level) :]


def test_an_alert_and_a_way_back_are_warnings() -> None:
    written = Written("warning")
    written.log.alert("foreign value", "c", "files:x")
    written.log.wrote("c", 1, (Event(kind=EventKind.PHASE, action="phase", subject="rolling_back"),), "r1")
    assert [line["action"] for line in written.lines] == ["foreign value", "phase"]


def test_a_line_is_one_object_and_nothing_of_a_driver_takes_the_place_of_a_field_of_ours() -> None:
    written = Written()
    detail = {"credential": "other", "result": "ok\nfake", "level": "x"}
    written.log.wrote("c", 3, (Event(kind=EventKind.OUTCOME, action="mint", subject="a\nb", detail=detail),), "r1")
    assert len(written.text[0].splitlines()) == 1
    (line,) = written.lines
    assert (line["credential"], line["rotation"], line["fence"], line["subject"]) == ("c", "r1", 3, "a\nb")
    assert line["detail_credential"] == "other"
    assert line["timestamp"].endswith("Z")


def test_the_beginning_says_the_word_of_the_reason_and_what_was_said_with_it() -> None:
    written = Written("info")
    assert logged(MemoryJournal(), written.log).begin(row(), begun(row()))
    (line,) = written.lines
    assert (line["action"], line["subject"], line["reason"], line["because"]) == (
        "begin",
        "manual",
        "asked",
        "because",
    )


def test_what_was_not_committed_is_not_logged() -> None:
    written = Written()
    journal = logged(MemoryJournal(), written.log)
    assert journal.begin(row(), begun(row()))
    assert not journal.begin(row("r2"), begun(row("r2")))
    assert len(written.text) == 1
    (claimed,) = journal.claim(owner="me", now=NOW, lease=LEASE, limit=1)
    journal.ask("c", Verb.HOLD, "no", NOW)
    before = len(written.text)
    assert journal.commit(claimed, NOW, Change(events=(SAMPLES["debug"],)), heed=True)
    assert len(written.text) == before
    assert not journal.commit(claimed, NOW, Change(events=(SAMPLES["debug"],)))
    assert len(written.text) == before + 1


def test_a_successor_is_logged_with_its_own_reason() -> None:
    written = Written()
    journal = logged(MemoryJournal(), written.log)
    journal.begin(row(), begun(row()))
    (claimed,) = journal.claim(owner="me", now=NOW, lease=LEASE, limit=1)
    fresh = row("r2", mode=Mode.COMPROMISE, reason="compromise: inc-1")
    ended = row(phase=Phase.SUPERSEDED, fence=claimed.fence, ended_at=NOW)
    journal.commit(ended, NOW, Change(successor=fresh))
    last = written.lines[-1]
    assert (last["rotation"], last["reason"], last["detail_supersedes"]) == ("r2", "compromise", "r1")


def test_what_operators_ask_and_what_happens_to_a_credential_is_logged_without_a_rotation() -> None:
    written = Written()
    journal = logged(MemoryJournal(), written.log)
    event = Event(kind=EventKind.OPERATOR, action="adopt", subject="key-1")
    journal.save(journal.credential("c"), NOW, Change(events=(event,)))
    journal.begin(row(), begun(row()))
    journal.ask("c", Verb.ROLLBACK, "it broke", NOW)
    adopted, _, asked = written.lines
    assert (adopted["action"], "rotation" in adopted) == ("adopt", False)
    assert (asked["action"], asked["detail_why"]) == ("rollback", "it broke")


def test_several_observers_hear_the_same() -> None:
    one, two = Ear(), Ear()
    both = Several(one, two, Quiet())
    both.committed(row(), (SAMPLES["info"],))
    both.alert("overlap over", "c", "still used")
    assert one.heard == two.heard == [("committed", "r1", "mint"), ("alert", "overlap over", "c", "still used")]


def test_a_log_that_cannot_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", gone)
    with pytest.raises(ValueError, match="closed"):
        sys.stderr.write("x")
    Log("info").alert("foreign value", "c", "files:x")


def test_what_was_asked_does_not_fail_because_the_journal_cannot_be_read_for_the_log() -> None:
    inner = MemoryJournal()
    journal = logged(inner, Written().log)
    assert journal.begin(row(), Change())

    def busy(name: str) -> CredentialRow:
        raise Transient("the journal is locked by another process")

    inner.credential = busy  # type: ignore[method-assign]
    with pytest.raises(Transient):
        journal.ask("c", Verb.HOLD, "no", NOW)
    (claimed,) = inner.claim(owner="me", now=NOW, lease=LEASE, limit=1)
    assert inner.commit(claimed, NOW, Change(), heed=True) == ()


def test_what_the_net_holds_back_never_reaches_the_log_and_is_an_alert_to_everybody() -> None:
    heard: list[tuple[str, str, str]] = []
    text: list[str] = []
    log = Log(
        "info",
        text.append,
        net=lambda line: line.replace("hunter2", "<secret>"),
        caught=lambda *alert: heard.append(alert),
    )
    event = Event(kind=EventKind.OUTCOME, action="mint", subject="a hunter2", detail={"note": "x=hunter2"})
    log.wrote("c", 1, (event,), "r1")
    alert, line = (json.loads(each) for each in text)
    assert (line["action"], line["subject"], line["detail_note"]) == ("mint", "a <secret>", "x=<secret>")
    assert (alert["action"], alert["kind"], alert["level"], alert["subject"]) == (
        "redacted",
        "alert",
        "warning",
        "mint",
    )
    assert [each[:2] for each in heard] == [("redacted", "mint")]
    assert "hunter2" not in "".join(text)


def test_what_the_net_lets_through_is_the_line_as_it_was() -> None:
    one = Written()
    two: list[str] = []
    log = Log("debug", two.append, net=lambda line: line)
    for each in SAMPLES.values():
        one.log.wrote("c", 1, (each,), "r1")
        log.wrote("c", 1, (each,), "r1")
    without_time = [{**json.loads(line), "timestamp": ""} for line in two]
    assert without_time == [{**line, "timestamp": ""} for line in one.lines]


def broken(secret: str) -> None:
    key = secret
    try:
        raise KeyError(key)
    except KeyError:
        raise ValueError(f"no such key: {secret}") from None


def test_a_defect_is_told_by_its_places_and_types_and_never_by_its_text_or_variables() -> None:
    written = Written("error")
    secret = "sk-" + "a1b2c3d4e5" * 4
    with pytest.raises(ValueError) as found:
        broken(secret)
    found.value.add_note(secret)
    written.log.defect("c", found.value)
    (line,) = written.lines
    assert (line["action"], line["level"], line["subject"]) == ("defect", "error", "c")
    assert [each["type"] for each in line["exceptions"]] == ["ValueError", "KeyError"]
    assert line["exceptions"][0]["frames"][-1].endswith(" broken")
    assert line["exceptions"][0]["frames"][-1].startswith("tests/adapters/test_observe.py:")
    assert line["message"].startswith("ValueError at tests/adapters/test_observe.py:")
    assert secret[:8] not in written.text[0]


def test_a_defect_without_end_is_told_within_bounds() -> None:
    def deeper(left: int) -> None:
        if not left:
            raise RecursionError("x" * 10_000)
        deeper(left - 1)

    error: BaseException | None = None
    for _ in range(10):
        with pytest.raises(RecursionError) as found:
            deeper(100)
        found.value.__cause__, error = error, found.value
    assert error is not None
    written = Written()
    written.log.defect("c", error)
    assert len(written.lines[0]["exceptions"]) == 5
    assert len(written.text[0]) < 20_000
