"""Credentials that the config has no more: what the journal still knows of them is a page, for who sees all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import Api
from tests.dashboard.conftest import dashboard
from tests.dashboard.rich import ADRIFT, BEHIND, EXPOSED, HELD, INCIDENT, LIVE, PROVEN, STUCK, rich

GONE = (STUCK, HELD, BEHIND, EXPOSED, PROVEN, ADRIFT)
"""All but the last of them the journal knows."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with Keyserver(Behaviour()) as keyserver:
        scene = rich(tmp_path_factory.mktemp("gone"), keyserver, 0)
        entries = json.loads(scene.config.read_text())["credentials"]
        scene.rewrite(credentials={name: entry for name, entry in entries.items() if name not in GONE})
        with dashboard(scene) as running:
            yield running


def page(api: Api, path: str, who: str = "responder") -> str:
    found = api.call("GET", path, who)
    assert found.status == 200, (path, found.data)
    return str(found.data.decode())


def pages(api: Api) -> list[str]:
    """Those that name them."""
    rotations = [f"/rotations/{row.id}" for row in api.assembly.journal.rotations()]
    return ["/", f"/incidents/{INCIDENT}", "/trail", f"/trail?credential={PROVEN}", "/fortnight", *rotations]


def timeless(text: str) -> str:
    """Without the moment at which the page was made."""
    bare, times = re.subn(r"This page was made at <time [^>]*>[^<]*</time>", "", text)
    assert times == 1
    return bare


def linked(text: str) -> set[str]:
    return {unquote(each) for each in re.findall(r'href="/credentials/([^"?]+)"', text)}


def test_every_link_to_a_credential_leads_to_a_page(api: Api) -> None:
    names = set().union(*(linked(page(api, each)) for each in pages(api)))
    assert names > set(GONE) - {ADRIFT}
    assert {name: api.call("GET", f"/credentials/{name}").status for name in names} == dict.fromkeys(names, 200)


def test_one_of_which_nobody_knows_anything_is_named_and_not_linked(api: Api) -> None:
    assert f"<bdi>{ADRIFT}</bdi>" in page(api, f"/incidents/{INCIDENT}")
    assert api.call("GET", f"/credentials/{ADRIFT}").status == 404


def test_its_page_says_so_and_has_its_keys_its_past_and_its_trail(api: Api) -> None:
    text = page(api, f"/credentials/{PROVEN}")
    assert "The config has it no more" in text
    assert f"<code>key-of-{PROVEN}</code>" in text
    (row,) = api.assembly.journal.rotations(PROVEN)
    assert f'href="/rotations/{row.id}"' in text
    assert "Next due" not in text
    assert row.id in page(api, f"/trail?credential={PROVEN}")
    assert row.id in page(api, f"/trail.csv?credential={PROVEN}")
    assert "The config has it no more" not in page(api, f"/credentials/{LIVE}")


def test_what_is_known_of_it_needs_a_person_and_no_button_is_there(api: Api) -> None:
    (stuck,) = api.assembly.journal.rotations(STUCK)
    for path in ("/", f"/credentials/{STUCK}", f"/rotations/{stuck.id}", f"/credentials/{HELD}"):
        text = page(api, path)
        assert "the config has it no more" in text
        assert not any(f'action="/credentials/{name}/' in text for name in GONE)


def test_who_sees_some_owners_credentials_sees_it_as_little_as_what_never_was(api: Api) -> None:
    (row,) = api.assembly.journal.rotations(STUCK)
    nowhere = timeless(api.call("GET", "/credentials/nope", "mine").data.decode())
    for name in GONE:
        found = api.call("GET", f"/credentials/{name}", "mine")
        assert (found.status, timeless(found.data.decode().replace(name, "nope"))) == (404, nowhere)
        assert api.call("GET", f"/trail?credential={name}", "mine").status == 404
        assert api.call("GET", f"/trail.csv?credential={name}", "mine").status == 404
    for path in (f"/incidents/{INCIDENT}", f"/rotations/{row.id}"):
        assert api.call("GET", path, "mine").status == 404
    for path in ("/", "/credentials", "/incidents", "/trail", "/trail.csv", "/fortnight"):
        assert [name for name in GONE if name in page(api, path, "mine")] == []
