"""The page of evidence as people see it: what strangers wrote stays text, and the picture tells what the table does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from rotator.cli.evidence.page import page
from rotator.cli.evidence.timeline import WIDTH, drawn, scale_of
from rotator.domain.evidence import Evidence, Replaced
from rotator.domain.rotation import OldKey, Phase, Proof, StoreState

AT = datetime(2026, 3, 24, 18, tzinfo=UTC)
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x1b[2J\u202e"


def replaced(name: str = "openai", **changes: object) -> Replaced:
    old = OldKey(key_id="key-1", proof=Proof.REFUSED, dead_at=AT + timedelta(seconds=90))
    known: dict[str, object] = {
        "credential": name,
        "provider": "openai",
        "phase": Phase.DONE,
        "started_at": AT,
        "live_at": AT + timedelta(seconds=30),
        "ended_at": AT + timedelta(seconds=120),
        "old_keys": (old,),
    }
    return Replaced(**{**known, **changes})  # type: ignore[arg-type]


def evidence(*rows: Replaced, **changes: object) -> Evidence:
    known: dict[str, object] = {
        "incident": "inc-20260324-abcdef",
        "reason": "",
        "installation": "abcdefgh",
        "made_at": AT + timedelta(minutes=10),
        "detected_at": AT,
        "replaced": rows,
    }
    return Evidence(**{**known, **changes})  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Which elements there are, which addresses, and whether all were closed."""

    EMPTY = ("meta", "rect", "line", "circle", "path", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY and tag != "p":
            while self.open and self.open[-1] == "p":
                self.open.pop()
            assert self.open.pop() == tag


def test_what_strangers_wrote_stays_text() -> None:
    row = replaced(
        provider=HOSTILE,
        console_url=f"javascript:alert(1)//{HOSTILE}",
        why=((HOSTILE, HOSTILE),),
        rotation=HOSTILE,
        mode=HOSTILE,
        phase=Phase.STUCK,
        new_key=HOSTILE,
        old_keys=(OldKey(key_id=HOSTILE),),
        stores=(
            StoreState(store="s", ref=HOSTILE, left_behind=HOSTILE),
            StoreState(store="s", ref="r", promoted_at=AT),
        ),
        consumers=(HOSTILE,),
        head=HOSTILE,
        error=(HOSTILE, HOSTILE),
    )
    text = page(evidence(row, reason=HOSTILE, unknown={HOSTILE: HOSTILE}, checkpoint=(1, HOSTILE))).decode()
    tags = Tags(text)
    assert "script" not in tags.names
    assert "img" not in tags.names
    assert tags.names.count("style") == 1
    assert tags.handlers == []
    assert tags.addresses == []
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert [tag for tag in tags.open if tag != "p"] == []


def test_a_console_is_linked_where_it_is_a_page() -> None:
    row = replaced(
        console_url="https://platform.openai.com/api-keys", phase=Phase.STUCK, old_keys=(OldKey(key_id="k"),)
    )
    assert Tags(page(evidence(row)).decode()).addresses == ["https://platform.openai.com/api-keys"]


def test_the_page_loads_nothing_and_nothing_in_it_runs() -> None:
    text = page(evidence(replaced())).decode()
    assert "default-src 'none'" in text
    assert not {"script", "link", "img", "iframe", "object"} & set(Tags(text).names)


def test_coverage_is_never_rounded_up_to_all() -> None:
    rows = [replaced(f"c{number}") for number in range(4999)]
    found = evidence(*rows, replaced("last", phase=Phase.STUCK))
    assert not found.complete
    assert found.percent == 99.9
    assert b"99.9 %" in page(found)


def test_who_is_unknown_counts_against_coverage() -> None:
    found = evidence(replaced(), unknown={"grafana": "read by web, of which nobody knows what it had"})
    assert (found.percent, found.complete) == (50.0, False)
    assert [left.credential for left in found.left] == ["grafana"]


def test_an_incident_that_exposed_nothing_is_no_hundred_percent() -> None:
    assert (evidence().percent, evidence().complete) == (0.0, False)
    assert b"incomplete" in page(evidence())


def test_a_done_rotation_with_a_key_that_is_only_gone_from_sight_is_not_proven() -> None:
    row = replaced(old_keys=(OldKey(key_id="k", deleted_at=AT, proof=Proof.UNPROVEN, dead_at=AT),))
    assert not row.proven
    assert evidence(row).percent == 0.0


def test_the_picture_is_well_formed_and_has_a_dot_for_each_death() -> None:
    rows = (replaced("a"), replaced("b"), replaced("c", phase=Phase.STUCK, old_keys=(OldKey(key_id="k"),)))
    picture = ElementTree.fromstring(drawn(evidence(*rows)))  # noqa: S314 - it is ours
    circles = [each for each in picture.iter("circle") if each.get("class") == "death"]
    hatched = [each for each in picture.iter("rect") if each.get("fill") == "url(#hatch)"]
    assert (len(circles), len(hatched)) == (2, 1)
    assert [each.text for each in picture.iter("text") if each.get("class") == "name"] == ["a", "b", "c"]


SECONDS = st.integers(-(10**7), 10**7)


@given(st.lists(SECONDS, min_size=2, max_size=20), st.booleans())
def test_what_is_later_is_never_drawn_further_left(seconds: list[int], known_window: bool) -> None:
    window = (AT - timedelta(days=3), AT) if known_window else None
    scale = scale_of(evidence(replaced(), window=window))
    drawn_at = [scale.x(AT + timedelta(seconds=each)) for each in sorted(seconds)]
    assert drawn_at == sorted(drawn_at)
    assert all(scale.left <= x <= WIDTH for x in drawn_at)


@given(st.integers(0, 10**8))
def test_there_are_few_ticks_whatever_it_took(seconds: int) -> None:
    row = replaced(ended_at=AT + timedelta(seconds=seconds))
    ticks = list(scale_of(evidence(row)).ticks())
    assert len(ticks) <= 200
