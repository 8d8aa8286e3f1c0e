"""Dotenv documents are changed in place, and what is written is what other programs read."""

from __future__ import annotations

import subprocess
from io import StringIO
from pathlib import Path

import dotenv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.adapters.stores.file import dotenv_text
from rotator.domain.failures import Permanent

LAYOUT = """\
# the service's own
export DB_URL = "postgres://x"   # kept
  KEY='old' # ours, KEY="not this"
#KEY=commented out
EMPTY=
BROKEN="closed" too early
MULTI="first
KEY=inside
last"

LAST=end"""

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LINES = st.lists(
    st.sampled_from(
        ["# note", "", "A=1", "export B='x y'", 'C="a\\nb" # c', "D = d e # f", "KEY=k", "E='", "F", "G=#g"]
    )
)


def edited(text: str | None, **changes: str | None) -> str:
    result = dotenv_text.edited(text, changes)
    assert result is not None
    return result


def read_elsewhere(text: str) -> dict[str, str | None]:
    return dict(dotenv.dotenv_values(stream=StringIO(text), interpolate=True))


def test_a_changed_value_leaves_every_other_byte_alone() -> None:
    assert edited(LAYOUT, KEY="new") == LAYOUT.replace("'old'", "'new'")
    assert edited(LAYOUT, DB_URL="it's") == LAYOUT.replace('"postgres://x"', '"it\'s"')
    assert edited(LAYOUT, EMPTY="x") == LAYOUT.replace("EMPTY=", "EMPTY=x")
    assert edited("A=1\r\nKEY=2\r\n", KEY="x y") == "A=1\r\nKEY='x y'\r\n"
    assert edited("\ufeffKEY=1\n", KEY="2") == "\ufeffKEY=2\n"


def test_a_new_name_is_a_line_at_the_end() -> None:
    assert edited(LAYOUT, NEW="x") == LAYOUT + "\nNEW=x\n"
    assert edited("A=1\r\n", NEW="x") == "A=1\r\nNEW=x\r\n"
    assert edited(None, A="1", B="2") == "A=1\nB=2\n"
    for bad in ("a-b", "1A", "A B", "", "A=", "ключ"):
        with pytest.raises(Permanent):
            dotenv_text.edited("", {bad: "x"})


def test_a_removed_name_takes_its_lines_along_and_no_comment() -> None:
    assert edited(LAYOUT, MULTI=None) == LAYOUT.replace('MULTI="first\nKEY=inside\nlast"\n', "")
    assert edited("# only this\nKEY=x\n", KEY=None) == "# only this\n"
    assert dotenv_text.edited("\nKEY=x\n", {"KEY": None}) is None


def test_a_name_that_stands_twice_says_the_same_everywhere() -> None:
    assert edited("KEY=a\nX=1\nKEY=b", KEY="new") == "KEY=new\nX=1\nKEY=new"
    assert dotenv_text.values("KEY=a\nKEY=b") == {"KEY": "b"}
    assert edited("KEY=a\nX=1\nKEY=b", KEY=None) == "X=1\n"


def test_what_would_end_a_quote_that_somebody_left_open_is_refused() -> None:
    with pytest.raises(Permanent) as refusal:
        edited("A=1\nE='\n", KEY="two words")
    assert "never closed" in refusal.value.message
    assert edited("A=1\nE='\n", KEY="bare") == "A=1\nE='\nKEY=bare\n"


def test_a_line_of_ours_that_nobody_understands_is_refused() -> None:
    for line in ('KEY="never closed', "KEY='a'b", 'KEY="a" b'):
        with pytest.raises(Permanent) as refusal:
            dotenv_text.edited(f"A=1\n{line}\n", {"KEY": "x"})
        assert "never" not in refusal.value.message


@pytest.mark.parametrize(
    "text", [LAYOUT, LAYOUT.replace("\n", "\r\n"), "A=b#c\nB= # c\nC='\\''\nD=\"\\t\\x\"\n E =e f  \n"]
)
def test_documents_are_read_as_python_dotenv_reads_them(text: str) -> None:
    theirs = {name: value for name, value in read_elsewhere(text).items() if value is not None}
    assert dotenv_text.values(text) == theirs


@given(LINES, st.sampled_from(["\n", "\r\n"]), TEXT)
def test_a_value_is_read_back_or_refused_and_never_touches_another_line(
    lines: list[str], line_break: str, value: str
) -> None:
    text = line_break.join(lines)
    others = {name: each for name, each in read_elsewhere(text).items() if name != "KEY"}
    try:
        after = edited(text, KEY=value)
    except Permanent as refusal:
        assert len(value) < 3 or value not in refusal.message + refusal.hint  # noqa: PT017 - most values are taken
        return
    assert dotenv_text.values(after)["KEY"] == value
    found = read_elsewhere(after)
    assert found.pop("KEY") == value
    assert found == others
    assert len(after.splitlines()) <= len(text.splitlines()) + 1


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029")))
def test_of_one_line_only_what_is_expanded_everywhere_is_refused(value: str) -> None:
    special = any(character in value for character in "'\\$`")
    if not special:
        assert dotenv_text.values(edited("", KEY=value)) == {"KEY": value}


SHELL_READS = [
    "sk-proj-0123/+=@:",
    "two words",
    "it's",
    'say "please"',
    "pa$$word$HOME",
    "a`id`b",
    r"C:\new\table",
    "a # b",
    "*",
    "~",
    "!x",
    "a;b&c|d<e>f(g)",
    """it's "both" of them""",
    r"\\server\share" + "\\",
]


@pytest.mark.parametrize("value", SHELL_READS)
def test_a_shell_reads_what_was_written(tmp_path: Path, value: str) -> None:
    (tmp_path / ".env").write_text(edited("FIRST=1\n", KEY=value, LAST="2"))
    script = ". ./.env; printf '%s' \"$KEY|$LAST\""
    shell = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, env={})
    assert (shell.stdout, shell.stderr) == (f"{value}|2", "")


@pytest.mark.parametrize("value", ["a${HOME}b", "a\0b", "a\x1bb", "a\u2028b", "a\x85b", "it's $5", "it's `id`", "'\"$"])
def test_what_others_would_read_differently_is_refused(value: str) -> None:
    with pytest.raises(Permanent) as refusal:
        edited("KEY=old\n", KEY=value)
    assert value not in refusal.value.message + refusal.value.hint
