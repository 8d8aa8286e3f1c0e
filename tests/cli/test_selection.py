"""What `rotate` means by its words: exposure adds up, tags and owners narrow, and nothing never means all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Scene, make
from tests.cli.shape import check_report

pytestmark = pytest.mark.stand_in("API provider: keyserver")


@pytest.fixture
def four(tmp_path: Path, keyserver: Keyserver) -> Scene:
    """a and b at one provider, c and d at another; b and c are somebody else's, and d is read by a consumer."""
    scene = make(tmp_path, keyserver, names=("a", "b", "c", "d"))
    data = json.loads(scene.config.read_text())
    data["providers"]["other"] = data["providers"]["ks"]
    data["stores"]["more"] = {**data["stores"]["files"], "root": "more"}
    (scene.folder / "more").mkdir(mode=0o700)
    for name in ("c", "d"):
        data["credentials"][name]["provider"] = "other"
    data["credentials"]["c"]["publish"][0]["store"] = "more"
    (scene.folder / "store" / "c.json").rename(scene.folder / "more" / "c.json")
    data["credentials"]["b"] |= {"owner": "them", "tags": ["llm"]}
    data["credentials"]["c"] |= {"owner": "them"}
    data["credentials"]["d"] |= {"consumers": ["api"]}
    scene.rewrite(**data)
    return scene


def _selected(scene: Scene, *words: str) -> list[str]:
    report = scene.json("rotate", *words, "--dry-run")
    check_report(report)
    return [each["credential"] for each in report["rotations"]]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["a"], ["a"]),
        (["--all"], ["a", "b", "c", "d"]),
        (["--provider", "other"], ["c", "d"]),
        (["--store", "more"], ["c"]),
        (["--consumer", "api"], ["d"]),
        (["--store", "more", "--consumer", "api", "a"], ["a", "c", "d"]),
        (["--tag", "llm"], ["b"]),
        (["--owner", "them"], ["b", "c"]),
        (["--provider", "ks", "--owner", "them"], ["b"]),
        (["--tag", "llm", "--tag", "t", "--owner", "them"], ["b", "c"]),
    ],
    ids=lambda value: "-".join(value).replace("--", ""),
)
def test_exposure_adds_up_and_tags_and_owners_narrow(four: Scene, words: list[str], names: list[str]) -> None:
    assert _selected(four, *words) == names
    assert four.mints == 0


def test_what_a_narrowing_leaves_out_is_shown(four: Scene) -> None:
    answer = four.say("rotate", "--provider", "ks", "--owner", "them", "--dry-run")
    assert "left out by --tag or --owner: a" in answer.out
    answer = four.say("rotate", "--provider", "ks", "--owner", "them")
    assert "left out by --tag or --owner: a" in answer.err
    assert len(four.keyserver.live("a")) == 1


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["--provider", "othr"], ["rotate: there is no provider 'othr'", "hint: did you mean other?"]),
        (["--store", "mor"], ["rotate: there is no store 'mor'", "hint: did you mean more?"]),
        (["--consumer", "apy"], ["rotate: there is no consumer 'apy'", "hint: did you mean api?"]),
        (["--tag", "lm"], ["rotate: there is no tag 'lm'", "hint: did you mean llm?"]),
        (["--owner", "thm"], ["rotate: there is no owner 'thm'", "hint: did you mean them?"]),
        (["--own", "them"], ["rotate: there is no option --own", "hint: did you mean --owner?"]),
        (["--tag", "zzz"], ["rotate: there is no tag 'zzz'", "hint: known: llm, t"]),
        (["--parallel", "x", "a"], ["rotate: --parallel: 'x' is not a whole number", "hint: see `rotate --help`"]),
        (["a", "--reason"], ["rotate: --reason needs a value", "hint: see `rotate --help`"]),
        (["a", "--yes=1"], ["rotate: --yes takes no value", "hint: see `rotate --help`"]),
        (
            ["a", "--contained", "--not-contained"],
            ["rotate: --not-contained cannot stand beside --contained", "hint: see `rotate --help`"],
        ),
        (["--due", "a"], ["rotate: --due selects by itself", "hint: leave out the names and the other selectors"]),
    ],
    ids=lambda value: value[0],
)
def test_a_misspelt_selector_is_answered_with_the_nearest(four: Scene, words: list[str], lines: list[str]) -> None:
    answer = four.say("rotate", *words)
    assert (answer.code, answer.out, answer.lines) == (2, "", lines)
    assert not (four.folder / "rotator.db").exists()


def test_a_selection_without_a_credential_is_told(four: Scene) -> None:
    answer = four.say("rotate", "a", "--owner", "them")
    assert answer.code == 2
    assert answer.lines[0] == "rotate: the selection matches no credential"


def test_one_at_a_time_comes_to_the_same(four: Scene) -> None:
    four.policy(overlap="0s")
    report = four.json("rotate", "--all", "--parallel", "1", "--wait")
    check_report(report)
    assert report["coverage"] == {
        **dict.fromkeys(("rolled_back", "stuck", "waiting", "exposed", "unknown"), 0),
        **dict.fromkeys(("selected", "done", "proven"), 4),
    }
    assert four.mints == 4


@pytest.mark.parametrize("number", ["0", "257", "many"])
def test_a_strange_number_of_rotations_at_a_time_is_refused(four: Scene, number: str) -> None:
    answer = four.say("rotate", "a", "--parallel", number)
    assert answer.code == 2
    assert len(answer.lines) == 2
    assert four.mints == 0


def test_a_dry_run_says_what_happens_in_which_order_and_what_bounds_it(four: Scene) -> None:
    four.policy(overlap="24h", max_overlap="7d", quiet_for="1h")
    data = json.loads(four.config.read_text())
    data["providers"]["ks"]["rate"] = "1/s"
    four.rewrite(**data)
    answer = four.say("rotate", "--all", "--dry-run")
    assert answer.code == 0, answer.err
    text = answer.out
    assert "4 credentials at 2 providers; 4 old keys die when they are quiet" in text
    assert text.index("1. mint") < text.index("2. verify") < text.index("3. retire")
    assert "24 h later and once unused for 60 min" in text
    assert "api: nothing, if they read the store at least every 24 h" in text
    assert "not faster than" in text
    assert "what ks allows" in text
    assert text.endswith("nothing was changed\n")
    assert four.mints == 0


def test_a_dry_run_of_an_emergency_lists_what_cannot_go_and_ends_in_3(four: Scene) -> None:
    four.credential("b", policy="none-such")
    answer = four.say("rotate", "--all", "--assume-compromise", "--dry-run")
    assert answer.code == 3
    assert "cannot: b: " in answer.out
    assert "3 old keys die at once" in answer.out
    assert "who keeps a value fails until it reads again" in answer.out
    assert four.mints == 0
