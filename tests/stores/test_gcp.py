"""The gcp store on secrets as they come: without versions, disabled, destroyed, of others, large, damaged, lagging."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from rotator.adapters.stores.gcp.checksum import crc32c
from rotator.adapters.stores.gcp.resources import Resources, secret_id
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Permanent, Transient
from rotator.ports import ABSENT
from tests.servers import secret_manager
from tests.stores.gcp_access import CURRENT, HIDDEN, PARENT, PENDING, SECRET, Gcp, serving, until_written

pytestmark = pytest.mark.stand_in(secret_manager.NAME)


@pytest.fixture
def gcp() -> Iterator[Gcp]:
    """A fresh server."""
    with serving("rest") as gcp:
        yield gcp


# -- versions and their states -----------------------------------------------------------------------------------------


def test_a_secret_that_terraform_made_without_a_version_is_there_without_fields_and_keeps_its_labels(gcp: Gcp) -> None:
    made = {"replication": {"automatic": {}}, "labels": {"team": "ml"}, "annotations": {"owner": "ml"}}
    gcp.ask("CreateSecret", parent=PARENT, secret_id="ai--openai", secret=made)
    store = gcp.store()
    stored = store.read(CURRENT)
    assert stored.version != ABSENT
    assert stored.fields is None
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "one"}, ABSENT)
    store.write(CURRENT, {"api_key": "one"}, stored.version)
    assert gcp.both() == ({"api_key": "one"},) * 2
    secret = gcp.service.held(SECRET).secret
    assert dict(secret.labels) == {"team": "ml"}
    assert secret.annotations["owner"] == "ml"


def test_a_newest_version_that_is_disabled_is_refused_and_left_to_people(gcp: Gcp) -> None:
    store = gcp.store()
    version = until_written(store, CURRENT, "one")
    number = gcp.add({"api_key": "two", "other": "x"})
    gcp.ask("DisableSecretVersion", name=f"{SECRET}/versions/{number}")
    for act in (lambda: store.read(CURRENT), lambda: store.write(CURRENT, {"api_key": HIDDEN}, version)):
        with pytest.raises(Permanent) as permanent:
            act()
        assert f"{number}, is disabled" in permanent.value.message
        assert "enable it" in permanent.value.hint
    gcp.ask("EnableSecretVersion", name=f"{SECRET}/versions/{number}")
    until_written(store, CURRENT, "three")
    assert gcp.both() == ({"api_key": "three", "other": "x"},) * 2


def test_a_newest_version_that_will_be_destroyed_later_is_like_a_disabled_one(gcp: Gcp) -> None:
    store = gcp.store()
    until_written(store, CURRENT, "one")
    gcp.service.held(SECRET).secret.version_destroy_ttl = timedelta(days=1)
    gcp.ask("DestroySecretVersion", name=f"{SECRET}/versions/1")
    with pytest.raises(Permanent, match="disabled"):
        store.read(CURRENT)


def test_a_newest_version_that_was_destroyed_is_there_without_fields_and_the_next_write_goes_on(gcp: Gcp) -> None:
    store = gcp.store()
    until_written(store, CURRENT, "one")
    gcp.ask("DestroySecretVersion", name=f"{SECRET}/versions/1")
    stored = store.read(CURRENT)
    assert stored.fields is None
    store.write(CURRENT, {"api_key": "two"}, stored.version)
    assert gcp.both() == ({"api_key": "two"},) * 2


def test_an_alias_that_points_to_a_disabled_version_is_moved_on_and_nothing_of_others_is_lost(gcp: Gcp) -> None:
    gcp.add({"api_key": "one", "other": "x"})
    store = gcp.store()
    until_written(store, CURRENT, "two")
    gcp.move_alias(1)
    gcp.ask("DisableSecretVersion", name=f"{SECRET}/versions/1")
    stored = store.read(CURRENT)
    assert stored.fields is None
    store.write(CURRENT, {"api_key": "three"}, stored.version)
    assert gcp.both() == ({"api_key": "three", "other": "x"},) * 2


def test_what_latest_does_not_show_yet_is_read_by_its_number(gcp: Gcp) -> None:
    """`latest` may lag for minutes: https://docs.cloud.google.com/secret-manager/docs/reference/consistency."""
    store = gcp.store()
    until_written(store, CURRENT, "one")
    until_written(store, CURRENT, "two")
    gcp.service.latest_lags = 1
    assert gcp.document("latest") == {"api_key": "one"}
    assert store.read(CURRENT).fields == {"api_key": "two"}
    version = store.write(CURRENT, {"api_key": "three"}, store.read(CURRENT).version)
    assert store.read(CURRENT).version == version
    gcp.service.latest_lags = 0
    assert gcp.both() == ({"api_key": "three"},) * 2


