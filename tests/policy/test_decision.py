from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.policy.decision import Blocked, NotDue, Rotate, decide, why
from rotator.policy.facts import Asked, Facts
from rotator.policy.obstacles import OBSTACLES, OVERRIDES, Obstacle
from rotator.policy.reading import read_policy
from rotator.policy.reasons import REASONS, Reason
from rotator.policy.windows import may_act
from tests.policy.strategies import calm, instants, periods, policies

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = timedelta(days=1)

FRESH = Facts(
    credential="openai-prod",
    policy=read_policy({"every": "30d", "jitter": "0%"}),
    now=NOW,
    due_at=NOW + 20 * DAY,
    rotated_at=NOW - 10 * DAY,
    key_created_at=NOW - 10 * DAY,
    key_listed=True,
    spec_minted="a",
    spec_wanted="a",
)
OVERDUE = NOW - DAY
MONDAYS = read_policy({"cron": "0 10 * * 1"})

# What has to be true of the fresh credential above for one reason or obstacle alone to hold.
REASON_FACTS: Mapping[Reason, Mapping[str, object]] = {
    Reason.COMPROMISE: {"incident": "inc-7"},
    Reason.ASKED: {"asked": Asked(by="ana", why="left the team")},
    Reason.KEY_MISSING: {"key_listed": False},
    Reason.EXPIRES_SOON: {"key_expires_at": NOW + 3 * DAY},
    Reason.SPEC_CHANGED: {"spec_wanted": "b"},
    Reason.NEVER_ROTATED: {"rotated_at": None, "key_created_at": None, "due_at": OVERDUE},
    Reason.AGE: {"due_at": OVERDUE},
    Reason.CRON: {"due_at": OVERDUE, "policy": MONDAYS},
}
OBSTACLE_FACTS: Mapping[Obstacle, Mapping[str, object]] = {
    Obstacle.OPEN_ROTATION: {"open_rotation": "r1"},
    Obstacle.HELD: {"held_by": "ben"},
    Obstacle.PAUSED: {"paused": "holidays", "paused_until": NOW + DAY},
    Obstacle.FOREIGN_CURRENT: {"foreign_in": ("vault", "aws")},
    Obstacle.BACKING_OFF: {"not_before": NOW + DAY},
    Obstacle.BLACKOUT: {"policy": read_policy({"every": "30d", "blackout": ["2026-11-23/2026-11-24"]})},
    Obstacle.OUTSIDE_WINDOW: {"policy": read_policy({"every": "30d", "window": "Tue 09:00-16:00 UTC"})},
}
SENTENCES = {
    Reason.COMPROMISE: "incident 'inc-7' exposed its key",
    Reason.ASKED: "'ana' asked for it, saying 'left the team'",
    Reason.KEY_MISSING: "the provider no longer has its key",
    Reason.EXPIRES_SOON: "its key expires in 3d, at 2026-11-26T10:00:00Z",
    Reason.SPEC_CHANGED: "the config asks for another key than the one that was minted",
    Reason.NEVER_ROTATED: "it was never rotated here and its key's age is unknown, due since 2026-11-22T10:00:00Z",
    Reason.AGE: "its key is 10d old, its policy says every 30d, due since 2026-11-22T10:00:00Z",
    Reason.CRON: 'its policy says cron "0 10 * * 1", due since 2026-11-22T10:00:00Z',
    Obstacle.OPEN_ROTATION: "rotation 'r1' is open",
    Obstacle.HELD: "'ben' holds it",
    Obstacle.PAUSED: "all that is new is paused until 2026-11-24T10:00:00Z: 'holidays'",
    Obstacle.FOREIGN_CURRENT: "a value that nobody here made is current in 'vault', 'aws'",
    Obstacle.BACKING_OFF: "its last rotation was rolled back; not before 2026-11-24T10:00:00Z",
    Obstacle.BLACKOUT: "in the blackout 2026-11-23/2026-11-24 until 2026-11-25T00:00:00Z",
    Obstacle.OUTSIDE_WINDOW: "outside the window Tue 09:00-16:00 UTC until 2026-11-24T09:00:00Z",
}


def facts(**changes: object) -> Facts:
    return replace(FRESH, **changes)  # type: ignore[arg-type]


def holding(given: Facts) -> set[Reason | Obstacle]:
    return {finding.word for finding in why(given) if finding.holds}


def test_every_word_has_its_predicate_and_the_chains_are_in_the_order_of_the_words() -> None:
    assert list(REASONS) == list(Reason)
    assert list(OBSTACLES) == list(Obstacle)
    assert {predicate.__name__ for predicate in (*REASONS.values(), *OBSTACLES.values())} == {*Reason, *Obstacle}


