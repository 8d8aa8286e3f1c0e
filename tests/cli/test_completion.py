"""Completion, in the real shells; of those that are not there the script is only written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.cli.completing.words import ASKED, verbs
from rotator.cli.main import VERBS
from tests.cli.scene import NAME, SCRIPTS, Scene

pytestmark = pytest.mark.stand_in("API provider: keyserver")

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_rotator
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'source $argv[1]; complete -C "$argv[2]"'
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -Uz compinit; compinit -u -D; source $1; bindkey '^I' complete-word; setopt no_beep"
sleep 2
zpty -w -n shell "$2"$'\t'
sleep 4
while zpty -r -t shell piece; do text+=$piece; done
print -r -- $text
zpty -d shell
"""


def ask(scene: Scene, shell: str, program: str, *words: str) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    script = scene.folder / f"completion.{shell}"
    script.write_text(scene.say("completion", shell).out)
    environment = {
        **scene.environment(),
        "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
        "ROTATOR_CONFIG": str(scene.config),
    }
    flags = {
        "bash": ["--norc", "-c", program, "bash"],
        "zsh": ["-f", "-c", program, "zsh"],
        "fish": ["-N", "-c", program],
    }
    command = [shell, *flags[shell], str(script), *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, env=environment, cwd=scene.folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_bash(scene: Scene, *words: str) -> list[str]:
    return ask(scene, "bash", BASH, *words).split("\n")[:-1]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("rotator", "stat"), ["status"]),
        (("rotator", "status", "llm"), [NAME]),
        (("rotate", "llm"), [NAME]),
        (("rotator", "--config", "rotator.yaml", "why", ""), [NAME]),
        (("rotate", "--provider", ""), ["ks"]),
        (("rotate", "--store", "f"), ["files"]),
        (("rotate", "--tag", ""), ["t"]),
        (("rotate", "--assume"), ["--assume-compromise"]),
        (("rotate", "--deadline", ""), [""]),
        (("rotator", "log", "e"), ["export"]),
        (("rotator", "log", "export", "--fo"), ["--follow"]),
        (("rotator", "plugins", "t"), ["try"]),
        (("rotator", "completion", "z"), ["zsh"]),
        (("rotator", "trust", "rotator.y"), ["rotator.yaml"]),
        (("rotator", "nonsense", ""), [""]),
    ],
    ids=str,
)
def test_bash_completes_verbs_options_and_names(words: tuple[str, ...], found: list[str], scene: Scene) -> None:
    assert in_bash(scene, *words) == found


def test_bash_completes_every_verb(scene: Scene) -> None:
    assert set(in_bash(scene, "rotator", "")) == set(VERBS)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("rotator stat", "status"),
        ("rotate ", NAME),
        ("rotate --provider ", "ks"),
        ("rotate --assu", "--assume-compromise"),
    ],
    ids=str,
)
def test_fish_completes_them_too(line: str, found: str, scene: Scene) -> None:
    answers = [each.partition("\t")[0] for each in ask(scene, "fish", FISH, line).splitlines()]
    assert found in answers


@pytest.mark.parametrize(
    ("line", "found"),
    [("rotator stat", "status"), ("rotate llm", NAME), ("rotate --assu", "--assume-compromise")],
    ids=str,
)
def test_zsh_completes_them_too(line: str, found: str, scene: Scene) -> None:
    assert found in ask(scene, "zsh", ZSH, line)


def test_every_verb_and_every_option_of_the_parser_is_known(scene: Scene) -> None:
    known = {verb.name: {name for option in verb.options for name in option.names} for verb in verbs()}
    assert known.keys() == VERBS.keys()
    text = scene.run("rotate", "--help").out.partition("which:")[2]
    shown = {word.strip(",") for line in text.splitlines() for word in line.split()[:1] if word.startswith("--")}
    assert len(shown) > 20
    assert shown <= known["rotate"]


@pytest.mark.parametrize("kind", sorted(ASKED))
def test_a_name_that_a_shell_could_take_for_more_is_left_out(kind: str, scene: Scene) -> None:
    hostile = ["$(touch owned)", "`id`", "a b", "-rf", "a;b", "x" * 300, "$HOME"]
    entry = {"owner": "team", "tags": ["t", *hostile], "consumers": ["app", *hostile]}
    credentials = dict.fromkeys(hostile, entry) | {"good": entry, "bad": {"owner": hostile[0]}}
    named: dict[str, object] = {each: {} for each in (*hostile, "one")}
    scene.rewrite(credentials=credentials, providers=named, stores=named)
    answer = scene.say("completion", "--names", kind)
    assert answer.code == 0
    assert answer.out.split() == (["bad", "good"] if kind == "credentials" else answer.out.split()[:1])
    assert answer.out


def test_what_is_no_config_or_not_to_be_believed_completes_nothing_and_says_nothing(scene: Scene) -> None:
    scene.config.chmod(0o666)
    answer = scene.say("completion", "--names", "credentials")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    scene.config.chmod(0o600)
    scene.config.write_text("rubbish: [")
    answer = scene.say("completion", "--names", "credentials")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


def test_names_are_told_without_loading_what_rotates(scene: Scene) -> None:
    program = (
        "import sys; from rotator.cli.main import main; main(sys.argv[1:]);"
        "print(sorted({each.partition('.')[0] for each in sys.modules} & "
        "{'pydantic', 'sqlalchemy', 'urllib3', 'cryptography', 'structlog', 'apscheduler', 'tenacity'}))"
    )
    words = scene.with_config(["completion", "--names", "credentials"])
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.splitlines() == [NAME, "[]"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no shell was named"),
        (("powershell",), "bash|zsh|fish: 'powershell' is none of bash, zsh, fish"),
        (("--names", "secrets"), "--names is not understood"),
    ],
    ids=str,
)
def test_another_shell_is_refused(scene: Scene, words: tuple[str, ...], message: str) -> None:
    answer = scene.say("completion", *words)
    assert (answer.code, answer.out, len(answer.lines)) == (2, "", 2)
    assert answer.lines[0].startswith("rotator: "), answer.err
    assert Path(scene.config).exists()
    assert message.split(":", maxsplit=1)[0].split(" ", maxsplit=1)[0] in answer.lines[0]
