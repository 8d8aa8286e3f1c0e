"""Where the demo plays: a temporary folder with a config, a file store and a journal, and a keyserver on loopback."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rotator.config.installation import new_installation
from rotator.testing.keyserver import Behaviour, Keyserver

NAME = "llm-prod"

CONFIG = """\
state: sqlite:///rotator.db
installation: {{key: file:installation.key}}
defaults: {{lease: 2s, isolation: "off"}}  # so that nothing is left behind: copies of drivers are kept
providers:
  keyserver:
    driver: keyserver
    admin: file:admin
    base_url: {url}
    propagation: 1s
    death_window: 1s
    list_lag: 1s
stores:
  files: {{driver: file, root: store, format: json}}
policies:
  quick: {{every: 30d, overlap: 4s, quiet_for: 2s, max_overlap: 1h, compromise_grace: 1s}}
credentials:
  {name}:
    provider: keyserver
    principal: {{principal: agents}}
    publish:
      - {{store: files, ref: agents.json, fields: {{API_KEY: "{{secret}}"}}}}
    policy: quick
    consumers: [reader, cacher, stubborn]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where everything is. `document` is what consumers read."""

    folder: Path
    config: Path
    document: Path
    keyserver: Keyserver


@contextmanager
def scene() -> Iterator[Scene]:
    """Set the scene; everything is gone afterwards."""
    behaviour = Behaviour(latency=0.02, death=0.3, propagation=0.2)
    with tempfile.TemporaryDirectory(prefix="rotator-demo-") as name, Keyserver(behaviour) as keyserver:
        folder = Path(name)
        store = folder / "store"
        store.mkdir(mode=0o700)
        document = store / "agents.json"
        _, secret = keyserver.seed_key("agents")
        _private(document, json.dumps({"API_KEY": secret, "MODEL": "any"}, indent=2) + "\n")
        _private(folder / "admin", keyserver.admin)
        _private(folder / "installation.key", new_installation().text())
        config = folder / "rotator.yaml"
        _private(config, CONFIG.format(url=keyserver.url, name=NAME))
        yield Scene(folder=folder, config=config, document=document, keyserver=keyserver)


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
