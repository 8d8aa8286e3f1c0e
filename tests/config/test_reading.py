"""A config means what its author reads in it."""

from __future__ import annotations

import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.config.references import Reference
from rotator.domain.credential import Principal, Publication
from rotator.domain.policy import STANDARD
from tests.config.folder import GOOD, Folder, assert_two_lines, changed

EXAMPLE = Path(__file__).parents[2] / "config" / "rotator.example.yaml"


def test_credentials_become_values_of_the_domain(folder: Folder) -> None:
    config = folder.load(GOOD)
    two = config.credentials["two"]
    assert list(config.credentials) == ["one", "two"]
    assert two.principal == Principal(name="agents", exclusive=False, settings={"principal": "agents"})
    assert two.publish == (Publication(store="files", ref="a.json", fields={"B": "{secret}"}),)
    assert two.policy.every == timedelta(days=30)
    assert config.credentials["one"].policy == STANDARD
    assert (config.parallel, config.lease, config.broken) == (32, timedelta(seconds=60), {})
    assert config.providers["ks"].admin == Reference("env", "KS_ADMIN")
    assert config.base == folder.path


def test_settings_that_are_not_ours_are_handed_to_the_driver_unjudged(folder: Folder) -> None:
    config = folder.load(changed("root: store", "root: store, surprise: [1, {a: off}]"))
    assert config.stores["files"].settings == {"root": "store", "surprise": [1, {"a": "off"}]}


def test_exclusive_is_no_word_of_the_driver(folder: Folder) -> None:
    two = folder.load(changed("{principal: agents}", "{roles: [a, b], exclusive: true}")).credentials["two"]
    assert two.principal == Principal(name="a+b", exclusive=True, settings={"roles": ("a", "b")})


def test_principals_are_shared_as_long_as_none_is_exclusive(folder: Folder) -> None:
    shared = folder.load(changed("principal: {principal: agents}", "principal: {}")).credentials
    assert shared["one"].principal == shared["two"].principal


def test_one_document_is_shared_but_no_field(folder: Folder) -> None:
    config = folder.load(GOOD)
    assert {each.publish[0].ref for each in config.credentials.values()} == {"a.json"}


def test_two_names_for_the_same_store_share_their_fields(folder: Folder) -> None:
    text = changed(
        "  files: {driver: file, root: store}\n",
        "  files: {driver: file, root: store}\n  more: {driver: file, root: store}\n",
    )
    text = text.replace("{store: files, ref: a.json, fields: {B", "{store: more, ref: a.json, fields: {A")
    assert "one publishes to the field 'A'" in folder.refusal(text).message


def test_a_policy_is_named_written_out_or_the_default(folder: Folder) -> None:
    named = folder.load(GOOD).credentials["two"].policy
    written = folder.load(changed("policy: standard", "policy: {every: 10d}")).credentials["two"].policy
    text = changed("    policy: standard\n", "").replace("providers:\n", "defaults: {policy: standard}\nproviders:\n")
    default = folder.load(text).credentials["two"].policy
    assert written.every == timedelta(days=10)
    assert default == named


@pytest.mark.parametrize(
    "template", ["{secret}", "postgresql://{user}:{password}@db/app", '{"k": 1, "key": "{secret}"}']
)
def test_templates_are_kept_as_they_are(template: str, folder: Folder) -> None:
    quoted = "'" + template + "'"
    config = folder.load(changed('{B: "{secret}"}', f"{{B: {quoted}}}"))
    assert config.credentials["two"].publish[0].fields == {"B": template}


def test_plain_words_are_text_as_in_yaml_1_2(folder: Folder) -> None:
    text = changed("policy: standard", "tags: [no, on, 2026-12-20, 12:30, 007, null, 1e3]").replace(", null", "")
    config = folder.load(text.replace("providers:\n", "defaults: {isolation: off}\nproviders:\n"))
    assert config.credentials["two"].tags == ("no", "on", "2026-12-20", "12:30", "007", "1e3")


def test_what_is_left_empty_is_as_if_it_were_not_there(folder: Folder) -> None:
    text = changed("principal: {principal: agents}", "principal:").replace("policy: standard", "policy:")
    config = folder.load(text + "consumers:\n")
    assert config.credentials["two"].principal == Principal(name="default")
    assert config.credentials["two"].policy == STANDARD


def test_consumers_are_what_is_declared_and_how_they_are_told_is_judged_elsewhere(folder: Folder) -> None:
    told = '{owner: team-ml, environment: prod, lockfiles: [a.lock], reload: {webhook: "https://agents.internal/x"}}'
    config = folder.load(GOOD + f"consumers:\n  agents-api: {told}\n  cron:\n    owner: ops\n")
    found = config.consumers["agents-api"]
    assert (found.owner, found.environment, found.lockfiles) == ("team-ml", "prod", ("a.lock",))
    assert found.reload == {"webhook": "https://agents.internal/x"}
    assert "https" not in repr(found), "the path of a webhook may be a secret"
    assert config.consumers["cron"].reload == {}


