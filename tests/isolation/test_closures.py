"""Which files make a driver: all that it needs, nothing that lies outside, and nothing that was changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rotator.adapters.isolation.closures import Closure, NoClosure, closure_of, versions_in
from tests.isolation.children import Start, needs_sandbox
from tests.isolation.plain import plain, word_of
from tests.isolation.strangers import found, install


def closure(name: str = "plain") -> Closure:
    return closure_of(found(name))


def parts(name: str = "plain") -> list[str]:
    return [each.name for each in closure(name).parts]


def record(folder: Path, name: str = "plain") -> Path:
    return folder / f"{name}-1.0.dist-info" / "RECORD"


def test_a_driver_that_needs_nothing_gets_itself_and_what_lies_beneath_every_driver(strangers: Path) -> None:
    plain(strangers)
    assert parts() == ["rotator", "plain", "tenacity", "urllib3"]


@needs_sandbox
def test_it_runs_with_that_alone(strangers: Path, start: Start) -> None:
    plain(strangers)
    assert word_of(start("plain")) == "good"


def test_what_it_needs_is_followed_through_extras_and_circles(strangers: Path) -> None:
    plain(strangers, requires=("one[more]", "two_names", "never; python_version < '3'"))
    install(strangers, "one", {"one.py": ""}, requires=("Two.Names[all]; extra == 'more'", "never; extra == 'less'"))
    install(strangers, "two-names", {"two.py": ""}, requires=("one[more]; extra == 'all'", "three; extra == 'all'"))
    install(strangers, "three", {"three.py": ""}, requires=("plain", "two-names[all]"))
    assert parts() == ["rotator", "one", "plain", "tenacity", "three", "two-names", "urllib3"]
    assert versions_in(found("plain")) == {each.name: each.version for each in closure().parts}


def test_an_entry_point_names_the_extras_that_it_needs(strangers: Path) -> None:
    files, requires = {"pack.py": ""}, ("one; extra == 'more'", "two; extra == 'less'")
    install(strangers, "plain", files, requires=requires, driver="pack:Driver [more]")
    install(strangers, "one", {"one.py": ""})
    assert parts() == ["rotator", "one", "plain", "tenacity", "urllib3"]


def test_a_stranger_gets_what_an_extra_of_the_rotator_brings_and_no_more_of_the_rotator(strangers: Path) -> None:
    plain(strangers, requires=("rotator[mysql]",))
    assert "pymysql" in parts()
    assert not {"structlog", "apscheduler", "boto3"} & set(parts())
    ours = closure().parts[0]
    assert not [
        path
        for path in ours.files
        if path.parts[1] not in ("__init__.py", "py.typed", "ports.py", "exchanges.py", "domain", "sdk", "child")
    ]


def test_something_that_is_missing_is_named(strangers: Path) -> None:
    plain(strangers, requires=("nowhere-to-be-found",))
    with pytest.raises(NoClosure, match="nowhere-to-be-found is not installed"):
        closure()


@pytest.mark.parametrize("requirement", ["what is this", "one; python_version ~= 'abc'"])
def test_a_requirement_that_nobody_can_read_is_none(requirement: str, strangers: Path) -> None:
    plain(strangers, requires=(requirement,))
    with pytest.raises(NoClosure, match="plain requires something unreadable"):
        closure()


def test_a_file_that_was_changed_after_it_was_installed_is_named(strangers: Path) -> None:
    plain(strangers, more="WORD = 'as it was'\n")
    before = closure().digests()
    (strangers / "more.py").write_text("WORD = 'as it is'\n")
    with pytest.raises(NoClosure, match=r"plain: more.py was changed after it was installed"):
        closure().digests()
    (strangers / "more.py").write_text("WORD = 'as it was'\n")
    assert closure().digests() == before


def test_a_file_that_is_gone_is_named(strangers: Path) -> None:
    plain(strangers, more="")
    (strangers / "more.py").unlink()
    with pytest.raises(NoClosure, match=r"No such file.*more.py"):
        closure().digests()


@pytest.mark.parametrize("where", ["{}/outside.py", "../outside.py", "plain/../../outside.py"])
def test_a_record_that_names_what_lies_outside_gets_nothing_of_it(where: str, strangers: Path, start: Start) -> None:
    secret = strangers.parent / "outside.py"
    secret.write_text("SECRET = 1")
    secret.chmod(0o640)
    plain(strangers)
    with record(strangers).open("a") as file:
        file.write(where.format(secret.parent) + ",,\n")
    assert not [path for part in closure().parts for path in part.files if path.name == "outside.py"]
    start("plain", confine=False)
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("SECRET = 1", 0o640)


@pytest.mark.parametrize("hashed", [True, False])
def test_a_link_to_somebody_s_file_is_not_followed(hashed: bool, strangers: Path) -> None:
    (strangers.parent / "secret").write_text("what nobody else may read")
    plain(strangers, more="")
    (strangers / "more.py").unlink()
    (strangers / "more.py").symlink_to(strangers.parent / "secret")
    if not hashed:
        lines = record(strangers).read_text().splitlines()
        record(strangers).write_text("\n".join("more.py,," if each.startswith("more.py") else each for each in lines))
    with pytest.raises(NoClosure, match=r"is a link to somewhere|was changed after it was installed"):
        closure().digests()


def test_a_distribution_that_does_not_say_what_it_has_is_no_part(strangers: Path) -> None:
    plain(strangers, requires=("one",))
    install(strangers, "one", {"one.py": ""})
    record(strangers, "one").unlink()
    with pytest.raises(NoClosure, match="one does not say which files it has"):
        closure()


@pytest.mark.parametrize("files", [{"one.pth": "/somewhere/src"}, {"__editable___one_finder.py": "", "one.pth": ""}])
def test_a_link_to_sources_is_no_part(files: dict[str, str], strangers: Path) -> None:
    plain(strangers, requires=("one",))
    told = '{"url": "file:///somewhere", "dir_info": {"editable": true}}'
    install(strangers, "one", {**files, "one-1.0.dist-info/direct_url.json": told})
    with pytest.raises(NoClosure, match="one is installed as a link to its sources"):
        closure()


PTH = "import pathlib; pathlib.Path({!r}).write_text('it ran')\n"


def test_a_pth_file_runs_in_a_normal_python_and_not_in_a_driver(strangers: Path, start: Start) -> None:
    ran = strangers.parent / "ran"
    install(strangers, "poison", {"poison.py": "", "poison.pth": PTH.format(str(ran))})
    plain(strangers, requires=("poison",), imports="import poison")
    assert not [path for part in closure().parts for path in part.files if path.suffix == ".pth"]
    add = "import site, sys; site.addsitedir(sys.argv[1])"
    subprocess.run([sys.executable, "-I", "-c", add, str(strangers)], check=True)
    assert ran.read_text() == "it ran"
    ran.unlink()
    assert word_of(start("plain", confine=False)) == "good"  # where nothing but its absence keeps it from writing
    assert not ran.exists()


def test_a_namespace_of_several_distributions_is_one_in_a_driver(strangers: Path, start: Start) -> None:
    install(strangers, "one", {"shared/one.py": "WORD = 'one'"})
    install(strangers, "two", {"shared/two.py": "WORD = 'two'"})
    imports = "import shared.one, shared.two"
    plain(strangers, word="shared.one.WORD + shared.two.WORD", requires=("one", "two"), imports=imports)
    assert word_of(start("plain", confine=False)) == "onetwo"


def test_no_distribution_replaces_the_library_or_the_rotator(strangers: Path, start: Start) -> None:
    poison = "raise SystemExit('not the real one')"
    install(
        strangers, "aaa", {"json/__init__.py": poison, "rotator/sdk/__init__.py": poison, "rotator/ports.py": poison}
    )
    plain(strangers, requires=("aaa",), imports="import json", word="json.dumps('good')[1:-1]")
    assert word_of(start("plain", confine=False)) == "good"
