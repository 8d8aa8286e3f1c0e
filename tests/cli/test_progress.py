"""The live view of a run of many, and what a log gets in its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.app.bounds import Bounds
from rotator.cli.overview import View, ends, one_line, shares, summary
from rotator.cli.progress import Progress
from rotator.cli.terminal import Region, Terminal, columns
from rotator.cli.tracking import Expected, Tracking
from rotator.domain.headway import Headway, Stand
from rotator.domain.pace import Estimate, NotYet
from rotator.domain.records import Event, EventKind
from rotator.domain.rotation import Mode, OldKey, Phase, Problem, Proof, Rotation, WaitFor, Waiting

AT = datetime(2026, 3, 24, 3, 0, tzinfo=UTC)
INCIDENT = "incident inc-20260324-abcdef"
BOUNDS = Bounds(path=timedelta(seconds=24), limits={"openai": timedelta(seconds=31), "aws": timedelta(seconds=9)})
MOVED = (Event(kind=EventKind.PHASE, action="phase"),)


class Clock:
    """An invented one."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at


def row(name: str, phase: Phase, *, dead: bool = False, **changes: object) -> Rotation:
    old = OldKey(key_id=f"{name}-old", proof=Proof.REFUSED if dead else None)
    made = Rotation(
        id=f"r-{name}",
        credential=name,
        mode=Mode.COMPROMISE,
        reason="",
        started_at=AT,
        next_at=AT,
        since=AT,
        phase=phase,
        old_keys=(old,),
        fixed=True,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def by_hand(name: str) -> Rotation:
    note = f"make a key for {name} at https://console.example/keys, then `rotator provide {name}`"
    return row(name, Phase.MINTING, waiting=Waiting(until=AT, for_=WaitFor.PERSON, note=note))


def stuck(name: str) -> Rotation:
    problem = Problem(message="the cap is filled by foreign keys: key-9", hint=f"then `rotator resume {name}`")
    return row(name, Phase.STUCK, problem=problem, waiting=Waiting(until=AT, for_=WaitFor.PERSON))


def view(now: datetime = AT, end: Estimate | NotYet | None = None, **stands: int) -> View:
    counted = Headway(stands={Stand[name]: number for name, number in stands.items()}, keys=9, dead=4)
    return View(name=INCIDENT, since=AT, now=now, headway=counted, bounds=BOUNDS, end=end)


def expecting(names: Iterable[str], name: str = INCIDENT, **refused: tuple[str, str]) -> Expected:
    return Expected(name=name, since=AT, providers=dict.fromkeys(names, "ks"), bounds=BOUNDS, refused=refused)


# -- words -----------------------------------------------------------------------------------------------------------


def test_both_lower_bounds_are_told_and_the_slowest_provider_named() -> None:
    out = Terminal(StringIO(), color=False, live=False)
    text = "\n".join(summary(view(end=NotYet(), UNDER_WAY=3), out))
    assert "not faster than 24 s: the longest path, nor than 31 s: what openai allows" in text


def test_too_early_it_says_so_and_what_is_certain() -> None:
    assert ends(view(end=NotYet(), DYING=3)) == ["when all will be dead: cannot say yet"]
    floor = NotYet(not_before=AT + timedelta(seconds=75))
    assert ends(view(end=floor, DYING=3)) == ["when all will be dead: cannot say yet, not before 03:01:15 UTC"]


def test_a_range_is_told_with_how_long_that_is() -> None:
    end = Estimate(earliest=AT + timedelta(minutes=12), latest=AT + timedelta(minutes=18, seconds=1))
    assert ends(view(end=end, DYING=3)) == ["all dead between 03:12 and 03:19 UTC, in 12 min to 18 min"]


def test_an_end_that_is_near_is_told_to_the_second_and_never_too_early() -> None:
    near = Estimate(earliest=AT + timedelta(seconds=60), latest=AT + timedelta(seconds=62))
    assert ends(view(end=near, DYING=3)) == ["all dead by about 03:01:02 UTC"]
    within = Estimate(earliest=AT + timedelta(minutes=14, seconds=2), latest=AT + timedelta(minutes=14, seconds=4))
    assert ends(view(end=within, DYING=3)) == ["all dead by about 03:15 UTC"]


def test_no_end_is_promised_for_what_is_stuck_or_waits_for_a_person() -> None:
    end = Estimate(earliest=AT + timedelta(minutes=14), latest=AT + timedelta(minutes=14, seconds=2))
    said = ends(view(end=end, DYING=3, PERSON=2, STUCK=1, REFUSED=1))
    assert said == [
        "the rest dead by about 03:15 UTC",
        "without an end: 1 cannot be begun, 1 stuck, 2 wait for a person",
    ]
    assert ends(view(PROVEN=3, PERSON=1)) == ["nothing else moves by itself", "without an end: 1 waits for a person"]
    assert ends(view(PROVEN=3)) == []


def test_the_last_look_has_an_end() -> None:
    until = AT + timedelta(minutes=3, seconds=4)
    assert ends(replace(view(DEAD=3), over=until)) == [
        "all dead; the last look for more is under way, until 03:03:04 UTC"
    ]
    assert ends(replace(view(until, DEAD=3), over=until)) == ["all dead; the last look for more is under way"]
    tracking = Tracking(AT)
    tracking.expected = expecting(["a", "b"])
    for name, seconds in (("a", 50), ("b", 70)):
        waiting = Waiting(until=AT + timedelta(seconds=seconds), for_=WaitFor.TIME)
        tracking.note(row(name, Phase.SWEEPING, dead=True, waiting=waiting), AT)
    seen = tracking.view(tracking.standing(), AT)
    assert seen is not None
    assert seen.over == AT + timedelta(seconds=70)


def test_names_with_a_common_beginning_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"production-payments-gateway-eu-{number:02}" for number in range(6)]
    lines = drawn(monkeypatch, [row(name, Phase.RETIRING) for name in names], expecting(names))
    shown = {line.split()[0] for line in lines if line.startswith("production")}
    assert len(shown) == 6
    assert "production-pa…-gateway-eu-05" in shown