def test_the_words_are_those_that_dashboards_know() -> None:
    assert " ".join(Reason) == (
        "compromise asked key_missing expires_soon spec_changed never_rotated age cron"
    )  # fmt: skip
    assert " ".join(Obstacle) == "open_rotation held paused foreign_current backing_off blackout outside_window"


def test_a_fresh_credential_is_left_alone_and_says_until_when() -> None:
    assert decide(FRESH) == NotDue(until=NOW + 20 * DAY)
    assert holding(FRESH) == set()


def test_why_says_every_word_once_reasons_first_with_a_sentence() -> None:
    assert [finding.word for finding in why(FRESH)] == [*Reason, *Obstacle]
    assert all(finding.sentence for finding in why(FRESH))


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_alone_rotates_with_its_own_sentence(reason: Reason) -> None:
    given = facts(**REASON_FACTS[reason])
    assert holding(given) == {reason}
    assert decide(given) == Rotate(reason=reason, sentence=SENTENCES[reason], ignored=())


@pytest.mark.parametrize("obstacle", Obstacle)
def test_an_obstacle_alone_rotates_nothing(obstacle: Obstacle) -> None:
    given = facts(**OBSTACLE_FACTS[obstacle])
    assert holding(given) == {obstacle}
    assert isinstance(decide(given), NotDue)


@pytest.mark.parametrize("obstacle", Obstacle)
@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.CRON])
def test_an_obstacle_stops_every_reason_that_does_not_override_it(reason: Reason, obstacle: Obstacle) -> None:
    given = facts(**{**REASON_FACTS[reason], **OBSTACLE_FACTS[obstacle]})
    match decide(given):
        case Blocked() as blocked:
            assert obstacle not in OVERRIDES.get(reason, ())
            assert (blocked.reason, blocked.obstacle) == (reason, obstacle)
            assert blocked.sentence == SENTENCES[obstacle]
        case Rotate() as rotate:
            assert obstacle in OVERRIDES[reason]
            assert rotate.reason is reason
            assert [(each.word, each.sentence) for each in rotate.ignored] == [(obstacle, SENTENCES[obstacle])]
        case other:
            pytest.fail(f"{other} although there is a reason")


@pytest.mark.parametrize(
    ("obstacle", "until"),
    [
        (Obstacle.OPEN_ROTATION, None),
        (Obstacle.HELD, None),
        (Obstacle.FOREIGN_CURRENT, None),
        (Obstacle.BACKING_OFF, NOW + DAY),
        (Obstacle.BLACKOUT, datetime(2026, 11, 25, tzinfo=UTC)),
        (Obstacle.OUTSIDE_WINDOW, datetime(2026, 11, 24, 9, tzinfo=UTC)),
    ],
)
def test_what_time_removes_says_when_and_what_a_person_removes_does_not(
    obstacle: Obstacle, until: datetime | None
) -> None:
    decision = decide(facts(due_at=OVERDUE, **OBSTACLE_FACTS[obstacle]))
    assert isinstance(decision, Blocked)
    assert decision.until == until


def test_an_emergency_stops_at_nothing_and_names_what_it_ignores() -> None:
    everything = {name: value for each in OBSTACLE_FACTS.values() for name, value in each.items()}
    decision = decide(facts(**{**everything, "incident": "inc-7"}))
    assert isinstance(decision, Rotate)
    assert [each.word for each in decision.ignored] == [
        Obstacle.OPEN_ROTATION,
        Obstacle.HELD,
        Obstacle.PAUSED,
        Obstacle.FOREIGN_CURRENT,
        Obstacle.BACKING_OFF,
        Obstacle.OUTSIDE_WINDOW,
    ]


def test_whoever_asks_need_not_wait_for_the_window_but_for_whoever_holds() -> None:
    asked = REASON_FACTS[Reason.ASKED]
    assert isinstance(decide(facts(**asked, **OBSTACLE_FACTS[Obstacle.OUTSIDE_WINDOW])), Rotate)
    assert isinstance(decide(facts(**asked, **OBSTACLE_FACTS[Obstacle.HELD])), Blocked)


def test_the_first_reason_decides_and_all_are_told() -> None:
    everything = {name: value for each in reversed([*REASON_FACTS.values()]) for name, value in each.items()}
    given = facts(**{**everything, "rotated_at": None, "key_created_at": None})
    for reason in (Reason.COMPROMISE, Reason.ASKED, Reason.KEY_MISSING, Reason.EXPIRES_SOON, Reason.SPEC_CHANGED):
        decision = decide(given)
        assert isinstance(decision, Rotate)
        assert decision.reason is reason
        assert reason in holding(given)
        neutral = {name: getattr(FRESH, name) for name in REASON_FACTS[reason]}
        given = replace(given, **neutral)


