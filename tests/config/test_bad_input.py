"""What is wrong with a config is said in two lines, with file, line and the nearest right word."""

from __future__ import annotations

import pytest

from tests.config.folder import GOOD, Folder, changed

POLICY = '{every: 30d, window: "Mon-Fri 09:00-16:00 Europe/Berlin"}'
PLACE = '{store: files, ref: a.json, fields: {B: "{secret}"}}'
REST = GOOD[GOOD.index("providers:") :]

# what is changed: (before, after), the line, a piece of the message, a piece of the hint
WRONG: dict[str, tuple[str, str, int, str, str]] = {
    "a misspelt setting of a credential": ("policy:", "polcy:", 16, "'polcy' is not known", "did you mean policy?"),
    "a misspelt section": ("policies:", "policys:", 7, "'policys' is not known", "did you mean policies?"),
    "a setting that resembles nothing": ("policy: standard", "zzz: 1", 16, "'zzz' is not known", "provider, principal"),
    "a misspelt setting of a place": (
        PLACE,
        PLACE.replace("ref", "reff"),
        17,
        "'reff' is not known",
        "did you mean ref?",
    ),
    "a misspelt setting of a policy": (POLICY, "{evry: 30d}", 8, "'evry'", "did you mean every?"),
    "a misspelt default": ("providers:\n", "defaults: {paralel: 3}\nproviders:\n", 3, "'paralel'", "parallel?"),
    "a number where text must be": ("{principal: agents}", "{principal: 5}", 15, "is neither text", "in quotes"),
    "text where a table must be": ("{principal: agents}", "agents", 15, "principal is not a table", "beneath it"),
    "a table where a list must be": (f"[{PLACE}]", "{store: files}", 17, "publish is not a list", "[one, two]"),
    "something in a name with a full stop": (
        "  two:\n",
        "  two.:\n    polcy: standard\n",
        14,
        "'polcy' is not known in credentials.'two.'",
        "did you mean policy?",
    ),
    "no place at all": (f"[{PLACE}]", "[]", 17, "publish is empty", "at least one"),
    "places left out": (f"    publish: [{PLACE}]\n", "", 13, "credentials.two.publish is missing", "add publish:"),
    "an admin credential left out": ("admin: env:KS_ADMIN, ", "", 4, "providers.ks.admin is missing", "add admin:"),
    "a number out of range": ("providers:\n", "defaults: {parallel: 999}\nproviders:\n", 3, "out of range", "1 to 256"),
    "text where a number must be": (
        "providers:\n",
        'defaults: {parallel: "many"}\nproviders:\n',
        3,
        "defaults.parallel is not a whole number",
        "digits",
    ),
    "a word that is not one of three": (
        "providers:\n",
        "defaults: {isolation: on}\nproviders:\n",
        3,
        "defaults.isolation is none of the words",
        "'off', 'process' or 'sandbox'",
    ),
    "a lease that is no duration": ("providers:\n", "defaults: {lease: soon}\nproviders:\n", 3, "'soon'", "like 90s"),
    "a lease of nothing": ("providers:\n", "defaults: {lease: 0s}\nproviders:\n", 3, "too short", "1s"),
    "a rate that is none": ("env:KS_ADMIN", "env:KS_ADMIN, rate: fast", 4, "'fast' is not a rate", "5/s"),
    "an empty text": ("policy: standard", 'owner: ""', 16, "credentials.two.owner is empty", "leave it out"),
    "a name with a space": ("two:", '"t wo":', 13, "credentials.t wo is no name", "letters, digits"),
    "exclusive in quotes": ("{principal: agents}", '{exclusive: "yes"}', 15, "neither true nor false", "true"),
    "a provider that is not there": ("{principal: agents}\n", "{}\n    provider: kz\n", 16, "stands twice", "remove"),
    "a store that is not there": (PLACE, PLACE.replace("files", "filez"), 17, "no store 'filez'", "mean files?"),
    "a policy that is not there": ("policy: standard", "policy: standrd", 16, "no policy 'standrd'", "mean standard?"),
    "a default policy that is not there": (
        "providers:\n",
        "defaults: {policy: quick}\nproviders:\n",
        3,
        "no policy 'quick'",
        "declare it beneath policies:",
    ),
    "a policy that is a number": ("policy: standard", "policy: 5", 16, "neither the name of a policy", "every: 30d"),
    "a policy written out, and wrong": ("policy: standard", "policy: {every: 5}", 16, "every: '5' is not", "quotes"),
    "a cron that never fires": (POLICY, '{cron: "0 0 31 2 *"}', 8, "never fires", "a day that exists"),
    "a cron that is none": (POLICY, '{cron: "sometimes"}', 8, "is not a crontab line", "five fields"),
    "a naive time": (
        POLICY,
        '{every: 30d, blackout: ["2026-12-20T10:00:00"]}',
        8,
        "is not a range of days",
        "last day",
    ),
    "a window without a zone": (POLICY, '{every: 30d, window: "Mon 09:00-16:00"}', 8, "no time zone", "Europe/Berlin"),
    "a zone that is not there": ("Europe/Berlin", "Europe/Brlin", 8, "'Europe/Brlin'", "Europe/Berlin?"),
    "every and cron": (POLICY, '{every: 30d, cron: "0 1 * * *"}', 8, "either every or cron", "not both"),
    "a field of another credential": ("{B:", "{A:", 17, "one publishes to the field 'A'", "never a field"),
    "a field of another, by another path": (
        "ref: a.json, fields: {B",
        "ref: ./x/../a.json, fields: {A",
        17,
        "one publishes to the field 'A'",
        "never a field",
    ),
    "one place twice": (f"[{PLACE}]", f"[{PLACE}, {PLACE}]", 17, "names files:'a.json' twice", "in one"),
    "a principal of two, exclusive to one": (
        "{principal: agents}",
        "{exclusive: true}",
        15,
        "one has the same principal",
        "its own principal",
    ),
    "a template without a part": ('{B: "{secret}"}', "{B: fixed}", 17, "the field 'B' mentions no part", '"{secret}"'),
    "a template without quotes": ('{B: "{secret}"}', "{B: {secret}}", 17, "fields.B is not text", "in quotes"),
    "a part in capitals": ('{B: "{secret}"}', '{B: "{Secret}"}', 17, "a part that no key has", "lower-case"),
    "adjacent parts": ('{B: "{secret}"}', '{B: "{user}{secret}"}', 17, "between {user} and {secret}", "between them"),
    "parts that run into each other": ('{B: "{secret}"}', '{B: "{user}-{secret}"}', 17, "read backwards", "@ or /"),
    "a store called file": ("files: {driver", "file: {driver", 6, "cannot be called file", "begins a reference"),
    "a store called env": ("files: {driver", "env: {driver", 6, "cannot be called env", "begins a reference"),
    "a store opened with itself": ("root: store", "auth: {token: files:a#b}", 6, "a secret that is in itself", "env:"),
    "a reference to no store": ("env:KS_ADMIN", "vault:a#b", 4, "admin is not a reference", "file:PATH"),
    "a misspelt reference": ("env:KS_ADMIN", "evn:KS_ADMIN", 4, "admin is not a reference", "did you mean env:…?"),
    "a reference without a field": ("env:KS_ADMIN", "files:a", 4, "names no field", "files:REF#FIELD"),
    "a reference to no variable": ("env:KS_ADMIN", '"env:1 x"', 4, "no name of a variable", "env:NAME"),
    "a journal that is nowhere": ("sqlite:///rotator.db", "rotator.db", 1, "names no database", "sqlite:///"),
    "a journal with a password": ("sqlite:///rotator.db", "postgresql://a:b@c/d", 1, "holds a secret", "file:PATH"),
    "a journal that is a number": ("sqlite:///rotator.db", "5", 1, "state is no URL", "sqlite:///"),
    "no journal": ("state: sqlite:///rotator.db\n", "", 1, "state is missing", "add state:"),
    "an included file that is not there": (
        "providers:\n",
        "include: x.yaml\nproviders:\n",
        3,
        "'x.yaml' does not exist",
        "begins at the config",
    ),
    "an absolute include": ("providers:\n", "include: /x.yaml\nproviders:\n", 3, "leads out", "beneath the config"),
    "an include that climbs": ("providers:\n", "include: ../*.yaml\nproviders:\n", 3, "leads out", "beneath"),
    "an include of itself": ("providers:\n", 'include: "*.yaml"\nproviders:\n', 3, "this file itself", "credentials/"),
    "an include of nothing": ("providers:\n", 'include: ""\nproviders:\n', 3, "is no pattern", "credentials/*.yaml"),
    "an include that is a number": ("providers:\n", "include: 5\nproviders:\n", 3, "include is not a list", "[one"),
    "a name twice": ("  two:", "  one:", 13, "'one' stands twice", "remove one"),
    "an anchor": ("{driver: file, root: store}", "&x {driver: file}", 6, "anchors", "write it out"),
    "an alias": ("policy: standard", "policy: *standard", 16, "anchors", "in quotes"),
    "a tag": ("policy: standard", "policy: !standard x", 16, "tags", "in quotes"),
    "a tag of Python": ("policy: standard", "policy: !!python/object:os.system x", 16, "tags", "in quotes"),
    "a tab": ("    policy:", "\tpolicy:", 16, "a tab", "indent with spaces"),
    "a value that begins with an at": ("policy: standard", "policy: @x", 16, "cannot begin with @", "in quotes"),
    "a bracket left open": (f"[{PLACE}]", f"[{PLACE}", 18, "did not find", "brackets"),
    "a list as a name": ("policy: standard", "? [a]\n    : b", 16, "a name is a list", "name: value"),
    "a control character": ("policy: standard", 'owner: "\\0"', 16, "a control character", "plain text"),
    "a second document": (REST, REST + "---\na: b\n", 18, "a second document", "---"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_it_is_refused_with_its_line_and_what_to_write(case: tuple[str, str, int, str, str], folder: Folder) -> None:
    before, after, line, message, hint = case
    error = folder.refusal(changed(before, after))
    assert error.message.startswith(f"{folder.config}:{line}: ")
    assert message in error.message
    assert hint in error.hint


FILES: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "is empty"),
    "comments alone": (b"# nothing\n", "is empty"),
    "a list": (b"- a\n", "this is no config"),
    "a word": (b"hello", "this is no config"),
    "a program": (bytes(range(256)), "is not UTF-8 text"),
    "raw control characters": (b"a: \x01b", "is no YAML"),
    "five megabytes": (b"a" * (5 * 2**20), "larger than 4 MiB"),
    "a deep nest": (b"a: " + b"[" * 500_000, "nested more than 32 deep"),
    "a deep nest of tables": (b"a: " + b"{a: " * 500_000, "nested more than 32 deep"),
    "laughs by the million": (b"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "anchors"),
    "an anchor that holds itself": (b"a: &a [*a]\n", "anchors"),
}


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_a_file_that_is_no_config_is_refused(case: tuple[bytes, str], folder: Folder) -> None:
    data, message = case
    assert message in folder.refusal(data).message
    assert message in folder.refusal(data, lenient=True).message


def test_a_folder_and_a_missing_file_are_refused(folder: Folder) -> None:
    assert "No such file" in folder.refusal().message
    folder.config.mkdir()
    assert "Is a directory" in folder.refusal().message


@pytest.mark.parametrize(("name", "value"), [("PARALLEL", "abc"), ("PARALLEL", "0"), ("STATE", "hunter2")])
def test_the_environment_is_judged_too_and_not_repeated(
    name: str, value: str, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ROTATOR_{name}", value)
    error = folder.refusal(GOOD)
    assert f"ROTATOR_{name}" in error.message
    assert value not in error.message.replace("from 1", "").replace("256", "") + error.hint or value == "0"
