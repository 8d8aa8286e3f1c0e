"""Whatever is no inventory is refused with its file and line; nothing of it is ever taken for an empty one."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

import pytest

from rotator.adapters.lockfiles.form import Document, Unreadable
from rotator.adapters.lockfiles.gathering import MOST_GAPS, Gathering
from rotator.adapters.lockfiles.reading import read_bytes, read_path
from rotator.domain.packages import PYPI
from tests.lockfiles import written

BOMB = "a: &a [x, x]\nb: &b [*a, *a, *a]\nlockfileVersion: '9.0'\n"
DEEP_YAML = "lockfileVersion: '9.0'\npackages: " + "[" * 100_000


def refusal(name: str, data: str | bytes) -> Unreadable:
    """Why it is refused; fails when it is not."""
    with pytest.raises(Unreadable) as refused:
        read_bytes(data.encode() if isinstance(data, str) else data, PurePath(name), name)
    for text in (refused.value.message, refused.value.hint):
        assert text
        assert text.isprintable()
        assert not text.endswith(".")
    return refused.value


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("uv.lock", "", "uv.lock:1: it is empty"),
        ("uv.lock", " \n\n", "uv.lock:1: it is empty"),
        ("uv.lock", "version = 1\n", "uv.lock:1: this is no uv.lock"),
        ("uv.lock", 'version = 1\nrequires-python = ">=3"\n', "uv.lock:1: there is no [[package]]"),
        (
            "uv.lock",
            'requires-python = ">=3"\nversion = 9\n',
            "uv.lock:2: a uv.lock of version 9; 1 is known here",
        ),
        ("uv.lock", written.UV.replace("[[package]]", "[[package]", 1), "uv.lock:5: this is no TOML: "),
        ("uv.lock", written.UV.replace('version = "0.1.0"', "version = 0.1"), "uv.lock:5: the version of 'agents' is"),
        ("uv.lock", written.UV.replace('name = "agents"\n', ""), "uv.lock:5: a package has no name"),
        ("uv.lock", written.UV.replace("registry", "future"), "uv.lock:18: the source of 'Ruamel_Yaml.clib' is not"),
        (
            "uv.lock",
            written.UV.replace('name = "agents"', 'name = "agents"\nname = "b"'),
            "uv.lock:7: this is no TOML:",
        ),
        ("uv.lock", "a = " + "[" * 9000, "uv.lock:1: this is nested too deep"),
        ("uv.lock", "a." * 20_000 + "a = 1", "uv.lock:1: a line is longer than 16384 characters"),
        ("uv.lock", written.UV.encode("utf-16"), "uv.lock:1: this is not UTF-8 text"),
        ("uv.lock", written.UV.encode().replace(b"agents", b"ag\xe9nts"), "uv.lock:6: this is not UTF-8 text"),
        ("uv.lock", b"\0" * 20 * 2**20, "uv.lock: it is larger than 16 MiB"),
        ("uv.lock", b"\0" * 1000, "uv.lock:1: this is no TOML"),
        ("uv.lock", written.POETRY_2, "uv.lock:1: its content is poetry.lock, and its name says otherwise"),
        ("poetry.lock", written.UV, "poetry.lock:1: its content is uv.lock, and its name says otherwise"),
        ("poetry.lock", written.POETRY_2.replace('"2.1"', '"3.0"'), "poetry.lock:30: a poetry.lock of version '3.0'"),
        ("pdm.lock", written.PDM_4.replace('"4.5.0"', '"9"'), "pdm.lock:7: a pdm.lock of version '9'"),
        ("pylock.toml", written.PYLOCK.replace('"1.0"', '"2.0"'), "pylock.toml:1: a pylock.toml of a version"),
        ("pylock.toml", written.PYLOCK.replace('name = "litellm"', "name = 3"), "pylock.toml:1: no pylock.toml as"),
        (
            "Cargo.lock",
            'version = 3\n[[package]]\nname = "a"\nversion = "1.0"\n',
            "Cargo.lock:1: this is no inventory of",
        ),
        ("yarn.lock", "# yarn lockfile v1\n\n\nleft-pad@^1.3.0:\n", "yarn.lock:4: this is no TOML:"),
        ("package-lock.json", "{", "package-lock.json:1: this is no JSON: expecting property name"),
        ("package-lock.json", '{"lockfileVersion": 9}', "package-lock.json:1: a package-lock.json of version '9'"),
        (
            "package-lock.json",
            '{"lockfileVersion": true}',
            "package-lock.json:1: a package-lock.json of version 'True'",
        ),
        ("package-lock.json", '{"lockfileVersion": 3}', "package-lock.json:1: there is no table packages"),
        ("package-lock.json", "[" * 200_000, "package-lock.json:1: this is nested too deep"),
        ("package-lock.json", '{\n "a": {\n  "v": 1, "v": 2}}', "package-lock.json:2: what begins here has 'v' twice"),
        ("package-lock.json", "[]", "package-lock.json:1: this is no package-lock.json"),
        ("package-lock.json", '{"lockfileVersion": NaN}', "package-lock.json:1: a number is none"),
        ("package-lock.json", written.SPDX, "package-lock.json:1: its content is SPDX, and its name says otherwise"),
        ("bom.json", '{"bomFormat": "CycloneDX", "specVersion": "2.0"}', "bom.json:1: a CycloneDX of version '2.0'"),
        (
            "bom.json",
            '{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {}}',
            "bom.json:1: components is no",
        ),
        ("a.spdx.json", '{"spdxVersion": "SPDX-9"}', "a.spdx.json:1: an SPDX document of version 'SPDX-9'"),
        ("pnpm-lock.yaml", written.PNPM_9.replace("'9.0'", "'10.0'"), "pnpm-lock.yaml:1: a pnpm-lock.yaml of version"),
        ("pnpm-lock.yaml", BOMB, "pnpm-lock.yaml:1: anchors (& and *) are not known here"),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: !!python/name:os.system\n",
            "pnpm-lock.yaml:1: tags (!) are not known here",
        ),
        ("pnpm-lock.yaml", DEEP_YAML, "pnpm-lock.yaml:2: this is nested more than 32 deep"),
        ("pnpm-lock.yaml", "a: 1\na: 2\n", "pnpm-lock.yaml:2: 'a' stands twice"),
        ("pnpm-lock.yaml", "a: [1\nb: 2\n", "pnpm-lock.yaml:2: this is no YAML: "),
        ("requirements.txt", "\nlitellm = 1.82.8\n", "requirements.txt:2: 'litellm = 1.82.8' is no requirement"),
        ("requirements.txt", "--frobnicate\n", "requirements.txt:1: '--frobnicate' is no option of pip"),
        ("requirements.txt", "# nothing\n", "requirements.txt:1: this is no requirements.txt"),
        ("requirements.txt", "a==1\n\0\n", "requirements.txt:2: a line is no text"),
        ("requirements.txt", "a==1\n" * 2**20, "requirements.txt: it is larger than 4 MiB"),
        ("notes.md", "# Notes\n\nBuy milk.\n", "notes.md:3: 'Buy milk.' is no requirement"),
    ],
)
def test_what_is_no_inventory_is_told_with_its_line(name: str, data: str | bytes, message: str) -> None:
    assert refusal(name, data).message.startswith(message)


def test_a_lockfile_of_50_mb_ends_in_a_message_before_it_is_read(tmp_path: Path) -> None:
    large = tmp_path / "uv.lock"
    with large.open("wb") as file:
        file.truncate(50 * 2**20)
    with pytest.raises(Unreadable, match=r"uv\.lock: it is larger than 16 MiB"):
        read_path(large, "uv.lock")


@pytest.mark.parametrize(
    "text",
    [
        "a==1" + " " * 200_000 + "x\n",
        "a" + " " * 200_000 + "x\n",
        "a==1\n" + " " * 3_000_000 + "x\n",
        "a==1 \\\n" + " " * 3_000_000 + "x\n",
    ],
)
def test_a_line_of_blanks_is_refused_and_not_read_again_from_each_of_them(text: str) -> None:
    """With that this would go on for hours."""
    refusal("requirements.txt", text)


def test_blank_lines_are_not_read_again_from_each_of_them() -> None:
    found = read_bytes(b"a==1\n" + b" \n" * 1_000_000 + b"b==2\n", PurePath("requirements.txt"), "requirements.txt")
    assert len(found.components) == 2


def test_the_line_is_looked_for_only_of_gaps_that_are_told() -> None:
    asked: list[int] = []

    def line() -> int:
        asked.append(1)
        return 7

    found = Gathering(Document("bom.json", ""), "CycloneDX")
    for _ in range(3):
        found.gap("the same", line)
    assert len(asked) == 1
    for number in range(2 * MOST_GAPS):
        found.gap(f"gap {number}", line)
        found.add(PYPI, f"p{number}", None, line=line)
    assert len(asked) == MOST_GAPS
    gaps = found.found().gaps
    assert (gaps[0], gaps[-1]) == ("bom.json:7: the same", f"bom.json: and {3 * MOST_GAPS + 1} more")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (
            "bom.json",
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": "é"}] * 50_000},
        ),
        ("a.spdx.json", {"spdxVersion": "SPDX-2.3", "packages": [{"name": "é"}] * 50_000}),
        (
            "package-lock.json",
            {"lockfileVersion": 3, "packages": {f"é/node_modules/{n}": {"resolved": "git:x"} for n in range(50_000)}},
        ),
        (
            "package-lock.json",
            {"lockfileVersion": 1, "dependencies": {f"é{n}": {"version": "git:x"} for n in range(50_000)}},
        ),
    ],
)
def test_a_large_file_of_gaps_alone_is_not_read_again_for_each(name: str, value: dict[str, object]) -> None:
    """Its names are written otherwise than they read, so none is found in its text."""
    found = read_bytes(json.dumps({"of": "x" * 10**6, **value}).encode(), PurePath(name), name)
    assert 1 <= len(found.gaps) <= MOST_GAPS + 1


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"uv\.lock does not exist"):
        read_path(tmp_path / "uv.lock", "uv.lock")
    with pytest.raises(Unreadable, match="folder without installed packages"):
        read_path(tmp_path, "here")


def test_strange_characters_and_lengths_are_never_repeated_whole() -> None:
    refused = refusal("requirements.txt", "a" * 1000 + " \x1b[31m b\n")
    assert len(refused.message) < 200
    refused = refusal("uv.lock", written.UV.replace('"agents"', '"' + "x" * 10_000 + '"'))
    assert refused.message == "uv.lock:5: a package has no name"
