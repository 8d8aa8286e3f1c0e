"""Bad input: two lines, lower case, no full stop, exit 2 or 3, no traceback, and nothing changed or lost."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable

import pytest

from rotator.testing.keyserver import FaultKind, Operation
from tests.cli.scene import NAME, SCRIPTS, SHORT, Answer, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")
Harm = Callable[[Scene], object]


def _two_lines(answer: Answer) -> list[str]:
    lines = answer.lines
    assert answer.code in (2, 3), answer
    assert len(lines) == 2, answer.err
    assert lines[1].startswith("hint: ")
    for line in lines:
        said = line.partition(": ")[2]
        assert said
        assert not said.endswith("."), line
        assert not said[0].isupper(), line
    assert "Traceback" not in answer.err + answer.out
    return lines


def _newer(scene: Scene) -> None:
    with sqlite3.connect(scene.folder / "rotator.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def _wrong_key(scene: Scene) -> None:
    (scene.folder / "installation.key").write_text("not a key")


HARMS: dict[str, tuple[Harm, str]] = {
    "no such config": (lambda s: s.config.unlink(), "cannot be read"),
    "config that others may write": (lambda s: s.config.chmod(0o666), "may be written by others"),
    "config that is no YAML": (lambda s: s.config.write_text("{"), "rotator.yaml"),
    "unknown key": (lambda s: s.rewrite(credentals={}), "credentals"),
    "literal secret": (
        lambda s: s.rewrite(
            providers={"ks": {"driver": "keyserver", "admin": "sk-not-for-here", "base_url": "http://x"}}
        ),
        "is not a reference",
    ),
    "no such driver": (
        lambda s: s.rewrite(providers={"ks": {"driver": "keysrver", "admin": "file:admin"}}),
        "there is no driver keysrver",
    ),
    "no admin credential": (lambda s: (s.folder / "admin").unlink(), "the admin credential of ks"),
    "wrong admin credential": (lambda s: (s.folder / "admin").write_text("wrong"), "refuses the admin credential"),
    "no installation key": (lambda s: (s.folder / "installation.key").unlink(), "installation.key"),
    "broken installation key": (_wrong_key, "installation"),
    "unreachable provider": (lambda s: s.keyserver.stop(), "127.0.0.1"),
    "provider that refuses everybody": (
        lambda s: s.keyserver.fail(None, FaultKind.UNAUTHORIZED, calls=None),
        "refuses the admin credential",
    ),
    "store without its root": (lambda s: shutil.move(s.folder / "store", s.folder / "gone"), "store"),
    "journal in no folder": (lambda s: s.rewrite(state="sqlite:///no/such/rotator.db"), "no directory"),
    "journal that is a folder": (lambda s: s.rewrite(state="sqlite:///store"), "directory"),
    "journal that is something else": (
        lambda s: (s.folder / "rotator.db").write_text("hello " * 100),
        "is not a journal",
    ),
    "journal of a newer version": (_newer, "newer"),
    "journal of another kind": (lambda s: s.rewrite(state="mysql://db/rotator"), "state"),
}


@pytest.mark.parametrize("name", HARMS)
def test_it_is_said_in_two_lines_and_nothing_is_changed(scene: Scene, name: str) -> None:
    harm, said = HARMS[name]
    scene.say("adopt", NAME)
    before = scene.published()
    harm(scene)
    lines = _two_lines(scene.say("rotate", NAME))
    assert lines[0].startswith("rotate: ")
    assert said in lines[0]
    assert scene.alive == {"key-1"}
    assert scene.mints == 0
    if name != "store without its root":
        assert scene.published() == before


@pytest.mark.parametrize("verb", ["adopt", "why", "prove", "hold", "rollback", "revoke"])
def test_every_verb_answers_a_misspelt_name_with_the_nearest(scene: Scene, verb: str) -> None:
    lines = _two_lines(scene.say(verb, "llm-prd", *(["--yes"] if verb == "revoke" else [])))
    assert lines == ["rotator: there is no credential 'llm-prd'", "hint: did you mean llm-prod?"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["hold", ""], "NAME"),
        (["resume", ""], "NAME"),
        (["history", ""], "NAME"),
        (["status", ""], "NAME"),
        (["rotate", ""], "NAME"),
        (["rotate", NAME, "--provider", ""], "--provider"),
        (["rotate", NAME, "--state", ""], "--state"),
        (["status", "--state="], "--state"),
        (["status", "--config", ""], "--config"),
        (["adopt", NAME, "--key-id", ""], "--key-id"),
        (["init", "--from", ""], "--from"),
    ],
)
def test_a_word_that_is_empty_is_never_taken_for_none(scene: Scene, words: list[str], what: str) -> None:
    """Else `hold "$NAME"` holds whatever is stuck, and `--state "$URL"` means another journal."""
    lines = _two_lines(scene.say(*words))
    assert lines[0].endswith(f": an empty word is given as {what}")
    assert lines[1] == "hint: is a variable not set?"
    assert not (scene.folder / "rotator.db").exists()


def test_a_word_too_many_is_told_as_such_even_if_it_is_empty(scene: Scene) -> None:
    for words in (["provide", NAME, ""], ["acknowledge", NAME, "web", ""]):
        assert "is not taken from the command line" in _two_lines(scene.say(*words))[0]


def test_a_reason_may_be_left_empty(scene: Scene) -> None:
    assert scene.say("hold", NAME, "--reason", "").code == 0


@pytest.mark.parametrize("limit", ["0", "-5", "x", "1.5"])
def test_a_history_of_less_than_one_is_refused(scene: Scene, limit: str) -> None:
    assert "--limit" in _two_lines(scene.say("history", "--limit", limit))[0]


def test_a_config_in_the_working_directory_counts_only_once_it_is_trusted(scene: Scene) -> None:
    bare = ["status", "--no-color"]
    answer = _here(scene, *bare)
    assert answer.code == 2
    assert "is not trusted" in _two_lines(answer)[0]
    assert "rotator trust" in answer.lines[1]
    assert _here(scene, "trust").code == 0
    assert _here(scene, *bare).code == 0
    scene.policy(every="29d")
    assert _here(scene, *bare).code == 2


def test_without_any_config_it_says_how_to_get_one(scene: Scene) -> None:
    scene.config.unlink()
    assert _two_lines(_here(scene, "status")) == [
        "rotator: there is no config",
        "hint: `rotator init` writes one, `--config FILE` names one",
    ]


def _here(scene: Scene, *words: str) -> Answer:
    """A command without `--config`, in the folder of the config."""
    done = subprocess.run(
        [str(SCRIPTS / "rotator"), *words],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=scene.folder,
        env=scene.environment(),
        check=False,
    )
    return Answer(code=done.returncode, out=done.stdout, err=done.stderr)


def test_a_disk_that_is_full_in_mid_rotation_loses_nothing(scene: Scene) -> None:
    """The largest size of a file stands for a full disk: the database can grow no further."""
    scene.lease(SHORT)
    scene.policy(overlap="0s")
    scene.say("adopt", NAME)
    size = (scene.folder / "rotator.db").stat().st_size

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, resource.RLIM_INFINITY))

    done = subprocess.run(
        [str(SCRIPTS / "rotate"), *scene.with_config([NAME, "--wait"])],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=scene.folder,
        env=scene.environment(),
        check=False,
        preexec_fn=full,
    )
    said = "".join(f"{line}\n" for line in done.stderr.splitlines()[-2:])
    _two_lines(Answer(code=done.returncode, out=done.stdout, err=said))
    assert done.returncode == 3
    answer = scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    assert len(scene.alive) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_journal_that_may_not_be_written_is_told(scene: Scene) -> None:
    scene.say("adopt", NAME)
    (scene.folder / "rotator.db").chmod(0o400)
    lines = _two_lines(scene.say("rotate", NAME))
    assert "cannot be written" in lines[0]
    assert scene.say("status").code == 0
    assert scene.mints == 0


def test_a_provider_that_answers_with_a_page_is_not_believed(scene: Scene) -> None:
    scene.say("adopt", NAME)
    scene.keyserver.fail(Operation.LIST, FaultKind.HTML, calls=None)
    _two_lines(scene.say("rotate", NAME))
    assert scene.mints == 0


def test_an_admin_credential_given_for_this_run_is_named_when_it_cannot_be_had(scene: Scene) -> None:
    lines = _two_lines(scene.say("rotate", NAME, "--admin", "ks=file:none"))
    assert "the admin credential of ks: file:" in lines[0]
    assert scene.mints == 0
