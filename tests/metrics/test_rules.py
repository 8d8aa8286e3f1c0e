"""The alert rules: each fires once and stays silent once, and names a command that there is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.adapters.metrics.families import EVENTS, STATE, Kind
from rotator.app.metrics import Metrics
from rotator.cli.main import VERBS
from tests.metrics.dashboard import NAMES
from tests.servers import Unavailable
from tests.servers.prometheus import promtool

FOLDER = Path(__file__).parents[2] / "config" / "prometheus"
PROMTOOL = pytest.mark.real("Prometheus")


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load((FOLDER / "rules.yaml").read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def names() -> set[str]:
    """Of the samples that an exposition can have."""
    parts = {name: ("_bucket", "_sum", "_count") for name, each in EVENTS.items() if each.kind is Kind.HISTOGRAM}
    return {name + part for name in (*STATE, *EVENTS) for part in parts.get(name, ("",))}


def said(*arguments: str, cwd: Path, stdin: bytes = b"") -> tuple[int, str]:
    try:
        done = promtool(*arguments, cwd=cwd, stdin=stdin)
    except Unavailable as missing:
        pytest.skip(str(missing))
    return done.returncode, done.stdout + done.stderr


@PROMTOOL
def test_each_alert_fires_and_stays_silent_as_its_tests_say() -> None:
    code, text = said("test", "rules", "rules.test.yaml", cwd=FOLDER)
    assert code == 0, text
    assert "SUCCESS" in text


@PROMTOOL
def test_rules_that_always_or_never_fire_fail_their_tests(tmp_path: Path) -> None:
    tests = yaml.safe_load((FOLDER / "rules.test.yaml").read_text())
    tests["tests"] = [each for each in tests["tests"] if "RotatorOutage" in str(each)]  # the whole takes half a minute
    assert len(tests["tests"]) > 1
    (tmp_path / "rules.test.yaml").write_text(yaml.safe_dump(tests))
    shutil.copy(FOLDER / "rules.yaml", tmp_path)
    assert said("test", "rules", "rules.test.yaml", cwd=tmp_path)[0] == 0
    text = (FOLDER / "rules.yaml").read_text()
    for number, expression in enumerate(("vector(1)", "vector(1) > 2")):
        changed = re.sub(r"( alert: RotatorOutage\n +expr: )'.*'", rf"\1'{expression}'", text)
        assert changed != text
        (tmp_path / "rules.yaml").write_text(changed)
        code, answer = said("test", "rules", "rules.test.yaml", cwd=tmp_path)
        assert code == 1, number
        assert "RotatorOutage" in answer


@PROMTOOL
def test_what_is_shown_has_no_fault_that_promtool_knows(metrics: Metrics, tmp_path: Path) -> None:
    _, text = metrics.exposition()
    assert said("check", "metrics", cwd=tmp_path, stdin=text) == (0, "")
    assert said("check", "metrics", cwd=tmp_path, stdin=text.replace(b"_seconds", b"_minutes"))[0] != 0


def test_every_alert_is_tried_both_ways() -> None:
    tests = yaml.safe_load((FOLDER / "rules.test.yaml").read_text())["tests"]
    tried: dict[str, list[bool]] = {}
    for each in tests:
        for asked in each.get("promql_expr_test", ()):
            name = re.search(r'alertname="(\w+)"', asked["expr"])
            assert name is not None
            tried.setdefault(name[1], []).append(bool(asked["exp_samples"]))
    assert {name: sorted(set(found)) for name, found in tried.items()} == {
        rule["alert"]: [False, True] for rule in rules()
    }


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_which_command_helps(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description", "command"}
    program, *words = rule["annotations"]["command"].split()
    assert program == "rotate" or (program == "rotator" and words[0] in VERBS)
    asked = set(NAMES.findall(rule["expr"]))
    assert asked
    assert asked <= names()
