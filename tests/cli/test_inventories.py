"""`rotator audit record`, `backfill` and `where`: who had a package when, and what it could read."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from rotator.app.own_environment import OWN
from rotator.app.whereabouts import Sighting, Whereabouts
from rotator.domain.grants import Readable
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Scene, make
from tests.lockfiles import written
from tests.repository.making import Made, on

BAD, GOOD = "1.82.8", "1.82.6"
SHA = f"--hash=sha256:{'0' * 64}"
ONE_OF_NPM = json.dumps(
    {"lockfileVersion": 3, "packages": {"node_modules/once": {"version": "1.4.0", "integrity": "sha512-aa"}}}
)


@pytest.fixture
def scene(tmp_path: Path, keyserver: Keyserver) -> Scene:
    """Two consumers: agents-api with a lockfile and a role, web with neither."""
    made = make(tmp_path / "config", keyserver, ("llm-prod", "app-db", "mail")) if _folder(tmp_path) else None
    assert made is not None
    made.credential("llm-prod", consumers=["agents-api"])
    made.credential("mail", consumers=["web"], tags=["mail"])
    made.rewrite(
        consumers={"agents-api": {"lockfiles": ["svc/uv.lock"], "identities": ["agents-role"]}},
        identities={"agents-role": {"reads": ["files:app*"]}},
    )
    made.rewrite(consumers={**json.loads(made.config.read_text())["consumers"], "web": {}})
    write(made, "svc/uv.lock", lock(BAD))
    return made


def _folder(tmp_path: Path) -> bool:
    (tmp_path / "config").mkdir()
    return True


def lock(version: str) -> str:
    """agents-api's lockfile with litellm in a version."""
    return written.UV.replace("1.82.8", version)


def write(scene: Scene, path: str, text: str) -> None:
    file = scene.folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def records(scene: Scene) -> int:
    """How many inventories of consumers the journal holds."""
    path = scene.folder / "rotator.db"
    if not path.exists():
        return 0
    connection = sqlite3.connect(path)
    (count,) = connection.execute("SELECT count(*) FROM inventory WHERE consumer <> ?", (OWN,)).fetchone()
    connection.close()
    return int(count)


def repository(scene: Scene) -> Made:
    """The config's own folder as a repository: 1.82.6 on the 1st, the bad one on the 24th, 1.83.0 on the 30th."""
    made = Made.at(scene.folder)
    (scene.folder / ".gitignore").write_text("*\n!svc\n!svc/*\n")
    made.commit(on(1), {"svc/uv.lock": lock(GOOD)})
    made.commit(on(24), {"svc/uv.lock": lock(BAD)})
    made.commit(on(30), {"svc/uv.lock": lock("1.83.0")})
    return made


# -- record ------------------------------------------------------------------------------------------------------


def test_what_the_config_names_is_recorded_and_twice_is_once(scene: Scene) -> None:
    first = scene.say("audit", "record")
    assert (first.code, first.err) == (0, "")
    assert "agents-api  svc/uv.lock  uv.lock  5         —     first record" in first.out
    assert "not recorded, because they name no lockfiles: web" in first.out
    assert "as before" in scene.say("audit", "record").out
    assert records(scene) == 1
    write(scene, "svc/uv.lock", lock("1.83.0"))
    assert "changed" in scene.say("audit", "record").out
    assert records(scene) == 2


def test_files_and_folders_of_a_consumer_are_recorded(scene: Scene) -> None:
    write(scene, "web/package-lock.json", written.PACKAGE_LOCK_3)
    write(scene, "web/requirements.txt", "flask\n")
    said = scene.say("audit", "record", "--consumer", "web", "web")
    assert said.code == 0
    assert "web       web/package-lock.json  package-lock.json  5" in said.out
    assert "  web/requirements.txt:1: 'flask' is not pinned by ==" in said.out
    assert records(scene) == 2


def test_a_file_that_the_config_names_needs_no_consumer(scene: Scene) -> None:
    assert "agents-api" in scene.say("audit", "record", "svc/uv.lock").out


