"""The JSON Schema that editors use is the config's shape, and up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rotator.config.schema import schema

FILE = Path(__file__).parents[2] / "config" / "rotator.schema.json"


def test_the_schema_is_up_to_date() -> None:
    made = subprocess.run([sys.executable, "-m", "rotator.config.schema"], capture_output=True, text=True, check=True)
    assert made.stdout == schema()
    assert FILE.read_text() == schema(), "run: python -m rotator.config.schema > config/rotator.schema.json"


def test_the_schema_takes_every_way_to_write_a_thing() -> None:
    shape = json.loads(schema())
    credential = shape["$defs"]["CredentialEntry"]["properties"]
    assert {each.get("type", "State") for each in shape["properties"]["state"]["anyOf"]} == {"string", "State"}
    assert {each["type"] for each in shape["properties"]["include"]["anyOf"]} == {"string", "array"}
    assert {each["type"] for each in credential["policy"]["anyOf"]} == {"string", "object"}
    assert shape["additionalProperties"] is False
    assert shape["$defs"]["ProviderEntry"]["additionalProperties"] is True
