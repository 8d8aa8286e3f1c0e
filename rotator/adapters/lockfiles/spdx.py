"""SPDX documents in JSON, 2.x: https://spdx.github.io/spdx-spec/v2.3/."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from rotator.adapters.lockfiles.form import Document, Form, Found, Syntax
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.adapters.lockfiles.json_text import HINT
from rotator.adapters.lockfiles.purl import parse_purl
from rotator.domain.times import quoted


class Spdx(Form):
    """`packages[].externalRefs` of the type purl. What the document describes is one of them only if it has one."""

    kind = "SPDX"
    syntax = Syntax.JSON

    def named(self, path: PurePath) -> bool:
        return path.name.endswith(".spdx.json")

    def fits(self, document: Document) -> bool:
        value = document.value
        return isinstance(value, dict) and ("spdxVersion" in value or "spdx.org/rdf/3" in str(value.get("@context")))

    def read(self, document: Document) -> Found:
        version = document.value.get("spdxVersion", "3")
        if not isinstance(version, str) or not version.startswith("SPDX-2."):
            line = document.line_of('"spdxVersion"')
            message = f"an SPDX document of version {quoted(version)}; 2 is known here"
            raise document.error(message, "write it as SPDX 2.3", line)
        packages = document.value.get("packages", [])
        if not isinstance(packages, list) or not all(isinstance(each, dict) for each in packages):
            raise document.error("packages is no list of objects", HINT, document.line_of('"packages"'))
        described = _described(document.value)
        found = Gathering(document, self.kind)
        for each in packages:
            said = _purls(each)
            if said or each.get("SPDXID") not in described:
                _add(found, document, each, said)
        return found.found()


def _described(value: dict[str, Any]) -> set[str]:
    relationships = value.get("relationships") or []
    named = {
        str(each.get("relatedSpdxElement"))
        for each in relationships
        if isinstance(each, dict) and each.get("relationshipType") == "DESCRIBES"
    }
    listed = value.get("documentDescribes")
    return named | {str(each) for each in (listed if isinstance(listed, list) else [])}


def _purls(package: dict[str, Any]) -> list[Any]:
    references = package.get("externalRefs") or []
    return [
        each.get("referenceLocator")
        for each in references
        if isinstance(each, dict) and each.get("referenceType") == "purl"
    ]


def _add(found: Gathering, document: Document, package: dict[str, Any], said: list[Any]) -> None:
    name = package.get("name")

    def line() -> int | None:
        return document.line_of(f'"{said[0] if said else name}"')

    if not said:
        found.gap(f"{quoted(name)} has no purl, so nobody can say which package it is", line)
    for each in said:
        purl = parse_purl(each)
        if purl is None:
            found.gap(f"{quoted(each)} is no purl", line)
            continue
        hashed = True if package.get("checksums") else None
        found.add(purl.ecosystem, purl.name, purl.version or package.get("versionInfo"), hashed=hashed, line=line)
