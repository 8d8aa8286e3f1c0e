"""The descriptions of APIs in docs/drivers.md, as people will copy them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parents[2] / "docs" / "drivers.md"


def description(name: str, url: str) -> dict[str, Any]:
    """The settings of that description for an API at another address, without the driver's name."""
    (block,) = re.findall(rf"```yaml {name}\n(.*?)```", DOCS.read_text(), re.DOTALL)
    found: dict[str, Any] = yaml.safe_load(block)
    assert found.pop("driver") == "rest"
    return {**found, "base_url": url}
