"""A pytest plugin: what was tested on the real thing, on a stand-in, or not at all, as a table at the end of a run.

A test says it by marker (`real`, `stand_in`), or by asking for a fixture of a real server. With
`ROTATOR_REQUIRE_REAL=1` a test of a real server that was skipped, for whatever reason, has failed.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests import servers
from tests.servers import chromium, mariadb, openbao, postgres, rabbitmq, redis
from tests.servers.kubernetes import kubectl
from tests.upgrade import wheels

PROPERTY = "tested on"
REQUIRED = "ROTATOR_REQUIRE_REAL"
SERVER_OF_FIXTURE = {
    "postgres_server": postgres.NAME,
    "each_postgres_server": postgres.NAME,
    "openbao_server": openbao.NAME,
    "openbao_on_disk": openbao.NAME,
    "kubectl": kubectl.NAME,
    "openbao_pair": openbao.NAME,
    "mariadb_server": mariadb.NAME,
    "rabbitmq_server": rabbitmq.NAME,
    "redis_server": redis.NAME,
    "chromium": chromium.NAME,
    "older_wheel": wheels.NAME,
}
SPELLING = {name.lower(): name for name in SERVER_OF_FIXTURE.values()}
COLUMNS = ("real", "stand-in", "skipped")


@dataclass(slots=True)
class Row:
    """One server in the table: tests by version and by column, and why tests were skipped."""

    versions: Counter[str] = field(default_factory=Counter)
    tests: Counter[str] = field(default_factory=Counter)
    reasons: set[str] = field(default_factory=set)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write into the report what the test ran on; workers send reports to the process that prints the table."""
    report = yield
    really = sorted(_real_servers(item))
    if _was_skipped(report) and really and os.environ.get(REQUIRED) == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, but {REQUIRED}=1 asks for {', '.join(really)}: {_reason(report.longrepr)}"
    if call.when == "call" or (call.when == "setup" and not report.passed):
        versions = servers.started | _versions_asked(item)
        entries = [
            *_entries("real", really, report, versions),
            *_entries("stand-in", _stood_in_for(item), report, versions),
        ]
        report.user_properties = [*report.user_properties, *((PROPERTY, entry) for entry in entries)]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, if there is anything to say."""
    rows = _rows(terminalreporter)
    if not rows:
        return
    terminalreporter.section("tested on")
    heads = {name: heading(name, row) for name, row in rows.items()}
    width = max(len(head) for head in heads.values())
    terminalreporter.write_line(" " * width + "".join(f"{column:>10}" for column in COLUMNS))
    for name, row in sorted(rows.items()):
        counts = "".join(f"{row.tests[column]:>10}" for column in COLUMNS)
        terminalreporter.write_line(f"{heads[name]:<{width}}{counts}")
        for reason in sorted(row.reasons):
            terminalreporter.write_line(f"  skipped: {reason}")


def _real_servers(item: pytest.Item) -> set[str]:
    asked = {SERVER_OF_FIXTURE[name] for name in getattr(item, "fixturenames", ()) if name in SERVER_OF_FIXTURE}
    return asked | _marked(item, "real")


def _stood_in_for(item: pytest.Item) -> set[str]:
    return _marked(item, "stand_in")


def _marked(item: pytest.Item, marker: str) -> set[str]:
    names = [str(mark.args[0]) for mark in item.iter_markers(marker)]
    return {SPELLING.get(name.lower(), name) for name in names}


def _versions_asked(item: pytest.Item) -> dict[str, str]:
    """Of a server that runs in two versions, the one that this test was given."""
    given = getattr(item, "funcargs", {}).get("each_postgres_server")
    return {} if given is None else {postgres.NAME: given.version}


def heading(name: str, row: Row) -> str:
    """A server and its version; where it ran in more than one, with so many tests of each."""
    if len(row.versions) < 2:
        return " ".join([name, *row.versions])
    return f"{name} " + ", ".join(f"{version} ({count})" for version, count in sorted(row.versions.items()))


def _entries(
    column: str, names: set[str] | list[str], report: pytest.TestReport, versions: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    for name in sorted(names):
        entry = {"server": name, "column": column, "version": versions.get(name, ""), "reason": ""}
        yield entry | ({"column": "skipped", "reason": _reason(report.longrepr)} if _was_skipped(report) else {})


def _was_skipped(report: pytest.TestReport) -> bool:
    """Whether it did not run; pytest also calls skipped what ran and failed as expected."""
    return report.skipped and not hasattr(report, "wasxfail")


def _reason(longrepr: object) -> str:
    """The text of a skip, which pytest reports as (file, line, "Skipped: text")."""
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


def _rows(terminalreporter: pytest.TerminalReporter) -> dict[str, Row]:
    rows: defaultdict[str, Row] = defaultdict(Row)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, entry in getattr(report, "user_properties", ()):
                if key == PROPERTY:
                    row = rows[entry["server"]]
                    row.versions.update({entry["version"]} - {""})
                    row.tests[entry["column"]] += 1
                    row.reasons |= {entry["reason"]} - {""}
    return rows
