"""`rotator audit` as a person and a script have it: a bare machine, no config, no network."""

from __future__ import annotations

import json
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from rotator.cli.main import main
from tests.advisories.given import about, in_folder, in_zip, osv, real_feed
from tests.auditing.installed import install
from tests.cli.scene import Scene, environment
from tests.servers.package_index import PackageIndexStandIn

AT = ("--at", "2026-03-30T00:00:00Z")
OTHER = osv("OTHER-1", about("other", versions=["1"]))


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        return self.out.splitlines()[-1]


@pytest.fixture(autouse=True)
def _bare(tmp_path: Path) -> Any:
    with chdir(tmp_path), environment({"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "TERM": "dumb"}):
        yield


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install(tmp_path / "site", "rocket", "1.0")


def say(*words: object) -> Said:
    """The rotator's own environment, whose tools bring a .pth, is not what is tried here: so without `start`."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["audit", *map(str, words), "--without", "start"])
    return Said(code, out.getvalue(), err.getvalue())


def test_nothing_found_and_all_known_is_0_and_says_clean(site: Path, tmp_path: Path) -> None:
    said = say(site, "--osv", in_folder(tmp_path / "osv", OTHER), *AT)
    assert (said.code, said.err) == (0, "")
    assert said.last == "clean: nothing was found, and everything asked for could be judged"
    assert said.out.startswith("this rotator: ")
    assert "against 1 advisory from" in said.out


def test_a_finding_is_1_with_its_ids_its_summary_and_where_it_is(site: Path, tmp_path: Path) -> None:
    bad = osv(
        "GHSA-1", about(ECOSYSTEM=[{"introduced": "0"}, {"fixed": "1.1"}]), aliases=["CVE-1"], summary="a mistake"
    )
    said = say(site, "--osv", in_folder(tmp_path / "osv", bad), "--consumer", "agents-api", *AT)
    assert said.code == 1
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "vulnerable: 1" in lines
    assert "rocket 1.0 GHSA-1 1.1 agents-api" in lines
    assert "CVE-1 · a mistake" in lines
    assert said.last == "found: 1 vulnerable; everything else could be judged"


def test_something_that_cannot_be_judged_is_3_and_both_are_said(site: Path, tmp_path: Path) -> None:
    bad = osv("MAL-1", about(versions=["1.0"]))
    said = say(site, "--osv", in_zip(tmp_path / "osv.zip", bad, b"{"), *AT)
    assert said.code == 3
    assert said.last == "not clean: 1 thing cannot be judged; found: 1 malicious"
    assert "1.json  advisories  is no JSON" in said.out


def test_advisories_two_years_old_are_never_clean(site: Path, tmp_path: Path) -> None:
    said = say(site, "--osv", in_folder(tmp_path / "osv", OTHER), "--at", "2028-03-30T00:00:00Z")
    assert said.code == 3
    assert "their last change is 734d 14h old, 2026-03-26: get newer ones" in said.out
    assert "clean:" not in said.last.removeprefix("not clean:")
    fresh = say(site, "--osv", tmp_path / "osv", "--at", "2028-03-30T00:00:00Z", "--stale", "800d")
    assert fresh.code == 0


def test_the_real_litellm_records(tmp_path: Path) -> None:
    site = install(tmp_path / "site", "litellm", "1.82.8", "litellm_init.pth")
    said = say(site, "--osv", real_feed(), *AT)
    assert said.code == 1
    assert "malicious: 1" in said.out
    assert "MAL-2026-2144" in said.out
    assert "PYSEC-2026-2 · Two litellm versions published containing credential harvesting malware" in said.out


def test_a_pth_that_runs_code_is_found_without_any_index(tmp_path: Path) -> None:
    site = install(tmp_path / "site", "litellm", "1.82.8", "litellm_init.pth")
    (site / "litellm_init.pth").write_text("import os\n")
    out = StringIO()
    with redirect_stdout(out):
        code = main(["audit", str(site), "--osv", str(in_folder(tmp_path / "osv", OTHER)), *AT])
    assert code == 1
    assert "litellm_init.pth runs code at every start: import os" in out.getvalue()


def test_what_was_withdrawn_is_shown_on_request_alone(site: Path, tmp_path: Path) -> None:
    back = osv("GHSA-1", about(versions=["1.0"]), withdrawn="2026-01-01T00:00:00Z", summary="no bug at all")
    in_folder(tmp_path / "osv", back)
    assert "withdrawn" not in say(site, "--osv", "osv", *AT).out
    said = say(site, "--osv", "osv", "-v", *AT)
    assert said.code == 0
    assert "no bug at all" in said.out


def test_text_of_others_has_no_control_characters_and_an_end(site: Path, tmp_path: Path) -> None:
    bad = osv("GHSA-1", about(versions=["1.0"]), summary="\x1b[2J\x07" + "x" * 5000)
    said = say(site, "--osv", in_folder(tmp_path / "osv", bad), *AT)
    assert "\x1b" not in said.out
    assert "\x07" not in said.out
    assert max(map(len, said.out.splitlines())) < 300


def test_json_is_ascii_whatever_an_advisory_says(site: Path, tmp_path: Path) -> None:
    bad = osv("GHSA-1", about(versions=["1.0"]), summary="na\u00efve \u202e\u2028\x9b")
    said = say(site, "--osv", in_folder(tmp_path / "osv", bad), "--json", *AT)
    assert said.out.isascii()
    assert "na\u00efve \u202e" in json.loads(said.out)["findings"][0]["summary"]


def test_json_says_everything(site: Path, tmp_path: Path) -> None:
    bad = osv("MAL-1", about(versions=["1.0"]), aliases=["GHSA-1"], summary="s")
    said = say(site, "--osv", in_zip(tmp_path / "osv.zip", bad, b"{"), "--consumer", "agents-api", "--json", *AT)
    found = json.loads(said.out)
    assert found.keys() == {"verdict", "at", "findings", "unjudged", "signals", "withdrawn", "looked_at"}
    assert (found["verdict"], found["at"]) == ("incomplete", "2026-03-30T00:00:00Z")
    assert found["findings"] == [
        {
            "severity": "malicious",
            "ecosystem": "PyPI",
            "package": "rocket",
            "version": "1.0",
            "ids": ["MAL-1", "GHSA-1"],
            "any_version": False,
            "summary": "s",
            "fixed_in": [],
            "sources": ["advisories"],
            "where": ["agents-api"],
            "own": False,
        }
    ]
    looked = found["looked_at"]
    assert looked["advisories"] == {
        "origin": str(tmp_path / "osv.zip"),
        "advisories": 1,
        "newest": "2026-03-26T09:53:17Z",
        "stale": False,
        "broken": [{"record": "1.json", "why": "is no JSON"}],
    }
    assert looked["inventories"][0]["consumer"] == "this rotator"
    assert looked["inventories"][-1] == {
        "consumer": "agents-api",
        "kind": "site-packages",
        "origin": str(site),
        "components": 1,
    }


def test_results_of_pip_audit_are_taken_and_what_it_skipped_is_unknown(site: Path, tmp_path: Path) -> None:
    results = {"dependencies": [{"name": "litellm", "skip_reason": "not found: litellm (1.82.7)"}], "fixes": []}
    (tmp_path / "results.json").write_text(json.dumps(results))
    said = say(site, "--osv", in_folder(tmp_path / "osv", OTHER), "--import", "results.json", *AT)
    assert said.code == 3
    assert "pip-audit skipped it: not found: litellm (1.82.7)" in said.out


@pytest.mark.stand_in("package index")
def test_an_index_says_who_is_behind_it_and_what_it_does_not_say_is_3(site: Path) -> None:
    with PackageIndexStandIn() as server:
        server.publish("rocket", "1.1")
        said = say(site, "--consumer", "agents-api", "--index", server.simple, "-v", *AT)
    assert said.code == 3
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "vanished rocket 1.0 (agents-api) not among the 1 that the index lists" in lines
    assert "against no advisories: --osv names some" in said.out
    assert "not from an index: rotator" in said.out


BAD_INPUT = {
    "nothing to hold against": ((), "there is nothing to hold inventories against"),
    "no such lockfile": (("nothing.lock", "--osv", "osv"), "nothing.lock is not there"),
    "a file of an unknown kind": (("/dev/null", "--osv", "osv"), "/dev/null is no file"),
    "no such feed": (("--osv", "nothing"), "nothing cannot be read"),
    "a pipe": (("--osv", "pipe"), "pipe is no file"),
    "a page": (("--osv", "page.json"), "page.json is a page for people"),
    "a password": (("--index", "https://me:hunter2@h.example/"), "the address has a name or a password in it"),
    "no TLS": (("--osv", "http://h.example/all.zip"), "h.example is asked without TLS"),
    "a duration": (("--osv", "osv", "--stale", "soon"), "--stale: 'soon' is not a duration"),
    "another duration": (("--osv", "osv", "--young", "-1d"), "--young needs a value"),
    "a naive time": (("--osv", "osv", "--at", "2026-03-01T00:00:00"), "--at: '2026-03-01T00:00:00' names no time zone"),
    "a signal": (("--osv", "osv", "--without", "hsh"), "there is no signal 'hsh'"),
    "a consumer of nothing": (("--osv", "osv", "--consumer", "a"), "--consumer says whose lockfiles these are"),
    "a consumer with a blank": (
        ("site", "--osv", "osv", "--consumer", "this rotator"),
        "that is no name for a consumer",
    ),
    "to keep what is here": (("--osv", "osv", "--keep", "x.zip"), "only what comes from a URL can be kept"),
    "to keep nothing": (("--index", "https://h.example/", "--keep", "x.zip"), "--keep is for what --osv downloads"),
    "results of nobody": (("--import", "page.json"), "page.json is no JSON"),
    "an empty variable": (("", "--osv", "osv"), "an empty word is given as LOCKFILE"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_two_lines_and_2(case: str, site: Path, tmp_path: Path) -> None:
    import os

    in_folder(tmp_path / "osv", OTHER)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "page.json").write_text("<html>")
    words, message = BAD_INPUT[case]
    said = say(*words)
    assert (said.code, said.out) == (2, "")
    first, second = said.err.splitlines()
    assert first.startswith(f"rotator: {message}")
    assert second.startswith("hint: ")
    assert "hunter2" not in said.err


def with_consumers(scene: Scene) -> str:
    scene.rewrite(consumers={"agents-api": {}, "worker": {}})
    return str(scene.config)


def test_with_a_config_a_consumer_must_be_one_of_its(site: Path, tmp_path: Path, scene: Scene) -> None:
    in_folder(tmp_path / "osv", OTHER)
    words = (site, "--osv", tmp_path / "osv", "--config", with_consumers(scene), *AT)
    said = say(*words, "--consumer", "agents-apo")
    assert (said.code, said.err.splitlines()) == (
        2,
        ["rotator: the config has no consumer 'agents-apo'", "hint: did you mean agents-api?"],
    )
    assert say(*words, "--consumer", "agents-api").code == 0


def test_with_a_config_and_no_lockfile_each_consumer_without_an_inventory_is_unknown(
    tmp_path: Path, scene: Scene
) -> None:
    in_folder(tmp_path / "osv", OTHER)
    said = say("--osv", tmp_path / "osv", "--config", with_consumers(scene), *AT)
    assert said.code == 3
    assert said.out.count("no inventory of it was recorded") == 2
    assert "and 2 drivers: " in said.out, "those that it uses"


def test_a_config_that_may_not_be_believed_is_not_used_and_that_is_said(site: Path, tmp_path: Path) -> None:
    (tmp_path / "rotator.yaml").write_text("state: sqlite:///x.db")
    said = say(site, "--osv", in_folder(tmp_path / "osv", OTHER), *AT)
    assert said.code == 0
    assert said.err.startswith("without the config: rotator.yaml in this folder is not trusted")


def test_what_consumers_have_is_unknown_where_the_config_may_not_be_believed(tmp_path: Path) -> None:
    (tmp_path / "rotator.yaml").write_text("state: sqlite:///x.db")
    said = say("--osv", in_folder(tmp_path / "osv", OTHER), "--json", *AT)
    assert said.code == 3
    (unjudged,) = json.loads(said.out)["unjudged"]
    assert unjudged["what"] == "what consumers have"
    assert unjudged["why"].startswith("rotator.yaml in this folder is not trusted")


def test_a_declared_lockfile_that_was_not_recorded_is_unknown_beside_one_that_was(tmp_path: Path, scene: Scene) -> None:
    install(scene.folder / "site", "rocket", "1.0")
    (scene.folder / "requirements.txt").write_text("rocket==1.0 --hash=sha256:aa\n")
    files = ["site", "requirements.txt", "web/uv.lock"]
    scene.rewrite(consumers={"agents-api": {"lockfiles": files}})
    for path in files[:2]:
        assert scene.say("audit", "record", "--consumer", "agents-api", path).code == 0
    said = say("--osv", in_folder(tmp_path / "osv", OTHER), "--config", scene.config, "--stale", "36500d", "--json")
    assert said.code == 3
    found = json.loads(said.out)["unjudged"]
    assert [(each["what"], each["why"], each["where"]) for each in found] == [
        ("agents-api", "there is no record of web/uv.lock", ["agents-api"])
    ]


def test_without_a_network_it_is_3_in_two_lines(site: Path) -> None:
    said = say(site, "--osv", "http://127.0.0.1:9/all.zip")
    assert (said.code, len(said.err.splitlines())) == (3, 2)
