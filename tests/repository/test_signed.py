"""A signed commit says what is in a file; a repository that somebody else may write to says nothing."""

from __future__ import annotations

import stat
import zlib
from pathlib import Path

import pytest

from rotator.adapters.repository.signed import Committed, committed, signed_since
from rotator.domain.failures import Permanent
from tests.repository.making import Made, on
from tests.repository.signing import Signer

PATH = "etc/rotator.yaml"


@pytest.fixture
def ops(tmp_path: Path) -> Signer:
    return Signer.at(tmp_path / "keys", "ops")


@pytest.fixture
def thief(tmp_path: Path) -> Signer:
    return Signer.at(tmp_path / "keys", "thief")


@pytest.fixture
def repository(tmp_path: Path) -> Made:
    made = Made.at(tmp_path / "repository")
    made.commit(on(1), {PATH: "a: 1\n", "README": "words\n"})
    return made


def here(repository: Made, *more: str) -> dict[Path, bytes]:
    files = [repository.folder / each for each in (PATH, *more)]
    return {each: each.read_bytes() for each in files}


def refusal(repository: Made, signer: Signer, since: Committed) -> str:
    with pytest.raises(Permanent) as refused:
        signed_since(here(repository), [signer.line], since)
    return refused.value.message


def test_a_commit_signed_by_a_known_signer_is_good(repository: Made, ops: Signer, thief: Signer) -> None:
    since = committed(here(repository))
    commit = ops.commit(repository, 2, {PATH: "a: 2\n"})
    assert signed_since(here(repository), [thief.line, ops.line], since) == Committed(commit, PATH)
    assert Committed.read(str(Committed(commit, PATH))) == Committed(commit, PATH)


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_both_kinds_of_names_are_understood(form: str, tmp_path: Path, ops: Signer) -> None:
    made = Made(tmp_path / "other")
    made.folder.mkdir()
    made.git("init", "-q", f"--object-format={form}")
    made.commit(on(1), {PATH: "a: 1\n"})
    since = committed(here(made))
    commit = ops.commit(made, 2, {PATH: "a: 2\n"})
    assert len(commit) == {"sha1": 40, "sha256": 64}[form]
    assert signed_since(here(made), [ops.line], since).id == commit


def test_it_is_found_among_packed_objects_behind_other_commits(repository: Made, ops: Signer) -> None:
    since = committed(here(repository))
    repository.commit(on(2), {"README": "more words\n"})
    ops.commit(repository, 3, {PATH: "a: 2\n"})
    repository.git("gc", "-q")
    assert signed_since(here(repository), [ops.line], since) == committed(here(repository))


def test_an_unsigned_commit_and_a_stranger_s_are_not(repository: Made, ops: Signer, thief: Signer) -> None:
    since = committed(here(repository))
    repository.commit(on(2), {PATH: "a: 2\n"})
    assert "is not signed by one of" in refusal(repository, ops, since)
    thief.commit(repository, 3, {PATH: "a: 3\n"})
    assert "is not signed by one of" in refusal(repository, ops, since)


def test_a_file_that_was_changed_after_the_commit_is_not(repository: Made, ops: Signer) -> None:
    since = committed(here(repository))
    ops.commit(repository, 2, {PATH: "a: 2\n"})
    repository.write(PATH, "a: 3\n")
    assert refusal(repository, ops, since) == f"{PATH} is not as it is committed"


def test_every_file_that_was_read_counts(repository: Made, ops: Signer) -> None:
    since = committed(here(repository))
    ops.commit(repository, 2, {PATH: "a: 2\n"})
    repository.write("etc/more.yaml", "b: 1\n")
    with pytest.raises(Permanent, match=r"etc/more\.yaml is not as it is committed"):
        signed_since(here(repository, "etc/more.yaml"), [ops.line], since)


def test_an_older_commit_approves_nothing_again(repository: Made, ops: Signer) -> None:
    first = ops.commit(repository, 2, {PATH: "a: 2\n"})
    ops.commit(repository, 3, {PATH: "a: 3\n"})
    since = committed(here(repository))
    repository.git("reset", "-q", "--hard", first)
    assert refusal(repository, ops, since) == "the commit is not made upon the one that was approved before"
    assert refusal(repository, ops, committed(here(repository)))  # nor the very same


def test_a_commit_of_another_line_approves_nothing(repository: Made, ops: Signer) -> None:
    start = repository.git("rev-parse", "HEAD")
    repository.commit(on(2), {PATH: "a: 2\n"})
    since = committed(here(repository))
    repository.git("checkout", "-q", "-b", "other", start)
    ops.commit(repository, 3, {PATH: "a: 3\n"})
    assert "not made upon" in refusal(repository, ops, since)


