"""The file store stays beneath its root, keeps what it finds, and lets nobody read what consumers do not need."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.adapters.stores.file import FileStore
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Denied, Permanent, Transient
from rotator.ports import ABSENT
from tests.stores.file_process import made

FORMATS = ("json", "dotenv", "fields")
HIDDEN = "sk-hidden-0123456789"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    return root


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory beside the root with what a document could be; it must stay as it is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "service").write_text('{"API_KEY": "theirs"}')
    before = {path: path.read_bytes() for path in outside.rglob("*")}
    yield outside
    assert {path: path.read_bytes() for path in outside.rglob("*")} == before


def current(ref: str, *fields: str) -> Place:
    return Place(ref=ref, kind=PlaceKind.CURRENT, fields=fields or ("API_KEY",))


@contextmanager
def refused(failure: type[Permanent | Denied], part: str) -> Iterator[None]:
    """Within, that failure is raised and says so, with a hint."""
    with pytest.raises(failure) as refusal:
        yield
    assert part in refusal.value.message
    assert refusal.value.hint


# -- beneath the root --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_a_link_out_of_the_root_is_not_followed(root: Path, outside: Path, form: str) -> None:
    store = made(root, form)
    (root / "app").symlink_to(outside)
    (root / "service").symlink_to(outside / "service")
    for place in (current("app/service"), current("app/new"), current("service")):
        with refused(Permanent, str(root)):
            store.read(place)
        with refused(Permanent, str(root)):
            store.write(place, {"API_KEY": "x"}, ABSENT)
        with refused(Permanent, str(root)):
            store.remove(place, ABSENT)
    assert (root / "service").is_symlink()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", [".rotator", ".rotator/locks", ".rotator/pending"])
def test_a_link_in_the_place_of_a_directory_of_ours_is_not_followed(
    root: Path, outside: Path, form: str, part: str
) -> None:
    store, pending = made(root, form), Place(ref="app/service", kind=PlaceKind.PENDING, of="r")
    (root / part).parent.mkdir(mode=0o700, exist_ok=True)
    (root / part).symlink_to(outside, target_is_directory=True)
    with refused(Permanent, "link"):
        store.write(pending, {"value.secret": HIDDEN}, ABSENT)
    assert HIDDEN not in "".join(path.read_text() for path in root.rglob("*") if path.is_file())


def test_a_root_may_be_reached_by_a_link_because_the_operator_wrote_its_path(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    made(tmp_path / "link", "json").write(current("service"), {"API_KEY": "x"}, ABSENT)
    assert (root / "service").is_file()


def test_a_field_that_is_a_link_of_somebody_else_is_refused(root: Path, outside: Path) -> None:
    store = made(root, "fields")
    (root / "app").mkdir()
    (root / "app" / "API_KEY").symlink_to(outside / "service")
    with refused(Permanent, "is a link"):
        store.read(current("app"))
    with refused(Permanent, "is a link"):
        store.write(current("app"), {"API_KEY": "x"}, ABSENT)
    (root / "app" / "API_KEY").unlink()
    (root / "app" / "..rotator").symlink_to(outside)
    with refused(Permanent, "is not the rotator's link"):
        store.write(current("app"), {"API_KEY": "x"}, ABSENT)


@pytest.mark.parametrize("form", ["json", "dotenv"])
def test_a_document_that_is_no_regular_file_is_refused_at_once(root: Path, form: str) -> None:
    store = made(root, form)
    os.mkfifo(root / "pipe")
    (root / "directory").mkdir()
    for ref in ("pipe", "directory"):
        with refused(Permanent, ref):
            store.read(current(ref))
        with refused(Permanent, ref):
            store.write(current(ref), {"API_KEY": "x"}, ABSENT)


@pytest.mark.parametrize("form", FORMATS)
def test_a_publication_into_the_rotators_own_directory_is_refused(root: Path, form: str) -> None:
    for ref in (".rotator", ".rotator/pending/app/r"):
        with refused(Permanent, "keeps its own values"):
            made(root, form).write(current(ref), {"API_KEY": "x"}, ABSENT)


@pytest.mark.parametrize("form", FORMATS)
def test_a_directory_on_the_way_that_everybody_may_write_is_denied(root: Path, form: str) -> None:
    store = made(root, form)
    version = store.write(current("app/service"), {"API_KEY": "x"}, ABSENT)
    (root / "app").chmod(0o777)
    with refused(Denied, "written by everybody"):
        store.read(current("app/service"))
    with refused(Denied, "written by everybody"):
        store.write(current("app/service"), {"API_KEY": "y"}, version)
    (root / "app").chmod(0o700)
    root.chmod(0o777)
    with refused(Denied, "written by everybody"):
        store.read(current("app/service"))


@pytest.mark.parametrize("bad", ["..", "../x", "a/b", ".", "", "..rotator", "a\0b", "x" * 101])
def test_a_field_that_is_no_name_of_a_file_is_refused(root: Path, bad: str) -> None:
    for place, fields in ((current("app", bad), {bad: "x"}), (current("app"), {bad: "x"})):
        with refused(Permanent, "no name of a file"):
            made(root, "fields").write(place, fields, ABSENT)
    assert not any(path.is_file() for path in root.rglob("*") if ".rotator" not in path.parts)


# -- who may read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_whatever_is_made_is_ours_alone(root: Path, form: str) -> None:
    store = made(root, form)
    before = os.umask(0)
    try:
        version = store.write(current("app/service"), {"API_KEY": HIDDEN}, ABSENT)
        store.write(current("app/service"), {"API_KEY": HIDDEN}, version)
        store.write(Place(ref="app/service", kind=PlaceKind.PENDING, of="r"), {"value.secret": HIDDEN}, ABSENT)
    finally:
        os.umask(before)
    found = [path for path in root.rglob("*") if not path.is_symlink()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_dir()} == {0o700}


@pytest.mark.parametrize("form", ["json", "dotenv"])
def test_a_document_that_others_could_read_is_closed_to_them_and_keeps_its_owner(root: Path, form: str) -> None:
    document = root / "service"
    document.write_text({"json": "{}", "dotenv": ""}[form])
    document.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(document, 1234, 2345)
    owner = (document.stat().st_uid, document.stat().st_gid)
    store = made(root, form)
    store.write(current("service"), {"API_KEY": HIDDEN}, store.read(current("service")).version)
    assert stat.S_IMODE(document.stat().st_mode) == 0o600
    assert (document.stat().st_uid, document.stat().st_gid) == owner


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_fields_belong_to_whom_the_directory_belongs_to(root: Path) -> None:
    (root / "app").mkdir(mode=0o700)
    os.chown(root / "app", 1234, 2345)
    made(root, "fields").write(current("app"), {"API_KEY": HIDDEN}, ABSENT)
    version = (root / "app" / "..rotator").resolve()
    for path in (version, version / "API_KEY"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_private_directory_that_others_may_enter_is_denied_before_a_value_is_in_it(root: Path) -> None:
    store, pending = made(root, "json"), Place(ref="app", kind=PlaceKind.PENDING, of="r")
    (root / ".rotator").mkdir()
    (root / ".rotator").chmod(0o750)
    with refused(Denied, "is open to others"):
        store.write(pending, {"value.secret": HIDDEN}, ABSENT)
    (root / ".rotator").chmod(0o700)
    if os.geteuid() == 0:
        os.chown(root / ".rotator", 1234, -1)
        with refused(Denied, "belongs to the user 1234"):
            store.write(pending, {"value.secret": HIDDEN}, ABSENT)
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_version_does_not_help_to_guess_a_short_password(tmp_path: Path) -> None:
    """The journal holds versions: from a plain digest a password of four digits would be found in no time."""
    versions = set()
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir(mode=0o755)
        store = made(tmp_path / name, "json")
        versions.add(store.write(current("service"), {"API_KEY": "1234"}, ABSENT))
        versions.add(store.write(Place(ref="service", kind=PlaceKind.PENDING, of="r"), {"a": "1234"}, ABSENT))
    assert len(versions) == 6


# -- documents ---------------------------------------------------------------------------------------------------------


def test_without_a_format_the_ending_of_the_reference_decides(root: Path) -> None:
    store = FileStore.from_settings("local", {"root": str(root)}, str, timedelta(seconds=10))
    for ref in ("app/service.json", ".json"):
        store.write(current(ref), {"API_KEY": "x"}, ABSENT)
        assert (root / ref).read_text() == '{\n  "API_KEY": "x"\n}\n'
    for ref in (".env", "app/prod.env", ".env.local"):
        store.write(current(ref), {"API_KEY": "x"}, ABSENT)
        assert (root / ref).read_text() == "API_KEY=x\n"
    for ref in ("service", "env", "service.yaml", "json/x"):
        with refused(Permanent, "does not say its format"):
            store.write(current(ref), {"API_KEY": "x"}, ABSENT)
        with refused(Permanent, "does not say its format"):
            store.read(current(ref))


@pytest.mark.parametrize(
    ("form", "content"), [("json", "no json"), ("json", '{"API_KEY": "\\ud800"}'), ("dotenv", "API_KEY=b\udcffd")]
)
def test_a_document_that_cannot_be_understood_is_refused_and_stays(root: Path, form: str, content: str) -> None:
    (root / "service").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(Permanent) as refusal:
        made(root, form).read(current("service"))
    assert "ud8" not in refusal.value.message
    assert (root / "service").read_bytes() == content.encode(errors="surrogateescape")


def test_json_in_another_encoding_is_refused_and_other_bytes_in_a_dotenv_file_stay(root: Path) -> None:
    latin = b"# caf\xe9\nOTHER=caf\xe9\nAPI_KEY=old\n"
    (root / "service").write_bytes(latin)
    with refused(Permanent, "not UTF-8"):
        made(root, "json").read(current("service"))
    store = made(root, "dotenv")
    store.write(current("service"), {"API_KEY": "new"}, store.read(current("service")).version)
    assert (root / "service").read_bytes() == latin.replace(b"old", b"new")


def test_a_file_too_large_for_a_document_is_refused(root: Path) -> None:
    with (root / "service").open("wb") as file:
        file.truncate(2**24 + 1)
    with refused(Permanent, "larger than 16 MiB"):
        made(root, "json").read(current("service"))


def test_a_document_that_would_become_too_large_to_be_read_again_is_not_written(root: Path) -> None:
    content = '{"OTHER": "' + "x" * (2**24 - 1000) + '"}'
    (root / "service").write_text(content)
    store = made(root, "json")
    with refused(Permanent, "too large"):
        store.write(current("service"), {"API_KEY": "x" * 2000}, store.read(current("service")).version)
    assert (root / "service").read_text() == content


def test_a_dotenv_file_whose_last_variable_is_removed_keeps_its_comments(root: Path) -> None:
    (root / ".env").write_text("# ask team-ml\nAPI_KEY=old\n")
    store = made(root, "dotenv")
    store.remove(current(".env"), store.read(current(".env")).version)
    assert (root / ".env").read_text() == "# ask team-ml\n"
    assert store.read(current(".env")).fields is None


# -- a file per field --------------------------------------------------------------------------------------------------


def test_what_cannot_be_tidied_behind_a_write_does_not_say_that_nothing_was_written(root: Path) -> None:
    store, place = made(root, "fields"), current("app")
    version = store.write(place, {"API_KEY": "one"}, ABSENT)
    (root / "app" / "..rotator-vstray").write_text("a file where directories of ours are")
    with pytest.raises(Transient, match="was changed, and then"):
        store.write(place, {"API_KEY": "two"}, version)
    assert store.read(place).fields == {"API_KEY": "two"}


def test_fields_that_people_wrote_are_read_without_their_line_break_and_become_links(root: Path) -> None:
    (root / "app").mkdir()
    for name in ("API_KEY", "USER", "OTHER"):
        (root / "app" / name).write_text(f"{name} of old\n")
    store, place = made(root, "fields"), current("app", "API_KEY", "USER")
    stored = store.read(place)
    assert stored.fields == {"API_KEY": "API_KEY of old", "USER": "USER of old"}
    store.write(place, {"API_KEY": "new"}, stored.version)
    assert store.read(place).fields == {"API_KEY": "new", "USER": "USER of old"}
    assert (root / "app" / "API_KEY").readlink() == Path("..rotator/API_KEY")
    assert (root / "app" / "API_KEY").read_text() == "new"
    assert (root / "app" / "OTHER").read_text() == "OTHER of old\n"
    assert not (root / "app" / "OTHER").is_symlink()


def test_a_version_that_is_replaced_while_it_is_read_is_read_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, place, turns = made(root, "fields"), current("app", "API_KEY", "USER"), iter(("1", "2"))
    version = store.write(place, {"API_KEY": "0", "USER": "0"}, ABSENT)
    real = os.open

    def replaced_before(name: str, *arguments: int, **settings: int) -> int:
        nonlocal version
        turn = next(turns, None) if str(name).startswith("..rotator-v") else None
        if turn is not None:
            with monkeypatch.context() as patched:
                patched.setattr(os, "open", real)
                version = store.write(place, {"API_KEY": turn, "USER": turn}, version)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(os, "open", replaced_before)
    assert store.read(place).fields == {"API_KEY": "2", "USER": "2"}
    assert next(turns, None) is None


def test_who_opened_the_old_version_reads_it_to_its_end(root: Path) -> None:
    store, place = made(root, "fields"), current("app", "API_KEY", "USER")
    version = store.write(place, {"API_KEY": "old", "USER": "old"}, ABSENT)
    with (root / "app" / "API_KEY").open() as key:
        store.write(place, {"API_KEY": "new", "USER": "new"}, version)
        assert key.read() == "old"
    assert [path.name for path in (root / "app").glob("..rotator-v*")] == [(root / "app" / "..rotator").readlink().name]


def test_fields_of_other_credentials_in_the_same_directory_change_along_unharmed(root: Path) -> None:
    store, ours, theirs = made(root, "fields"), current("app", "API_KEY"), current("app", "URL")
    version = store.write(ours, {"API_KEY": "one"}, ABSENT)
    store.write(theirs, {"URL": "theirs"}, ABSENT)
    store.write(ours, {"API_KEY": "two"}, store.read(ours).version)
    assert version != store.read(ours).version
    store.remove(ours, store.read(ours).version)
    assert sorted(path.name for path in (root / "app").iterdir() if not path.name.startswith("..")) == ["URL"]
    assert (root / "app" / "URL").read_text() == "theirs"