@pytest.mark.parametrize(
    "changes",
    [
        {"key_listed": None},
        {"key_expires_at": NOW + 30 * DAY},
        {"spec_minted": None},
        {"spec_wanted": None},
        {"rotated_at": None, "key_created_at": None},
        {"rotated_at": None},
        {"policy": MONDAYS},
        {"not_before": NOW},
        {"rotated_at": NOW + 3650 * DAY, "key_created_at": NOW + 3650 * DAY},
    ],
)
def test_what_is_unknown_or_not_yet_is_no_reason(changes: Mapping[str, object]) -> None:
    assert decide(facts(**changes)) == NotDue(until=NOW + 20 * DAY)
    assert holding(facts(**changes)) == set()


@pytest.mark.parametrize(
    ("created", "expires", "soon"),
    [
        # at most max_overlap, seven days, before the end
        (NOW - 300 * DAY, NOW + 7 * DAY, True),
        (NOW - 300 * DAY, NOW + 7 * DAY + timedelta(seconds=1), False),
        (None, NOW + 7 * DAY, True),
        # and for a key of short life in its last third
        (NOW - 2 * DAY, NOW + DAY, True),
        (NOW - 2 * DAY, NOW + DAY + timedelta(hours=1), False),
        # over is over, also if the provider's dates make no sense
        (NOW - DAY, NOW, True),
        (NOW + 9 * DAY, NOW - 9 * DAY, True),
        (NOW + 9 * DAY, NOW + 8 * DAY, False),
    ],
)
def test_a_key_with_an_end_is_replaced_in_the_last_third_of_its_life(
    created: datetime | None, expires: datetime, soon: bool
) -> None:
    assert (Reason.EXPIRES_SOON in holding(facts(key_created_at=created, key_expires_at=expires))) is soon


def test_a_key_of_known_age_is_rotated_for_its_age_also_the_first_time() -> None:
    assert holding(facts(rotated_at=None, due_at=OVERDUE)) == {Reason.AGE}


@pytest.mark.parametrize(("seconds", "yes"), [(-1, False), (0, True), (1, True)])
def test_a_credential_is_due_from_its_due_second_on(seconds: int, yes: bool) -> None:
    assert (Reason.AGE in holding(facts(due_at=NOW - timedelta(seconds=seconds)))) is yes


def test_what_people_and_drivers_wrote_is_shown_as_data() -> None:
    nasty = "x\n\x1b[31m" + "y" * 1000
    given = facts(
        asked=Asked(by=nasty, why=nasty), incident=nasty, held_by=nasty, open_rotation=nasty, foreign_in=(nasty,)
    )
    for finding in why(given):
        assert finding.sentence.isprintable()
        assert len(finding.sentence) < 300


def any_facts() -> st.SearchStrategy[Facts]:
    maybe_text = st.none() | st.text(max_size=9)
    maybe_time = st.none() | instants()
    return st.builds(
        Facts,
        credential=st.just("openai-prod"),
        policy=policies(periods) | st.just(MONDAYS),
        now=instants(),
        due_at=instants(),
        rotated_at=maybe_time,
        key_created_at=maybe_time,
        key_expires_at=maybe_time,
        key_listed=st.none() | st.booleans(),
        spec_minted=maybe_text,
        spec_wanted=maybe_text,
        incident=maybe_text,
        asked=st.none() | st.builds(Asked, by=st.text(max_size=9), why=st.text(max_size=9)),
        held_by=maybe_text,
        open_rotation=maybe_text,
        foreign_in=st.lists(st.text(max_size=9), max_size=2).map(tuple),
        not_before=maybe_time,
    )


@calm
@given(any_facts())
def test_the_decision_is_what_why_says(given: Facts) -> None:
    yes = holding(given)
    reasons = [reason for reason in Reason if reason in yes]
    match decide(given):
        case NotDue():
            assert not reasons
        case Blocked(reason=reason, obstacle=obstacle):
            assert reason is reasons[0]
            assert obstacle in yes
            assert obstacle not in OVERRIDES.get(reason, ())
        case Rotate(reason=reason, ignored=ignored):
            assert reason is reasons[0]
            assert {each.word for each in ignored} == yes - set(Reason)
            assert all(each.word in OVERRIDES[reason] for each in ignored)


@calm
@given(any_facts())
def test_every_sentence_is_one_line_in_our_tone(given: Facts) -> None:
    for finding in why(given):
        assert finding.sentence.isprintable()
        assert not finding.sentence.endswith(".")
        assert not finding.sentence[0].isupper()


@calm
@given(any_facts())
def test_age_and_cron_never_hold_together_and_closures_are_those_of_the_policy(given: Facts) -> None:
    assert not {Reason.AGE, Reason.CRON} <= holding(given)
    closure = getattr(may_act(given.policy, given.now), "by", None)
    assert holding(given) & {Obstacle.BLACKOUT, Obstacle.OUTSIDE_WINDOW} == ({closure} if closure else set())