def test_a_colleagues_version_that_latest_does_not_show_yet_is_put_back_and_found_later(gcp: Gcp) -> None:
    store = gcp.store()
    version = until_written(store, CURRENT, "one")
    gcp.add({"api_key": "foreign"})
    gcp.service.latest_lags = 1
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "two"}, version)
    gcp.service.latest_lags = 0
    assert store.read(CURRENT).fields == {"api_key": "foreign"}


# -- old versions ------------------------------------------------------------------------------------------------------


def rotate(gcp: Gcp, times: int, apart: timedelta) -> None:
    store = gcp.store()
    for _ in range(times):
        gcp.service.ahead += apart
        store.write(CURRENT, {"api_key": "k"}, store.read(CURRENT).version)


def test_versions_of_ours_are_disabled_after_a_day_and_destroyed_after_a_week_and_the_last_ones_kept(gcp: Gcp) -> None:
    rotate(gcp, 6, timedelta(hours=1))
    assert set(gcp.states().values()) == {"ENABLED"}, "younger than a day"
    rotate(gcp, 1, timedelta(days=1))
    assert gcp.states() == dict.fromkeys((1, 2, 3, 4), "DISABLED") | dict.fromkeys((5, 6, 7), "ENABLED")
    rotate(gcp, 1, timedelta(days=7))
    assert gcp.states() == {**dict.fromkeys((1, 2, 3, 4), "DESTROYED"), 5: "DISABLED", 6: "ENABLED"} | dict.fromkeys(
        (7, 8), "ENABLED"
    )
    rotate(gcp, 3, timedelta(days=30))
    assert gcp.document() == {"api_key": "k"}
    assert [gcp.states()[number] for number in (9, 10, 11)] == ["ENABLED"] * 3


def test_versions_of_others_and_those_that_an_alias_points_to_are_never_pruned(gcp: Gcp) -> None:
    gcp.add({"other": "x"})
    rotate(gcp, 2, timedelta(days=1))
    theirs = gcp.add({"api_key": "k", "other": "y"})
    gcp.move_alias(2, alias="pinned")
    rotate(gcp, 8, timedelta(days=30))
    states = gcp.states()
    assert {states[1], states[2], states[theirs], states[max(states)]} == {"ENABLED"}
    assert states[3] == "DESTROYED"


def test_destruction_that_is_delayed_is_asked_for_once(gcp: Gcp) -> None:
    rotate(gcp, 1, timedelta())
    gcp.service.held(SECRET).secret.version_destroy_ttl = timedelta(days=30)
    rotate(gcp, 7, timedelta(days=8))
    assert gcp.states()[1] == "DISABLED"
    asked = gcp.service.calls["DestroySecretVersion"]
    assert asked
    assert asked == sum("scheduled_destroy_time" in each for each in gcp.service.held(SECRET).versions.values())


def test_a_private_version_is_destroyed_as_soon_as_another_takes_its_place(gcp: Gcp) -> None:
    store = gcp.store()
    version = store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    store.write(PENDING, {"value.secret": "next"}, version)
    (secret,) = gcp.service.names
    assert gcp.states(secret) == {1: "DESTROYED", 2: "ENABLED"}


# -- documents ---------------------------------------------------------------------------------------------------------


def test_whatever_others_keep_in_the_document_stays_byte_for_byte(gcp: Gcp) -> None:
    text = '{"n": 1.50, "big": 123456789012345678901234567890,\n  "list": [1, null, {"a": "ü"}], "api_key": "old"}'
    gcp.add(text.encode())
    store = gcp.store()
    until_written(store, CURRENT, "new")
    data = gcp.ask("AccessSecretVersion", name=f"{SECRET}/versions/latest").payload.data
    assert data.decode() == text.replace('"old"', '"new"')


@pytest.mark.parametrize("data", [b"sk-proj-plain-text", b'["a"]', b"\xff\xfe\x00", b'{"api_key": ', b"", b"null"])
def test_a_payload_that_is_no_json_object_is_permanent_and_never_overwritten(gcp: Gcp, data: bytes) -> None:
    gcp.add(data)
    store = gcp.store()
    with pytest.raises(Permanent) as permanent:
        store.read(CURRENT)
    assert "no JSON object" in permanent.value.message
    assert "publish to a secret of its own" in permanent.value.hint
    assert permanent.value.__context__ is None
    version = f"1@{gcp.ask('GetSecret', name=SECRET).etag}"
    with pytest.raises(Permanent):
        store.write(CURRENT, {"api_key": HIDDEN}, version)
    assert gcp.states() == {1: "ENABLED"}


