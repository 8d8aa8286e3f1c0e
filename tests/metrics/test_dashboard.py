"""The dashboard asks for metrics that there are, by labels that they have."""

from __future__ import annotations

import re

from rotator.adapters.metrics.families import EVENTS, STATE
from tests.metrics.dashboard import NAMES, dashboard, expressions
from tests.metrics.test_rules import names

SELECTED = re.compile(r"\b(rotator_[a-z_]+)\{([^}]*)\}")
OF_PROMETHEUS = {"process_resident_memory_bytes"}


def test_every_query_is_about_metrics_that_there_are() -> None:
    assert len(expressions()) > 40
    for expression in expressions():
        asked = set(NAMES.findall(expression)) - OF_PROMETHEUS
        assert asked <= names(), expression


def test_every_metric_of_the_state_but_the_version_is_shown_somewhere() -> None:
    shown = {name for expression in expressions() for name in NAMES.findall(expression)}
    assert set(STATE) - shown == {
        "rotator_build_info",
        "rotator_orphan_first_seen_timestamp_seconds",
        "rotator_unproven_death_timestamp_seconds",
    }


def test_what_is_selected_by_is_a_label() -> None:
    families = {**STATE, **EVENTS}
    for expression in expressions():
        for name, selectors in SELECTED.findall(expression):
            family = families[re.sub(r"_(bucket|sum|count)$", "", name)]
            labels = {each.strip().split("=")[0].rstrip("!~") for each in selectors.split(", ") if each}
            assert labels <= {*family.labels, "le"}, expression


def test_no_two_panels_lie_on_each_other_and_each_has_a_title() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert panel["title"]
        assert at["x"] + at["w"] <= 24
        assert not mine & taken
        taken |= mine
