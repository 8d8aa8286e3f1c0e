"""Stands in for a package index that speaks PEP 691 in JSON, with PEP 592, 700, 740 and 792 as far as `api` has them.

Where it differs from a real one, or where real ones differ from each other: a project's page lists what was published
here and nothing else, with the keys that a version of the API brought (1.1 versions, sizes and times, 1.3 provenance,
1.4 status); mirrors leave out what they do not carry, which `leaves_out` names; attestations hold the publisher and no
signatures, since nobody here verifies any, and stand beneath the index's own host, where some indexes have another one
for files; an address without a slash at its end is answered 404 and not redirected; it does not throttle until it is
told to, keeps no caches and sends no `ETag`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.servers.api import Asked, Reply, StandIn

NAME = "package index"
SIMPLE = "application/vnd.pypi.simple.v1+json"
ACME = {"kind": "GitHub", "repository": "acme/rocket", "workflow": "release.yml"}


@dataclass(frozen=True, kw_only=True)
class Published:
    """One file. `publisher`: who attested it, if anybody; `provenance`: its address, where a test wants another."""

    version: str
    filename: str
    uploaded: datetime
    publisher: dict[str, str] | None = None
    yanked: bool | str = False
    provenance: str | None = None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.filename.encode()).hexdigest()


@dataclass
class Has:
    """One project."""

    files: list[Published] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)
    status: dict[str, str] | None = None


class PackageIndexStandIn(StandIn):
    """Serves `/simple/NAME/` and `/integrity/FILE/provenance`."""

    def __init__(self, *, api: int = 4, leaves_out: frozenset[str] = frozenset()) -> None:
        self.api, self.leaves_out = api, leaves_out
        self.projects: dict[str, Has] = defaultdict(Has)
        super().__init__()

    @property
    def simple(self) -> str:
        """What is given as its address."""
        return f"{self.url}/simple/"

    def publish(
        self,
        name: str,
        version: str,
        uploaded: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        *,
        publisher: dict[str, str] | None = None,
        tag: str = "py3-none-any",
    ) -> Published:
        """Upload a wheel."""
        filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
        file = Published(version=version, filename=filename, uploaded=uploaded, publisher=publisher)
        self.projects[name].files.append(file)
        self.projects[name].versions.add(version)
        return file

    def change(self, name: str, file: Published, **changes: Any) -> None:
        """Change what is said of a file."""
        files = self.projects[name].files
        files[files.index(file)] = replace(file, **changes)

    def take_down(self, name: str, version: str) -> None:
        """As an index does with what is malicious."""
        has = self.projects[name]
        has.files = [each for each in has.files if each.version != version]
        has.versions.discard(version)

    def answer(self, asked: Asked) -> Reply:
        """A project's page, or a file's attestations."""
        if asked.path[:1] == ("simple",) and len(asked.path) == 2 and asked.path[1] in self.projects:
            if SIMPLE not in asked.headers.get("accept", ""):
                return Reply(406)
            return Reply(200, self._page(asked.path[1]), {"Content-Type": SIMPLE})
        if asked.path[:1] == ("integrity",):
            return self._attestations(asked.path[1])
        return Reply(404, {"message": "Not Found"})

    def _page(self, name: str) -> dict[str, Any]:
        has = self.projects[name]
        page: dict[str, Any] = {"meta": {"api-version": f"1.{self.api}"}, "name": name}
        page["files"] = [self._file(each) for each in has.files]
        if self.api >= 1:
            page["versions"] = sorted(has.versions)
        if self.api >= 4:
            page["project-status"] = has.status or {"status": "active"}
        return {key: value for key, value in page.items() if key not in self.leaves_out}

    def _file(self, file: Published) -> dict[str, Any]:
        said: dict[str, Any] = {
            "filename": file.filename,
            "url": f"{self.url}/files/{file.filename}",
            "hashes": {"sha256": file.sha256},
            "yanked": file.yanked,
        }
        if self.api >= 1:
            said |= {"size": 1, "upload-time": file.uploaded.isoformat().replace("+00:00", "Z")}
        if self.api >= 3:
            here = f"{self.url}/integrity/{file.filename}/provenance"
            said["provenance"] = file.provenance or (here if file.publisher else None)
        return {key: value for key, value in said.items() if key not in self.leaves_out}

    def _attestations(self, filename: str) -> Reply:
        for has in self.projects.values():
            for each in has.files:
                if each.filename == filename and each.publisher:
                    bundle = {"publisher": {**each.publisher, "claims": None}, "attestations": []}
                    return Reply(200, {"version": 1, "attestation_bundles": [bundle]})
        return Reply(404, {"message": "Not Found"})
