"""The gcp store beside others: two rotators, colleagues with gcloud, and requests that land late."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection

import pytest

from rotator.adapters.stores.gcp import published
from rotator.domain.failures import Conflict, Failure, Transient
from rotator.ports import ABSENT
from tests.servers import secret_manager
from tests.servers.secret_manager.iam import Binding
from tests.servers.secret_manager.service import Hook, Moment, RefusedError
from tests.stores.gcp_access import CURRENT, PENDING, SECRET, Gcp, Once, serving

pytestmark = pytest.mark.stand_in(secret_manager.NAME)

SHORT = timedelta(seconds=3)
"""For whoever gives up a request that is held up on its way, and reaches that place before even on a busy machine."""
LONG = timedelta(seconds=60)
"""A fifth of it, for which a claim is respected, passes while nobody who has one stands still."""
ACCESS = frozenset({"secretmanager.versions.access"})


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has a claim is hardly waited for."""
    monkeypatch.setattr(published, "PATIENCE", 0.02)


@pytest.fixture
def gcp() -> Iterator[Gcp]:
    """A fresh server with a document of two owners."""
    with serving("rest") as gcp:
        gcp.add({"other": "theirs", "api_key": "old"})
        yield gcp


def settle(gcp: Gcp, text: str) -> str:
    """A new version for all readers, written as the engine does; gives the version."""
    store = gcp.store()
    for _ in range(3):
        try:
            return store.write(CURRENT, {"api_key": text}, store.read(CURRENT).version)
        except Conflict:
            continue
    raise AssertionError("it is never written")