def poison(repository: Made, config: str) -> None:
    with (repository.folder / ".git" / "config").open("a") as file:
        file.write(config)


def test_another_file_of_the_commit_is_not_taken_for_this_one(repository: Made, ops: Signer) -> None:
    since = committed(here(repository))
    ops.commit(repository, 2, {f"tests/evil/{PATH}": "a: evil\n"})
    evil = repository.folder / "tests/evil" / PATH
    with pytest.raises(Permanent, match=f"was {PATH} in its repository, and now is tests/evil/{PATH}"):
        signed_since({evil: evil.read_bytes()}, [ops.line], since)
    poison(repository, f"[core]\nworktree = {repository.folder}/tests/evil\n")
    with pytest.raises(Permanent, match=f"{PATH} is not as it is committed"):
        signed_since({evil: evil.read_bytes()}, [ops.line], since)


def loose(repository: Made, name: str) -> Path:
    return repository.folder / ".git" / "objects" / name[:2] / name[2:]


def lie(repository: Made, name: str, kind: str, data: bytes) -> None:
    """Put this content where an object of another one is."""
    path = loose(repository, name)
    path.chmod(0o600)
    path.write_bytes(zlib.compress(f"{kind} {len(data)}\0".encode() + data))


def test_an_object_that_is_not_what_its_name_says_is_not_believed(repository: Made, ops: Signer) -> None:
    """Git itself does: of a good commit's folder, somebody swaps the list of files."""
    since = committed(here(repository))
    ops.commit(repository, 2, {PATH: "a: 2\n"})
    repository.write(PATH, "a: evil\n")
    evil = repository.git("hash-object", "-w", PATH)
    tree = repository.git("rev-parse", "HEAD:etc")
    lie(repository, tree, "tree", b"100644 rotator.yaml\0" + bytes.fromhex(evil))
    assert repository.git("cat-file", "-p", f"HEAD:{PATH}") == "a: evil"
    assert "is not what its name says" in refusal(repository, ops, since)


def test_history_cannot_be_forged(repository: Made, ops: Signer) -> None:
    """An old signed commit whose parent is made to look like one upon what was approved since."""
    middle = repository.commit(on(2), {"README": "middle\n"})
    old = ops.commit(repository, 3, {PATH: "a: old\n"})
    ops.commit(repository, 4, {PATH: "a: new\n"})
    since = committed(here(repository))
    repository.git("reset", "-q", "--hard", old)
    content = repository.git("cat-file", "commit", middle)
    parent = repository.git("rev-parse", f"{middle}^")
    lie(repository, middle, "commit", content.replace(parent, since.id).encode() + b"\n")
    repository.git("replace", "-f", old, since.id)
    assert "is not what its name says" in refusal(repository, ops, since)


def test_nothing_that_a_repository_s_config_names_is_run(repository: Made, ops: Signer, tmp_path: Path) -> None:
    since = committed(here(repository))
    ops.commit(repository, 2, {PATH: "a: 2\n"})
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    config = f"""
[core]
repositoryformatversion = 1
fsmonitor = {program}
hooksPath = {tmp_path}
pager = {program}
sshCommand = {program}
alternateRefsCommand = {program}
[pager]
cat-file = {program}
rev-parse = {program}
[gpg]
program = {program}
format = openpgp
[gpg "ssh"]
program = {program}
allowedSignersFile = /dev/null
defaultKeyCommand = {program}
[gpg "openpgp"]
program = {program}
[extensions]
partialClone = origin
[remote "origin"]
url = {repository.folder}
uploadpack = {program}
promisor = true
[filter "evil"]
clean = {program}
smudge = {program}
[diff "evil"]
textconv = {program}
command = {program}
[alias]
rev-parse = !{program}
"""
    tree = repository.git("rev-parse", "HEAD:etc")
    poison(repository, config)
    repository.write(".gitattributes", "* filter=evil diff=evil\n")
    assert signed_since(here(repository), [ops.line], since) == committed(here(repository))
    assert not ran.exists()
    loose(repository, tree).unlink()  # what is missing would be fetched from the promised remote
    assert refusal(repository, ops, since)
    assert not ran.exists()


def test_a_config_outside_of_every_repository_is_approved_by_no_commit(tmp_path: Path, ops: Signer) -> None:
    file = tmp_path / "rotator.yaml"
    file.write_text("a: 1\n")
    with pytest.raises(Permanent, match="in no Git work tree"):
        committed({file: b"a: 1\n"})


def test_of_a_symbolic_link_what_it_leads_to_is_looked_for(repository: Made) -> None:
    real = repository.folder / "real.yaml"
    real.write_text("a: 1\n")
    link = repository.folder / "link.yaml"
    link.symlink_to("real.yaml")
    repository.commit(on(2), {})
    assert committed({link: b"a: 1\n"}).path == "real.yaml"