def test_one_bad_file_and_nothing_is_recorded(scene: Scene) -> None:
    write(scene, "svc/poetry.lock", "")
    said = scene.say("audit", "record", "--consumer", "agents-api", "svc/uv.lock", "svc/poetry.lock")
    assert said.code == 2
    assert said.lines == ["rotator: svc/poetry.lock:1: it is empty", "hint: lock it anew, or restore it"]
    assert records(scene) == 0


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["record", "--consumer", "agents-apo"], "there is no consumer 'agents-apo'", "did you mean agents-api?"),
        (
            ["record", "--consumer", "web"],
            "the consumer web names no lockfiles",
            "write lockfiles: ",
        ),
        (["record", "other.lock"], "nobody says whose inventory other.lock is", "add --consumer NAME"),
        (["where", "litellm=1"], "'=1' says no versions", "write it like litellm==1.82.8, litellm>=1.82.7,<1.83,"),
        (["where", "npn:x@1"], "there is no ecosystem 'npn'", "did you mean npm?"),
        (["where", "npm:x@^1.0"], "'npm:x@^1.0' is no package with one version", "write it like npm:left-pad@1.3.0"),
        (["where", "pkg:npn/x@1"], "there is no ecosystem 'npn'", "did you mean npm?"),
        (["where", "pkg:npm/"], "'pkg:npm/' names no package", "write it like litellm==1.82.8, "),
        (["where", "pkg:npm/a%1bb@1"], "'pkg:npm/a%1bb@1' names no package", "write it like litellm==1.82.8, "),
        (["where"], "PACKAGE is missing", "see `rotator audit where --help`"),
        (
            ["where", "x", "--from", "24 March"],
            "--from: '24 March' is not a time",
            "write it like 2026-",
        ),
        (["where", "x", "--form", "y"], "there is no option --form", "did you mean --from?"),
        (["backfill", "/nowhere"], "/nowhere is no folder", "name the folder of a Git repository"),
        (["backfill", ".", "--pad", "3"], "--pad: '3' is not a duration", "write a number and s, m, h or d"),
        (["recrod"], "there is no file 'recrod', nor such a verb", "did you mean record?"),
    ],
)
def test_what_is_not_understood_is_told_and_nothing_is_recorded(
    scene: Scene, words: list[str], message: str, hint: str
) -> None:
    said = scene.say("audit", *words)
    assert said.code == 2
    assert said.lines[0].startswith(f"rotator: {message}")
    assert said.lines[1].startswith(f"hint: {hint}")
    assert len(said.lines) == 2
    assert records(scene) == 0


def test_a_window_that_ends_before_it_starts_is_refused(scene: Scene) -> None:
    said = scene.say("audit", "where", "x", "--from", "2026-03-24T10:00:00Z", "--to", "2026-03-23T10:00:00Z")
    assert (said.code, said.lines[0]) == (2, "rotator: the window ends before it starts")


def test_options_may_stand_before_the_verb(scene: Scene) -> None:
    assert scene.run("--config", str(scene.config), "audit", "record").code == 0
    assert scene.run("audit", "--config", str(scene.config), "record").code == 0


def test_without_a_verb_it_shows_the_verbs(scene: Scene) -> None:
    said = scene.run("audit", "--help")
    assert said.code == 0
    assert "rotator audit backfill" in said.out


# -- where -------------------------------------------------------------------------------------------------------


def covered(scene: Scene) -> None:
    """Both consumers have records without gaps, of both ecosystems."""
    assert scene.say("audit", "record").code == 0
    write(scene, "web/package-lock.json", written.PACKAGE_LOCK_3)
    write(scene, "web/requirements.txt", f"idna==3.10 {SHA}\n")
    write(scene, "svc/package-lock.json", ONE_OF_NPM)
    web = ("web/package-lock.json", "web/requirements.txt")
    assert scene.say("audit", "record", "--consumer", "web", *web).code == 0
    assert scene.say("audit", "record", "--consumer", "agents-api", "svc/package-lock.json").code == 0


def test_who_has_it_is_told_with_all_that_it_can_read(scene: Scene) -> None:
    covered(scene)
    said = scene.say("audit", "where", f"litellm=={BAD}")
    assert said.code == 1
    line = said.out.splitlines()[1].split()
    assert (line[0], line[1], line[4], line[5]) == ("agents-api", BAD, "today", "svc/uv.lock")
    assert line[-2:] == ["app-db,", "llm-prod"]
    assert "agents-api → role agents-role → files:app-db.json" in said.out


def test_who_had_it_and_runs_as_a_role_of_which_nobody_says_what_it_reads_is_incomplete() -> None:
    """No config that is accepted names such a role; the answer does not rest on that."""
    had = Sighting(
        consumer="agents-api",
        version=BAD,
        since=on(24),
        until=None,
        origin="uv.lock",
        commit="",
        readable=Readable(grants=()),
    )
    stray = replace(had, readable=Readable(grants=(), unknown=("stray-role",)))
    assert Whereabouts(found=(had,), unknown=(), known_since={}).code == 1
    assert Whereabouts(found=(had, stray), unknown=(), known_since={}).code == 3


