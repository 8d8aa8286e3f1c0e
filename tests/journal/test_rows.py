"""Every value of the port as a row and back, and what is no text is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.adapters.journal import rows
from rotator.domain.records import ChainedEvent, Event, EventKind
from rotator.domain.rotation import Mode, Rotation
from rotator.domain.secret import Secret
from rotator.testing.journal_contract.full import filled
from rotator.testing.journal_contract.values import NOW, rotation

PLAIN = [rows.CREDENTIAL, rows.KEY, rows.OLD_KEY, rows.PLACE_STATE, rows.REQUEST, rows.SIGHTING, rows.CHECKPOINT]
PLAIN += [rows.TOKEN]
SECRET = Secret({"secret": "sk-live-1"})
INSTANTS = st.datetimes(timezones=st.just(UTC))
OPTIONAL = st.one_of(st.none(), INSTANTS)


@pytest.mark.parametrize("shape", PLAIN, ids=lambda shape: str(shape.of.__name__))
def test_a_shape_has_every_field_of_its_dataclass(shape: rows.Shape[Any]) -> None:
    assert set(shape.columns) == {field.name for field in fields(shape.of)}


def test_a_rotations_row_has_every_field_of_it() -> None:
    apart = {"waiting", "problem", "old_keys", "stores", "consumers"}
    assert set(rows.ROTATION.columns) | apart == {field.name for field in fields(Rotation)}


def test_a_chained_event_has_every_field_of_both() -> None:
    expected = {field.name for field in (*fields(ChainedEvent), *fields(Event))} - {"event"}
    assert set(rows.EVENT_COLUMNS) == expected


def test_the_contract_fills_every_field_of_a_rotation_with_something_else() -> None:
    """Else its test of reading a row as it was committed would prove less than it says."""
    empty = rotation("r1")
    full = filled(empty)
    same = {field.name for field in fields(Rotation) if getattr(empty, field.name) == getattr(full, field.name)}
    assert same == {"id", "credential", "started_at", "fence", "owner"}


@given(instant=INSTANTS)
def test_an_instant_is_a_whole_number_of_microseconds_and_back(instant: datetime) -> None:
    assert rows.instant(rows.micros(instant)) == instant


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert rows.micros(elsewhere) == rows.micros(NOW)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(TypeError):
        rows.encode_rotation(rotation("r1", next_at=datetime(2026, 11, 23)))  # noqa: DTZ001 - that is the point


@given(
    mode=st.sampled_from(Mode),
    reason=st.text(),
    baseline=st.lists(st.text()).map(tuple),
    fences=st.lists(st.integers(0, 2**40)).map(tuple),
    live_at=OPTIONAL,
    minted_at=OPTIONAL,
)
def test_a_rotation_is_read_as_it_was_written(
    mode: Mode,
    reason: str,
    baseline: tuple[str, ...],
    fences: tuple[int, ...],
    live_at: datetime | None,
    minted_at: datetime | None,
) -> None:
    row = rotation(
        "r1", mode=mode, reason=reason, baseline=baseline, mint_fences=fences, live_at=live_at, minted_at=minted_at
    )
    values = rows.encode_rotation(row)
    record = tuple(values[name] for name in rows.ROTATION_COLUMNS)
    assert rows.decode_rotation(record, (), ()) == row
    assert all(value is None or type(value) in (str, int) for value in values.values())


@given(detail=st.dictionaries(st.text(), st.text()), subject=st.text(), at=INSTANTS)
def test_an_event_is_read_as_it_was_written(detail: dict[str, str], subject: str, at: datetime) -> None:
    event = Event(kind=EventKind.OUTCOME, action="mint", subject=subject, detail=detail)
    link = ChainedEvent(rotation="r1", seq=1, at=at, fence=3, event=event, previous="", digest="d")
    values = rows.encode_event(link)
    assert rows.decode_event(tuple(values[name] for name in rows.EVENT_COLUMNS)) == link


@pytest.mark.parametrize("name", [*rows.ROTATION.columns, "waiting", "problem"])
def test_a_secret_gets_into_no_field_of_a_rotation(name: str) -> None:
    for value in (SECRET, (SECRET,), [SECRET]):
        changed: Any = {name: value}
        with pytest.raises((TypeError, ValueError, AttributeError)):
            rows.encode_rotation(replace(filled(rotation("r1")), **changed))


@pytest.mark.parametrize("shape", [*PLAIN, rows.EVENT], ids=lambda shape: str(shape.of.__name__))
def test_a_secret_gets_into_no_field_of_anything_else(shape: rows.Shape[Any]) -> None:
    refused = []
    for name in shape.columns:
        stand_in = type("StandIn", (), dict.fromkeys(shape.columns))()
        setattr(stand_in, name, SECRET)
        with pytest.raises((TypeError, ValueError, AttributeError)):
            shape.encode(stand_in)
        refused.append(name)
    assert refused == list(shape.columns)


@pytest.mark.parametrize("detail", [{"value": SECRET}, {SECRET: "value"}])
def test_a_secret_gets_into_no_detail_of_an_event(detail: Any) -> None:
    with pytest.raises(TypeError):
        rows.EVENT.encode(Event(kind=EventKind.INTENT, action="mint", detail=detail))
