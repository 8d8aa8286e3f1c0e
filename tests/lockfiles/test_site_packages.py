"""What is installed in a folder, with and without RECORD, and what eggs leave open."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from rotator.adapters.lockfiles.form import Found, Unreadable
from rotator.adapters.lockfiles.reading import lockfiles_in, read_path
from rotator.domain.packages import Package
from tests.journal.places import as_nobody, open_directory


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    return folder


def install(site: Path, folder: str, metadata: str | None, *, record: bool = True, direct_url: object = None) -> None:
    made = site / folder
    made.mkdir()
    if metadata is not None:
        (made / "METADATA").write_text(metadata)
    if record:
        (made / "RECORD").write_text("x.py,sha256=aa,1\n")
    if direct_url is not None:
        (made / "direct_url.json").write_text(json.dumps(direct_url))


def read(site: Path) -> Found:
    return read_path(site, "site-packages")


def told(found: Found) -> set[tuple[str, str, bool | None, str]]:
    return {(c.package.name, c.version, c.hashed, c.elsewhere) for c in found.components}


def test_every_distribution_is_told(site: Path) -> None:
    install(site, "LiteLLM-1.82.8.dist-info", "Name: LiteLLM\nVersion: 1.82.8\n\nName: not this\n")
    install(site, "bare-1.0.dist-info", "Name: bare\nVersion: 1.0\n", record=False)
    vcs = {"url": "https://git.example/x", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    install(site, "cloned-2.0.dist-info", "Name: cloned\nVersion: 2.0\n", direct_url=vcs)
    local = {"url": "file:///src/ours", "dir_info": {"editable": True}}
    install(site, "ours-0.1.dist-info", "Name: ours\nVersion: 0.1\n", direct_url=local)
    (site / "module.py").write_text("")
    found = read(site)
    assert told(found) == {
        ("litellm", "1.82.8", True, ""),
        ("bare", "1.0", False, ""),
        ("cloned", "2.0", True, "git"),
        ("ours", "0.1", True, "editable"),
    }
    assert found.gaps == ()


def test_two_versions_of_one_package_are_both_told(site: Path) -> None:
    for version in ("1.82.6", "1.82.8"):
        install(site, f"litellm-{version}.dist-info", f"Name: litellm\nVersion: {version}\n")
    assert {version for _, version, _, _ in told(read(site))} == {"1.82.6", "1.82.8"}


@pytest.mark.parametrize("metadata", [None, "", "Name: x\n", "Version: 1\n", "\nName: x\nVersion: 1\n"])
def test_one_without_a_name_or_a_version_is_a_gap(site: Path, metadata: str | None) -> None:
    install(site, "x-1.dist-info", metadata)
    assert read(site).gaps == ("site-packages: 'x-1.dist-info' has no METADATA that names it",)


def test_eggs_are_gaps(site: Path) -> None:
    (site / "old-1.0-py3.11.egg").write_bytes(b"PK")
    (site / "linked.egg-link").write_text("/src/linked\n.\n")
    (site / "dev.egg-info").mkdir()
    (site / "dev.egg-info" / "PKG-INFO").write_text("Name: dev\nVersion: 3\n")
    found = read(site)
    assert [gap.partition(": ")[2].partition(" is an egg")[0] for gap in found.gaps] == [
        "'dev.egg-info'",
        "'linked.egg-link'",
        "'old-1.0-py3.11.egg'",
    ]
    assert told(found) == {("dev", "3", False, "")}


def test_an_environment_that_sees_the_systems_packages_says_so(site: Path) -> None:
    install(site, "a-1.dist-info", "Name: a\nVersion: 1\n")
    (site.parents[2] / "pyvenv.cfg").write_text("include-system-site-packages = true\n")
    assert read(site).gaps == ("site-packages: it also sees the packages of the Python beneath it, which are not here",)


@pytest.mark.parametrize("written", ["include-system-site-packages=TRUE", "\tInclude-System-Site-Packages  =  True"])
def test_so_it_does_however_that_is_written(site: Path, written: str) -> None:
    install(site, "a-1.dist-info", "Name: a\nVersion: 1\n")
    (site.parents[2] / "pyvenv.cfg").write_text(f"home = /usr/bin\n{written}\n")
    assert any("beneath it" in gap for gap in read(site).gaps)


def test_what_may_not_be_read_is_not_taken_for_the_best() -> None:
    with open_directory() as top:
        site = top / "lib" / "python3.11" / "site-packages"
        site.mkdir(parents=True)
        install(site, "a-1.dist-info", "Name: a\nVersion: 1\n", direct_url={"url": "git+https://x"})
        (top / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
        for path in (top / "pyvenv.cfg", site / "a-1.dist-info" / "direct_url.json"):
            path.chmod(0)
        with as_nobody():
            found = read(site)
    assert [each.elsewhere for each in found.components] == ["url"]
    assert any("beneath it" in gap for gap in found.gaps)


def test_an_environment_is_its_site_packages_and_a_folder_its_lockfiles(site: Path, tmp_path: Path) -> None:
    install(site, "a-1.dist-info", "Name: a\nVersion: 1\n")
    assert lockfiles_in(tmp_path / "env") == (site,)
    assert lockfiles_in(site) == (site,)
    for name in ("uv.lock", "sbom.json", "README.md"):
        (tmp_path / name).write_text("x")
    assert [each.name for each in lockfiles_in(tmp_path)] == ["sbom.json", "uv.lock"]


def test_an_empty_one_is_not_clean(site: Path) -> None:
    assert read(site).gaps == ("site-packages: it names no package at all",)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        read(tmp_path)


def test_the_one_that_these_tests_run_on_is_read_as_pip_reads_it() -> None:
    found = read(Path(sysconfig.get_path("purelib")))
    command = [sys.executable, "-m", "pip", "inspect", "--local"]
    inspected = subprocess.run(command, capture_output=True, check=True).stdout
    installed = {
        (Package.of("PyPI", each["metadata"]["name"]).name, each["metadata"]["version"])
        for each in json.loads(inspected)["installed"]
    }
    assert len(installed) > 50
    assert {(name, version) for name, version, _, _ in told(found)} == installed