def test_json_is_ascii_whatever_is_in_a_file(scene: Scene) -> None:
    covered(scene)
    write(scene, "web/\u202eb/requirements.txt", f"rocket==1.0 {SHA}\n")
    assert scene.say("audit", "record", "--consumer", "web", "web/\u202eb/requirements.txt").code == 0
    said = scene.say("audit", "where", "rocket", "--json").out
    assert said.isascii()
    assert json.loads(said)["found"][0]["file"] == "web/\u202eb/requirements.txt"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("litellm", 1),
        ("LiteLLM", 1),
        ("litellm>=1.82.7,<1.83", 1),
        ("litellm@1.82.8", 1),
        ("pypi:litellm==1.82.8", 1),
        ("pkg:pypi/litellm@1.82.8", 1),
        ("litellm==1.82.7", 0),
        ("litellm>=1.83", 0),
        ("npm:litellm", 0),
        ("npm:left-pad@1.3.0", 1),
        ("pkg:npm/@scope/outer@2.0.0", 1),
        ("pkg:npm/%40scope/outer@2.0.0", 1),
        ("PKG:npm/%40scope/outer@2.0.0?arch=x#src", 1),
        ("pkg:pypi/LiteLLM@1.82.8?file_name=a.whl", 1),
        ("pkg:pypi/litellm", 1),
        ("pkg:npm/%40scope/outer@2.0.1", 0),
        ("npm:left-pad@1.3.1", 0),
        ("nothing-of-the-kind", 0),
    ],
)
def test_versions_are_asked_for_in_many_ways(scene: Scene, asked: str, code: int) -> None:
    covered(scene)
    assert scene.say("audit", "where", asked).code == code


@pytest.mark.parametrize(
    "asked", ["pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1?type=jar", "pkg:deb/x/y@1%2B2"]
)
def test_a_package_url_is_asked_for_as_a_bill_names_it(scene: Scene, asked: str) -> None:
    covered(scene)
    write(scene, "web/bom.json", written.CYCLONEDX.replace("pkg:pypi/litellm@1.82.8", "pkg:deb/x/y@1%2B2"))
    scene.say("audit", "record", "--consumer", "web", "web/bom.json")
    assert [each["consumer"] for each in scene.json("audit", "where", asked)["found"]] == ["web"]


def test_a_consumer_without_a_record_is_unknown_and_never_clean(scene: Scene) -> None:
    scene.say("audit", "record")
    found = scene.say("audit", "where", f"litellm=={BAD}")
    assert found.code == 3
    assert "unknown: web: it has no record" in found.out
    nothing = scene.say("audit", "where", "litellm==1.0")
    assert nothing.code == 3
    assert nothing.out.splitlines()[0] == "no record has litellm==1.0"


def test_todays_lockfile_says_nothing_of_march(scene: Scene) -> None:
    covered(scene)
    window = ("--from", "2026-03-24T10:00:00Z", "--to", "2026-03-24T17:00:00Z")
    said = scene.json("audit", "where", f"litellm=={BAD}", *window)
    assert said["found"] == []
    assert [each["consumer"] for each in said["unknown"]] == ["agents-api", "web"]
    assert (
        "nothing is known from 2026-03-24 10:00 to 2026-03-24 17:00: its first record is of"
        in said["unknown"][0]["why"]
    )
    assert scene.say("audit", "where", f"litellm=={BAD}", *window).code == 3


def test_a_gap_leaves_open_whether_it_was_there(scene: Scene) -> None:
    covered(scene)
    write(scene, "web/requirements.txt", "litellm>=1.80 --hash=sha256:aa\n")
    scene.say("audit", "record", "--consumer", "web", "web/requirements.txt")
    said = scene.say("audit", "where", f"litellm=={BAD}")
    assert said.code == 3
    assert "unknown: web: web/requirements.txt has it in any version" in said.out
    assert "unknown: web: web/requirements.txt:1: 'litellm' is not pinned by ==" in said.out


def test_a_declared_lockfile_without_a_record_is_unknown(scene: Scene) -> None:
    covered(scene)
    consumers = json.loads(scene.config.read_text())["consumers"]
    scene.rewrite(consumers={**consumers, "web": {"lockfiles": ["web/package-lock.json", "web/uv.lock"]}})
    said = scene.say("audit", "where", "nothing")
    assert said.code == 3
    assert "unknown: web: there is no record of web/uv.lock" in said.out


