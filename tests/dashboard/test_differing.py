"""What waits of the config is read by a process of its own, once for everybody, and anew when something changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rotator.api.commands import Commands
from rotator.app import approving
from rotator.config.watching import SETTLED
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import Api
from tests.dashboard.conftest import dashboard, scene_of


def approve(api: Api) -> None:
    """What the file says now."""
    kept = api.assembly.journal.recall(approving.REMEMBERED)
    approving.keep(api.assembly, approving.load_whole(api.scene.config).tree, "the test", (), expected=kept)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with Keyserver(Behaviour()) as keyserver, dashboard(scene_of(tmp_path_factory.mktemp("differs"), keyserver)) as it:
        approve(it)
        yield it


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that were begun."""
    words: list[str] = []
    start = Commands.start

    def told(self: Commands, caller: Any, prog: str, said: Any, stdin: bytes) -> Any:
        words.append(" ".join(said))
        return start(self, caller, prog, said, stdin)

    monkeypatch.setattr(Commands, "start", told)
    return words


def page(api: Api) -> str:
    found = api.call("GET", "/config")
    assert found.status == 200, found.data
    return str(found.data.decode())


def settle() -> None:
    """Until a change of a file is old enough that another one would be noticed."""
    time.sleep(2 * SETTLED + 0.3)


def test_it_is_read_by_a_command_and_once_while_nothing_changes(api: Api, begun: list[str]) -> None:
    approve(api)  # another test may have left something to wait
    settle()
    pages = {page(api) for _ in range(3)}
    assert all("Nothing differs" in each for each in pages)
    assert begun == ["config diff --json"]
    api.scene.rewrite(metrics={"listen": "127.0.0.1:9"})
    assert "metrics.listen" in page(api)
    settle()
    assert "metrics.listen" in page(api)
    approve(api)
    assert "Nothing differs" in page(api)


def test_a_file_that_cannot_be_used_is_told_in_the_commands_two_lines(api: Api) -> None:
    config: Path = api.scene.config
    before = config.read_text()
    config.write_text("credentials: [")
    try:
        found = page(api)
    finally:
        config.write_text(before)
    assert "The config in force stays." in found
    assert 'class="words"' in found
    assert 'class="hint"' in found


def test_who_comes_while_it_is_read_is_told_so_and_begins_nothing(
    api: Api, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, others_came = threading.Event(), threading.Event()
    start = Commands.start

    def held(*given: Any) -> Any:
        reading.set()
        assert others_came.wait(60)
        return start(*given)

    monkeypatch.setattr(Commands, "start", held)
    api.scene.rewrite(metrics={"listen": "127.0.0.1:10"})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(page, api)
        assert reading.wait(60)
        others = [page(api) for _ in range(3)]
        others_came.set()
        assert "metrics.listen" in first.result()
    assert all("The file is being read" in each for each in others)
    assert begun == ["config diff --json"]
