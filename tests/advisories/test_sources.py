"""Where records are read from: whatever is wrong with one is counted and named, and the others are used."""

from __future__ import annotations

import errno
import json
import os
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from rotator.adapters.advisories import archive
from rotator.adapters.advisories.sources import read_feed
from rotator.domain.failures import Permanent
from tests.advisories.given import about, in_folder, in_zip, osv


def ids(origin: Path) -> list[str]:
    return [each.id for each in read_feed(str(origin)).advisories]


def test_a_folder_a_zip_and_a_file_give_the_same(tmp_path: Path) -> None:
    records = [osv("A-1", about()), osv("A-2", about())]
    (tmp_path / "one.json").write_text(json.dumps(records))
    assert ids(in_folder(tmp_path / "folder" / "deeper", *records).parent) == ["A-1", "A-2"]
    assert ids(in_zip(tmp_path / "all.zip", *records)) == ["A-1", "A-2"]
    assert ids(tmp_path / "one.json") == ["A-1", "A-2"]


def test_broken_records_are_named_and_the_others_are_used(tmp_path: Path) -> None:
    feed = read_feed(str(in_zip(tmp_path / "all.zip", osv("A-1"), b"<html>", {"id": "A-3"}, b"{" * 200_000)))
    assert [each.id for each in feed.advisories] == ["A-1"]
    assert dict(feed.broken) == {
        "1.json": "is no JSON",
        "A-3.json": "does not say when it was modified",
        "3.json": "is no JSON",
    }


def test_what_is_no_json_by_its_name_is_not_looked_at(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "folder", osv("A-1"))
    (folder / "README.md").write_text("not a record")
    assert read_feed(str(folder)).broken == ()


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = in_folder(tmp_path / "folder", osv("A-1"))
    in_folder(folder / "closed", osv("A-2"))
    scan = os.scandir

    def scandir(path: str) -> object:  # a mode keeps no superuser out
        if path == str(folder / "closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    feed = read_feed(str(folder))
    assert [each.id for each in feed.advisories] == ["A-1"]
    assert feed.broken == (("closed", "cannot be read: permission denied"),)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_that_is_packed_in_an_unusual_way_is_named_and_not_unpacked(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.writestr("A-1.json", json.dumps(osv("A-1")), zipfile.ZIP_STORED)
        file.writestr("A-2.json", json.dumps(osv("A-2")), method)
        file.writestr("A-3.json", json.dumps(osv("A-3")), zipfile.ZIP_DEFLATED)
    feed = read_feed(str(tmp_path / "all.zip"))
    assert [each.id for each in feed.advisories] == ["A-1", "A-3"]
    assert feed.broken == (("A-2.json", "is packed in another way than by deflate"),)


def test_a_link_to_nothing_and_a_pipe_are_named(tmp_path: Path) -> None:
    folder = in_folder(tmp_path / "folder", osv("A-1"))
    (folder / "gone.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.json")
    feed = read_feed(str(folder))
    assert len(feed.advisories) == 1
    assert dict(feed.broken) == {"gone.json": "is no file", "pipe.json": "is no file"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither a zip nor JSON"),
        (b"<!doctype html><title>hello</title>", "a page for people"),
        (b"PK\x03\x04 and no more", "a broken zip"),
        (b"id: A-1", "neither a zip nor JSON"),
    ],
)
def test_a_file_that_is_no_feed_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "feed").write_bytes(content)
    with pytest.raises(Permanent, match=said):
        read_feed(str(tmp_path / "feed"))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="no such file"):
        read_feed(str(tmp_path / "nothing.zip"))


def test_names_that_lead_out_of_the_folder_are_labels_and_write_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as made:
        made.writestr("../../outside.json", json.dumps(osv("A-1")))
        made.writestr("/etc/absolute.json", b"broken")
    feed = read_feed(str(tmp_path / "all.zip"))
    assert [each.id for each in feed.advisories] == ["A-1"]
    assert dict(feed.broken) == {"/etc/absolute.json": "is no JSON"}
    assert [each.name for each in tmp_path.iterdir()] == ["all.zip"]
    assert not (tmp_path.parent / "outside.json").exists()


def test_a_hundred_thousand_entries_are_read(tmp_path: Path) -> None:
    content = json.dumps(osv("A-1"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as made:
        for at in range(100_000):
            made.writestr(f"{at}.json", content if at % 1000 == 0 else b"")
    feed = read_feed(str(tmp_path / "all.zip"))
    assert len(feed.advisories) == 100
    assert len(feed.broken) == 99_900


def test_an_entry_that_unpacks_to_far_more_than_a_record_is_named_and_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("A-1.json", json.dumps(osv("A-1")))
        with made.open("bomb.json", "w", force_zip64=True) as member:
            for _ in range(64):
                member.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        feed = read_feed(str(tmp_path / "all.zip"))
        assert tracemalloc.get_traced_memory()[1] < 4 * archive.MOST_RECORD
    finally:
        tracemalloc.stop()
    assert [each.id for each in feed.advisories] == ["A-1"]
    assert dict(feed.broken) == {"bomb.json": "is larger than 8 MB"}


def test_many_large_entries_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 30 * 1024 * 1024)
    blank = b" " * (8 * 1024 * 1024)
    with pytest.raises(Permanent, match="unpacked"):
        read_feed(str(in_zip(tmp_path / "all.zip", *[blank] * 5)))


def test_a_list_of_entries_that_would_fill_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_DIRECTORY", 1000)
    path = in_zip(tmp_path / "all.zip", *[osv(f"A-{at}") for at in range(100)])
    with pytest.raises(Permanent, match="lists too many files"):
        read_feed(str(path))


def test_a_lock_on_an_entry_and_a_flipped_byte_break_that_entry_alone(tmp_path: Path) -> None:
    path = in_zip(tmp_path / "all.zip", osv("A-1"), osv("A-2", summary="x" * 400))
    content = bytearray(path.read_bytes())
    content[content.index(b"A-2.json") + 12] ^= 0xFF
    path.write_bytes(content)
    feed = read_feed(str(path))
    assert [each.id for each in feed.advisories] == ["A-1"]
    assert [name for name, _ in feed.broken] == ["A-2.json"]
