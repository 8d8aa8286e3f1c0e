"""What is installed, read from its files: nothing of it is imported, and a `.pth` is taken for what it does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.adapters.installed.distributions import Environment, read_environment
from rotator.domain.failures import Permanent
from rotator.domain.findings import State
from rotator.domain.packages import PYPI, Component, Package
from tests.auditing.installed import install

AT = datetime(2026, 3, 24, 12, tzinfo=UTC)
HARVESTER = 'import os, subprocess, sys; subprocess.Popen([sys.executable, "-c", "…"])\n'


def read(folder: Path, **more: str) -> Environment:
    return read_environment([folder], consumer="agents", at=AT, **more)


def test_packages_have_their_names_the_one_way_and_their_versions(tmp_path: Path) -> None:
    install(install(tmp_path, "Foo_Bar", "1.0"), "rocket", "2.0")
    inventory = read(tmp_path).inventory
    assert [(each.package.name, each.version) for each in inventory.components] == [
        ("foo-bar", "1.0"),
        ("rocket", "2.0"),
    ]
    assert (inventory.kind, inventory.since, inventory.gaps) == ("site-packages", AT, ())


def test_a_distribution_without_a_name_is_a_gap_and_one_without_a_version_has_any(tmp_path: Path) -> None:
    install(tmp_path, "rocket", None)
    (tmp_path / "broken-1.0.dist-info").mkdir()
    inventory = read(tmp_path).inventory
    assert inventory.components == (Component(package=Package(PYPI, "rocket"), version=""),)
    assert len(inventory.gaps) == 1
    assert "broken-1.0.dist-info has no name" in inventory.gaps[0]


@pytest.mark.parametrize(
    ("said", "elsewhere"),
    [
        (b'{"url": "https://h.example/x", "vcs_info": {"vcs": "git"}}', "git"),
        (b'{"url": "https://h.example/x.whl", "archive_info": {}}', "url"),
        (b'{"url": "file:///src", "dir_info": {}}', "directory"),
        (b"{}", ""),
        (b"{", "url"),
        (b"\xff\xfe{", "url"),
    ],
)
def test_where_a_distribution_came_from_is_as_its_installer_wrote(tmp_path: Path, said: bytes, elsewhere: str) -> None:
    install(tmp_path, "rocket", "1.0")
    (tmp_path / "rocket-1.0.dist-info" / "direct_url.json").write_bytes(said)
    assert [each.elsewhere for each in read(tmp_path).inventory.components] == [elsewhere]


def test_a_pth_that_runs_code_is_bad_and_shows_what(tmp_path: Path) -> None:
    install(tmp_path, "litellm", "1.82.8", "litellm_init.pth", "litellm/__init__.py")
    (tmp_path / "litellm_init.pth").write_text(HARVESTER)
    (found,) = read(tmp_path).starts
    assert found.package == Package(PYPI, "litellm")
    assert found.signal.state is State.BAD
    assert found.signal.evidence.startswith("litellm_init.pth runs code at every start: import os, subprocess")
    assert len(found.signal.evidence) < 150


def test_a_pth_that_nobody_lists_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "sneaky.pth").write_text("\ufeff/srv/lib\nimport\tsneaky\n")
    (found,) = read(tmp_path).starts
    assert found.package is None
    assert found.signal.state is State.BAD
    assert "which no installed package lists" in found.signal.evidence


def test_a_pth_of_paths_is_ok_with_evidence(tmp_path: Path) -> None:
    install(tmp_path, "rocket", "1.0", "rocket.pth")
    (tmp_path / "rocket.pth").write_text(f"# import this\n{tmp_path}/lib\nimportant_folder\n\n")
    (found,) = read(tmp_path).starts
    assert (found.signal.state, "adds 2" in found.signal.evidence) == (State.OK, True)


@pytest.mark.parametrize("line", ["/srv/lib", "../lib", "link", "a\0b"])
def test_a_pth_that_leads_to_where_nobody_looked_is_unknown(tmp_path: Path, line: str) -> None:
    site = install(tmp_path / "site", "rocket", "1.0", "rocket.pth")
    (site / "link").symlink_to(tmp_path)
    (site / "rocket.pth").write_text(f"inside\n{line}\n")
    (found,) = read(site).starts
    assert found.signal.state is State.UNKNOWN
    assert found.signal.evidence == f"rocket.pth adds {line}, in which nobody looked, to where modules are looked for"


def test_a_pth_that_leads_to_another_folder_that_is_looked_at_is_ok(tmp_path: Path) -> None:
    site, other = install(tmp_path / "site", "rocket", "1.0"), install(tmp_path / "other", "idna", "3.10")
    (site / "x.pth").write_text(f"{other}\n")
    (found,) = read_environment([site, other], consumer="agents", at=AT).starts
    assert found.signal.state is State.OK


@pytest.mark.parametrize(
    "name",
    [
        "sitecustomize.py",
        "usercustomize.py",
        "sitecustomize.pyc",
        "sitecustomize.cpython-311-x86_64-linux-gnu.so",
        "sitecustomize/__init__.py",
    ],
)
def test_what_python_imports_by_itself_runs_at_every_start(tmp_path: Path, name: str) -> None:
    install(tmp_path, "rocket", "1.0", name)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("")
    (tmp_path / "mysitecustomize.py").write_text("")
    (found,) = read(tmp_path).starts
    assert (found.package, found.signal.state) == (Package(PYPI, "rocket"), State.BAD)
    assert found.signal.evidence == f"{name} runs at every start"


def test_a_sitecustomize_that_nobody_lists_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("")
    (found,) = read(tmp_path).starts
    assert found.signal.evidence == "sitecustomize.py, which no installed package lists, runs at every start"


@pytest.mark.parametrize("name", ["Old-1.0-py3.egg", "Old-1.0.egg-info", "old.egg-link"])
def test_an_egg_is_a_gap(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    assert read(tmp_path).inventory.gaps == (f"'{name}' is an egg: what is in it is not told for certain",)


def test_an_environment_that_sees_the_python_beneath_it_has_a_gap_unless_that_is_looked_at(tmp_path: Path) -> None:
    site = install(tmp_path / "venv" / "lib" / "site-packages", "rocket", "1.0")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = /usr\nInclude-System-Site-Packages = True\n")
    assert read(site).inventory.gaps == ("it also sees the packages of the Python beneath it, which are not here",)
    beneath = install(tmp_path / "usr" / "site-packages", "idna", "3.10")
    assert read_environment([site, beneath], consumer="agents", at=AT).inventory.gaps == ()
    (tmp_path / "venv" / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    assert read(site).inventory.gaps == ()


def test_a_pth_that_cannot_be_read_or_is_too_large_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "large.pth").write_bytes(b"x\n" * (1 << 20))
    assert [each.signal.state for each in read(tmp_path).starts] == [State.UNKNOWN, State.UNKNOWN]


def test_a_large_pth_that_runs_code_is_bad_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "large.pth").write_bytes(b"import os\n" + b"#\n" * (1 << 20))
    assert [each.signal.state for each in read(tmp_path).starts] == [State.BAD]


def test_the_link_to_our_own_sources_is_named_as_what_it_is_and_nobody_elses_is(tmp_path: Path) -> None:
    for name in ("rotator", "other"):
        install(tmp_path, name, "1.0", f"{name}.pth", editable=True)
        (tmp_path / f"{name}.pth").write_text("import something\n")
    found = {each.path.name: each.signal for each in read(tmp_path, ours="rotator").starts}
    assert found["rotator.pth"].state is State.OK
    assert "own sources" in found["rotator.pth"].evidence
    assert found["other.pth"].state is State.BAD
    assert read(tmp_path).local == {Package(PYPI, "rotator"), Package(PYPI, "other")}


def test_a_package_that_only_calls_itself_ours_gets_no_credit(tmp_path: Path) -> None:
    install(tmp_path, "rotator", "1.0", "rotator.pth")
    (tmp_path / "rotator.pth").write_text(HARVESTER)
    assert [each.signal.state for each in read(tmp_path, ours="rotator").starts] == [State.BAD]


def test_without_a_record_nothing_owns_a_pth(tmp_path: Path) -> None:
    install(tmp_path, "rocket", "1.0", record=False)
    (tmp_path / "rocket.pth").write_text(HARVESTER)
    (found,) = read(tmp_path).starts
    assert (found.package, found.signal.state) == (None, State.BAD)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="No such file"):
        read(tmp_path / "nothing")
