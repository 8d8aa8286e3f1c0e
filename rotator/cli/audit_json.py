"""An audit as one JSON object, for scripts; docs/audit.md says what its members mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rotator.app.auditing import Audit
from rotator.domain.findings import Finding, Judged
from rotator.domain.times import format_time

VERDICTS = {0: "clean", 1: "findings", 3: "incomplete"}


def as_object(audit: Audit) -> dict[str, Any]:
    """Everything that the tables show, nothing cut off."""
    return {
        "verdict": VERDICTS[audit.code],
        "at": format_time(audit.against.at),
        "findings": [_finding(each) for each in audit.findings],
        "unjudged": [
            {"what": each.what, "why": each.why, "ids": list(each.ids), "where": list(each.where)}
            for each in audit.unjudged
        ],
        "signals": [_judged(each) for each in audit.judged],
        "withdrawn": [
            {
                "ecosystem": each.package.ecosystem,
                "package": each.package.name,
                "version": each.version,
                "id": each.id,
                "since": format_time(each.since),
            }
            for each in audit.withdrawn
        ],
        "looked_at": _looked_at(audit),
    }


def _finding(each: Finding) -> dict[str, Any]:
    return {
        "severity": "malicious" if each.malicious else "vulnerable",
        "ecosystem": each.package.ecosystem,
        "package": each.package.name,
        "version": each.version,
        "ids": list(each.ids),
        "any_version": each.any_version,
        "summary": each.summary,
        "fixed_in": list(each.fixed),
        "sources": list(each.sources),
        "where": list(each.where),
        "own": each.ours,
    }


def _judged(each: Judged) -> dict[str, Any]:
    return {
        "ecosystem": each.package.ecosystem,
        "package": each.package.name,
        "version": each.version,
        "where": list(each.where),
        "signals": [{"name": one.name, "state": one.state.value, "evidence": one.evidence} for one in each.signals],
    }


def _looked_at(audit: Audit) -> dict[str, Any]:
    against = audit.against
    feed = None
    if against.feed is not None:
        feed = {
            "origin": against.feed.origin,
            "advisories": len(against.feed.advisories),
            "newest": _time(audit.newest),
            "stale": audit.stale,
            "broken": [{"record": name, "why": why} for name, why in audit.broken],
        }
    return {
        "components": audit.components,
        "inventories": [
            {"consumer": each.consumer, "kind": each.kind, "origin": each.origin, "components": len(each.components)}
            for each in audit.inventories
        ],
        "advisories": feed,
        "index": against.index.url if against.index is not None else None,
        "imported": [{"tool": each.tool, "origin": each.origin} for each in against.imported],
        "without": sorted(against.without),
        "from_sources": list(audit.from_sources),
    }


def _time(instant: datetime | None) -> str | None:
    return format_time(instant) if instant is not None else None
