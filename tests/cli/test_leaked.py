"""`rotate --leaked` and `--key-id`: whose key it is, what is done about it, what is said of one that is nobody's."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.testing.keyserver import Behaviour, FaultKind, Keyserver, Operation
from tests.cli.scene import NAME, SCRIPTS, Answer, Scene, make
from tests.cli.shape import check_report

pytestmark = pytest.mark.stand_in("API provider: keyserver")
GO = ("--assume-compromise", "--contained", "--yes")
STRANGE = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" + "zzYx"
FIRST, SECOND = "leaked value (not shown): ", "another one (not shown, empty for none): "
OURS = "ks_live_" + "a1B2c3D4e5F6g7H8i9J0" + "wwVu"


@pytest.fixture
def two(tmp_path: Path, keyserver: Keyserver) -> Scene:
    """a and b, adopted, each with a key of its own."""
    scene = make(tmp_path, keyserver, names=("a", "b"))
    for name in ("a", "b"):
        assert scene.say("adopt", name).code == 0
    return scene


def looks(scene: Scene) -> list[Operation]:
    """What the keyserver was asked."""
    return [each.operation for each in scene.keyserver.log]


# -- a value -----------------------------------------------------------------------------------------------------------


def test_a_leaked_value_replaces_exactly_its_credential_and_proves_the_old_key_dead(two: Scene) -> None:
    value = two.published("b")
    answer = two.say("rotate", "--leaked", *GO, stdin=f"{value}\n")
    assert answer.code == 0, answer.err
    assert answer.lines[0].startswith("incident inc-")
    assert answer.lines[1] == "it is key key-2 of b, current"
    assert answer.out.splitlines()[-1].endswith("1 old key of 1 credential proven dead")
    assert {key.id for key in two.keyserver.live("a")} == {"key-1"}
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}
    assert value not in answer.out + answer.err


def test_the_journal_recognises_it_without_asking_anybody(two: Scene) -> None:
    (two.folder / "store" / "a.json").unlink()
    before = looks(two)
    answer = two.say("rotate", "--leaked", "--dry-run", *GO, stdin=two.published("b"))
    assert answer.code == 0, answer.err
    assert "it is key key-2 of b, current" in answer.err
    assert Operation.IDENTIFY not in looks(two)[len(before) :]


@pytest.mark.parametrize(
    "written",
    [
        lambda value: f"API_KEY={value}",
        lambda value: f"postgresql://app:{value}@db/x",
        lambda value: base64.b64encode(value.encode()).decode(),
        lambda value: json.dumps({"key": value}),
        lambda value: f"  {value}\r",
    ],
    ids=["dotenv", "url", "base64", "json", "blanks"],
)
def test_it_may_be_pasted_as_it_was_found(written: object, two: Scene) -> None:
    assert callable(written)
    report = json.loads(
        two.say("rotate", "--leaked", "--dry-run", "--json", *GO, stdin=written(two.published("b"))).out
    )
    check_report(report)
    assert [each["credential"] for each in report["rotations"]] == ["b"]


def test_several_values_are_one_incident_and_what_is_nobodys_ends_it_in_3(two: Scene) -> None:
    answer = two.say("rotate", "--leaked", *GO, stdin=f"{two.published('a')}\n{two.published('b')}\n\n")
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1].endswith("2 old keys of 2 credentials proven dead")
    answer = two.say("rotate", "--leaked", *GO, stdin=f"{STRANGE}\n{two.published('b')}\n")
    assert answer.code == 3
    assert "leaked value 1 is of no credential here" in answer.err
    assert (
        "it looks like a key of OpenAI ending in …zzYx; revoke it: https://platform.openai.com/api-keys" in answer.err
    )
    assert {key.id for key in two.keyserver.live("b")} == {"key-5"}
    assert STRANGE not in answer.err + answer.out


def test_what_else_is_selected_adds_up_and_an_owner_narrows(two: Scene) -> None:
    two.credential("b", owner="them")
    report = json.loads(two.say("rotate", "a", "--leaked", "--dry-run", "--json", *GO, stdin=two.published("b")).out)
    assert [each["credential"] for each in report["rotations"]] == ["a", "b"]
    answer = two.say("rotate", "a", "--leaked", "--owner", "them", "--dry-run", *GO, stdin=two.published("b"))
    assert "left out by --tag or --owner: a" in answer.out


def test_the_same_leak_within_a_day_is_the_same_incident_and_dead_already(two: Scene) -> None:
    value = two.published("b")
    assert two.say("rotate", "--leaked", *GO, stdin=value).code == 0
    mints = two.mints
    answer = two.say("rotate", "--leaked", *GO, stdin=value)
    assert answer.code == 0
    first, last = answer.out.splitlines()
    assert first.startswith("it is key key-2 of b, dead since 20")
    assert last.startswith("nothing was changed: it is dead already")
    assert two.mints == mints
    answer = two.say("rotate", "--leaked", *GO, "--again", stdin=value)
    assert answer.code == 0, answer.err
    assert two.mints == mints + 1


def test_on_a_laptop_whose_journal_knows_nothing_the_stores_tell(scene: Scene) -> None:
    answer = scene.say("rotate", "--leaked", *GO, stdin=scene.published())
    assert answer.code == 0, answer.err
    assert f"it is a key of {NAME}, current" in answer.err
    assert scene.alive == {"key-2"}


def test_where_neither_knows_it_the_provider_tells(scene: Scene) -> None:
    scene.keyserver.seed_key(NAME, secret=OURS)
    answer = scene.say("rotate", "--leaked", *GO, stdin=OURS)
    assert answer.code == 0, answer.err
    assert f"it is key key-2 of {NAME}, old" in answer.err
    assert scene.alive == {"key-3"}, "in an emergency every key that belongs dies"


def test_a_key_that_the_provider_knows_and_no_credential_has_is_foreign(scene: Scene) -> None:
    scene.credential(principal={"principal": NAME})
    scene.keyserver.seed_key(NAME, secret=OURS)
    answer = scene.say("rotate", "--leaked", *GO, stdin=OURS)
    assert (answer.code, answer.out) == (2, "")
    assert answer.lines == [
        "rotate: the leaked value: key-2 at ks is a foreign key: no credential has it",
        "hint: revoke it in ks's console; nothing was changed",
    ]
    assert scene.mints == 0


def test_a_key_is_called_foreign_only_as_far_as_the_provider_lists(scene: Scene) -> None:
    scene.keyserver.seed_key(NAME, secret=OURS)
    scene.keyserver.fail(Operation.LIST, FaultKind.HTML, calls=None)
    answer = scene.say("rotate", "--leaked", *GO, stdin=OURS)
    assert answer.code == 2
    assert answer.lines[0].startswith("not asked: provider ks: ")
    assert answer.lines[-2] == (
        "rotate: the leaked value: key-2 at ks is a foreign key, as far as was asked: no credential is known to have it"
    )


def test_a_provider_that_is_down_is_named_and_the_value_is_nobodys_only_as_far_as_was_asked(scene: Scene) -> None:
    scene.keyserver.fail(Operation.IDENTIFY, FaultKind.HTML, calls=None)
    answer = scene.say("rotate", "--leaked", *GO, stdin=OURS)
    assert answer.code == 2
    assert answer.lines[0].startswith("not asked: provider ks: ")
    assert answer.lines[-2:] == [
        (
            "rotate: the leaked value is of no credential here, as far as was asked; "
            "it looks like a key of keyserver ending in …wwVu"
        ),
        "hint: revoke it: the keyserver that issued it; nothing was changed",
    ]
    assert OURS not in answer.err


def test_a_provider_that_tells_of_no_value_is_named(tmp_path: Path) -> None:
    with Keyserver(Behaviour(identify=False)) as keyserver:
        scene = make(tmp_path, keyserver, identifies=False)
        answer = scene.say("rotate", "--leaked", *GO, stdin=OURS)
    assert answer.code == 2
    assert answer.lines[0] == "not asked: provider ks: it does not tell whose a value is"


def test_a_store_that_is_down_is_named(scene: Scene) -> None:
    (scene.folder / "store" / f"{NAME}.json").write_text("{")
    answer = scene.say("rotate", "--leaked", *GO, stdin=OURS)
    assert answer.code == 2
    assert answer.lines[0].startswith(f"not asked: files:{NAME}.json: ")


def test_another_vendors_key_is_shown_to_no_provider(scene: Scene) -> None:
    answer = scene.say("rotate", "--leaked", *GO, stdin=STRANGE)
    assert answer.code == 2
    assert answer.lines == [
        "rotate: the leaked value is of no credential here; it looks like a key of OpenAI ending in …zzYx",
        "hint: revoke it: https://platform.openai.com/api-keys; nothing was changed",
    ]
    assert Operation.IDENTIFY not in looks(scene)


def test_a_value_of_no_known_form_is_said_to_be_that(scene: Scene) -> None:
    answer = scene.say("rotate", "--leaked", *GO, stdin="correct horse battery")
    assert answer.code == 2
    assert answer.lines == [
        "rotate: the leaked value is of no credential here, and of no form known here",
        "hint: ask whoever found it whose it is; nothing was changed",
    ]


def test_without_assume_compromise_it_is_a_rotation_as_any_and_says_that_the_key_lives_on(two: Scene) -> None:
    answer = two.say("rotate", "--leaked", stdin=two.published("b"))
    assert answer.code == 0, answer.err
    assert "note: without --assume-compromise the leaked key works until the overlap is over" in answer.err
    assert two.published("b") != ""
    assert len(two.keyserver.live("b")) == 2


def test_at_a_terminal_it_is_asked_for_and_never_shown(two: Scene) -> None:
    value = two.published("b")
    ours, theirs = pty.openpty()
    words = ["--leaked", *GO]
    try:
        with (
            two.leased_for(words),
            subprocess.Popen(
                [str(SCRIPTS / "rotate"), *two.with_config(words)],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=two.environment(),
                start_new_session=True,  # so that there is no other terminal to ask on
            ) as asking,
        ):
            assert asking.stderr is not None
            said = asking.stderr.read(len(FIRST))
            os.write(ours, f"{value}\n".encode())
            said += asking.stderr.read(len(f"\n{SECOND}"))
            os.write(ours, b"\n")
            out, err = asking.communicate(timeout=200)
        os.set_blocking(ours, False)
        echo = os.read(ours, 1000) if select.select([ours], [], [], 0.1)[0] else b""
    finally:
        os.close(ours)
        os.close(theirs)
    assert (asking.returncode, said) == (0, f"{FIRST}\n{SECOND}"), err
    assert value not in out + err + echo.decode()
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}


def test_nothing_of_the_value_is_stored(two: Scene) -> None:
    value = two.published("b")
    assert two.say("rotate", "--leaked", *GO, stdin=value).code == 0
    for path in two.folder.glob("rotator.db*"):
        assert value.encode() not in path.read_bytes()


# -- a key's id --------------------------------------------------------------------------------------------------------


def selected(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [each["credential"] for each in json.loads(answer.out)["rotations"]]


def test_a_keys_id_selects_its_credential_and_several_add_up(two: Scene) -> None:
    dry = ("--dry-run", "--json", *GO)
    assert selected(two.say("rotate", "--key-id", "ks/key-2", *dry)) == ["b"]
    assert selected(two.say("rotate", "--key-id", "ks/key-2", "--key-id", "ks/key-1", *dry)) == ["a", "b"]
    assert selected(two.say("rotate", "--key-id", "ks/key-2", "a", *dry)) == ["a", "b"]


def test_the_hint_of_a_console_selects_too_however_it_is_masked(two: Scene) -> None:
    value = two.published("b")
    for hint in (f"…{value[-4:]}", f"...{value[-4:]}", f"ks_live_...{value[-4:]}", f"****{value[-6:]}"):
        assert selected(two.say("rotate", "--key-id", f"ks/{hint}", "--dry-run", "--json", *GO)) == ["b"], hint


def test_a_hint_that_fits_several_keys_lists_them(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver, names=("a", "b"))
    for name in ("a", "b"):
        keyserver.seed_key(name, secret=f"ks_live_{name}_0123456789abcdefSAME")
    answer = scene.say("rotate", "--key-id", "ks/…SAME", *GO)
    assert answer.code == 2
    assert answer.lines == ["rotate: …SAME at ks may be any of 2 keys", "hint: write one of them: key-3, key-4"]


def test_a_slot_selects_its_credential(tmp_path: Path) -> None:
    with Keyserver(Behaviour(slots=("one", "two"), marks=False)) as keyserver:
        scene = make(tmp_path, keyserver, strategy="two-slots", slots=["one", "two"])
        dry = ("--dry-run", "--json", *GO)
        assert selected(scene.say("rotate", "--key-id", "ks/one", *dry)) == [NAME], "by the provider's list"
        assert scene.say("adopt", NAME).code == 0
        assert selected(scene.say("rotate", "--key-id", "ks/one", *dry)) == [NAME], "by the journal"


def test_a_key_that_is_dead_is_said_to_be_and_nothing_is_done(two: Scene) -> None:
    assert two.say("rotate", "--key-id", "ks/key-2", *GO).code == 0
    mints = two.mints
    answer = two.say("rotate", "--key-id", "ks/key-2", *GO)
    assert answer.code == 0
    assert answer.out.startswith("it is key key-2 of b, dead since 20")
    report = two.json("rotate", "--key-id", "ks/key-2", *GO)
    check_report(report)
    assert (report["rotations"], two.mints) == ([], mints)


def test_an_id_that_is_nobodys_is_a_foreign_key_with_where_to_revoke_it(two: Scene) -> None:
    for name in ("a", "b"):
        two.credential(name, principal={"principal": name})
    other, _ = two.keyserver.seed_key("b")
    answer = two.say("rotate", "--key-id", f"ks/{other}", *GO)
    assert answer.code == 2
    assert answer.lines == [
        f"rotate: {other} at ks is a foreign key: no credential has it",
        "hint: revoke it in ks's console; nothing was changed",
    ]


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["--key-id", "key-2"], ["rotate: --key-id is not understood",
                                 "hint: write --key-id PROVIDER/ID, the provider as in the config"]),
        (["--key-id", "kss/key-2"], ["rotate: --key-id: there is no provider 'kss'", "hint: did you mean ks?"]),
        (["--key-id", "ks/none"], ["rotate: ks lists no key none, and no credential had one",
                                   ("hint: of a key that is gone already only the journal would know; "
                                   "write the id as its console does")]),
        (["--key-id", "ks/…x"], ["rotate: …x shows too little of a key",
                                 "hint: write at least 3 of its characters"]),
        (["--leaked", "--due"], ["rotate: --due selects by itself",
                                 "hint: leave out the names and the other selectors"]),
        (["--leaked", *GO], ["rotate: no leaked value was given",
                             "hint: one a line on standard input, or at the prompt"]),
        (["--leaked", "--admin", "ks=-", *GO], ["rotate: --leaked and --admin both want standard input",
                                                "hint: use --admin PROVIDER=file:PATH"]),
        (["--leaked=x"], ["rotate: --leaked takes no value", "hint: see `rotate --help`"]),
    ],
    ids=["no-provider", "misspelt", "none", "short", "due", "empty", "admin", "argv"],
)  # fmt: skip
def test_bad_input_is_told_in_two_lines_and_changes_nothing(words: list[str], lines: list[str], two: Scene) -> None:
    answer = two.say("rotate", *words)
    assert (answer.code, answer.out, answer.lines) == (2, "", lines)
    assert two.mints == 0


def test_a_provider_that_is_down_cannot_be_asked_for_a_hint(two: Scene) -> None:
    two.keyserver.fail(Operation.LIST, FaultKind.HTML, calls=None)
    answer = two.say("rotate", "--key-id", "ks/…abcd", *GO)
    assert answer.code == 2
    assert answer.lines[0].startswith("rotate: ks could not be asked about …abcd: ")


def test_a_key_that_was_deleted_and_never_proven_dead_is_not_called_dead(two: Scene) -> None:
    value = two.published("b")
    assert two.say("adopt", "b").code == 0
    assert two.say("revoke", "b", "--yes").code == 0
    answer = two.say("rotate", "--leaked", *GO, stdin=value)
    assert answer.code == 3, answer.err
    assert "was deleted and never proven dead; `rotator prove b`" in answer.out
    assert answer.out.splitlines()[-1] == "nothing was changed: its death was never proven"


# -- several at once, of which some are bad ----------------------------------------------------------------------------


def test_in_an_emergency_a_value_that_is_too_long_stops_no_other(two: Scene) -> None:
    answer = two.say("rotate", "--leaked", *GO, stdin=f"{'x' * 70_000}\n{two.published('b')}\n")
    assert answer.code == 3, answer.err
    assert "leaked value 1 is longer than any key; one a line; `rotator find -` takes whole files" in answer.lines
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}
    assert "1 unknown, not called safe: leaked 1" in answer.out.splitlines()[-1]


def test_without_an_emergency_a_value_that_is_too_long_is_refused_before_anything(two: Scene) -> None:
    answer = two.say("rotate", "--leaked", stdin=f"{two.published('b')}\n{'x' * 70_000}\n")
    assert (answer.code, answer.lines[-2]) == (2, "rotate: leaked value 2 is longer than any key")
    assert two.mints == 0


def test_in_an_emergency_an_id_whose_provider_is_down_stops_no_other(two: Scene) -> None:
    config = json.loads(two.config.read_text())
    nowhere = {**config["providers"]["ks"], "base_url": "http://127.0.0.1:9"}
    place = {"store": "files", "ref": "c.json", "fields": {"API_KEY": "{secret}"}}
    third = {"provider": "down", "principal": {"principal": "c"}, "publish": [place], "policy": "quick"}
    two.rewrite(providers={**config["providers"], "down": nowhere}, credentials={**config["credentials"], "c": third})
    answer = two.say("rotate", "--key-id", "down/…abcd", "--key-id", "ks/key-2", "--key-id", "ks/none", *GO)
    assert answer.code == 3, answer.err
    assert any(line.startswith("down could not be asked about …abcd: ") for line in answer.lines), answer.err
    assert any(line.startswith("ks lists no key none, and no credential had one; ") for line in answer.lines)
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}


def test_in_an_emergency_a_misspelt_provider_is_told_before_anything_is_done(two: Scene) -> None:
    answer = two.say("rotate", "--key-id", "ks/key-2", "--key-id", "kss/key-1", *GO)
    assert (answer.code, answer.lines[-1]) == (2, "hint: did you mean ks?")
    assert two.mints == 0


def test_a_value_that_is_nobodys_stops_none_that_was_named_beside_it(two: Scene) -> None:
    answer = two.say("rotate", "a", "--leaked", *GO, stdin=STRANGE)
    assert answer.code == 3, answer.err
    assert any(line.startswith("the leaked value is of no credential here; it looks like") for line in answer.lines)
    assert {key.id for key in two.keyserver.live("a")} == {"key-3"}


def test_a_key_of_a_credential_that_the_config_lost_stops_no_other(two: Scene) -> None:
    lost = two.published("a")
    credentials = json.loads(two.config.read_text())["credentials"]
    two.rewrite(credentials={"b": credentials["b"]})
    answer = two.say("rotate", "--leaked", *GO, stdin=f"{lost}\n{two.published('b')}\n")
    assert answer.code == 3, answer.err
    assert any("key key-1 of a leaked, and the config has no such credential any more" in line for line in answer.lines)
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}


def test_standard_input_beyond_what_is_read_is_told_and_what_was_read_goes(two: Scene) -> None:
    filler = "x" * 60_000
    answer = two.say(
        "rotate", "--leaked", *GO, stdin="\n".join([two.published("b"), *[filler] * 80, two.published("a")])
    )
    assert answer.code == 3, answer.err
    assert any(line.startswith("standard input is longer than 4,194,304 characters") for line in answer.lines)
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}
    assert {key.id for key in two.keyserver.live("a")} == {"key-1"}


def test_more_lines_than_are_read_are_told_and_those_that_were_read_go(two: Scene) -> None:
    answer = two.say("rotate", "--leaked", *GO, stdin=two.published("b") + "\n" * 1001 + two.published("a"))
    assert answer.code == 3, answer.err
    assert any(line.startswith("standard input has more than 1000 lines") for line in answer.lines)
    assert {key.id for key in two.keyserver.live("b")} == {"key-3"}


@pytest.mark.parametrize(
    "typed",
    [
        lambda two: f"ks/{STRANGE}",
        lambda two: STRANGE,
        lambda two: f"{STRANGE}/x",
        lambda two: f"ks/{two.published('b')}",
        lambda two: "postgresql://app:hunter2hunter2@db/x",
    ],
    ids=["value", "no-provider", "as-provider", "ours", "login"],
)
def test_a_value_given_as_an_id_is_refused_and_not_repeated(typed: Callable[[Scene], str], two: Scene) -> None:
    answer = two.say("rotate", "--key-id", typed(two), *GO)
    assert answer.code == 2
    assert answer.lines[-2].startswith("rotate: --key-id holds a value, not an id: it looks like a key of ")
    assert answer.lines[-1].startswith("hint: `rotate --leaked` takes values")
    assert typed(two).removeprefix("ks/") not in answer.out + answer.err
    assert "hunter2" not in answer.err
    assert two.mints == 0


def test_a_value_of_no_known_form_is_known_by_its_fingerprint_and_not_repeated(two: Scene) -> None:
    value = "correct-horse-battery-staple"
    two.keyserver.seed_key("b", secret=value)
    two.publish(value, "b")
    assert two.say("adopt", "b").code == 1, "now the journal knows its fingerprint"
    answer = two.say("rotate", "--key-id", f"ks/{value}", *GO)
    assert (answer.code, answer.lines[-2]) == (2, "rotate: --key-id holds a value, not an id: it is one of b")
    assert value not in answer.out + answer.err


def test_an_access_keys_id_is_an_id_though_it_has_a_form(two: Scene) -> None:
    answer = two.say("rotate", "--key-id", "ks/AKIAIOSFODNN7EXAMPLE", *GO)
    assert answer.lines[-2] == "rotate: ks lists no key AKIAIOSFODNN7EXAMPLE, and no credential had one"


def test_a_value_typed_where_a_name_belongs_is_not_repeated(two: Scene) -> None:
    answer = two.say("rotate", STRANGE)
    assert answer.code == 2
    assert STRANGE not in answer.err