def test_a_log_gets_the_same_on_one_line() -> None:
    line = one_line(view(AT + timedelta(seconds=72), NotYet(), PROVEN=4, DYING=2, PERSON=1))
    assert line == (
        f"{INCIDENT}: 72 s, 4 of 7 proven dead, 4 of 9 old keys; 4 proven and over; 2 live, old key dying; "
        "1 waits for a person; when the rest will be dead: cannot say yet; without an end: 1 waits for a person"
    )


@pytest.mark.parametrize("width", [30, 40, 80, 120])
def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    everywhere = replace(view(end=NotYet()), headway=Headway(stands=dict.fromkeys(Stand, 1), keys=9, dead=4))
    lines = summary(everywhere, Terminal(StringIO(), color=True, live=True))
    assert max(columns(line) for line in lines) < width


@given(st.lists(st.integers(min_value=1, max_value=10_000), min_size=1, max_size=11), st.integers(1, 200))
def test_cells_are_shared_out_and_nobody_vanishes(numbers: list[int], width: int) -> None:
    cells = shares(numbers, width)
    assert min(cells) >= 1
    assert sum(cells) == max(width, len(numbers))


# -- on a terminal ---------------------------------------------------------------------------------------------------


def drawn(monkeypatch: pytest.MonkeyPatch, rows: Iterable[Rotation], what: Expected, width: int = 100) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "30")
    out = Terminal(StringIO(), color=False, live=True)
    progress = Progress(out, Clock())
    progress.expect(what)
    for each in rows:
        progress.committed(each, MOVED)
    with progress:
        pass
    assert isinstance(out.stream, StringIO)
    last = out.stream.getvalue().split("\x1b[2K", 1)[1].replace("\x1b[2K", "").replace("\x1b[0J", "")
    return last.splitlines()


