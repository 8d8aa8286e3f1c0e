"""A reference is turned into text when it is needed; what cannot be is said without the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.config.errors import ConfigError
from rotator.config.references import LONGEST, Reference, Resolver, read_reference
from tests.config.folder import assert_two_lines


def resolver(folder: Path, environment: dict[str, str] | None = None) -> Resolver:
    return Resolver(folder, lambda store, target: f"{store} {target}", environment or {})


def refusal(folder: Path, text: str, *, private: bool = False) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        resolver(folder)(read_reference(text, (), "it", private=private))
    assert_two_lines(raised.value)
    return raised.value


@pytest.mark.parametrize("text", ["file:/run/secrets/a", "file:a b", "env:NAME", "vault:ops/openai#admin"])
def test_what_is_written_is_what_is_shown(text: str) -> None:
    assert str(read_reference(text, ("vault",), "it")) == text


@pytest.mark.parametrize(
    "text",
    ["hunter2", "vault:a", "vault:#a", "vault:a#", "file:", ":a", "env:1", "env:a b", "ops:a#b", "", "file:a\nb"],
)
def test_what_is_no_reference_is_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_reference(text, ("vault",), "it")
    assert_two_lines(raised.value)
    assert not text or text not in raised.value.message


def test_files_variables_and_stores_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text\r\n")
    resolve = resolver(tmp_path, {"NAME": "value"})
    assert resolve(Reference("file", "a")) == "text"
    assert resolve(Reference("file", str(tmp_path / "a"))) == "text"
    assert resolve(Reference("env", "NAME")) == "value"
    assert resolve(Reference("vault", "a#b")) == "vault a#b"


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert "NAME is not set" in refusal(tmp_path, "env:NAME").message
    assert f"file:{tmp_path}/a cannot be read: No such file" in refusal(tmp_path, "file:a").message
    assert "Is a directory" in refusal(tmp_path, "file:.").message


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfehunter2", "is not text"), (b"x" * (LONGEST + 1), "too large")],
)
def test_a_file_that_holds_no_secret_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    error = refusal(tmp_path, "file:a")
    assert message in error.message
    assert "hunter2" not in error.message


def test_a_secret_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o666)
    assert refusal(tmp_path, "file:a").hint.startswith("chmod o-w ")


def test_only_what_is_ours_must_not_be_readable_by_everybody(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o644)
    assert resolver(tmp_path)(read_reference("file:a", (), "it")) == "x"
    error = refusal(tmp_path, "file:a", private=True)
    assert "may be read by everybody" in error.message
    assert error.hint == f"chmod o-r {tmp_path}/a"
    (tmp_path / "a").chmod(0o640)
    assert resolver(tmp_path)(read_reference("file:a", (), "it", private=True)) == "x"
