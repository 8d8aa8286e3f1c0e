"""The aws store on secrets as they come: of others, without a value, waiting for deletion, binary, too large."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from datetime import timedelta

import pytest

from rotator.adapters.stores.aws.listing import Recent
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Permanent, Transient
from rotator.ports import ABSENT
from rotator.testing.store_contract import at_once
from tests.servers.aws import AwsServer
from tests.stores.aws_access import CURRENT, HIDDEN, PENDING, Aws

pytestmark = pytest.mark.stand_in("AWS Secrets Manager")


@pytest.fixture
def aws(aws_server: AwsServer) -> Aws:
    """An empty account."""
    return Aws(aws_server)


# -- versions and labels -----------------------------------------------------------------------------------------------


def test_a_write_makes_one_version_and_leaves_no_label_but_those_of_aws(aws: Aws) -> None:
    store = aws.store()
    first = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    assert aws.server.stages("ai/openai") == {first: ["AWSCURRENT"]}
    second = store.write(CURRENT, {"api_key": "two"}, first)
    third = store.write(CURRENT, {"api_key": "three"}, second)
    assert aws.server.stages("ai/openai") == {first: [], second: ["AWSPREVIOUS"], third: ["AWSCURRENT"]}


def test_a_new_secret_costs_one_request_and_a_write_four(aws: Aws) -> None:
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    assert aws.server.requests == ["CreateSecret"]
    aws.server.requests.clear()
    store.write(CURRENT, {"api_key": "two"}, version)
    move = "UpdateSecretVersionStage"
    assert aws.server.requests == ["GetSecretValue", "PutSecretValue", move, move]


def test_consumers_read_the_new_value_whether_they_name_the_label_or_not(aws: Aws) -> None:
    store, client = aws.store(), aws.server.client()
    store.write(CURRENT, {"api_key": "two"}, store.write(CURRENT, {"api_key": "one"}, ABSENT))
    for how in ({}, {"VersionStage": "AWSCURRENT"}):
        assert json.loads(client.get_secret_value(SecretId="ai/openai", **how)["SecretString"]) == {"api_key": "two"}
    before = client.get_secret_value(SecretId="ai/openai", VersionStage="AWSPREVIOUS")["SecretString"]
    assert json.loads(before) == {"api_key": "one"}


def test_a_rotation_that_aws_left_pending_is_not_touched(aws: Aws) -> None:
    store, client = aws.store(), aws.server.client()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    theirs = client.put_secret_value(SecretId="ai/openai", SecretString="{}", VersionStages=["AWSPENDING"])
    store.write(CURRENT, {"api_key": "two"}, version)
    assert aws.server.stages("ai/openai")[theirs["VersionId"]] == ["AWSPENDING"]


def test_a_lost_race_is_a_conflict_that_leaves_no_label(aws: Aws) -> None:
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    outcomes = at_once(6, lambda n: store.write(CURRENT, {"api_key": f"two {n}"}, version))
    assert sorted(type(each).__name__ for each in outcomes.values()) == ["Conflict"] * 5 + ["str"]
    labels = [label for found in aws.server.stages("ai/openai").values() for label in found]
    assert sorted(labels) == ["AWSCURRENT", "AWSPREVIOUS"]


def test_a_writer_that_was_overtaken_between_putting_and_moving_conflicts(aws: Aws) -> None:
    """Both read the same version; the second put takes the label of the first one's version, which may still win."""
    slow, quick = aws.store(), aws.store()
    version = slow.write(CURRENT, {"api_key": "one"}, ABSENT)
    overtaken: list[str] = []
    aws.server.interrupt(
        "UpdateSecretVersionStage", lambda: overtaken.append(quick.write(CURRENT, {"api_key": "quick"}, version))
    )
    with pytest.raises(Conflict):
        slow.write(CURRENT, {"api_key": "slow"}, version)
    assert aws.document("ai/openai") == {"api_key": "quick"}
    assert slow.read(CURRENT).version == overtaken[0]


def test_a_secret_without_a_value_is_there_and_its_first_value_is_ours(aws: Aws) -> None:
    aws.server.client().create_secret(Name="ai/openai", Description="theirs")
    store = aws.store()
    stored = store.read(CURRENT)
    assert (stored.version, stored.fields) == ("0", None)
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "one"}, ABSENT)
    version = store.write(CURRENT, {"api_key": "one"}, stored.version)
    assert aws.server.stages("ai/openai") == {version: ["AWSCURRENT"]}
    assert store.read(CURRENT).fields == {"api_key": "one"}
    with pytest.raises(Conflict):
        store.write(CURRENT, {"api_key": "two"}, stored.version)


def test_two_who_write_the_first_value_do_not_both_win(aws: Aws) -> None:
    aws.server.client().create_secret(Name="ai/openai")
    store = aws.store()
    outcomes = at_once(4, lambda n: store.write(CURRENT, {"api_key": str(n)}, "0"))
    winners = [each for each in outcomes.values() if isinstance(each, str)]
    assert winners == [store.read(CURRENT).version]


# -- documents ---------------------------------------------------------------------------------------------------------


