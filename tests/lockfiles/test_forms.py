"""Each form and version, as its tool writes it, is read into exactly the components that are in it."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from rotator.adapters.lockfiles.form import Found
from rotator.adapters.lockfiles.reading import read_bytes
from rotator.domain.packages import Component
from tests.lockfiles import written


def read(name: str, text: str | bytes) -> Found:
    data = text.encode() if isinstance(text, str) else text
    return read_bytes(data, PurePath(name), name)


def told(found: Found) -> set[tuple[str, str, str, bool | None, str]]:
    """Each component as a tuple."""
    return {(c.package.ecosystem, c.package.name, c.version, c.hashed, c.elsewhere) for c in found.components}


def py(name: str, version: str, hashed: bool | None = True, elsewhere: str = "") -> tuple[object, ...]:
    return ("PyPI", name, version, hashed, elsewhere)


def js(name: str, version: str, hashed: bool | None = True, elsewhere: str = "") -> tuple[object, ...]:
    return ("npm", name, version, hashed, elsewhere)


EXPECTED = {
    ("uv.lock", "UV", "uv.lock"): {
        py("agents", "0.1.0", False, "editable"),
        py("ruamel-yaml-clib", "0.2.8"),
        py("litellm", "1.82.8"),
        py("ours", "2.0", False, "git"),
        py("unhashed", "1.0", False),
    },
    ("poetry.lock", "POETRY_2", "poetry.lock"): {py("litellm", "1.82.7"), py("ours", "0.3.0", False, "editable")},
    ("poetry.lock", "POETRY_1", "poetry.lock"): {py("requests", "2.31.0"), py("tool", "1.0", False, "git")},
    ("pdm.lock", "PDM_4", "pdm.lock"): {
        py("certifi", "2026.1.4"),
        py("httpx", "0.28.1"),
        py("ours", "1.0", False, "git"),
    },
    ("pdm.lock", "PDM_3", "pdm.lock"): {py("idna", "3.4")},
    ("pylock.prod.toml", "PYLOCK", "pylock.toml"): {
        py("litellm", "1.82.6"),
        py("ours", "", False, "editable"),
        py("tool", "", False, "git"),
    },
    ("requirements.txt", "COMPILED", "requirements.txt"): {py("certifi", "2026.1.4"), py("requests", "2.32.3")},
    ("package-lock.json", "PACKAGE_LOCK_1", "package-lock.json"): {
        js("left-pad", "1.3.0"),
        js("outer", "2.0.0"),
        js("left-pad", "1.1.3"),
        js("@scope/real", "4.0.0"),
        js("forked", "", False, "git"),
    },
    **{
        (file, version, "package-lock.json"): {
            js("left-pad", "1.3.0"),
            js("@scope/outer", "2.0.0", False),
            js("left-pad", "1.1.3"),
            js("real", "4.0.0"),
            js("forked", "1.0.1", False, "git"),
        }
        for file, version in (("npm-shrinkwrap.json", "PACKAGE_LOCK_2"), ("package-lock.json", "PACKAGE_LOCK_3"))
    },
    ("pnpm-lock.yaml", "PNPM_5", "pnpm-lock.yaml"): {
        js("left-pad", "1.3.0"),
        js("@babel/core", "7.24.0"),
        js("forked", "1.0.1", False, "git"),
    },
    ("pnpm-lock.yaml", "PNPM_6", "pnpm-lock.yaml"): {js("left-pad", "1.3.0"), js("@babel/core", "7.24.0")},
    ("pnpm-lock.yaml", "PNPM_9", "pnpm-lock.yaml"): {
        js("left-pad", "1.3.0"),
        js("@babel/core", "7.24.0"),
        js("forked", "1.0.1", False, "url"),
    },
    ("anything.json", "CYCLONEDX", "CycloneDX"): {
        py("litellm", "1.82.8"),
        js("@babel/core", "7.24.0", None),
        ("Maven", "org.apache.logging.log4j:log4j-core", "2.17.1", None, ""),
    },
    ("sbom.spdx.json", "SPDX", "SPDX"): {py("litellm", "1.82.8"), js("left-pad", "1.3.0", None)},
}
GAPS = {
    "PACKAGE_LOCK_1": ["package-lock.json:22: 'forked' is from git, and its version is not told"],
    "CYCLONEDX": ["anything.json:14: 'nobody-knows' has no purl, so nobody can say which package it is"],
    "SPDX": ["sbom.spdx.json:16: 'nobody-knows' has no purl, so nobody can say which package it is"],
}


@pytest.mark.parametrize(("name", "which", "kind"), EXPECTED)
def test_all_that_is_in_it_is_told_and_nothing_else(name: str, which: str, kind: str) -> None:
    found = read(name, getattr(written, which))
    assert found.kind == kind
    assert told(found) == EXPECTED[name, which, kind]
    assert len(found.components) == len(told(found))
    assert list(found.gaps) == GAPS.get(which, [])


@pytest.mark.parametrize(("name", "which", "kind"), EXPECTED)
def test_a_byte_order_mark_and_lines_that_end_as_on_windows_change_nothing(name: str, which: str, kind: str) -> None:
    text = getattr(written, which)
    changed = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    assert read(name, changed) == read(name, text)


@pytest.mark.parametrize("text", [written.PNPM_9 + "---\n" + written.PNPM_9.replace("left-pad@1.3.0", "other@2.0.0")])
def test_pnpm_writes_two_documents_into_one_file(text: str) -> None:
    assert {js("other", "2.0.0"), js("left-pad", "1.3.0")} <= told(read("pnpm-lock.yaml", text))


def test_a_version_that_is_none_stays_text_and_is_a_gap() -> None:
    found = read("uv.lock", written.UV.replace('"1.82.8"', '"2004d"'))
    assert py("litellm", "2004d") in told(found)
    assert found.gaps == ("uv.lock:24: 'litellm' '2004d' is unmatchable: no version by PEP 440",)


def test_a_package_without_a_version_may_be_any_and_is_a_gap() -> None:
    found = read("uv.lock", written.UV.replace('version = "1.82.8"\n', ""))
    assert py("litellm", "") in told(found)
    assert found.gaps == ("uv.lock:24: 'litellm' has no version",)


def test_a_bill_that_calls_itself_incomplete_is_believed() -> None:
    text = written.CYCLONEDX.replace('"version": 1,', '"version": 1, "compositions": [{"aggregate": "incomplete"}],')
    assert "anything.json:4: it says of itself that it is 'incomplete'" in read("anything.json", text).gaps


def test_what_a_document_describes_is_a_package_too_when_it_says_which() -> None:
    listed = written.SPDX.replace('["SPDXRef-root"]', '["SPDXRef-root", "SPDXRef-1", "SPDXRef-2"]')
    assert read("sbom.spdx.json", listed) == read("sbom.spdx.json", written.SPDX)
    related = written.SPDX.replace(
        '"documentDescribes"',
        '"relationships": [{"relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-1"}], "documentDescribes"',
    )
    assert py("litellm", "1.82.8") in told(read("sbom.spdx.json", related))


@pytest.mark.parametrize("kind", ["deb", "rpm", "github"])
def test_a_package_of_an_ecosystem_that_osv_does_not_call_so_is_of_the_type_in_its_url(kind: str) -> None:
    """The names of Debian's binaries are not those of its sources, which OSV has."""
    text = written.SPDX.replace("pkg:npm/left-pad", f"pkg:{kind}/debian/libssl3@3.0.11")
    assert (kind, "debian/libssl3", "3.0.11", None, "") in told(read("sbom.spdx.json", text))