def test_a_record_of_one_lockfile_says_nothing_of_another_declared_one(scene: Scene) -> None:
    repository(scene)
    assert scene.say("audit", "backfill", ".").code == 0
    covered(scene)
    consumers = json.loads(scene.config.read_text())["consumers"]
    files = ["svc/uv.lock", "job/requirements.txt"]
    scene.rewrite(consumers={**consumers, "agents-api": {"lockfiles": files}})
    write(scene, "job/requirements.txt", f"idna==3.10 {SHA}\n")
    assert scene.say("audit", "record").code == 0
    window = ("--from", "2026-04-02T10:00:00Z", "--to", "2026-04-02T17:00:00Z")
    unknown = scene.json("audit", "where", "litellm==1.0", *window)["unknown"]
    (why,) = [each["why"] for each in unknown if each["consumer"] == "agents-api"]
    assert why.startswith("job/requirements.txt: nothing is known from 2026-04-02 10:00 to 2026-04-02 17:00")


def test_records_of_another_ecosystem_say_nothing(scene: Scene) -> None:
    scene.say("audit", "record")
    write(scene, "web/package-lock.json", written.PACKAGE_LOCK_3)
    scene.say("audit", "record", "--consumer", "web", "web/package-lock.json")
    said = scene.say("audit", "where", f"litellm=={BAD}")
    assert said.code == 3
    assert "unknown: web: it has no record of its PyPI packages" in said.out
    assert "unknown: agents-api" not in said.out


def test_a_bill_of_materials_says_something_of_what_is_in_it(scene: Scene) -> None:
    scene.say("audit", "record")
    write(scene, "web/bom.json", written.CYCLONEDX)
    assert scene.say("audit", "record", "--consumer", "web", "web/bom.json").code == 0
    assert "unknown: web: it has no record" not in scene.say("audit", "where", "nothing").out
    assert "unknown: web: it has no record of its Go packages" in scene.say("audit", "where", "golang:nothing").out


# -- backfill ----------------------------------------------------------------------------------------------------


def test_a_history_tells_who_had_it_in_march_padded_by_a_day(scene: Scene) -> None:
    made = repository(scene)
    said = scene.say("audit", "backfill", ".")
    assert said.code == 0, said.err
    assert "agents-api  svc/uv.lock  3         3    —" in said.out
    assert "3 commits looked at" in said.out
    found = scene.json("audit", "where", f"litellm=={BAD}", "--from", "2026-03-24T10:00:00Z")["found"]
    assert [(each["from"], each["until"]) for each in found] == [("2026-03-23T12:00:00Z", "2026-03-31T12:00:00Z")]
    assert made.git("rev-parse", "HEAD~1") == found[0]["commit"]
    assert scene.say("audit", "backfill", ".").out.splitlines()[1].split()[2:4] == ["3", "0"]
    assert records(scene) == 3


def test_the_padding_can_be_chosen(scene: Scene) -> None:
    repository(scene)
    assert scene.say("audit", "backfill", ".", "--pad", "0s").code == 0
    found = scene.json("audit", "where", f"litellm=={BAD}")["found"]
    assert [(each["from"], each["until"]) for each in found] == [("2026-03-24T12:00:00Z", "2026-03-30T12:00:00Z")]


def test_what_ended_before_can_be_left_out(scene: Scene) -> None:
    repository(scene)
    scene.say("audit", "backfill", ".", "--since", "2026-03-28T00:00:00Z")
    assert records(scene) == 2


def test_a_record_of_today_goes_on_from_the_history(scene: Scene) -> None:
    repository(scene)
    scene.say("audit", "backfill", ".")
    assert "as before" in scene.say("audit", "record").out
    write(scene, "svc/uv.lock", lock("1.84.0"))
    assert "changed" in scene.say("audit", "record").out
    assert scene.json("audit", "where", "litellm==1.83.0")["found"][0]["until"] is not None


