"""docs/metrics.md lists each metric with its labels, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from rotator.adapters.metrics.families import FAMILIES

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(rotator_\w+)` \| ([^|]*) \| (.*) \|$", re.MULTILINE)


def test_every_metric_is_on_the_page_with_its_labels_and_its_meaning() -> None:
    rows = {name: (labels.strip(), text) for name, labels, text in ROW.findall(PAGE.read_text())}
    assert rows == {
        name: (", ".join(f"`{label}`" for label in each.labels) or "—", each.help) for name, each in FAMILIES.items()
    }


def test_names_follow_the_conventions() -> None:
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"rotator_[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (family.kind.value == "counter"), name
        assert not {"key", "key_id"} & set(family.labels)
