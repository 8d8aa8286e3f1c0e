"""Reports of leaked keys as scanners write them. The values in them are secrets: held as such, never repeated.

gitleaks (report/finding.go of v8): a JSON array of findings with `RuleID`, `Secret`, `Match`, `File`, `StartLine`,
`Commit`; with `--redact` the secret is not in it. trufflehog (pkg/output/json.go of v3): one object a line with
`DetectorName`, `Raw`, `RawV2`, `SourceMetadata`. GitHub: the REST API's list of alerts (`secret`, `secret_type`,
`html_url`; without `secret` where `hide_secret` was asked for), the partner programme's array of `token`, `type`, `url`
(docs.github.com, secret scanning partner program), and the webhook `secret_scanning_alert`, whose `alert` has no value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rotator.domain.failures import Permanent
from rotator.domain.secret import Secret

TEXT = "text"
"""The part that a leaked value is held as, until it is known whose it is."""
LARGEST = 32 * 2**20
"""Bytes of a report."""
MOST = 1000
"""Findings of one."""
LONGEST = 64 * 1024
"""Characters of one value."""
_PLACE = 1000
_ROOM = 4 * _PLACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One leaked value. `values`: the same one in several cuts; empty: the report hides it.

    `rule`, `where`: data, without any value of the report. `mark`: what tells it from others where there is no value,
    such as an alert's address; it may hold values of other findings, and is for fingerprints alone.
    """

    values: tuple[Secret, ...]
    rule: str
    where: str
    mark: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """What a report says. `by`: the scanner; `unread`: findings that nobody understands; `more`: beyond the bound."""

    by: str
    findings: tuple[Finding, ...]
    unread: int = 0
    more: int = 0


def read_report(kind: str, text: bytes) -> LeakReport:
    """Read one of `READERS`. Raises `Permanent` for what is no such report; nothing of it is repeated."""
    if len(text) > LARGEST:
        raise Permanent(f"the report is larger than {LARGEST >> 20} MiB", "split it")
    found = _READERS[kind](text)
    if found is None:
        raise Permanent(f"this is no report of {kind}", _HOW[kind])
    findings: list[Finding] = []
    unread = more = 0
    for each in found:
        if len(findings) >= MOST:
            more += 1
        elif (one := _PARSERS[kind](each)) is None:
            unread += 1
        else:
            findings.append(one)
    values = dict.fromkeys(value.reveal(TEXT) for each in findings for value in each.values)
    longest_first = sorted(values, key=len, reverse=True)
    shown = [
        replace(each, rule=_shown(each.rule, longest_first), where=_shown(each.where, longest_first))
        for each in findings
    ]
    return LeakReport(by=kind, findings=tuple(shown), unread=unread, more=more)


def action_of(text: bytes) -> str | None:
    """What a webhook of GitHub's says that happened, `ping` for one that only tries; None for what is no webhook."""
    found = _parsed(text)
    if not isinstance(found, dict):
        return None
    action = found.get("action")
    return action if isinstance(action, str) and "alert" in found else "ping"


def _array(text: bytes) -> Iterator[Any] | None:
    found = _parsed(text)
    if found is None and text.strip() == b"null":
        return iter(())  # how gitleaks of old wrote that there is nothing
    if isinstance(found, dict):
        found = [found]
    return iter(found) if isinstance(found, list) else None


def _lines(text: bytes) -> Iterator[Any] | None:
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and not any(isinstance(_parsed(line), dict) for line in lines[:100]):
        return _array(text) if text.lstrip()[:1] == b"[" else None
    return (_parsed(line) for line in lines)


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also of UTF-8 that is none; raised on, it would hold the text
        return None


def _gitleaks(each: Any) -> Finding | None:
    if not isinstance(each, dict) or "RuleID" not in each or not isinstance(each.get("Secret"), str):
        return None
    where = _place(each.get("File"), each.get("StartLine"), each.get("Commit"))
    value = each["Secret"]
    return _finding([value], each["RuleID"], where, hidden="REDACTED" in value or value.endswith("..."))


def _trufflehog(each: Any) -> Finding | None:
    if not isinstance(each, dict) or "DetectorName" not in each:
        return None
    values = [each.get("Raw"), each.get("RawV2")]
    return _finding(values, each["DetectorName"], _of_source(each.get("SourceMetadata")))


def _github(each: Any) -> Finding | None:
    if not isinstance(each, dict):
        return None
    alert = each.get("alert") if isinstance(each.get("alert"), dict) else each
    if not isinstance(alert, dict) or not ("token" in alert or "secret_type" in alert or "secret" in alert):
        return None
    where = alert.get("html_url") or alert.get("url") or ""
    values = [alert.get("token"), alert.get("secret")]
    return _finding(values, alert.get("secret_type") or alert.get("type"), where)


def _finding(values: list[Any], rule: Any, where: Any, *, hidden: bool = False) -> Finding | None:
    texts = [each.strip() for each in values if isinstance(each, str) and each.strip()]
    if any(len(each) > LONGEST for each in texts):
        return None
    kept = () if hidden else tuple(dict.fromkeys(Secret({TEXT: each}) for each in texts))
    called, place = (_cut(each, [value.reveal(TEXT) for value in kept])[:_ROOM] for each in (rule, where))
    return Finding(values=kept, rule=called, where=place, mark=f"{called} {place}")


def _cut(text: Any, values: Sequence[str]) -> str:
    """A text of the report without these values, which may be in a file's name, too."""
    cut: str = text if isinstance(text, str) else ""
    for each in values:
        cut = cut.replace(each, "…")
    return cut


def _shown(text: str, values: Sequence[str]) -> str:
    return "".join(each if each.isprintable() else "·" for each in _cut(text, values)[:_PLACE])


def _place(file: Any, line: Any, commit: Any) -> str:
    place = f"{file}" if isinstance(file, str) else ""
    place += f":{line}" if isinstance(line, int) and not isinstance(line, bool) and line > 0 else ""
    return place + (f" of {commit[:12]}" if isinstance(commit, str) and commit else "")


def _of_source(metadata: Any) -> str:
    """`{"Data": {"Git": {"file", "line", "commit", "link"}}}`: of whichever source it is."""
    data = metadata.get("Data") if isinstance(metadata, dict) else None
    source = next(iter(data.values()), None) if isinstance(data, dict) else None
    if not isinstance(source, Mapping):
        return ""
    file = next((source[key] for key in ("file", "link", "bucket", "image") if source.get(key)), None)
    return _place(file, source.get("line"), source.get("commit"))


_READERS: Mapping[str, Callable[[bytes], Iterator[Any] | None]] = {
    "gitleaks": _array,
    "trufflehog": _lines,
    "github": _array,
}
_PARSERS: Mapping[str, Callable[[Any], Finding | None]] = {
    "gitleaks": _gitleaks,
    "trufflehog": _trufflehog,
    "github": _github,
}
_HOW = {
    "gitleaks": "gitleaks git --report-format json --report-path FILE, without --redact",
    "trufflehog": "trufflehog git URL --json > FILE",
    "github": "gh api --paginate repos/OWNER/REPO/secret-scanning/alerts > FILE",
}
KINDS = tuple(_READERS)
