"""The gcp store when a write ends anywhere: at each request, before its effect or after it, and the next time, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rotator.adapters.stores.gcp import GcpStore, published
from rotator.domain.credential import Place
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient
from rotator.ports import ABSENT
from rotator.testing.store_contract import secret_free
from tests.servers import secret_manager
from tests.servers.secret_manager.service import Moment
from tests.stores.gcp_access import CURRENT, HIDDEN, PENDING, SECRET, Gcp, Once, lose, refuse, serving, until_written

pytestmark = pytest.mark.stand_in(secret_manager.NAME)


OF_A_WRITE = (
    ("AccessSecretVersion", 1),
    ("GetSecret", 1),
    ("UpdateSecret", 1),
    ("AddSecretVersion", 1),
    ("UpdateSecret", 2),
)
OF_A_FIRST_WRITE = (("CreateSecret", 1), ("AddSecretVersion", 1), ("UpdateSecret", 1))
OF_A_PRIVATE_WRITE = (("GetSecret", 1), ("AddSecretVersion", 1), ("UpdateSecret", 1))
MOMENTS: tuple[Moment, ...] = ("before", "after")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever left a claim is dead here, and is waited for hardly at all."""
    monkeypatch.setattr(published, "PATIENCE", 0.01)


@pytest.fixture(params=["rest", "grpc"])
def gcp(request: pytest.FixtureRequest) -> Iterator[Gcp]:
    """A fresh server on either transport."""
    with serving(request.param) as gcp:
        yield gcp


@pytest.fixture
def rest() -> Iterator[Gcp]:
    """A fresh server, where the transport makes no difference."""
    with serving("rest") as gcp:
        yield gcp


def interrupted(gcp: Gcp, store: GcpStore, hook: Once, place: Place, text: str, expected: str) -> Failure:
    """The failure of a write with that hook; the failure shows nothing."""
    gcp.service.hooks.append(hook)
    with pytest.raises(Failure) as raised:
        store.write(place, {place.fields[0] if place.fields else "value.secret": text}, expected)
    gcp.service.hooks.remove(hook)
    assert hook.fired == 1
    assert [each for each in (text, *gcp.secrets) if not secret_free(raised.value, each)] == []
    return raised.value


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("method", "turn"), OF_A_WRITE)
@pytest.mark.parametrize("forward", [True, False], ids=["then forward", "then back"])
def test_a_write_that_is_lost_anywhere_twice_leaves_working_values_and_is_finished_or_undone(
    gcp: Gcp, moment: Moment, method: str, turn: int, forward: bool
) -> None:
    gcp.add({"other": "theirs", "api_key": "old"})
    store = gcp.store()
    until_written(store, CURRENT, "old")
    for _ in range(2):
        stored = store.read(CURRENT)
        if stored.fields == {"api_key": "new"}:
            break
        hook = Once(moment, method, lose, turn)
        assert isinstance(interrupted(gcp, store, hook, CURRENT, "new", stored.version), Transient)
        for found in [gcp.document("latest"), *([gcp.document("current")] if aliased(gcp) else [])]:
            assert found["other"] == "theirs"
            assert found["api_key"] in ("old", "new")
        with pytest.raises(Conflict):
            store.write(CURRENT, {"api_key": "stalled"}, "1@never")
    wanted = "new" if forward else "back"
    until_written(store, CURRENT, wanted)
    assert gcp.both() == ({"other": "theirs", "api_key": wanted},) * 2
    assert store.read(CURRENT).fields == {"api_key": wanted}
    assert "rotator-writing" not in gcp.service.held(SECRET).secret.annotations


def aliased(gcp: Gcp) -> bool:
    return "current" in gcp.service.held(SECRET).secret.version_aliases


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("method", "turn"), OF_A_FIRST_WRITE)
def test_a_first_write_that_is_lost_anywhere_is_finished_by_looking_again(
    gcp: Gcp, moment: Moment, method: str, turn: int
) -> None:
    store = gcp.store()
    for _ in range(2):
        version = store.read(CURRENT).version
        if version != ABSENT:
            break
        interrupted(gcp, store, Once(moment, method, lose, turn), CURRENT, "new", version)
    until_written(store, CURRENT, "new")
    assert gcp.both() == ({"api_key": "new"},) * 2


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("method", "turn"), OF_A_PRIVATE_WRITE)
def test_a_private_write_that_is_lost_anywhere_is_finished_and_leaves_nothing_older(
    gcp: Gcp, moment: Moment, method: str, turn: int
) -> None:
    store = gcp.store()
    version = store.write(PENDING, {"value.secret": "one"}, ABSENT)
    interrupted(gcp, store, Once(moment, method, lose, turn), PENDING, "value-two", version)
    assert store.read(PENDING).fields in ({"value.secret": "one"}, {"value.secret": "value-two"})
    until_written(store, PENDING, "value-two")
    until_written(store, PENDING, "three")
    assert store.read(PENDING).fields == {"value.secret": "three"}
    store.remove(PENDING, store.read(PENDING).version)
    assert store.places(PENDING.ref) == ()
    assert gcp.service.names == ()