def test_a_version_that_cannot_be_read_is_a_gap_of_its_time(scene: Scene) -> None:
    made = repository(scene)
    broken = made.commit(on(10, month=4), {"svc/uv.lock": "<<<<<<< HEAD\n"})
    made.commit(on(12, month=4), {"svc/uv.lock": lock("1.84.0")})
    said = scene.say("audit", "backfill", ".")
    assert said.code == 0
    assert said.out.splitlines()[1].split()[2:5] == ["5", "5", "1"]
    window = ("--from", "2026-04-11T00:00:00Z", "--to", "2026-04-11T01:00:00Z")
    unknown = scene.json("audit", "where", "litellm==1.0", *window)["unknown"]
    assert any(f"svc/uv.lock@{broken[:12]}:1: this is no TOML" in each["why"] for each in unknown)
    before = ("--from", "2026-04-01T00:00:00Z", "--to", "2026-04-02T00:00:00Z")
    assert [each["consumer"] for each in scene.json("audit", "where", "litellm==1.0", *before)["unknown"]] == ["web"]


def test_a_lockfile_that_was_elsewhere_before_is_followed(scene: Scene) -> None:
    made = Made.at(scene.folder)
    (scene.folder / "svc" / "uv.lock").unlink()
    (scene.folder / ".gitignore").write_text("*\n!svc\n!svc/*\n!old\n!old/*\n")
    made.commit(on(1), {"old/uv.lock": lock(BAD)})
    (scene.folder / "svc").mkdir(exist_ok=True)
    made.git("mv", "old/uv.lock", "svc/uv.lock")
    made.commit(on(5), {})
    scene.say("audit", "backfill", ".")
    found = scene.json("audit", "where", f"litellm=={BAD}")["found"]
    assert {each["file"] for each in found} == {"old/uv.lock", "svc/uv.lock"}
    unknown = scene.json("audit", "where", "nothing")["unknown"]
    assert [each["consumer"] for each in unknown] == ["web"], "what was moved is not missing since"


def test_a_clone_elsewhere_is_a_consumers_by_the_end_of_its_paths(scene: Scene, tmp_path: Path) -> None:
    made = Made.at(tmp_path / "clone")
    made.commit(on(1), {"svc/uv.lock": lock(BAD), "other/uv.lock": lock(GOOD)})
    assert scene.say("audit", "backfill", str(made.folder)).code == 2
    assert scene.say("audit", "backfill", str(made.folder), "--consumer", "agents-api").code == 0
    assert scene.json("audit", "where", "litellm")["found"][0]["file"] == "svc/uv.lock"
    assert records(scene) == 1


def test_every_lockfile_is_a_consumers_that_names_none(scene: Scene, tmp_path: Path) -> None:
    made = Made.at(tmp_path / "clone")
    made.commit(on(1), {"a/package-lock.json": written.PACKAGE_LOCK_3, "b/requirements.txt": "-r base.txt\nx==1\n"})
    made.commit(on(2), {"README.md": "hello"})
    said = scene.say("audit", "backfill", str(made.folder), "--consumer", "web")
    assert said.code == 0
    assert records(scene) == 2
    unknown = scene.json("audit", "where", "y")["unknown"]
    assert any(
        "it includes b/base.txt, which is not read with it" in each["why"] or "and 1 more" in each["why"]
        for each in unknown
    )


def test_what_it_includes_is_a_gap_for_everyone_whose_it_is_not(scene: Scene) -> None:
    made = Made.at(scene.folder)
    (scene.folder / ".gitignore").write_text("*\n!svc\n!svc/*\n")
    made.commit(on(1), {"svc/requirements.txt": "-r base.txt\nx==1 --hash=sha256:aa\n", "svc/base.txt": "y==1\n"})
    consumers = {
        "agents-api": {"lockfiles": ["svc/requirements.txt"]},
        "web": {"lockfiles": ["svc/requirements.txt", "svc/base.txt"]},
    }
    scene.rewrite(consumers=consumers)
    assert scene.say("audit", "backfill", ".").code == 0
    unknown = scene.json("audit", "where", "z")["unknown"]
    missed = [each["consumer"] for each in unknown if "it includes svc/base.txt, which is not read" in each["why"]]
    assert missed == ["agents-api"]


def test_a_shallow_clone_is_incomplete(scene: Scene, tmp_path: Path) -> None:
    made = Made.at(tmp_path / "full")
    for day in (1, 2):
        made.commit(on(day), {"svc/uv.lock": lock(f"1.{day}")})
    made.git("clone", "-q", "--depth", "1", f"file://{made.folder}", str(tmp_path / "shallow"))
    said = scene.say("audit", "backfill", str(tmp_path / "shallow"), "--consumer", "agents-api")
    assert said.code == 3
    assert said.lines[0].startswith("rotator: the clone is shallow")
