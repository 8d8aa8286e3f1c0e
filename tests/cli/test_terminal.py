"""Tables, cutting and wrapping: what a terminal of 80 columns shows."""

from __future__ import annotations

from io import StringIO

import pytest

from rotator.cli.terminal import Region, Terminal, columns, count, cut, table, wrapped


def _terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> Terminal:
    monkeypatch.setenv("COLUMNS", str(width))
    return Terminal(StringIO(), color=True, live=True)


def test_columns_counts_neither_escapes_nor_combining_marks_and_wide_ones_twice() -> None:
    assert columns("\x1b[31mred\x1b[0m") == 3
    assert columns("e\u0301") == 1
    assert columns("鍵") == 2


@pytest.mark.parametrize("width", range(1, 14))
def test_what_is_cut_fits_and_ends_its_style(width: int) -> None:
    text = "\x1b[31mvery\x1b[0m 長い鍵の名前"
    short = cut(text, width)
    assert columns(short) <= width
    assert short.endswith("\x1b[0m") or "\x1b" not in short or short == text


@pytest.mark.parametrize("width", [20, 33, 80])
def test_wrapping_loses_no_word_and_keeps_the_width(width: int) -> None:
    text = "  the old key key-1 dies not before 2026-11-24 01:57 UTC, by the daemon or the next one"
    lines = wrapped(text, width, hanging=4).split("\n")
    assert all(columns(line) <= width for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == text.strip()


def test_a_word_that_is_longer_than_the_terminal_stays_whole() -> None:
    assert wrapped("a " + "b" * 30, 10, hanging=2) == "a\n  " + "b" * 30


def test_a_table_is_aligned_and_cut_on_a_terminal_and_whole_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["a", "x" * 30], ["long-name", "y"]]
    narrow = table(["name", "text"], rows, _terminal(monkeypatch, 24))
    assert all(columns(line) <= 24 for line in narrow)
    assert narrow[1].endswith("…")
    whole = table(["name", "text"], rows, Terminal(StringIO(), color=False, live=False))
    assert whole == ["name       text", f"a          {'x' * 30}", "long-name  y"]


def test_the_last_column_may_go_on_below_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = table(["", "because"], [["no", "one two three four five"]], _terminal(monkeypatch, 16), wrap=True)
    assert lines[1] == "no  one two\n    three four\n    five"


def test_a_region_is_drawn_over_and_lines_above_it_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _terminal(monkeypatch, 40)
    region = Region(out)
    region.draw(["one", "two"])
    region.draw(["three"])
    region.above("for good")
    assert isinstance(out.stream, StringIO)
    text = out.stream.getvalue()
    assert "\x1b[2A\x1b[2Kthree\n\x1b[0J" in text
    assert text.endswith("\x1b[1A\x1b[0Jfor good\n")


def test_plurals() -> None:
    assert [count(number, "old key") for number in (0, 1, 2)] == ["0 old keys", "1 old key", "2 old keys"]
