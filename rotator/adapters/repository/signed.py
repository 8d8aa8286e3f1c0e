"""Whether files stand, byte for byte, in the commit that is checked out, and whether a known signer signed that commit.

Of the repository nothing is believed but what its hashes prove: whoever may write a working tree may write what is in
`.git`, too, where git takes an object for what its name says. So each object is hashed again here, and the signature is
checked in an empty repository of our own, whose config nobody else wrote.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from rotator.adapters.repository.program import output, running
from rotator.domain.failures import Permanent

MOST_COMMITS = 100_000
"""How far back an approved commit is looked for."""
LARGEST = 16 * 2**20
"""Bytes of a commit or of a folder's list; more is none that somebody reads."""
_FILES = (b"100644", b"100755")


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit that holds files. `path`: of the first of them, within the repository; so it is told from a namesake."""

    id: str
    path: str

    def __str__(self) -> str:
        return f"{self.id}:{self.path}"

    @classmethod
    def read(cls, text: str) -> Committed | None:
        """What `str` gave; None for nothing."""
        commit, _, path = text.partition(":")
        return cls(commit, path) if path else None


def checked_out(path: Path) -> str:
    """The commit that is checked out where a file is, without looking at it; empty: none. Raises `Permanent`."""
    return output(path.resolve().parent, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") or ""


def committed(files: Mapping[Path, bytes]) -> Committed:
    """The commit that is checked out where the first of these is, if it holds all of them. Raises `Permanent`."""
    paths = [each.resolve() for each in files]
    top = _top(paths[0].parent)
    head = output(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if not head:
        raise Permanent("nothing is committed yet", "commit the config")
    within = [_within(top, path) for path in paths]
    with _objects(top) as objects:
        tree = objects.tree_of(head)
        for path, data in zip(within, files.values(), strict=True):
            if objects.blob_at(tree, path) != objects.name("blob", data, head):
                raise Permanent(f"{path} is not as it is committed", "commit it, signed")
    return Committed(head, str(within[0]))


def signed_since(files: Mapping[Path, bytes], signers: Sequence[str], since: Committed) -> Committed:
    """The commit that holds these, signed by one of the signers, and made upon `since`. Raises `Permanent`.

    `signers`: lines of an OpenSSH allowed-signers file. Twice: the same.
    """
    found = committed(files)
    if found.path != since.path:
        raise Permanent(f"the config was {since.path} in its repository, and now is {found.path}", "")
    with _objects(_top(next(iter(files)).resolve().parent)) as objects:
        if not objects.is_upon(found.id, since.id):
            raise Permanent("the commit is not made upon the one that was approved before", "")
        commit = objects.get(found.id, "commit")
    _check_signature(commit, found.id, signers)
    return found


def _top(folder: Path) -> Path:
    top = output(folder, "rev-parse", "--show-toplevel")
    if not top:
        raise Permanent("the config is in no Git work tree", "")
    return Path(top).resolve()


def _within(top: Path, path: Path) -> PurePosixPath:
    if not path.is_relative_to(top):
        raise Permanent(f"{path} is not in the config's repository", "keep all of the config in one")
    return PurePosixPath(path.relative_to(top))


class _Objects:
    """A repository's objects, hashed again. Raises `Permanent` for one that is missing or not what it is called."""

    def __init__(self, questions: IO[bytes], answers: IO[bytes]) -> None:
        self._questions = questions
        self._answers = answers

    def get(self, name: str, kind: str) -> bytes:
        """The content of an object of this kind."""
        self._questions.write(f"{name}\n".encode())
        self._questions.flush()
        found, data = self._answer()
        if found != kind or self.name(kind, data, name) != name:
            raise Permanent(f"the repository's object {name[:12]} is not what its name says", "`git fsck` in it")
        return data

    def _answer(self) -> tuple[str, bytes]:
        words = self._answers.readline().split()
        if len(words) != 3 or not words[2].isdigit():
            raise Permanent("the repository lacks an object of the commit", "fetch all of its history")
        size = int(words[2])
        if size > LARGEST:
            raise Permanent("an object of the commit is too large to be looked at", "")
        data = self._answers.read(size)
        self._answers.read(1)
        return words[1].decode("ascii", "replace"), data

    @staticmethod
    def name(kind: str, data: bytes, like: str) -> str:
        """What an object of this content is called, in a repository where `like` is a name."""
        total = hashlib.new("sha256" if len(like) == 64 else "sha1", usedforsecurity=False)
        total.update(f"{kind} {len(data)}\0".encode() + data)
        return total.hexdigest()

    def tree_of(self, commit: str) -> str:
        """The name of its tree."""
        return self._headers(commit, b"tree")[0]

    def is_upon(self, commit: str, older: str) -> bool:
        """Whether a commit has another one among those before it; not itself."""
        seen, ahead = {commit}, [commit]
        while ahead and len(seen) <= MOST_COMMITS:
            for parent in self._headers(ahead.pop(), b"parent"):
                if parent == older:
                    return True
                if parent not in seen:
                    seen.add(parent)
                    ahead.append(parent)
        return False

    def blob_at(self, tree: str, path: PurePosixPath) -> str | None:
        """The name of the file at a path; None where there is none, or something else."""
        for part in path.parts[:-1]:
            mode, found = self._entry(tree, part)
            if mode != b"40000":
                return None
            tree = found
        mode, found = self._entry(tree, path.name)
        return found if mode in _FILES else None

    def _entry(self, tree: str, wanted: str) -> tuple[bytes, str]:
        data, size = self.get(tree, "tree"), len(tree) // 2
        while data:
            head, _, rest = data.partition(b"\0")
            mode, _, name = head.partition(b" ")
            if name == wanted.encode("utf-8", "surrogateescape"):
                return mode, rest[:size].hex()
            data = rest[size:]
        return b"", ""

    def _headers(self, commit: str, wanted: bytes) -> list[str]:
        head = self.get(commit, "commit").partition(b"\n\n")[0]
        lines = [line.partition(b" ") for line in head.split(b"\n")]
        return [value.decode("ascii", "replace") for name, _, value in lines if name == wanted]


@contextmanager
def _objects(top: Path) -> Iterator[_Objects]:
    with running(top, "cat-file", "--batch", talk=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield _Objects(process.stdin, process.stdout)


def _check_signature(commit: bytes, name: str, signers: Sequence[str]) -> None:
    """Raises `Permanent` unless git says good of exactly this commit, and of one of the signers."""
    unsigned = Permanent(f"commit {name[:12]} is not signed by one of approvals.signers", "git commit -S")
    if not re.search(rb"^gpgsig(-sha256)? -----BEGIN SSH SIGNATURE-----$", commit.partition(b"\n\n")[0], re.MULTILINE):
        raise unsigned
    with tempfile.TemporaryDirectory(prefix="rotator-signed-") as place:
        own, allowed = Path(place) / "own.git", Path(place) / "signers"
        allowed.write_text("".join(f"{line}\n" for line in signers))
        form = "sha256" if len(name) == 64 else "sha1"
        output(Path(place), "init", "-q", "--bare", "--template=", f"--object-format={form}", str(own))
        with running(own, "hash-object", "-t", "commit", "-w", "--stdin", talk=True) as process:
            written, _ = process.communicate(commit)
        if written.decode().strip() != name:
            raise Permanent("the commit is not what its name says", "`git fsck` in the repository")
        settings = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed}")
        if output(own, *settings, "verify-commit", name) is None:
            raise unsigned
        if output(own, *settings, "log", "--no-walk", "--format=%G?", name) != "G":
            raise unsigned