def test_what_others_keep_in_the_secret_stays_byte_for_byte(aws: Aws) -> None:
    text = (
        '{ "n": 1.10,  "big": 12345678901234567890.5, "l": [1, null, {"a":"\\u00fc"}],\n "api_key":"old", "t": "<&>" }'
    )
    aws.publish("ai/openai", text)
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "new"}, store.read(CURRENT).version)
    assert aws.text("ai/openai") == text.replace('"old"', '"new"')
    store.remove(CURRENT, version)
    assert aws.text("ai/openai") == text.replace('"api_key":"old", ', "")


def test_a_field_of_ours_that_is_no_text_is_given_as_json_and_so_is_foreign(aws: Aws) -> None:
    aws.publish("ai/openai", '{"api_key": {"nested": [1]}}')
    assert aws.store().read(CURRENT).fields == {"api_key": '{"nested": [1]}'}


@pytest.mark.parametrize("text", ["sk-a-plain-key", '"text"', "[1]", "{broken", "null", '{"a": 1} {}'])
def test_a_secret_that_is_no_json_object_is_permanent_and_stays(aws: Aws, text: str) -> None:
    aws.publish("ai/openai", text)
    store = aws.store()
    version = next(iter(aws.server.stages("ai/openai")))
    for act in (
        lambda: store.read(CURRENT),
        lambda: store.write(CURRENT, {"api_key": "x"}, version),
        lambda: store.remove(CURRENT, version),
    ):
        with pytest.raises(Permanent, match="no JSON object") as permanent:
            act()
        assert "plain string" in permanent.value.hint
        assert text not in permanent.value.message + permanent.value.hint
    assert aws.text("ai/openai") == text


def test_a_binary_secret_is_permanent(aws: Aws) -> None:
    aws.server.client().create_secret(Name="ai/openai", SecretBinary=b"\0\1")
    with pytest.raises(Permanent, match="binary"):
        aws.store().read(CURRENT)