class Gate:
    """A hook that holds up the first such request until it is opened."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, moment: Moment, method: str, request: object) -> None:
        if (moment, method) == ("before", self.method) and not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(60)


def eventually(check: Callable[[], bool]) -> None:
    for _ in range(3000):
        if check():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it never comes")


# -- late requests -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_impatient")
def test_a_version_that_lands_after_a_rollback_is_seen_and_mended_by_the_next_write(gcp: Gcp) -> None:
    """What `exact=False` says: nothing keeps it from readers of `latest`. Those of the alias never get it."""
    version, gate = settle(gcp, "old"), Gate("AddSecretVersion")
    gcp.service.hooks.append(gate)
    with pytest.raises(Transient):
        gcp.store(timeout=SHORT).write(CURRENT, {"api_key": "new"}, version)
    assert gate.reached.is_set()
    settle(gcp, "old")
    gate.opened.set()
    eventually(lambda: gcp.document()["api_key"] == "new")
    assert gcp.both() == ({"other": "theirs", "api_key": "new"}, {"other": "theirs", "api_key": "old"})
    assert not gcp.store().capabilities().exact
    assert gcp.store().read(CURRENT).fields == {"api_key": "new"}, "so the new key is not deleted while readers have it"
    settle(gcp, "old")
    assert gcp.both() == ({"other": "theirs", "api_key": "old"},) * 2


@pytest.mark.usefixtures("_impatient")
def test_who_was_held_up_before_its_version_and_lost_the_claim_puts_back_what_the_other_wrote(gcp: Gcp) -> None:
    version, gate = settle(gcp, "old"), Gate("AddSecretVersion")
    gcp.service.hooks.append(gate)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(gcp.store().write, CURRENT, {"api_key": "new"}, version)
        assert gate.reached.wait(60)
        other = gcp.store()
        other.write(CURRENT, {"api_key": "old"}, other.read(CURRENT).version)
        gate.opened.set()
        assert isinstance(slow.exception(60), Conflict)
    assert gcp.both() == ({"other": "theirs", "api_key": "old"},) * 2
    assert gcp.store().read(CURRENT).fields == {"api_key": "old"}


@pytest.mark.usefixtures("_impatient")
def test_an_alias_that_would_move_late_is_refused(gcp: Gcp) -> None:
    version = settle(gcp, "old")

    class Second(Gate):
        def __call__(self, moment: Moment, method: str, request: object) -> None:
            if moment == "before" and method == self.method and gcp.service.calls["AddSecretVersion"] == adds + 1:
                super().__call__(moment, method, request)

    adds, gate = gcp.service.calls["AddSecretVersion"], Second("UpdateSecret")
    gcp.service.hooks.append(gate)
    with pytest.raises(Transient):
        gcp.store(timeout=SHORT).write(CURRENT, {"api_key": "new"}, version)
    settle(gcp, "back")
    before = gcp.service.calls["UpdateSecret"]
    gate.opened.set()
    eventually(lambda: gcp.service.calls["UpdateSecret"] >= before)
    assert gcp.both() == ({"other": "theirs", "api_key": "back"},) * 2


def test_a_private_version_that_lands_late_is_nobodys(gcp: Gcp) -> None:
    store = gcp.store()
    version, gate = store.write(PENDING, {"value.secret": "one"}, ABSENT), Gate("AddSecretVersion")
    gcp.service.hooks.append(gate)
    with pytest.raises(Transient):
        gcp.store(timeout=SHORT).write(PENDING, {"value.secret": "late"}, version)
    version = store.write(PENDING, {"value.secret": "two"}, version)
    gate.opened.set()
    eventually(lambda: max(gcp.states(private(gcp))) == 3)
    stored = store.read(PENDING)
    assert (stored.version, stored.fields) == (version, {"value.secret": "two"})


def test_a_private_place_that_is_written_in_the_middle_of_its_removal_stays(gcp: Gcp) -> None:
    store = gcp.store()
    version = store.write(PENDING, {"value.secret": "one"}, ABSENT)
    late = Once("before", "DeleteSecret", lambda: store.write(PENDING, {"value.secret": "two"}, version))
    gcp.service.hooks.append(late)
    with pytest.raises(Conflict):
        store.remove(PENDING, version)
    assert store.read(PENDING).fields == {"value.secret": "two"}


@pytest.mark.usefixtures("_impatient")
def test_who_takes_the_claim_of_a_slow_writer_that_has_added_its_version_wins_and_the_other_is_told(gcp: Gcp) -> None:
    version = settle(gcp, "old")
    other = gcp.store()

    def steal() -> None:
        other.write(CURRENT, {"api_key": "old"}, other.read(CURRENT).version)

    hook = Once("after", "AddSecretVersion", lambda: until_done(steal))
    gcp.service.hooks.append(hook)
    with pytest.raises(Conflict):
        gcp.store().write(CURRENT, {"api_key": "new"}, version)
    assert gcp.both() == ({"other": "theirs", "api_key": "old"},) * 2
    assert gcp.store().read(CURRENT).fields == {"api_key": "old"}


def until_done(act: Callable[[], None]) -> None:
    for _ in range(3):
        try:
            return act()
        except Conflict:
            continue
    raise AssertionError("it is never done")


def private(gcp: Gcp) -> str:
    (found,) = (name for name in gcp.service.names if "/rotator-" in name)
    return found


# -- colleagues --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theirs", [{"other": "changed", "api_key": "old"}, {"other": "theirs", "api_key": "foreign"}])
@pytest.mark.parametrize(("method", "turn"), [("UpdateSecret", 1), ("AddSecretVersion", 1)])
def test_a_colleagues_version_between_our_look_and_ours_is_latest_again_and_the_write_a_conflict(
    gcp: Gcp, theirs: dict[str, str], method: str, turn: int
) -> None:
    version = settle(gcp, "old")
    gcp.service.hooks.append(Once("before", method, lambda: gcp.add(theirs), turn))
    store = gcp.store()
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "new"}, version)
    assert gcp.document() == theirs
    assert gcp.document("current") == {"other": "theirs", "api_key": "old"}
    stored = store.read(CURRENT)
    assert stored.fields == {"api_key": theirs["api_key"]}, "a foreign value is seen as what it is"
    store.write(CURRENT, {"api_key": "new"}, stored.version)
    assert gcp.both() == ({**theirs, "api_key": "new"},) * 2


def test_a_colleagues_version_behind_ours_is_seen_by_the_next_look(gcp: Gcp) -> None:
    version, theirs = settle(gcp, "old"), {"other": "changed", "api_key": "old"}
    gcp.service.hooks.append(Once("after", "AddSecretVersion", lambda: gcp.add(theirs)))
    store = gcp.store()
    version = store.write(CURRENT, {"api_key": "new"}, version)
    stored = store.read(CURRENT)
    assert stored.fields == {"api_key": "old"}
    assert stored.version != version
    store.write(CURRENT, {"api_key": "new"}, stored.version)
    assert gcp.both() == ({"other": "changed", "api_key": "new"},) * 2


@pytest.mark.usefixtures("_impatient")
def test_a_foreign_version_behind_a_write_that_died_is_not_overwritten_unseen(gcp: Gcp) -> None:
    version, store = settle(gcp, "old"), gcp.store()
    gcp.service.hooks.append(Once("before", "AddSecretVersion", lambda: 1 / 0))  # the process dies
    with pytest.raises(Failure):
        store.write(CURRENT, {"api_key": "new"}, version)
    gcp.add({"other": "theirs", "api_key": "foreign"})
    stored = store.read(CURRENT)
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "new"}, stored.version)
    assert store.read(CURRENT).fields == {"api_key": "foreign"}
    assert gcp.document()["api_key"] == "foreign"


def test_an_alias_that_somebody_moves_back_is_what_is_current(gcp: Gcp) -> None:
    settle(gcp, "old")
    settle(gcp, "new")
    gcp.move_alias(gcp.service.held(SECRET).secret.version_aliases["current"] - 1)
    store = gcp.store()
    stored = store.read(CURRENT)
    assert stored.fields == {"api_key": "old"}
    store.write(CURRENT, {"api_key": "new"}, stored.version)
    assert gcp.both() == ({"other": "theirs", "api_key": "new"},) * 2


def test_labels_and_aliases_of_others_stay_and_their_change_in_between_costs_one_attempt(gcp: Gcp) -> None:
    gcp.move_alias(1, alias="pinned")
    version = settle(gcp, "old")

    def terraform() -> None:
        changed = {"name": SECRET, "labels": {"team": "ml"}}
        gcp.ask("UpdateSecret", secret=changed, update_mask={"paths": ["labels"]})

    for turn in (1, 2):
        gcp.service.hooks.append(Once("before", "UpdateSecret", terraform, turn))
        gcp.service.hooks[-1:] = [quiet(gcp.service.hooks[-1])]
        with pytest.raises(Conflict):
            gcp.store().write(CURRENT, {"api_key": f"new {turn}"}, version)
        gcp.service.hooks.clear()
        version = settle(gcp, f"new {turn}")
    assert gcp.both() == ({"other": "theirs", "api_key": "new 2"},) * 2
    secret = gcp.service.held(SECRET).secret
    assert dict(secret.labels) == {"team": "ml"}
    assert secret.version_aliases["pinned"] == 1


def quiet(hook: Hook) -> Hook:
    """The hook, which its own requests do not reach."""
    inside = threading.local()

    def act(moment: Moment, method: str, request: object) -> None:
        if not getattr(inside, "acting", False):
            inside.acting = True
            try:
                hook(moment, method, request)
            finally:
                inside.acting = False

    return act


# -- readers -----------------------------------------------------------------------------------------------------------


class Reader:
    """A consumer in a thread of its own, over a connection of its own, who may read this secret and nothing else."""

    def __init__(self, gcp: Gcp, version: str) -> None:
        self.url = f"/v1/{SECRET}/versions/{version}:access"
        self.token = gcp.allow(f"consumer-{version}", Binding(ACCESS, prefixes=(f"{SECRET}/",)))
        self.host = gcp.address.removeprefix("http://")
        self.found: list[str] = []
        self.failed: list[str] = []

    def read_until(self, over: threading.Event) -> None:
        connection = HTTPConnection(self.host)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not over.wait(0.002):
            connection.request("GET", self.url, headers={"Authorization": f"Bearer {self.token}"})
            answer = json.loads(connection.getresponse().read())
            if "payload" not in answer:
                self.failed.append(str(answer))
                continue
            document = json.loads(b64decode(answer["payload"]["data"]))
            self.found.append(f"{document['api_key']} {document['other']}")
        connection.close()


def test_readers_of_latest_and_of_the_alias_only_ever_get_values_that_were_written_for_good(gcp: Gcp) -> None:
    """Promotions and rollbacks by two rotators who race for every version, with a colleague beside them."""
    settle(gcp, "k0")
    readers, over = [Reader(gcp, "latest"), Reader(gcp, "current")], threading.Event()
    written, refused = {"k0"}, set[str]()

    def rotate(name: str) -> None:
        store = gcp.store(timeout=LONG)
        for number in range(2000):
            if number >= 50 and refused:
                return
            text = f"{name}{number}"
            try:
                store.write(CURRENT, {"api_key": text}, store.read(CURRENT).version)
            except Conflict:
                refused.add(text)
            else:
                written.add(text)
                eventually(lambda: all(len(each.found) >= len(written) for each in readers))

    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(reader.read_until, over) for reader in readers]
        try:
            for each in [pool.submit(rotate, name) for name in ("a", "b")]:
                each.result()
        finally:
            over.set()
        for each in reading:
            each.result()
    assert written - {"k0"}
    assert refused, "nobody lost a race, so this showed nothing"
    for reader in readers:
        assert reader.failed == []
        assert {text.split()[0] for text in reader.found} <= written
        assert {text.split()[1] for text in reader.found} == {"theirs"}


def test_readers_find_a_whole_document_while_a_colleague_and_a_rotator_write_without_minding_each_other(
    gcp: Gcp,
) -> None:
    """Every value is one that somebody meant to be current, and in the end all have both changes."""
    settle(gcp, "k0")
    readers, over = [Reader(gcp, "latest"), Reader(gcp, "current")], threading.Event()
    meant = {"k0", *(f"k{number}" for number in range(1, 301))}

    def edit() -> None:
        while not over.wait(0.03):
            document = gcp.document()
            gcp.add({**document, "other": f"theirs{time.monotonic_ns()}"})

    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(reader.read_until, over) for reader in readers]
        colleague = pool.submit(edit)
        conflicts = 0
        try:
            store = gcp.store(timeout=LONG)
            for number in range(1, 301):
                if conflicts and number > 12:
                    break
                for _ in range(50):
                    try:
                        store.write(CURRENT, {"api_key": f"k{number}"}, store.read(CURRENT).version)
                    except Conflict:
                        conflicts += 1
                        continue
                    break
        finally:
            over.set()
        for each in (*reading, colleague):
            each.result()
    assert conflicts
    for reader in readers:
        assert reader.failed == []
        assert {text.split()[0] for text in reader.found} <= meant
    settle(gcp, "end")
    latest, alias = gcp.both()
    assert latest == alias
    assert latest["api_key"] == "end"


def test_a_consumers_role_for_its_secret_reads_nothing_of_ours(gcp: Gcp) -> None:
    gcp.store().write(PENDING, {"value.secret": "hidden"}, ABSENT)
    token = gcp.allow("consumer", Binding(ACCESS, prefixes=(f"{SECRET}/",)))
    assert gcp.ask("AccessSecretVersion", token, name=f"{SECRET}/versions/latest").payload.data
    for version in ("latest", "current", "1"):
        with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
            gcp.ask("AccessSecretVersion", token, name=f"{private(gcp)}/versions/{version}")
