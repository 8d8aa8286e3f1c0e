"""The heartbeat: what is old, of another boot, or no heartbeat at all is never taken for life."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rotator.app.alive import (
    EVERY,
    NAME,
    WITHIN,
    is_alive,
    remove_heartbeat,
    why_not,
    write_heartbeat,
)


def test_a_heartbeat_is_life_for_a_while_and_then_no_more(tmp_path: Path) -> None:
    write_heartbeat(tmp_path, 1000.0)
    assert is_alive(tmp_path, 1000.0)
    assert is_alive(tmp_path, 1000.0 + WITHIN.total_seconds())
    assert not is_alive(tmp_path, 1000.0 + WITHIN.total_seconds() + 1)
    assert WITHIN > EVERY


def test_the_later_one_counts_and_leaves_one_file(tmp_path: Path) -> None:
    write_heartbeat(tmp_path, 1000.0)
    write_heartbeat(tmp_path, 2000.0)
    assert is_alive(tmp_path, 2000.0)
    assert [each.name for each in tmp_path.iterdir()] == [NAME]


def test_the_machines_own_clock_is_asked_where_no_other_is_given(tmp_path: Path) -> None:
    write_heartbeat(tmp_path)
    assert is_alive(tmp_path)


def test_a_daemon_that_ended_in_order_is_not_alive(tmp_path: Path) -> None:
    write_heartbeat(tmp_path, 1000.0)
    remove_heartbeat(tmp_path)
    remove_heartbeat(tmp_path)
    found = why_not(tmp_path, 1000.0)
    assert found is not None
    assert found.message == f"no daemon runs with its state in {tmp_path}"


def test_a_file_that_outlived_a_reboot_is_no_heartbeat(tmp_path: Path) -> None:
    write_heartbeat(tmp_path, 1000.0)
    path = tmp_path / NAME
    word, version, boot, seconds = path.read_text().split()
    path.write_text(f"{word} {version} {'0' * len(boot)} {seconds}\n")
    found = why_not(tmp_path, 1000.0)
    assert found is not None
    assert "before a restart of the machine" in found.message
    write_heartbeat(tmp_path, 1000.0)
    assert not is_alive(tmp_path, 10.0), "more seconds since the boot than there were"


@pytest.mark.parametrize(
    "text", ["", "yes", "rotator-alive 1 - nan\n", "rotator-alive 2 - 1000.000\n", "x" * 10_000, "\udcff"]
)
def test_what_is_no_heartbeat_is_not_alive(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = why_not(tmp_path, 1000.0)
    assert found is not None
    assert found.message.endswith("is no heartbeat")


def test_neither_a_link_nor_a_pipe_in_its_place_is_followed_or_waited_for(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("rotator-alive 1 - 1000.000\n")
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    assert not is_alive(tmp_path, 1000.0)
    write_heartbeat(tmp_path, 1000.0)
    assert is_alive(tmp_path, 1000.0)
    assert (tmp_path / "elsewhere").read_text() == "rotator-alive 1 - 1000.000\n"
    (tmp_path / NAME).unlink()
    os.mkfifo(tmp_path / NAME)
    assert not is_alive(tmp_path, 1000.0)


def test_a_disk_that_takes_nothing_is_told_and_leaves_the_last_one(tmp_path: Path) -> None:
    write_heartbeat(tmp_path, 1000.0)
    (tmp_path / f".{NAME}.{os.getpid()}").mkdir()
    with pytest.raises(OSError):
        write_heartbeat(tmp_path, 2000.0)
    assert is_alive(tmp_path, 1000.0)