def test_a_document_that_would_be_too_large_is_refused_before_anybody_is_asked(aws: Aws) -> None:
    store = aws.store()
    store.write(CURRENT, {"api_key": "k" * 60_000}, ABSENT)
    aws.server.client().put_secret_value(SecretId="ai/openai", SecretString=json.dumps({"theirs": "x" * 65_000}))
    version = store.read(CURRENT).version
    aws.server.requests.clear()
    with pytest.raises(Permanent, match="65536"):
        store.write(CURRENT, {"api_key": "k" * 1_000}, version)
    assert aws.server.requests == ["GetSecretValue"]
    room = 65_536 - len('{"api_key": ""}')
    other = Place(ref="ai/other", kind=PlaceKind.CURRENT, fields=("api_key",))
    store.write(other, {"api_key": "ü" * (room // 2)}, ABSENT)
    another = Place(ref="ai/another", kind=PlaceKind.CURRENT, fields=("api_key",))
    with pytest.raises(Permanent, match="65537"):
        store.write(another, {"api_key": "ü" * (room // 2 + 1)}, ABSENT)


# -- removing ----------------------------------------------------------------------------------------------------------


def test_a_published_secret_is_never_deleted_and_keeps_its_arn(aws: Aws) -> None:
    store, client = aws.store(), aws.server.client()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    arn = client.describe_secret(SecretId="ai/openai")["ARN"]
    store.remove(CURRENT, version)
    assert aws.text("ai/openai") == "{}"
    assert client.describe_secret(SecretId="ai/openai")["ARN"] == arn
    assert "DeleteSecret" not in aws.server.requests
    store.write(CURRENT, {"api_key": "two"}, store.read(CURRENT).version)
    assert aws.document("ai/openai") == {"api_key": "two"}


def test_a_pending_value_is_emptied_and_then_deleted_without_recovery(aws: Aws) -> None:
    store = aws.store()
    version = store.write(PENDING, {"value.secret": HIDDEN}, ABSENT)
    assert aws.server.names() == ["rotator/pending/ai/openai/r1"]
    store.remove(PENDING, version)
    assert aws.server.names() == []


@pytest.mark.parametrize("moment", ["PutSecretValue", "DeleteSecret"])
def test_a_write_beside_a_removal_is_refused_or_kept_and_never_lost(aws: Aws, moment: str) -> None:
    store, stalled = aws.store(), aws.store()
    version = store.write(PENDING, {"value.secret": "one"}, ABSENT)
    written: list[str] = []

    def write() -> None:
        with suppress(Conflict):
            written.append(stalled.write(PENDING, {"value.secret": "two"}, version))

    aws.server.interrupt(moment, write)
    with suppress(Conflict):
        store.remove(PENDING, version)
    assert bool(written) == (moment == "PutSecretValue")
    assert store.read(PENDING).fields == ({"value.secret": "two"} if written else None)


def test_a_secret_that_waits_for_its_deletion_is_permanent_with_the_command_that_helps(aws: Aws) -> None:
    store = aws.store()
    version = store.write(CURRENT, {"api_key": "one"}, ABSENT)
    aws.server.client().delete_secret(SecretId="ai/openai", RecoveryWindowInDays=7)
    for act in (
        lambda: store.read(CURRENT),
        lambda: store.write(CURRENT, {"api_key": "two"}, version),
        lambda: store.write(CURRENT, {"api_key": "two"}, ABSENT),
        lambda: store.remove(CURRENT, version),
    ):
        with pytest.raises(Permanent, match="scheduled for deletion") as permanent:
            act()
        assert "restore-secret" in permanent.value.hint
    aws.server.client().restore_secret(SecretId="ai/openai")
    assert store.read(CURRENT).fields == {"api_key": "one"}


def test_a_private_secret_that_waits_for_its_deletion_is_absent_and_made_again_at_the_second_attempt(aws: Aws) -> None:
    store = aws.store()
    version = store.write(PENDING, {"value.secret": "one"}, ABSENT)
    aws.server.client().delete_secret(SecretId="rotator/pending/ai/openai/r1", RecoveryWindowInDays=30)
    assert store.read(PENDING).version == ABSENT
    with pytest.raises(Conflict):
        store.write(PENDING, {"value.secret": "two"}, version)
    store.remove(PENDING, version)
    with pytest.raises(Transient, match="still being deleted"):
        store.write(PENDING, {"value.secret": "two"}, ABSENT)
    store.write(PENDING, {"value.secret": "two"}, ABSENT)
    assert store.read(PENDING).fields == {"value.secret": "two"}


# -- names -------------------------------------------------------------------------------------------------------------


def test_private_secrets_lie_where_no_policy_for_the_published_one_reaches(aws: Aws) -> None:
    store = aws.store(private="team/rotator")
    store.write(PENDING, {"value.secret": "x"}, ABSENT)
    store.write(Place(ref="ai/openai", kind=PlaceKind.PREVIOUS, of="key~1/%2F=é"), {"value.secret": "x"}, ABSENT)
    previous = "team/rotator/previous/ai/openai/key=7E1=2F=252F=3D=C3=A9"
    assert aws.server.names() == ["team/rotator/pending/ai/openai/r1", previous]
    with pytest.raises(Permanent, match="its own values"):
        store.read(Place(ref="team/rotator/pending/ai/openai/r1", kind=PlaceKind.CURRENT, fields=("a",)))


@pytest.mark.parametrize("ref", ["arn:aws:secretsmanager:eu-west-1:1:secret:a", "ä", "a b", "a%20b", "x" * 513])
def test_what_is_no_name_of_a_secret_is_refused_before_anybody_is_asked(aws: Aws, ref: str) -> None:
    store = aws.store()
    with pytest.raises(Permanent):
        store.read(Place(ref=ref, kind=PlaceKind.CURRENT, fields=("a",)))
    assert aws.server.requests == []


# -- lists that are late -----------------------------------------------------------------------------------------------


def test_what_was_done_here_is_listed_though_the_list_is_late(aws: Aws) -> None:
    store = aws.store()
    version = store.write(PENDING, {"value.secret": "x"}, ABSENT)
    other = Place(ref="ai/openai", kind=PlaceKind.PREVIOUS, of="key-1")
    with aws.server.freeze_list():
        store.write(other, {"value.secret": "x"}, ABSENT)
        assert set(store.places("ai/openai")) == {PENDING, other}
        assert aws.store().places("ai/openai") == (PENDING,)  # another process learns of it later
        store.remove(PENDING, version)
        assert store.places("ai/openai") == (other,)
        assert store.places("ai") == ()
    assert aws.store().places("ai/openai") == (other,)


def test_a_place_that_is_listed_and_gone_reads_as_absent_and_is_removed_again(aws: Aws) -> None:
    store, other = aws.store(), aws.store()
    version = store.write(PENDING, {"value.secret": "x"}, ABSENT)
    with aws.server.freeze_list():
        other.remove(PENDING, version)
        assert store.places("ai/openai") == (PENDING,)
        assert store.read(PENDING).version == ABSENT
        store.remove(PENDING, version)


def test_more_secrets_than_a_page_has_are_all_listed(aws: Aws) -> None:
    store = aws.store()
    for number in range(103):
        aws.publish(f"rotator/previous/ai/openai/k{number}", "{}")
    assert len(store.places("ai/openai")) == 103
    assert aws.server.requests.count("ListSecrets") == 2


def test_what_is_remembered_of_the_list_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    recent = Recent()
    recent.made("a/1")
    recent.removed("a/2")
    assert recent.corrected(["a/2", "a/3"], ("a/",)) == ("a/1", "a/3")
    assert recent.corrected(["b/2"], ("b/",)) == ("b/2",)
    monkeypatch.setattr("rotator.adapters.stores.aws.listing.LAG", timedelta(0))
    assert recent.corrected(["a/2"], ("a/",)) == ("a/2",)


def test_no_thread_is_left_behind(aws: Aws) -> None:
    before = set(threading.enumerate())
    aws.store().read(CURRENT)
    # The server's thread for the connection is its own.
    assert len(set(threading.enumerate()) - before) <= 1