def test_who_needs_a_person_comes_first_with_the_command_then_what_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"c{number}" for number in range(6)]
    rows = [row("c0", Phase.RETIRING), row("c1", Phase.DONE, dead=True), stuck("c2"), by_hand("c3")]
    lines = drawn(monkeypatch, rows, expecting(names, c5=("there is no driver x", "install it")))
    table = lines[lines.index("") + 2 :]
    assert [line.split()[0] for line in table if not line.startswith(" ")] == ["c3", "c5", "c2", "c0", "c4", "c1"]
    assert table[0].split("  ")[-1].strip() == "rotator provide c3"
    assert table[1].strip() == "make a key for c3 at https://console.example/keys"
    assert "there is no driver x" in table[2]
    assert table[5].strip() == "then `rotator resume c2`"


def test_a_command_is_broken_over_lines_and_never_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for width in (28, 40, 60):
        lines = drawn(monkeypatch, [stuck("capped"), by_hand("groq")], expecting(["capped", "groq"]), width)
        text = " ".join(" ".join(lines).split())
        assert "then `rotator resume capped`" in text
        assert "rotator provide groq" in text


def test_a_view_of_a_thousand_fits_onto_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"c{number:04}" for number in range(1000)]
    lines = drawn(monkeypatch, [row(name, Phase.MINTING) for name in names[:700]], expecting(names), 80)
    assert len(lines) < 30
    assert lines[-1] == "… and 985 more"
    assert "700 being replaced · 300 not begun" in "\n".join(lines)


def test_what_earlier_runs_have_proven_is_not_called_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = Terminal(StringIO(), color=False, live=True)
    progress = Progress(out, Clock())
    progress.expect(expecting(["a", "b"]))
    progress.beside({"a": row("a", Phase.DONE, dead=True)})
    with progress:
        pass
    assert isinstance(out.stream, StringIO)
    assert "1 of 2 proven dead" in out.stream.getvalue()
    assert "1 not begun" in out.stream.getvalue()


def test_a_few_in_no_hurry_have_no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(monkeypatch, [row("a", Phase.MINTING)], expecting(["a"], name=""))
    assert [line.split() for line in lines] == [["credential", "phase"], ["a", "minting"]]


def test_a_region_on_a_terminal_that_became_narrower_is_drawn_over_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal(StringIO(), color=True, live=True)
    region = Region(out)
    region.draw(["x" * 70, "short"])
    monkeypatch.setenv("COLUMNS", "40")  # which breaks the long one
    region.draw(["y"])
    assert isinstance(out.stream, StringIO)
    assert "\x1b[3A" in out.stream.getvalue()


# -- in a log ----------------------------------------------------------------------------------------------------------


def log_of(what: Expected) -> tuple[Progress, Clock, StringIO]:
    stream, clock = StringIO(), Clock()
    progress = Progress(Terminal(stream, color=False, live=False), clock)
    progress.expect(what)
    return progress, clock, stream


def test_of_many_a_log_gets_only_what_matters() -> None:
    names = [f"c{number}" for number in range(9)]
    progress, _, stream = log_of(expecting(names))
    for name in names[2:]:
        progress.committed(row(name, Phase.MINTING), MOVED)
    for _ in range(2):
        progress.committed(by_hand("c0"), MOVED)
        progress.committed(stuck("c1"), MOVED)
    said = stream.getvalue().splitlines()
    assert [line.partition(":")[0] for line in said] == ["c0", "c1"]
    assert "`rotator provide c0`" in said[0]


def test_of_a_few_a_log_gets_every_change() -> None:
    progress, _, stream = log_of(expecting(["a"]))
    for phase in (Phase.MINTING, Phase.STAGING):
        progress.committed(row("a", phase), MOVED)
    assert stream.getvalue().splitlines() == ["a: minting", "a: verifying the new key"]


def test_a_summary_comes_every_ten_seconds_and_no_sooner() -> None:
    progress, clock, stream = log_of(expecting([f"c{number}" for number in range(9)]))
    for tenths in range(0, 250, 2):
        clock.at = AT + timedelta(seconds=tenths / 10)
        progress._sum_up()
    assert [line.split(": ")[1].partition(",")[0] for line in stream.getvalue().splitlines()] == ["10 s", "20 s"]


def test_a_few_in_no_hurry_have_no_summary_in_a_log() -> None:
    progress, clock, stream = log_of(expecting(["a"], name=""))
    clock.at += timedelta(seconds=30)
    with progress:
        pass
    assert stream.getvalue() == ""
