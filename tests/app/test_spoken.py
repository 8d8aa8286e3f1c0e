"""What a person says is kept for ever, and no secret in it, however it is broken."""

from __future__ import annotations

import pytest

from rotator.app.spoken import MOST, one_line, spoken
from rotator.domain.held import HIDDEN, Held

KEY = "sk-proj-" + "a1B2" * 12
VALUE = "Zq8vTr4LmW2xKp9sBd7y"


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Held()
    net.begin()
    net.parts({"password": VALUE})
    monkeypatch.setattr("rotator.app.net.HELD", net)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("  an\r\n audit ", "an audit"),
        ("für die Prüfung, 中文, é, e\u0301", "für die Prüfung, 中文, é, e\u0301"),
        ("line\nafter\nline", "line after line"),
        (f"metrics, {KEY}", "metrics, …"),
        (f"für metrics, {KEY} leaked", "für metrics, … leaked"),
        (f"two lines\n{KEY}", "two lines …"),
        (f"pw {VALUE}", f"pw {HIDDEN}"),
    ],
)
def test_words_stay_and_a_secret_is_left_out(text: str, kept: str) -> None:
    assert spoken(text) == kept
    assert spoken(kept) == kept


@pytest.mark.parametrize(
    "gap", ["\n", "\r\n", "\t", "\u00ad", "\u200b", "\u00a0", "\u0301", "\u3164", "\ufe0f", "\0", "\u202e"]
)
@pytest.mark.parametrize("before", ["", "because of ", "a\n", "a", "für\u200b"])
@pytest.mark.parametrize(("secret", "at"), [(KEY, 20), (KEY, 40), (KEY, 3), (VALUE, 10), (VALUE, 5)])
def test_a_secret_that_is_broken_hides_the_whole(gap: str, before: str, secret: str, at: int) -> None:
    if before == "a" and secret is KEY:
        before = "a "  # glued to a letter it has no key's form anyway
    kept = spoken(f"{before}{secret[:at]}{gap}{secret[at:]} leaked")
    assert secret[-8:] not in kept
    assert secret[:12] not in kept


def test_a_text_of_gaps_is_not_kept() -> None:
    assert spoken("x\n" * (MOST + 1)) == HIDDEN


def test_what_cannot_be_shown_is_a_space() -> None:
    assert one_line("a\u202eb\0\n c") == "a b c"
