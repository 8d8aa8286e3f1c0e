"""Identities in the config: what they may read must be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.folder import GOOD, Folder

EXTRA = """\
consumers:
  agents-api: {identities: [agents-role], lockfiles: [uv.lock]}
identities:
  agents-role: {reads: [one, "files:*.json", "tag:llm", "files:a.json"]}
"""
WITH_TAG = GOOD.replace("    policy: standard\n", "    policy: standard\n    tags: [llm]\n")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_they_are_read(folder: Folder) -> None:
    config = folder.load(WITH_TAG + EXTRA)
    assert config.identities["agents-role"].reads == ("one", "files:*.json", "tag:llm", "files:a.json")
    assert config.consumers["agents-api"].identities == ("agents-role",)


def test_a_config_without_any_is_as_before(folder: Folder) -> None:
    assert folder.load(GOOD).identities == {}


@pytest.mark.parametrize(
    ("before", "after", "message", "hint"),
    [
        ("[one,", "[onee,", "there is no credential 'onee'", "did you mean one?"),
        ('"files:*.json"', '"filse:*.json"', "there is no store 'filse'", "did you mean files?"),
        ('"tag:llm"', '"tag:lmm"', "there is no tag 'lmm'", "did you mean llm?"),
        (
            '"files:a.json"',
            '"files:b.json"',
            "there is no credential published to files: 'b.json'",
            "did you mean a.json?",
        ),
        ("[agents-role]", "[agent-role]", "there is no identity 'agent-role'", "did you mean agents-role?"),
        ("reads:", "read:", "'read' is not known in identities.agents-role", "did you mean reads?"),
        ("[agents-role],", "[zzz],", "there is no identity 'zzz'", "declare it beneath identities:"),
        (
            "[one,",
            "[zzzzzz,",
            "there is no credential 'zzzzzz'",
            "write a credential, STORE:REF, STORE:PREFIX* or tag:TAG",
        ),
    ],
)
def test_what_is_misspelt_is_told_with_its_line(
    folder: Folder, before: str, after: str, message: str, hint: str
) -> None:
    text = WITH_TAG + EXTRA.replace(before, after)
    refused = folder.refusal(text)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if after.strip(",") in each)
    assert refused.message == f"{folder.config}:{line}: {message}"
    assert refused.hint == hint


def test_an_identity_that_reads_nothing_is_refused(folder: Folder) -> None:
    assert "is empty" in folder.refusal(WITH_TAG + "identities: {a: {reads: []}}\n").message


def test_in_an_emergency_a_misspelt_identity_keeps_no_credential_from_being_rotated(folder: Folder) -> None:
    text = WITH_TAG + EXTRA.replace("[one,", "[onee,")
    config = folder.load(text, lenient=True)
    assert set(config.credentials) == {"one", "two"}
    assert config.identities == {}
    assert config.consumers["agents-api"].identities == ("agents-role",), "what it reads is unknown, and not nothing"
