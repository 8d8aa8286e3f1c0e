"""What pip-audit, osv-scanner and guarddog wrote, in the forms of their versions of 2026."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.results.recognising import read_results
from rotator.domain.failures import Permanent
from rotator.domain.findings import Imported, State

PIP_AUDIT = {
    "dependencies": [
        {"name": "litellm", "skip_reason": "Dependency not found and could not be audited: litellm (1.82.7)"},
        {
            "name": "requests",
            "version": "2.30.0",
            "vulns": [
                {
                    "id": "PYSEC-2023-74",
                    "fix_versions": ["2.31.0"],
                    "aliases": ["CVE-2023-32681"],
                    "description": "Requests leaks\nmore",
                }
            ],
        },
        {"name": "idna", "version": "3.10", "vulns": []},
    ],
    "fixes": [],
}
OSV_SCANNER = {
    "results": [
        {
            "source": {"path": "/srv/uv.lock", "type": "lockfile"},
            "packages": [
                {
                    "package": {"name": "litellm", "version": "1.82.8", "ecosystem": "PyPI"},
                    "vulnerabilities": [
                        {
                            "id": "PYSEC-2026-2",
                            "modified": "2026-03-24T15:35:32Z",
                            "aliases": ["MAL-2026-2144"],
                            "upstream": ["CVE-2026-1"],
                        },
                        {"id": "PYSEC-0", "withdrawn": "2026-01-01T00:00:00Z"},
                        {
                            "id": "GHSA-1",
                            "summary": "s",
                            "affected": [
                                {
                                    "package": {"name": "litellm", "ecosystem": "PyPI"},
                                    "ranges": [
                                        {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.83.0"}]},
                                        {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "abc"}]},
                                    ],
                                }
                            ],
                        },
                    ],
                    "groups": [{"ids": ["PYSEC-2026-2"], "aliases": ["MAL-2026-2144"], "max_severity": ""}],
                },
                {"package": {"name": "vendored", "version": "", "ecosystem": "PyPI"}, "vulnerabilities": []},
            ],
        }
    ],
    "experimental_config": {"licenses": {"summary": False, "allowlist": None}},
}
GUARDDOG_SCAN = {
    "package": "litellm",
    "issues": 2,
    "errors": {},
    "results": {"capability-network-outbound": [{"location": "a.py:1", "code": "x", "message": "network"}]},
    "path": "/tmp/litellm",
    "risk_score": {"score": 9.1, "label": "high"},
    "risks": [
        {
            "name": "credential-exfiltration",
            "severity": "high",
            "threat_description": "reads keys and sends them",
            "threat_location": "litellm_init.pth:1",
        }
    ],
}
GUARDDOG_VERIFY = [
    {
        "dependency": "rocket",
        "version": "2.0",
        "result": {"issues": 1, "errors": {}, "results": {"exec-base64": [{"message": "m", "location": "l"}], "x": {}}},
    },
    {"dependency": "lost", "version": None, "result": {"issues": 0, "errors": {"yara": "timed out"}, "results": {}}},
]


def read(folder: Path, found: Any) -> Imported:
    path = folder / "results.json"
    path.write_text(json.dumps(found))
    return read_results(path)


def test_pip_audit_findings_come_with_their_aliases(tmp_path: Path) -> None:
    found = read(tmp_path, PIP_AUDIT)
    (match,) = found.matches
    assert (found.tool, match.ids, match.fixed) == ("pip-audit", ("PYSEC-2023-74", "CVE-2023-32681"), ("2.31.0",))
    assert (match.package.name, match.version, match.summary) == ("requests", "2.30.0", "Requests leaks")


def test_what_pip_audit_skipped_is_unknown(tmp_path: Path) -> None:
    (skipped,) = read(tmp_path, PIP_AUDIT).unjudged
    assert skipped.what == "litellm"
    assert "1.82.7" in skipped.why


def test_osv_scanner_findings_are_told_apart(tmp_path: Path) -> None:
    found = read(tmp_path, OSV_SCANNER)
    assert [(each.ids, each.malicious, each.fixed) for each in found.matches] == [
        (("PYSEC-2026-2", "MAL-2026-2144"), True, ()),
        (("GHSA-1",), False, ("1.83.0",)),
    ]
    assert [each.what for each in found.unjudged] == ["vendored"]


@pytest.mark.parametrize(
    ("nothing", "tool"),
    [
        ({"results": []}, "osv-scanner"),
        ({"results": None}, "osv-scanner"),
        ({"results": [{"source": {}, "packages": []}]}, "osv-scanner"),
        ({"dependencies": [], "fixes": []}, "pip-audit"),
    ],
)
def test_results_that_name_no_package_are_unknown_and_not_clean(tmp_path: Path, nothing: Any, tool: str) -> None:
    found = read(tmp_path, nothing)
    assert (found.tool, found.matches) == (tool, ())
    assert [(each.what, each.why, each.where) for each in found.unjudged] == [
        (tool, "it names no package that it looked at", (str(tmp_path / "results.json"),))
    ]


def test_guarddogs_risks_are_signals_and_what_code_can_do_is_none(tmp_path: Path) -> None:
    (judged,) = read(tmp_path, GUARDDOG_SCAN).judged
    (signal,) = judged.signals
    assert (judged.package.name, signal.name, signal.state) == (
        "litellm",
        "guarddog credential-exfiltration",
        State.BAD,
    )
    assert signal.evidence == "high: reads keys and sends them litellm_init.pth:1"


def test_guarddogs_rules_are_signals_where_it_knows_no_risks_yet_and_its_errors_are_unknown(tmp_path: Path) -> None:
    found = read(tmp_path, GUARDDOG_VERIFY)
    assert [(each.package.name, each.version, each.signals[0].evidence) for each in found.judged] == [
        ("rocket", "2.0", "m l")
    ]
    assert [(each.what, each.why) for each in found.unjudged] == [("lost", "guarddog: yara: timed out")]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "no results that are known"),
        ([], "no results that are known"),
        ("text", "no results that are known"),
        ({"dependencies": [{"name": "x"}]}, "looks like pip-audit's"),
        ({"dependencies": [None]}, "looks like pip-audit's"),
        ({"results": [{"packages": [{}]}]}, "looks like osv-scanner's"),
        ({"issues": 1, "results": [1]}, "looks like guarddog's"),
        ([{"dependency": "x", "result": None}], "looks like guarddog's"),
    ],
)
def test_what_is_written_otherwise_is_refused_and_never_empty(tmp_path: Path, found: Any, said: str) -> None:
    with pytest.raises(Permanent, match=said):
        read(tmp_path, found)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[" * 100_000, b"\xff"])
def test_a_file_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(Permanent, match="is no JSON"):
        read_results(tmp_path / "results.json")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="No such file"):
        read_results(tmp_path / "nothing")
