"""What the dashboard asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parents[2] / "config" / "grafana" / "rotator.json"
VARIABLES = {"$__rate_interval": "5m", "$provider": ".*", "$owner": ".*"}
NAMES = re.compile(r"\b(?:rotator|process)_[a-z_]+")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def expressions() -> list[str]:
    """Of every panel and every variable."""
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    asked = [each["query"]["query"] for each in dashboard()["templating"]["list"] if each["type"] == "query"]
    return [*panels, *(re.sub(r"label_values\((\w+), \w+\)", r"\1", each) for each in asked)]


def substituted(expression: str) -> str:
    """As it is when nothing was chosen."""
    for name, text in VARIABLES.items():
        expression = expression.replace(name, text)
    return expression