@pytest.mark.parametrize(("method", "turn"), OF_A_WRITE)
@pytest.mark.parametrize(
    ("code", "kind"),
    [("UNAVAILABLE", Transient), ("INTERNAL", Transient), ("RESOURCE_EXHAUSTED", Transient), ("ABORTED", Conflict)],
)
def test_a_refusal_at_any_request_is_the_failure_that_it_means(
    gcp: Gcp, method: str, turn: int, code: str, kind: type[Failure]
) -> None:
    gcp.add({"api_key": "old"})
    store = gcp.store()
    version = store.read(CURRENT).version
    failure = interrupted(gcp, store, Once("before", method, refuse(code), turn), CURRENT, HIDDEN, version)
    assert type(failure) is kind
    assert isinstance(failure, Conflict) or failure.throttled == (code == "RESOURCE_EXHAUSTED")  # type: ignore[attr-defined]
    until_written(store, CURRENT, "new")
    assert gcp.both() == ({"api_key": "new"},) * 2


@pytest.mark.parametrize(("method", "turn"), OF_A_WRITE)
@pytest.mark.parametrize(("code", "kind"), [("PERMISSION_DENIED", Denied), ("INVALID_ARGUMENT", Permanent)])
def test_a_refusal_behind_a_change_leaves_another_version_so_that_it_is_noticed(
    gcp: Gcp, method: str, turn: int, code: str, kind: type[Failure]
) -> None:
    store = gcp.store()
    version = store.write(CURRENT, {"api_key": "old"}, ABSENT)
    failure = interrupted(gcp, store, Once("before", method, refuse(code), turn), CURRENT, HIDDEN, version)
    changed = gcp.both() != ({"api_key": "old"},) * 2
    assert type(failure) is kind
    assert changed == ((method, turn) == OF_A_WRITE[-1])
    assert not changed or store.read(CURRENT).version != version


@pytest.mark.parametrize("text", ["Request violates constraint constraints/gcp.resourceLocations", "anything"])
def test_a_precondition_that_is_no_etag_is_permanent_and_nothing_was_changed(rest: Gcp, text: str) -> None:
    rest.add({"api_key": "old"})
    store = rest.store()
    hook = Once("before", "UpdateSecret", refuse("FAILED_PRECONDITION", text))
    failure = interrupted(rest, store, hook, CURRENT, HIDDEN, store.read(CURRENT).version)
    assert type(failure) is Permanent
    assert "location" in failure.hint
    assert rest.states() == {1: "ENABLED"}
    hook = Once("before", "CreateSecret", refuse("FAILED_PRECONDITION", text))
    assert type(interrupted(rest, store, hook, PENDING, HIDDEN, ABSENT)) is Permanent


def test_trouble_with_the_kms_key_is_denied_and_names_it(gcp: Gcp) -> None:
    gcp.add({"api_key": "old"})
    store = gcp.store()
    version = store.read(CURRENT).version
    gcp.service.keys_disabled.add(SECRET)
    with pytest.raises(Denied) as denied:
        store.read(CURRENT)
    assert "Cloud KMS key" in denied.value.message
    assert "cloudkms" in denied.value.permission
    assert "service agent" in denied.value.hint
    gcp.service.keys_disabled.clear()
    hook = Once("before", "AddSecretVersion", lambda: gcp.service.keys_disabled.add(SECRET))
    assert isinstance(interrupted(gcp, store, hook, CURRENT, HIDDEN, version), Denied)
    gcp.service.keys_disabled.clear()
    until_written(store, CURRENT, "new")
    assert gcp.both() == ({"api_key": "new"},) * 2


def test_a_secret_that_was_deleted_in_the_middle_of_a_write_is_a_conflict(gcp: Gcp) -> None:
    gcp.add({"api_key": "old"})
    store = gcp.store()
    for turn, method in ((1, "UpdateSecret"), (1, "AddSecretVersion"), (2, "UpdateSecret")):
        version = store.read(CURRENT).version
        hook = Once("before", method, lambda: gcp.ask("DeleteSecret", name=SECRET), turn)
        assert type(interrupted(gcp, store, hook, CURRENT, HIDDEN, version)) is Conflict
        assert store.read(CURRENT).version == ABSENT
        store.write(CURRENT, {"api_key": "again"}, ABSENT)
