"""In an emergency what can go goes, and what cannot is named with what is missing."""

from __future__ import annotations

import pytest

from tests.config.folder import GOOD, Folder, changed

POLICY = '{every: 30d, window: "Mon-Fri 09:00-16:00 Europe/Berlin"}'
PLACE = '{store: files, ref: a.json, fields: {B: "{secret}"}}'

BROKEN = {
    "an unknown provider": ("ks\n    principal", "kx\n    principal", "no provider 'kx'"),
    "an unknown setting": ("policy: standard", "polcy: standard", "'polcy' is not known"),
    "a place left out": (f"    publish: [{PLACE}]\n", "", "publish is missing"),
    "a bad policy": (POLICY, "{every: often}", "'often' is not a duration"),
    "a policy that is no table": (POLICY, "often", "policies.standard is not a table"),
    "an unknown policy": ("policy: standard", "policy: quick", "no policy 'quick'"),
    "a secret in a tag": ("policy: standard", "tags: [AKIAABCDEFGHIJKLMNOP]", "holds a secret (AWS)"),
    "a template without a part": ('{B: "{secret}"}', "{B: x}", "mentions no part"),
    "a field of another": ("{B:", "{A:", "one publishes to the field 'A'"),
    "an unknown store": (PLACE, PLACE.replace("files", "filez"), "no store 'filez'"),
    "a store of its own that is wrong": (PLACE, PLACE.replace("files", "env"), "no store 'env'"),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_a_broken_credential_is_left_out_and_the_other_goes(case: tuple[str, str, str], folder: Folder) -> None:
    before, after, message = case
    text = changed(before, after)
    config = folder.load(text, lenient=True)
    assert list(config.credentials) == ["one"]
    assert config.credentials["one"] == folder.load(GOOD).credentials["one"]
    assert list(config.broken) == ["two"]
    assert message in config.broken["two"].message
    assert message in folder.refusal(text).message


def test_what_a_credential_needs_and_is_broken_is_said_at_the_credential(folder: Folder) -> None:
    extra = "\n  kt: {driver: keyserver, admin: hunter2}"
    text = changed('base_url: "http://127.0.0.1:1"}', 'base_url: "http://127.0.0.1:1"}' + extra)
    text = text.replace("ks\n    principal", "kt\n    principal")
    config = folder.load(text, lenient=True)
    assert (list(config.credentials), list(config.providers)) == (["one"], ["ks"])
    assert "providers.kt.admin is not a reference" in config.broken["two"].message


@pytest.mark.parametrize(
    "line",
    ["defaults: {paralel: 3}", "defaults: {parallel: x}", "defaults: {lease: x}", "defaults: x", "include: 5", "x: y"],
)
def test_a_fault_that_no_credential_has_stops_nobody(line: str, folder: Folder) -> None:
    config = folder.load(f"{line}\n{GOOD}", lenient=True)
    assert (list(config.credentials), config.broken) == (["one", "two"], {})
    assert config.parallel == 32
    folder.refusal()


def test_a_variable_that_is_not_understood_stops_nobody(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTATOR_PARALLEL", "many")
    assert folder.load(GOOD, lenient=True).parallel == 32


def test_a_section_that_is_no_table_leaves_the_rest(folder: Folder) -> None:
    text = GOOD[: GOOD.index("policies:")] + "policies: 5\n" + GOOD[GOOD.index("credentials:") :]
    config = folder.load(text, lenient=True)
    assert list(config.credentials) == ["one"]
    assert "no policy 'standard'" in config.broken["two"].message


def test_a_name_that_is_a_secret_is_not_repeated(folder: Folder) -> None:
    secret = "sk-proj-" + "a1b2c3d4" * 4
    config = folder.load(changed("  two:", f"  {secret}:"), lenient=True)
    assert list(config.credentials) == ["one"]
    assert len(config.broken) == 1
    assert secret not in repr(config.broken) + str(*config.broken)


@pytest.mark.parametrize("line", ["state: sqlite:///rotator.db\n", "installation: {key: file:installation.key}\n"])
def test_without_journal_or_installation_nothing_can_go(line: str, folder: Folder) -> None:
    assert "is missing" in folder.refusal(changed(line, ""), lenient=True).message
