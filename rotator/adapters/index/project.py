"""One project's page of an index, from JSON: PEP 691 with PEP 592, 700, 740 and 792. What is not told stays None."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from rotator.domain.failures import Permanent
from rotator.domain.packages import PYPI, Package
from rotator.domain.times import UnreadableError, parse_time

MOST_FILES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a release. `version`: None for a name that no rule reads.

    `uploaded`, `sha256`: None where the index does not tell. `yanked`: None if not, else the reason, which may be "".
    `provenance`: the address of its attestations; "" where the index says that there are none, None where it does not.
    """

    name: str
    version: Version | None
    uploaded: datetime | None = None
    sha256: str | None = None
    yanked: str | None = None
    provenance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What the index tells, in version 1.`api`. `versions`, `status`: None where it does not tell."""

    name: str
    api: int
    files: tuple[File, ...]
    versions: frozenset[Version] | None = None
    status: str | None = None
    reason: str = ""

    def release(self, version: Version) -> tuple[File, ...]:
        """The files of one version."""
        return tuple(each for each in self.files if each.version == version)


def parse(content: bytes, name: str) -> Project:
    """Read the page of the project `name`. Raises `Permanent` for what cannot be used."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        looks = "a page for people" if content.lstrip()[:1] == b"<" else "something"
        raise Permanent(
            f"the index answers with {looks} that is no JSON", "name an index that speaks PEP 691"
        ) from None
    if not isinstance(found, dict) or not isinstance(found.get("files"), list):
        raise Permanent("the index answers with JSON that is no project", "name an index that speaks PEP 691")
    if Package.of(PYPI, str(found.get("name", ""))) != Package.of(PYPI, name):
        raise Permanent("the index answers for another project", "look at what is in between")
    if len(found["files"]) > MOST_FILES:
        raise Permanent(f"the index lists more than {MOST_FILES} files", "look at the index")
    status, reason = _status(found)
    return Project(
        name=name,
        api=_api(found),
        files=tuple(_file(each) for each in found["files"] if isinstance(each, dict)),
        versions=_versions(found.get("versions")),
        status=status,
        reason=reason,
    )


def version_of(text: str) -> Version | None:
    """A version; None for what is none."""
    try:
        return Version(text) if len(text) <= 256 else None
    except ValueError:
        return None


def _api(found: dict[str, Any]) -> int:
    meta = found.get("meta")
    text = str(meta.get("api-version", "")) if isinstance(meta, dict) else ""
    major, _, minor = text.partition(".")
    if major != "1" or not minor.isdecimal() or len(minor) > 4:
        raise Permanent("the index speaks another version of its API than 1", "name an index that speaks PEP 691")
    return int(minor)


def _versions(found: Any) -> frozenset[Version] | None:
    if not isinstance(found, list):
        return None
    read = (version_of(each) for each in found if isinstance(each, str))
    return frozenset(each for each in read if each is not None)


def _status(found: dict[str, Any]) -> tuple[str | None, str]:
    """PEP 792 stands beside the name, as an object; an index of 1.4 that says nothing says `active`."""
    status = found.get("project-status")
    if isinstance(status, dict) and isinstance(status.get("status"), str):
        return status["status"].lower()[:40], str(status.get("reason") or "")[:200]
    return ("active" if _api(found) >= 4 and status is None else None), ""


def _file(found: dict[str, Any]) -> File:
    name, yanked, hashes = str(found.get("filename", "")), found.get("yanked", False), found.get("hashes")
    sha256 = hashes.get("sha256") if isinstance(hashes, dict) else None
    provenance = found.get("provenance", False)
    return File(
        name=name[:300],
        version=_version_in(name[:300]),
        uploaded=_time(found.get("upload-time")),
        sha256=sha256.lower() if isinstance(sha256, str) else None,
        yanked=(yanked[:200] if isinstance(yanked, str) else "") if yanked is not False else None,
        provenance=(provenance or "") if provenance is None or isinstance(provenance, str) else None,
    )


def _version_in(name: str) -> Version | None:
    try:
        return parse_wheel_filename(name)[1] if name.endswith(".whl") else parse_sdist_filename(name)[1]
    except ValueError:
        return None


def _time(found: Any) -> datetime | None:
    try:
        return parse_time(found) if isinstance(found, str) else None
    except UnreadableError:
        return None
