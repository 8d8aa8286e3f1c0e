"""A rotation breaks, a real Prometheus sees it, a real Alertmanager tells somebody, with the command that helps."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.app.assembly import Assembly
from rotator.app.metrics import Metrics
from rotator.app.running import Run
from rotator.config.values import MetricsConfig
from rotator.domain.rotation import Mode, Phase
from rotator.engine import starting
from rotator.testing.keyserver import FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, Scene
from tests.metrics.dashboard import expressions, substituted
from tests.servers import Unavailable
from tests.servers.api import Listener
from tests.servers.prometheus import WebServer, start_alertmanager, start_prometheus

pytestmark = [
    pytest.mark.real("Prometheus"),
    pytest.mark.real("Alertmanager"),
    pytest.mark.stand_in("API provider: keyserver"),
]

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0


class Somebody:
    """Whom an Alertmanager tells, on a socket of his own."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Ear(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = Listener(("127.0.0.1", 0), Ear)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def alerts(self, name: str, status: str) -> list[dict[str, Any]]:
        return [each for each in list(self.heard) if (each["labels"]["alertname"], each["status"]) == (name, status)]


@contextmanager
def listening() -> Iterator[Somebody]:
    somebody = Somebody()
    thread = threading.Thread(target=somebody.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield somebody
    finally:
        somebody.server.shutdown()
        somebody.server.server_close()
        thread.join()


def until(happens: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def rules() -> dict[str, Any]:
    """Ours; nothing is waited for."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "config/prometheus/rules.yaml").read_text())
    for group in found["groups"]:
        group["interval"] = "200ms"
        for rule in group["rules"]:
            rule.pop("for", None)
    return found


def started(start: Callable[..., WebServer], *given: Any) -> WebServer:
    try:
        return start(*given)
    except Unavailable as missing:
        pytest.skip(str(missing))


@contextmanager
def watched(metrics: Metrics) -> Iterator[tuple[WebServer, Somebody]]:
    """A Prometheus that scrapes, and whom its Alertmanager tells."""
    with ExitStack() as ending, listening() as somebody:
        listener = metrics.serve(MetricsConfig(port=0))
        ending.callback(listener.close)
        quick = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h", "group_by": ["..."]}
        hook = {"url": somebody.url, "send_resolved": True}
        to = {"route": {"receiver": "hook", **quick}, "receivers": [{"name": "hook", "webhook_configs": [hook]}]}
        manager = started(start_alertmanager, to)
        ending.callback(manager.stop)
        target = [{"targets": [f"127.0.0.1:{listener.port}"]}]
        config = {
            "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
            "scrape_configs": [{"job_name": "rotator", "static_configs": target}],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager.port}"]}]}]},
        }
        prometheus = started(start_prometheus, config, rules())
        ending.callback(prometheus.stop)
        yield prometheus, somebody


def test_a_rotation_that_gets_stuck_is_told_to_somebody_with_the_command_and_its_mending_too(
    scene: Scene, keyserver: Keyserver, assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotator.app.metrics.KEPT", 0.1)
    monkeypatch.setattr("rotator.app.metrics.CENSUS", 0.1)
    scene.say("adopt", NAME)
    metrics = Metrics(lambda: assembly, counts=assembly.counts)
    with watched(metrics) as (prometheus, somebody):
        until(lambda: result(prometheus, "rotator_journal_up == 1"))
        assert somebody.alerts("RotatorRotationStuck", "firing") == []
        keyserver.fail(Operation.MINT, FaultKind.FORBIDDEN, calls=None)
        spec = assembly.config.credentials[NAME]
        starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="test")
        run = Run(assembly=assembly, owner="test", parallel=1)
        run.until(lambda: _phase(assembly) is Phase.STUCK)
        until(lambda: somebody.alerts("RotatorRotationStuck", "firing"))
        told, *_ = somebody.alerts("RotatorRotationStuck", "firing")  # again, where a scrape came too late
        assert told["labels"]["credential"] == NAME
        assert told["annotations"]["command"] == f"rotator status {NAME}"
        until(lambda: somebody.alerts("RotatorAccessDenied", "firing"))
        assert every_expression_is_understood(prometheus) > 60
        assert no_key_is_in_any_label(prometheus, scene)
        keyserver.tell(faults=())
        assert scene.say("resume", NAME).code == 0
        run.until(lambda: _phase(assembly) not in (Phase.STUCK, Phase.PLANNED, Phase.MINTING))
        until(lambda: somebody.alerts("RotatorRotationStuck", "resolved"))


def test_a_journal_that_goes_away_is_told_and_the_scrape_goes_on(
    scene: Scene, assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotator.app.metrics.KEPT", 0.1)
    scene.say("adopt", NAME)
    metrics = Metrics(lambda: assembly, counts=assembly.counts)
    with watched(metrics) as (prometheus, somebody):
        until(lambda: result(prometheus, "rotator_journal_up == 1"))
        journal = scene.folder / "rotator.db"
        assembly.close()
        journal.write_bytes(b"not a database\n" * 100)
        for each in scene.folder.glob("rotator.db-*"):
            each.unlink()
        until(lambda: somebody.alerts("RotatorJournalDown", "firing"))
        until(lambda: result(prometheus, 'up{job="rotator"} == 1 and on() rotator_journal_up == 0'))
        assert result(prometheus, "rotator_credentials") == []


def result(prometheus: WebServer, expression: str) -> list[Any]:
    answer = prometheus.ask("/api/v1/query", query=expression)
    assert answer["status"] == "success", f"{expression}: {answer}"
    found: list[Any] = answer["data"]["result"]
    return found


def every_expression_is_understood(prometheus: WebServer) -> int:
    """Of the dashboard and of the rules; how many those were."""
    ours = [rule["expr"] for group in rules()["groups"] for rule in group["rules"]]
    every = [*ours, *map(substituted, expressions())]
    for each in every:
        result(prometheus, each)
    return len(every)


def no_key_is_in_any_label(prometheus: WebServer, scene: Scene) -> bool:
    series = prometheus.ask("/api/v1/series", **{"match[]": '{job="rotator"}'})["data"]
    texts = {text for each in series for text in each.values()}
    assert NAME in texts
    return not any(re.search(rf"key-\d|{re.escape(scene.published())}", text) for text in texts)


def _phase(assembly: Assembly) -> Phase:
    row = assembly.journal.open_rotation(NAME)
    return row.phase if row is not None else Phase.DONE