def test_a_field_of_ours_that_is_no_text_is_given_as_json_and_so_is_foreign(gcp: Gcp) -> None:
    gcp.add({"api_key": {"nested": [1]}})
    assert gcp.store().read(CURRENT).fields == {"api_key": '{"nested": [1]}'}


def test_a_document_that_would_be_too_large_is_permanent_before_anything_changes(gcp: Gcp) -> None:
    gcp.add({"other": "x" * 60_000})
    store = gcp.store()
    stored = store.read(CURRENT)
    with pytest.raises(Permanent) as permanent:
        store.write(CURRENT, {"api_key": "k" * 6_000}, stored.version)
    assert "65536" in permanent.value.message
    assert gcp.states() == {1: "ENABLED"}
    assert gcp.service.calls["UpdateSecret"] == 0
    with pytest.raises(Permanent):
        store.write(PENDING, {"value.secret": "k" * 66_000}, ABSENT)
    assert gcp.service.names == (SECRET,)
    fits = 65536 - len(json.dumps({"value.secret": ""}))
    store.write(PENDING, {"value.secret": "k" * fits}, ABSENT)


# -- checksums ---------------------------------------------------------------------------------------------------------


def test_the_checksum_is_the_castagnoli_one() -> None:
    """The vectors of RFC 3720, B.4."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"") == 0


def test_a_checksum_goes_along_with_every_version_and_is_verified_with_every_payload(gcp: Gcp) -> None:
    store = gcp.store()
    until_written(store, CURRENT, "one")
    assert gcp.service.held(SECRET).versions[1].client_specified_payload_checksum
    gcp.service.damaged = True
    with pytest.raises(Transient, match="damaged"):
        store.read(CURRENT)


# -- names -------------------------------------------------------------------------------------------------------------


def test_references_are_ids_and_no_two_are_the_same_secret() -> None:
    assert secret_id("openai_prod-1") == "openai_prod-1"
    assert secret_id("team/service/key") == "team--service--key"
    for bad in ("a--b", "-a", "a-", "a/-b", "a.b", "a b", "ключ", "x" * 256, "rotator-x", "rotator-/x", "rotator-x/y"):
        with pytest.raises(Permanent):
            secret_id(bad)


def test_ids_of_our_own_are_legal_whatever_the_key_is_called_and_say_whose_they_are(gcp: Gcp) -> None:
    place = Place(ref="ai/openai", kind=PlaceKind.PREVIOUS, of="projects/p/serviceAccounts/a@b/keys/" + "1" * 100)
    name = Resources("p").secret(place)
    assert name.startswith("projects/p/secrets/rotator-")
    assert len(name.rpartition("/")[2]) <= 255
    gcp.store().write(place, {"value.secret": "x"}, ABSENT)
    (made,) = gcp.service.names
    secret = gcp.service.held(made).secret
    assert secret.annotations["rotator-ref"] == "ai/openai"
    assert dict(secret.labels) == {"rotator-kind": "previous"}


def test_the_list_goes_over_all_pages(gcp: Gcp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rotator.adapters.stores.gcp.secrets.PAGE", 2)
    store = gcp.store()
    places = {Place(ref="ai/openai", kind=PlaceKind.PREVIOUS, of=f"k{number}") for number in range(5)}
    for place in places:
        store.write(place, {"value.secret": "x"}, ABSENT)
    assert set(store.places("ai/openai")) == places
    assert gcp.service.calls["ListSecrets"] == 4


def test_regional_secrets_lie_in_their_location_and_nowhere_else(gcp: Gcp) -> None:
    store = gcp.store(location="europe-west3")
    until_written(store, CURRENT, "one")
    store.write(PENDING, {"value.secret": "x"}, ABSENT)
    assert store.places(CURRENT.ref) == (PENDING,)
    assert all(name.startswith(f"{PARENT}/locations/europe-west3/secrets/") for name in gcp.service.names)
    assert gcp.store().read(CURRENT).version == ABSENT
    assert gcp.store().places(CURRENT.ref) == ()


def test_another_alias_is_moved_where_the_settings_say_so(gcp: Gcp) -> None:
    until_written(gcp.store(alias="live"), CURRENT, "one")
    assert dict(gcp.service.held(SECRET).secret.version_aliases) == {"live": 1}
