"""A page of credentials: what stands in it, and what the journal is asked for it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.seeing import Scope, credential, credentials
from rotator.domain.rotation import Mode
from rotator.engine import starting
from rotator.ports import Change, Journal
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import make

NAMES = ("a-new", "b-held", "c-rotating", "d-last")

pytestmark = pytest.mark.stand_in("API provider: keyserver")


class Asked:
    """The journal, and which of its methods were called."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self._journal, name)


def test_a_page_asks_the_journal_as_much_for_many_as_for_one(tmp_path: Path) -> None:
    with Keyserver(Behaviour()) as keyserver:
        scene = make(tmp_path, keyserver, names=NAMES)
    with closing(Assembly(config=load_config(scene.config))) as assembly:
        journal, now = assembly.journal, assembly.clock.now()
        journal.save(replace(journal.credential("b-held"), held=True, held_why="audit"), now, Change())
        spec = assembly.config.credentials["c-rotating"]
        row = starting.start(spec, journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="test")
        assert row is not None
        each = {name: credential(assembly, name) for name in NAMES}
        asked = Asked(journal)
        assembly.journal = cast(Journal, asked)
        page = credentials(assembly, Scope(), after="", limit=3)
        assert asked.calls == ["credentials_among", "open_rotations"]
        asked.calls.clear()
        assert [
            found["credential"] for found in credentials(assembly, Scope(), after="c-rotating", limit=3)["credentials"]
        ] == ["d-last"]
        assert asked.calls == ["credentials_among", "open_rotations"]
    assert [found["credential"] for found in page["credentials"]] == list(NAMES[:3])
    assert [found["state"] for found in page["credentials"]] == ["not adopted", "held", "rotating"]
    assert page["credentials"][2]["rotation"]["rotation"] == row.id
    for found in page["credentials"]:
        assert found == {key: each[found["credential"]][key] for key in found}
    assert (page["total"], page["next"]) == (4, "c-rotating")
