"""Random components written in each form are read back the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import PurePath
from urllib.parse import quote

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from rotator.adapters.lockfiles.form import Unreadable
from rotator.adapters.lockfiles.reading import FORMS, read_bytes
from rotator.domain.packages import NPM, PYPI, Package

Pairs = list[tuple[str, str]]
DIGITS = st.integers(0, 2000).map(str)
VERSIONS = st.one_of(
    st.lists(DIGITS, min_size=1, max_size=4).map(".".join),
    st.builds("{}.{}{}{}".format, DIGITS, DIGITS, st.sampled_from(["a", "b", "rc", ".post", ".dev"]), DIGITS),
)
VERSIONS = VERSIONS.map(lambda text: str(Version(text)))
PYTHON = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True).filter(str.isascii)
JAVASCRIPT = st.from_regex(r"(@[a-z0-9][a-z0-9-]{0,8}/)?[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True).filter(str.isascii)
SEMVER = st.builds("{}.{}.{}{}".format, DIGITS, DIGITS, DIGITS, st.sampled_from(["", "-beta.1", "-rc"]))


def toml(value: object) -> str:
    return tomlkit.dumps(value)  # type: ignore[arg-type]


def uv(pairs: Pairs) -> str:
    registry = {"registry": "https://index.example/simple"}
    packages = [{"name": name, "version": version, "source": registry} for name, version in pairs]
    return toml({"version": 1, "revision": 2, "requires-python": ">=3.11", "package": packages})


def poetry(pairs: Pairs) -> str:
    packages = [{"name": name, "version": version, "files": []} for name, version in pairs]
    metadata = {"lock-version": "2.1", "python-versions": "*", "content-hash": "0"}
    return toml({"package": packages, "metadata": metadata})


def pdm(pairs: Pairs) -> str:
    packages = [{"name": name, "version": version} for name, version in pairs]
    return toml({"metadata": {"lock_version": "4.5.0"}, "package": packages})


def pylock(pairs: Pairs) -> str:
    return toml({"lock-version": "1.0", "created-by": "a test", "packages": [_wheel(*pair) for pair in pairs]})


def _wheel(name: str, version: str) -> dict[str, object]:
    name = Package.of(PYPI, name).name
    url = f"https://files.example/{name.replace('-', '_')}-{version}-py3-none-any.whl"
    return {"name": name, "version": version, "wheels": [{"url": url, "hashes": {"sha256": "a"}}]}


def requirements(pairs: Pairs) -> str:
    return "".join(f"{name}=={version}\n" for name, version in pairs)


def cyclonedx(pairs: Pairs) -> str:
    inner: list[object] = []
    for name, version in pairs:  # each within the one before
        purl = f"pkg:pypi/{quote(name, safe='')}@{quote(version, safe='')}"
        inner = [{"type": "library", "name": name, "version": version, "purl": purl, "components": inner}]
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": inner})


def spdx(pairs: Pairs) -> str:
    packages = [
        {
            "name": name,
            "SPDXID": f"SPDXRef-{number}",
            "externalRefs": [{"referenceType": "purl", "referenceLocator": f"pkg:pypi/{name}@{quote(version)}"}],
        }
        for number, (name, version) in enumerate(pairs)
    ]
    return json.dumps({"spdxVersion": "SPDX-2.3", "packages": packages})


def npm_3(pairs: Pairs) -> str:
    packages = {f"packages/p{n}/node_modules/{name}": {"version": v} for n, (name, v) in enumerate(pairs)}
    return json.dumps({"lockfileVersion": 3, "packages": {"": {}, **packages}})


def npm_1(pairs: Pairs) -> str:
    tree: dict[str, object] = {}
    for name, version in pairs:
        tree = {name: {"version": version, "dependencies": tree}}
    return json.dumps({"lockfileVersion": 1, "dependencies": tree})


def pnpm(version: str, key: str) -> Callable[[Pairs], str]:
    def write(pairs: Pairs) -> str:
        lines = [f"  {json.dumps(key.format(name, v))}:\n    resolution: {{integrity: x}}\n" for name, v in pairs]
        return f"lockfileVersion: '{version}'\npackages:\n" + "".join(lines)

    return write


OF_PYTHON: dict[str, tuple[str, Callable[[Pairs], str]]] = {
    "uv": ("uv.lock", uv),
    "poetry": ("poetry.lock", poetry),
    "pdm": ("pdm.lock", pdm),
    "pylock": ("pylock.toml", pylock),
    "requirements": ("requirements.txt", requirements),
    "cyclonedx": ("bom.json", cyclonedx),
    "spdx": ("a.spdx.json", spdx),
}
OF_JAVASCRIPT: dict[str, tuple[str, Callable[[Pairs], str]]] = {
    "npm 1": ("package-lock.json", npm_1),
    "npm 3": ("package-lock.json", npm_3),
    "pnpm 5": ("pnpm-lock.yaml", pnpm("5.4", "/{}/{}")),
    "pnpm 6": ("pnpm-lock.yaml", pnpm("6.0", "/{}@{}(peer@1.0.0)")),
    "pnpm 9": ("pnpm-lock.yaml", pnpm("9.0", "{}@{}")),
}


def some(names: st.SearchStrategy[str], versions: st.SearchStrategy[str]) -> st.SearchStrategy[Pairs]:
    return st.lists(st.tuples(names, versions), min_size=1, max_size=8, unique=True)


def check(name: str, write: Callable[[Pairs], str], ecosystem: str, pairs: Pairs) -> None:
    found = read_bytes(write(pairs).encode(), PurePath(name), name)
    expected = {(Package.of(ecosystem, package), version) for package, version in pairs}
    assert {(each.package, each.version) for each in found.components} == expected
    assert all("nothing says that it names all" in gap for gap in found.gaps)


@pytest.mark.parametrize("form", OF_PYTHON)
@settings(max_examples=25)
@given(pairs=some(PYTHON, VERSIONS))
def test_packages_of_python_are_read_back(form: str, pairs: Pairs) -> None:
    name, write = OF_PYTHON[form]
    check(name, write, PYPI, pairs)


@pytest.mark.parametrize("form", OF_JAVASCRIPT)
@settings(max_examples=25)
@given(pairs=some(JAVASCRIPT, SEMVER))
def test_packages_of_javascript_are_read_back(form: str, pairs: Pairs) -> None:
    name, write = OF_JAVASCRIPT[form]
    check(name, write, NPM, pairs)


def test_every_form_is_among_these() -> None:
    names = [PurePath(name) for name, _ in (*OF_PYTHON.values(), *OF_JAVASCRIPT.values())]
    assert all(any(form.named(name) for name in names) for form in FORMS)


@pytest.mark.parametrize("name", ["uv.lock", "package-lock.json", "pnpm-lock.yaml", "requirements.txt", "x"])
@settings(max_examples=50)
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_at_all_are_read_or_refused_in_words(name: str, data: bytes) -> None:
    refused, found = "", None
    try:
        found = read_bytes(data, PurePath(name), name)
    except Unreadable as error:
        refused = error.message
    if found is None:
        assert refused.startswith(name)
        assert refused.isprintable()
    else:
        assert found.components or found.gaps or found.includes
