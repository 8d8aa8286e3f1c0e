"""The JSON Schema of the config, for editors: `python -m rotator.config.schema > config/rotator.schema.json`."""

from __future__ import annotations

import json
import sys


def schema() -> str:
    """The schema's text, the same every time."""
    from rotator.config.models import ConfigFile

    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ConfigFile.model_json_schema()}
    return json.dumps(made, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
