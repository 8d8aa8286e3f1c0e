"""By which hashes each form pins its files: they are compared with what an index has."""

from __future__ import annotations

import base64
from pathlib import PurePath

import pytest

from rotator.adapters.lockfiles.reading import read_bytes
from rotator.domain.packages import Component

A, B = "aa" * 32, "bb" * 32
SRI = base64.b64encode(bytes.fromhex("cc" * 64)).decode()
UV = """version = 1
requires-python = ">=3.11"
[[package]]
name = "p"
version = "1.0"
source = {{ registry = "https://index.example/simple" }}
sdist = {{ url = "https://f.example/p.tar.gz", hash = "{first}" }}
wheels = [{{ url = "https://f.example/p.whl", hash = "{second}" }}]
"""
POETRY = """[[package]]
name = "p"
version = "1.0"
files = [{{file = "p.whl", hash = "{first}"}}, {{file = "p.tar.gz", hash = "{second}"}}]
[metadata]
lock-version = "2.1"
content-hash = "x"
"""
POETRY_1 = """[[package]]
name = "p"
version = "1.0"
[metadata]
lock-version = "1.1"
[metadata.files]
p = [{{file = "p.whl", hash = "{first}"}}, {{file = "p.tar.gz", hash = "{second}"}}]
"""
PDM = """[metadata]
lock_version = "4.5.0"
[[package]]
name = "p"
version = "1.0"
files = [{{file = "p.whl", hash = "{first}"}}, {{file = "p.tar.gz", hash = "{second}"}}]
"""
PYLOCK = """lock-version = "1.0"
created-by = "t"
[[packages]]
name = "p"
version = "1.0"
sdist = {{name = "p-1.0.tar.gz", url = "https://f.example/p-1.0.tar.gz", hashes = {{sha256 = "{first}"}}}}
wheels = [{{name = "p-1.0-py3-none-any.whl", url = "https://f.example/p.whl", hashes = {{sha256 = "{second}"}}}}]
"""
LINES = "p==1.0 --hash={first} \\\n    --hash={second}\n"
PACKAGE_LOCK_1 = """{{"lockfileVersion": 1, "dependencies": {{"p": {{"version": "1.0.0", "integrity": "{first}"}}}}}}"""
PACKAGE_LOCK_3 = """{{"lockfileVersion": 3, "packages": {{"node_modules/p": {{"version": "1.0.0",
"resolved": "https://r.example/p/-/p-1.0.0.tgz", "integrity": "{first}"}}}}}}"""
PNPM = "lockfileVersion: '9.0'\npackages:\n  p@1.0.0:\n    resolution: {{integrity: {first}}}\n"
PYTHON = {
    "uv.lock": UV,
    "poetry.lock": POETRY,
    "pdm.lock": PDM,
    "requirements.txt": LINES,
}
JAVASCRIPT = [
    ("package-lock.json", PACKAGE_LOCK_1),
    ("package-lock.json", PACKAGE_LOCK_3),
    ("pnpm-lock.yaml", PNPM),
]


def only(name: str, text: str) -> Component:
    (found,) = read_bytes(text.encode(), PurePath(name), name).components
    return found


@pytest.mark.parametrize(("name", "text"), [*PYTHON.items(), ("poetry.lock", POETRY_1)])
def test_every_file_of_a_python_package_with_its_hash(name: str, text: str) -> None:
    found = only(name, text.format(first=f"sha256:{B}", second=f"SHA256:{A.upper()}"))
    assert (found.hashed, found.hashes) == (True, (f"sha256:{A}", f"sha256:{B}"))


def test_the_hashes_of_a_pylock() -> None:
    found = only("pylock.toml", PYLOCK.format(first=B, second=A))
    assert (found.hashed, found.hashes) == (True, (f"sha256:{A}", f"sha256:{B}"))


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, t in PYTHON.items() if n != "requirements.txt"])
def test_where_one_file_has_none_the_package_is_not_pinned(name: str, text: str) -> None:
    for other in ("", "sha256:", "x", "sha256:nothexadecimal"):
        found = only(name, text.format(first=f"sha256:{A}", second=other))
        assert (found.hashed, found.hashes) == (False, (f"sha256:{A}",)), other


def test_a_requirement_is_pinned_by_any_hash_and_by_nothing_that_is_none() -> None:
    assert not only("requirements.txt", "p==1.0 --hash=sha256:\n").hashed
    found = only("requirements.txt", f"p==1.0 --hash sha256:{A}\n")
    assert (found.hashed, found.hashes) == (True, (f"sha256:{A}",))


@pytest.mark.parametrize(("name", "text"), JAVASCRIPT)
def test_npms_integrity_is_told_the_same_way(name: str, text: str) -> None:
    found = only(name, text.format(first=f"sha512-{SRI}"))
    assert (found.hashed, found.hashes) == (True, ("sha512:" + "cc" * 64,))
    found = only(name, text.format(first="sha512-!"))
    assert (found.hashed, found.hashes) == (False, ())


def test_two_that_are_told_as_one_have_the_hashes_of_both() -> None:
    text = f"p==1.0 --hash=sha256:{A}\nP==1.0 --hash=sha256:{B}\n"
    assert only("requirements.txt", text).hashes == (f"sha256:{A}", f"sha256:{B}")