def test_a_lockfile_of_a_project_without_dependencies_is_not_clean_but_a_gap() -> None:
    empty = 'package = []\n\n[metadata]\nlock-version = "2.1"\npython-versions = ">=3.11"\ncontent-hash = "0"\n'
    found = read("poetry.lock", empty)
    assert found == Found("poetry.lock", (), ("poetry.lock: it names no package at all",))


@pytest.mark.parametrize("which", ["PACKAGE_LOCK_1", "PACKAGE_LOCK_3", "PNPM_6", "PNPM_9"])
@pytest.mark.parametrize("written_as", ["''", "null"])
def test_an_integrity_that_is_empty_is_no_hash(which: str, written_as: str) -> None:
    text = getattr(written, which)
    if which.startswith("PNPM"):
        found = read("pnpm-lock.yaml", text.replace("integrity: sha512-aa==", f"integrity: {written_as}"))
    else:
        empty = written_as.replace("'", '"')
        found = read("package-lock.json", text.replace('"integrity": "sha512-aa=="', f'"integrity": {empty}'))
    assert js("left-pad", "1.3.0", False) in told(found)


def test_components_are_sorted_and_each_is_told_once() -> None:
    found = read("pdm.lock", written.PDM_4)
    assert list(found.components) == sorted(found.components, key=Component.place)