def test_the_environment_overrides_journal_and_parallel(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTATOR_STATE", "postgresql://rotator@db/rotator")
    monkeypatch.setenv("ROTATOR_PARALLEL", "7")
    monkeypatch.setenv("ROTATOR_LEASE", "7s")
    config = folder.load(GOOD)
    assert (config.state, config.parallel) == ("postgresql://rotator@db/rotator", 7)
    assert config.lease == timedelta(seconds=60)


def test_an_empty_variable_overrides_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTATOR_STATE", "")
    monkeypatch.setenv("ROTATOR_PARALLEL", "")
    assert (folder.load(GOOD).state, folder.load().parallel) == ("sqlite:///rotator.db", 32)


def test_included_credentials_are_as_if_they_stood_in_the_file(folder: Folder) -> None:
    head, entries = GOOD.split("credentials:\n")
    one, two = entries.split("  two:")
    folder.write("credentials:\n" + one, "credentials/a.yaml")
    folder.write("credentials:\n  two:" + two, "credentials/b.yaml")
    folder.write("", "credentials/empty.yaml")
    config = folder.load("include: credentials/*.yaml\n" + head)
    assert config.credentials == folder.load(GOOD).credentials


def test_a_fault_in_an_included_file_names_that_file(folder: Folder) -> None:
    head, entries = GOOD.split("credentials:\n")
    included = folder.write("credentials:\n" + entries.replace("policy:", "polcy:"), "credentials/a.yaml")
    error = folder.refusal("include: credentials/a.yaml\n" + head)
    assert error.message.startswith(f"{included}:8: 'polcy'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stores: {}", "credentials alone, not 'stores'"),
        ("include: b.yaml", "credentials alone, not 'include'"),
        ("credentials: {one: {}}", "'one' stands in "),
        ("- a", "this is no config"),
        ("credentials: [a]", "credentials is not a table"),
    ],
)
def test_an_included_file_holds_credentials_alone(text: str, message: str, folder: Folder) -> None:
    folder.write(text, "credentials/a.yaml")
    assert message in folder.refusal("include: [credentials/*.yaml]\n" + GOOD).message


@pytest.mark.parametrize("pattern", ["more/*.yaml", "m*/*.yaml", "m*/o*.yaml", "more/**/*.yaml"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_an_include_folder_that_cannot_be_read_is_not_an_empty_one(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, pattern: str, number: int
) -> None:
    inside = folder.path / "inside"
    inside.mkdir()
    there = Folder(inside)
    there.write("", "more/one.yaml")
    there.write("", "more/below/one.yaml")
    there.load(f'include: "{pattern}"\n{GOOD}')
    listed = os.scandir

    def refused(path: str | Path) -> Any:
        if Path(path).name == "more":
            raise OSError(number, os.strerror(number), str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refused)  # root, who may run this, reads every folder
    error = there.refusal()
    assert_two_lines(error)
    assert f"cannot be read: {os.strerror(number)}" in error.message
    assert error.hint.endswith(str(inside / "more"))


@pytest.mark.parametrize("pattern", ["more/*.yaml", "more/of/**/x.yaml", "file/*.yaml", "loop/*"])
def test_an_include_folder_that_is_not_there_is_not_an_empty_one(pattern: str, folder: Folder) -> None:
    folder.write("", "file")
    (folder.path / "loop").symlink_to("loop")
    error = folder.refusal(f'include: ["{pattern}"]\n{GOOD}')
    assert_two_lines(error)
    assert error.message.endswith(f"the folder of '{pattern}' is not there")


@pytest.mark.parametrize("pattern", ["empty/*.yaml", "m*/*/x.yaml", "*.yml", "**/x.yaml"])
def test_an_include_that_matches_nothing_where_it_looks_holds_nothing(pattern: str, folder: Folder) -> None:
    (folder.path / "empty").mkdir()
    assert set(folder.load(f'include: ["{pattern}"]\n' + GOOD).credentials) == {"one", "two"}


def test_an_included_file_that_others_may_write_is_refused(folder: Folder) -> None:
    folder.write("", "credentials/a.yaml").chmod(0o666)
    assert "a.yaml may be written by others" in folder.refusal("include: credentials/*\n" + GOOD).message


def test_a_link_out_of_the_folder_is_not_followed(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a.yaml"
    elsewhere.write_text("")
    (folder.path / "a.yml").symlink_to(elsewhere)
    assert "leads out of the config's folder" in folder.refusal("include: a.yml\n" + GOOD).message


def test_the_example_is_a_config(folder: Folder) -> None:
    config = folder.load(EXAMPLE.read_text())
    assert list(config.credentials) == ["app-db", "agents-key"]
    assert config.broken == {}
