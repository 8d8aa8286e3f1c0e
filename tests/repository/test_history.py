"""How long each version of a file held, in repositories that the real git made."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest

from rotator.adapters.repository.history import Repository
from rotator.adapters.repository.versions import History
from rotator.domain.failures import Permanent
from tests.repository.making import Made, on

NOW = datetime(2026, 11, 23, tzinfo=UTC)
Held = tuple[str, datetime, datetime | None]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made.at(tmp_path / "repository")


def history(made: Made) -> History:
    return Repository.at(made.folder).history(lambda path: PurePosixPath(path).name == "uv.lock", NOW)


def held(made: Made, path: str = "uv.lock") -> list[Held]:
    """Each version's contents and times."""
    with Repository.at(made.folder).contents() as contents:
        found = [
            ((contents(each.blob, 1000) or b"").decode(), each.since, each.until)
            for each in history(made).versions
            if each.path == path
        ]
    return sorted(found, key=lambda each: (each[1], each[0]))


def test_a_version_is_held_from_its_commit_to_the_next_commit_of_that_file(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.commit(on(2), {"other": "x"})
    made.commit(on(3), {"uv.lock": "b"})
    made.commit(on(4), {"other": "y"})
    assert held(made) == [("a", on(1), on(3)), ("b", on(3), None)]


def test_what_is_put_back_is_held_again_and_not_in_between(made: Made) -> None:
    for day, text in ((1, "a"), (2, "b"), (3, "a"), (4, "c")):
        made.commit(on(day), {"uv.lock": text})
    assert held(made) == [("a", on(1), on(2)), ("b", on(2), on(3)), ("a", on(3), on(4)), ("c", on(4), None)]


def test_a_file_that_is_removed_is_held_no_longer(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("rm", "-q", "uv.lock")
    made.commit(on(2), {})
    made.commit(on(5), {"uv.lock": "b"})
    assert held(made) == [("a", on(1), on(2)), ("b", on(5), None)]


def test_versions_on_branches_hold_at_the_same_time_until_they_are_merged(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("checkout", "-q", "-b", "feature")
    made.commit(on(2), {"uv.lock": "b"})
    made.git("checkout", "-q", "main")
    made.commit(on(3), {"other": "x"})
    assert held(made) == [("a", on(1), None), ("b", on(2), None)], "main still has the one, feature the other"
    made.git("merge", "-q", "--no-ff", "-m", "merge", "feature", at=on(4))
    assert held(made) == [("a", on(1), on(4)), ("b", on(2), None)]


def test_a_merge_that_makes_a_version_of_its_own_ends_both(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("checkout", "-q", "-b", "feature")
    made.commit(on(2), {"uv.lock": "b"})
    made.git("checkout", "-q", "main")
    made.commit(on(3), {"uv.lock": "c"})
    made.git("merge", "-q", "feature", at=on(4), check=False)
    made.commit(on(4), {"uv.lock": "d"})
    assert held(made) == [("a", on(1), on(3)), ("b", on(2), on(4)), ("c", on(3), on(4)), ("d", on(4), None)]


def test_a_merge_that_keeps_one_side_ends_the_other(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("checkout", "-q", "-b", "feature")
    made.commit(on(2), {"uv.lock": "bad"})
    made.git("checkout", "-q", "main")
    made.commit(on(3), {"other": "x"})
    made.git("merge", "-q", "-s", "ours", "-m", "merge", "feature", at=on(4))
    assert held(made) == [("a", on(1), None), ("bad", on(2), on(4))]


def test_two_branches_that_came_to_the_same_go_on_as_one(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("checkout", "-q", "-b", "feature")
    made.commit(on(2), {"uv.lock": "b"})
    made.git("checkout", "-q", "main")
    made.commit(on(3), {"uv.lock": "b", "other": "x"})
    made.git("merge", "-q", "--no-ff", "-m", "merge", "feature", at=on(4))
    made.git("branch", "-q", "-d", "feature")
    made.commit(on(5), {"uv.lock": "c"})
    assert held(made) == [("a", on(1), on(3)), ("b", on(2), on(5)), ("b", on(3), on(5)), ("c", on(5), None)]


def test_a_branch_without_a_common_beginning_is_read_too(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("checkout", "-q", "--orphan", "other")
    made.commit(on(2), {"uv.lock": "b"})
    assert held(made) == [("a", on(1), None), ("b", on(2), None)]


def test_commits_that_only_a_tag_or_a_detached_head_reaches_count(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("checkout", "-q", "--detach")
    made.commit(on(2), {"uv.lock": "tagged"})
    made.git("tag", "v1")
    made.git("checkout", "-q", "--detach", "main")
    made.commit(on(3), {"uv.lock": "detached"})
    assert [text for text, _, _ in held(made)] == ["a", "tagged", "detached"]


def test_a_moved_file_is_another_one_and_is_told(made: Made) -> None:
    made.commit(on(1), {"old/uv.lock": "a"})
    (made.folder / "new place").mkdir()
    made.git("mv", "old/uv.lock", "new place/uv.lock")
    made.commit(on(2), {})
    assert held(made, "old/uv.lock") == [("a", on(1), on(2))]
    assert held(made, "new place/uv.lock") == [("a", on(2), None)]
    assert history(made).moved == {"new place/uv.lock": frozenset({"old/uv.lock"})}


def test_of_a_commits_two_times_the_earlier_begins_and_the_later_ends(made: Made) -> None:
    made.commit(on(3), {"uv.lock": "a"}, committed=on(5))
    made.commit(on(6), {"uv.lock": "b"}, committed=on(9))
    assert held(made) == [("a", on(3), on(9)), ("b", on(6), None)]


def test_a_version_whose_end_is_dated_before_its_beginning_holds_for_both(made: Made) -> None:
    made.commit(on(10), {"uv.lock": "a"})
    made.commit(on(4), {"uv.lock": "b"})
    made.commit(on(12), {"uv.lock": "c"})
    assert held(made) == [("a", on(4), on(10)), ("b", on(4), on(12)), ("c", on(12), None)]


def test_what_ends_with_a_commit_dated_before_its_parent_holds_as_long_as_that(made: Made) -> None:
    made.commit(on(10), {"uv.lock": "a"})
    made.commit(on(4), {"uv.lock": "b"})
    made.commit(on(5), {"uv.lock": "c"})
    assert held(made) == [("a", on(4), on(10)), ("b", on(4), on(10)), ("c", on(5), None)]


def test_of_a_clock_in_the_future_or_in_1970_nobody_knows_the_time_and_what_it_ends_holds_to_this_day(
    made: Made,
) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.commit(datetime(2038, 1, 1, tzinfo=UTC), {"uv.lock": "b"})
    made.commit(datetime(1971, 1, 1, tzinfo=UTC), {"uv.lock": "c"})
    made.commit(on(7), {"uv.lock": "d"})
    assert held(made) == [("a", on(1), NOW), ("b", on(1), NOW), ("c", on(1), on(7)), ("d", on(7), None)]


def test_a_first_commit_in_the_future_was_there_since_nobody_knows_when(made: Made) -> None:
    made.commit(datetime(2038, 1, 1, tzinfo=UTC), {"uv.lock": "a"})
    made.commit(on(7), {"uv.lock": "b"})
    assert held(made) == [("a", datetime(2005, 1, 1, tzinfo=UTC), on(7)), ("b", on(7), None)]


def test_names_with_spaces_quotes_and_letters_of_other_languages_are_read(made: Made) -> None:
    names = ['a b/"c"/uv.lock', "Grüße/uv.lock", "new\nline/uv.lock"]
    made.commit(on(1), dict.fromkeys(names, "a"))
    assert sorted(each.path for each in history(made).versions) == sorted(names)


def test_a_log_that_is_to_be_written_in_another_encoding_is_read_all_the_same(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.git("config", "i18n.logOutputEncoding", "UTF-16")
    assert held(made) == [("a", on(1), None)]


def test_a_blob_is_read_up_to_a_size_and_the_next_one_is_still_right(made: Made) -> None:
    made.commit(on(1), {"a/uv.lock": "x" * 200_000, "b/uv.lock": "small", "c/uv.lock": ""})
    blobs = {each.path: each.blob for each in history(made).versions}
    with Repository.at(made.folder).contents() as contents:
        assert contents(blobs["a/uv.lock"], 10) == b"x" * 11
        assert contents(blobs["b/uv.lock"], 10) == b"small"
        assert contents("0" * 40, 10) is None
        assert contents(blobs["c/uv.lock"], 10) == b""


def test_an_empty_repository_has_no_versions(made: Made) -> None:
    assert history(made) == History((), {}, 0)


def test_a_bare_clone_is_read_and_a_shallow_one_says_so(made: Made, tmp_path: Path) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.commit(on(2), {"uv.lock": "b"})
    made.git("clone", "-q", "--bare", str(made.folder), str(tmp_path / "bare"))
    made.git("clone", "-q", "--depth", "1", f"file://{made.folder}", str(tmp_path / "shallow"))
    assert held(Made(tmp_path / "bare")) == held(made)
    assert Repository.at(tmp_path / "bare").top is None
    assert Repository.at(tmp_path / "shallow").shallow
    assert held(Made(tmp_path / "shallow")) == [("b", on(2), None)]


def test_nothing_that_a_repositorys_config_names_is_run(made: Made, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    sprung = tmp_path / "sprung"
    trap.write_text(f'#!/bin/sh\necho "$0 $@" >> {sprung}\nexit 0\n')
    trap.chmod(0o755)
    made.commit(on(1), {"uv.lock": "a", ".gitattributes": "* diff=evil filter=evil\n"})
    made.commit(on(2), {"uv.lock": "b"})
    hooks = made.folder / "hooks"
    hooks.mkdir()
    for setting in (
        *("core.fsmonitor", "core.pager", "core.sshCommand", "core.alternateRefsCommand", "diff.external"),
        *("diff.evil.command", "diff.evil.textconv", "filter.evil.smudge", "filter.evil.clean", "gpg.program"),
        *("core.editor", "core.askPass", "credential.helper", "pager.log", "uploadpack.packObjectsHook"),
    ):
        made.git("config", setting, str(trap))
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(trap.read_text())
        (hooks / name).chmod(0o755)
    for setting, value in (("core.hooksPath", str(hooks)), ("log.showSignature", "true"), ("diff.relative", "true")):
        made.git("config", setting, value)
    made.git("config", "extensions.partialClone", "origin")
    made.git("config", "remote.origin.url", f"ext::{trap}")
    made.git("config", "remote.origin.promisor", "true")
    made.git("config", "protocol.ext.allow", "always")
    sprung.unlink(missing_ok=True)
    assert [text for text, _, _ in held(made)] == ["a", "b"]
    with Repository.at(made.folder).contents() as contents:
        assert contents("1" * 40, 10) is None
    assert not sprung.exists(), sprung.read_text()


def test_the_trap_of_the_test_before_works(made: Made, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\n")
    trap.chmod(0o755)
    made.commit(on(1), {"uv.lock": "a"})
    for setting, value in (
        *(("extensions.partialClone", "origin"), ("remote.origin.url", f"ext::{trap}")),
        *(("remote.origin.promisor", "true"), ("protocol.ext.allow", "always")),
    ):
        made.git("config", setting, value)
    made.git("cat-file", "-p", "1" * 40, check=False)
    assert (tmp_path / "sprung").exists()


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="is no Git repository"):
        Repository.at(tmp_path)
    with pytest.raises(Permanent, match="is no folder"):
        Repository.at(tmp_path / "nothing")


def test_a_damaged_repository_is_a_failure_and_not_an_empty_one(made: Made) -> None:
    made.commit(on(1), {"uv.lock": "a"})
    made.commit(on(2), {"uv.lock": "b"})
    first = made.git("rev-parse", "HEAD~1")
    (made.folder / ".git" / "objects" / first[:2] / first[2:]).unlink()
    with pytest.raises(Permanent, match="git log failed"):
        history(made)


def test_ten_thousand_commits_are_one_process_and_little_memory(made: Made) -> None:
    """Written by fast-import, because committing each would take minutes."""
    stream = ["blob\nmark :1\ndata 1\na\nblob\nmark :2\ndata 1\nb\n"]
    for number in range(10_000):
        at = int((on(1) + timedelta(minutes=number)).timestamp())
        blob = 1 + number // 100 % 2
        stream.append(
            f"commit refs/heads/main\ncommitter c <c@d> {at} +0000\ndata 1\nx\n"
            f"M 100644 :{blob} uv.lock\nM 100644 inline other\ndata {len(str(number))}\n{number}\n"
        )
    made.git("fast-import", "--quiet", stdin="".join(stream))
    tracemalloc.start()
    found = history(made)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found.commits, len(found.versions)) == (10_000, 100)
    assert most < 20 * 2**20
