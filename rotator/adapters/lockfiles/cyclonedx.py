"""CycloneDX bills of materials in JSON, 1.2 to 1.7: https://cyclonedx.org/docs/1.6/json/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.json_text import HINT
from rotator.adapters.lockfiles.purl import parse_purl
from rotator.domain.times import quoted

PACKAGES = ("library", "framework", "application", "platform")
"""Types of components that come as a package; what is of another type and has no purl is none."""
WHOLE = ("complete", "incomplete_first_party_only")


class CycloneDx(Form):
    """`components[].purl` at any depth. The thing that the bill is of (`metadata.component`) is none of them."""

    kind = "CycloneDX"
    syntax = Syntax.JSON

    def named(self, path: PurePath) -> bool:
        return path.name == "bom.json" or path.name.endswith(".cdx.json")

    def fits(self, document: Document) -> bool:
        return isinstance(document.value, dict) and document.value.get("bomFormat") == "CycloneDX"

    def read(self, document: Document) -> Found:
        version = document.value.get("specVersion")
        if not isinstance(version, str) or not version.startswith("1."):
            line = document.line_of('"specVersion"')
            message = f"a CycloneDX of version {quoted(version)}; 1 is known here"
            raise document.error(message, "write it as CycloneDX 1.6", line)
        found = Gathering(document, self.kind)
        for component in _walk(document, document.value.get("components", [])):
            _add(found, document, component)
        for each in document.value.get("compositions") or []:
            aggregate = each.get("aggregate") if isinstance(each, dict) else None
            if aggregate is not None and aggregate not in WHOLE:
                found.gap(f"it says of itself that it is {quoted(aggregate)}", lambda: document.line_of('"aggregate"'))
        return found.found()


def _walk(document: Document, components: Any) -> Iterator[dict[str, Any]]:
    ahead = [components]
    while ahead:
        level = ahead.pop()
        if not isinstance(level, list) or not all(isinstance(each, dict) for each in level):
            raise document.error("components is no list of objects", HINT, document.line_of('"components"'))
        for each in level:
            yield each
            if "components" in each:
                ahead.append(each["components"])


def _add(found: Gathering, document: Document, component: dict[str, Any]) -> None:
    said, name = component.get("purl"), component.get("name")

    def line() -> int | None:
        return document.line_of(f'"{said or name}"')

    if said is None:
        if component.get("type") in PACKAGES:
            found.gap(f"{quoted(name)} has no purl, so nobody can say which package it is", line)
        return
    purl = parse_purl(said)
    if purl is None:
        found.gap(f"{quoted(said)} is no purl", line)
        return
    hashed = True if component.get("hashes") else None
    found.add(purl.ecosystem, purl.name, purl.version or component.get("version"), hashed=hashed, line=line)
