"""One OSV record, from JSON: what is needed of it must be as the schema says, the rest may be anything."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from rotator.domain.advisories import MALICIOUS, Advisory, Affected, Range, parted
from rotator.domain.packages import Package
from rotator.domain.times import UnreadableError, parse_time, quoted

LONGEST_SUMMARY = 300
MOST_ENTRIES = 100_000
"""Packages, versions or events of one record."""

_ID = re.compile(r"[!-~]{1,200}")
_SAYS_SO = re.compile(
    r"\s*(malicious code in|malware in|malicious (package|release|version))\b"
    r"|.*\bembedded malicious code\b"
    r"|.*\b(published|released?|releases|versions?)\b.*\bcontain\w*\b.*\bmalware\b",
    re.IGNORECASE,
)
"""Summaries by which databases tell planted code from a mistake, where they have no field for it."""
_PLANTED = "CWE-506"
"""Embedded malicious code."""


class Broken(Exception):
    """A record that cannot be used; the message says what is wrong with it."""


def parse(content: bytes) -> tuple[Advisory, ...]:
    """The records of a file, which is one, a list of them, or an answer with `vulns`. Raises `Broken`."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Broken("is no JSON") from None
    if isinstance(found, dict) and isinstance(found.get("vulns"), list) and "id" not in found:
        found = found["vulns"]
    return tuple(record(each) for each in (found if isinstance(found, list) else [found]))


def record(found: Any) -> Advisory:
    """One record. Raises `Broken`."""
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or not _ID.fullmatch(found["id"]):
        raise Broken("is no OSV record: it has no id")
    aliases = _texts(found, "aliases")  # `upstream` is no name of it: one record may be downstream of several
    return Advisory(
        id=found["id"],
        modified=_time(found, "modified"),
        aliases=tuple(dict.fromkeys(each for each in aliases if _ID.fullmatch(each) and each != found["id"])),
        summary=_summary(found),
        malicious=_malicious(found),
        withdrawn=_time(found, "withdrawn") if found.get("withdrawn") is not None else None,
        affected=tuple(_affected(each) for each in _list(found, "affected") if _package(each) is not None),
        published=_published(found),
    )


def _affected(found: Any) -> Affected:
    package = _package(found)
    assert package is not None
    ecosystem, suffix = parted(package["ecosystem"].strip())
    return Affected(
        package=Package.of(ecosystem, package["name"]),
        suffix=suffix,
        versions=frozenset(_texts(found, "versions")),
        ranges=tuple(_range(each) for each in _list(found, "ranges")),
    )


def _package(found: Any) -> dict[str, str] | None:
    """The package; None for an entry that is about sources only."""
    if not isinstance(found, dict):
        raise Broken("has something in `affected` that is no object")
    package = found.get("package")
    if package is None:
        return None
    if not isinstance(package, dict) or not all(
        isinstance(package.get(each), str) and package[each].strip() for each in ("ecosystem", "name")
    ):
        raise Broken("has a package without ecosystem or name")
    return package


def _range(found: Any) -> Range:
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise Broken("has a range without a type")
    events = []
    for event in _list(found, "events"):
        if not isinstance(event, dict) or not all(isinstance(each, str) for each in event.values()):
            raise Broken("has an event that is none")
        events += [(what, text.strip()) for what, text in event.items()]
    return Range(found["type"], tuple(events))


def _malicious(found: dict[str, Any]) -> bool:
    """What the record says of itself; its aliases count where they are joined (`matcher`)."""
    own = found.get("database_specific")
    own = own if isinstance(own, dict) else {}
    classes = own.get("cwe_ids")
    return bool(
        found["id"].startswith(MALICIOUS)
        or own.get("malicious-packages-origins")
        or (isinstance(classes, list) and _PLANTED in classes)
        or _SAYS_SO.match(_summary(found))
    )


def _summary(found: dict[str, Any]) -> str:
    """One line, bounded; where there is none, the first line of the details."""
    for each in (found.get("summary"), found.get("details")):
        lines = each[:10_000].strip().splitlines() if isinstance(each, str) else []
        line = lines[0].lstrip("# ").strip() if lines else ""
        if line:
            return line if len(line) <= LONGEST_SUMMARY else line[: LONGEST_SUMMARY - 1] + "…"
    return ""


def _time(found: dict[str, Any], name: str) -> datetime:
    try:
        return parse_time(str(found[name]))
    except KeyError:
        raise Broken(f"does not say when it was {name}") from None
    except UnreadableError:
        raise Broken(f"says {quoted(found[name])} for when it was {name}") from None


def _published(found: dict[str, Any]) -> datetime | None:
    """Nothing rests on it but a window that somebody did not give, so one that cannot be read breaks no record."""
    try:
        return parse_time(str(found.get("published")))
    except UnreadableError:
        return None


def _texts(found: dict[str, Any], name: str) -> tuple[str, ...]:
    entries = _list(found, name)
    if not all(isinstance(each, str) for each in entries):
        raise Broken(f"has something in `{name}` that is no text")
    return tuple(entries)


def _list(found: dict[str, Any], name: str) -> list[Any]:
    """A list; what is not there, or null, is an empty one."""
    entries = found.get(name)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise Broken(f"has {name!r} that is no list")
    if len(entries) > MOST_ENTRIES:
        raise Broken(f"has more than {MOST_ENTRIES} entries in {name!r}")
    return entries
