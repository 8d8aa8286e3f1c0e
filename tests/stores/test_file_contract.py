"""The store contract over the file store in each of its formats, on real files."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import dotenv
import pytest

from rotator.adapters.stores.file import FileStore
from rotator.ports import Store
from rotator.testing.store_contract import Colleague, LoseAnswer, StoreContract

LINK = "..rotator"


class OnFiles(StoreContract):
    """What the contract needs, for one format."""

    format: ClassVar[str]
    colleague_of: ClassVar[type[JsonColleague | DotenvColleague | FieldsColleague]]

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = tmp_path / "root"
        root.mkdir()
        return root

    @pytest.fixture
    def store(self, root: Path) -> Store:
        settings = {"root": str(root), "format": self.format}
        return FileStore.from_settings("local", settings, str, timedelta(seconds=10))

    @pytest.fixture
    def colleague(self, root: Path) -> Colleague:
        return self.colleague_of(root)

    @pytest.fixture
    def lose_answer(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> LoseAnswer:
        """The disk fails right after the rename, or the removal, that is the change."""
        rename, unlink = os.rename, os.unlink

        def failing_rename(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
            is_link = stat.S_ISLNK(os.lstat(old, dir_fd=src_dir_fd).st_mode)
            rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            if new == LINK or not is_link:
                raise OSError(errno.EIO, "input/output error")

        def failing_unlink(name: str, *, dir_fd: int) -> None:
            unlink(name, dir_fd=dir_fd)
            if not name.startswith(LINK):
                raise OSError(errno.EIO, "input/output error")

        @contextmanager
        def losing() -> Iterator[Store]:
            with monkeypatch.context() as patched:
                patched.setattr(os, "rename", failing_rename)
                patched.setattr(os, "unlink", failing_unlink)
                yield store

        return losing


class JsonColleague:
    def __init__(self, root: Path) -> None:
        self.root = root

    def edit(self, ref: str, field: str, text: str) -> None:
        path = self.root / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {**self.look(ref), field: text}
        beside = path.with_name(f"{path.name}~")  # as editors do, so that nobody reads half of it
        beside.write_text(json.dumps(document, indent=4))
        beside.replace(path)

    def look(self, ref: str) -> Mapping[str, str]:
        path = self.root / ref
        found: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
        return found


class TestJson(OnFiles):
    format = "json"
    colleague_of = JsonColleague


class DotenvColleague:
    """Edits and reads with python-dotenv."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def edit(self, ref: str, field: str, text: str) -> None:
        path = self.root / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        dotenv.set_key(path, field, text)

    def look(self, ref: str) -> Mapping[str, str]:
        found = dotenv.dotenv_values(self.root / ref) if (self.root / ref).exists() else {}
        return {name: text for name, text in found.items() if text is not None}


class TestDotenv(OnFiles):
    format = "dotenv"
    colleague_of = DotenvColleague
    REFUSED = frozenset({"expansion", "null", "escape", "line separator"})


class FieldsColleague:
    """Writes files, and reads the rotator's as its documentation says: all beneath one reading of the link."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def edit(self, ref: str, field: str, text: str) -> None:
        (self.root / ref).mkdir(parents=True, exist_ok=True)
        (self.root / ref / field).write_text(text + "\n")

    def look(self, ref: str) -> Mapping[str, str]:
        while True:
            try:
                return self._look(self.root / ref)
            except FileNotFoundError:
                continue

    def _look(self, directory: Path) -> dict[str, str]:
        if not directory.exists():
            return {}
        plain = [each for each in directory.iterdir() if each.is_file() and not each.is_symlink()]
        found = {each.name: each.read_text().removesuffix("\n") for each in plain}
        if (directory / LINK).exists():
            version = (directory / LINK).resolve(strict=True)
            linked = [each.name for each in directory.iterdir() if each.is_symlink() and each.name != LINK]
            found |= {name: (version / name).read_bytes().decode() for name in linked}
        return found


class TestFields(OnFiles):
    format = "fields"
    colleague_of = FieldsColleague
