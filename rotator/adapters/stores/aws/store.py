"""The `aws` store: AWS Secrets Manager, through botocore, which boto3 is made of.

    stores:
      aws:
        driver: aws
        region: eu-west-1
        auth: {method: irsa}            # or imds, profile, static, role: see auth.py
        private: rotator                # how the names of pending and previous secrets begin
        kms_key: arn:aws:kms:…          # for secrets that are made here; else the account's aws/secretsmanager
        endpoint_url: https://vpce-….secretsmanager.eu-west-1.vpce.amazonaws.com
        ca: /etc/ssl/proxy-ca.pem

A reference is a secret's name, and its value is a JSON object of which some members are ours. The port's version is the
id of the version that is labelled AWSCURRENT. Compare-and-set is AWS's own: the new version is put under a label of
ours, and AWSCURRENT is moved to it from exactly the version that was read, which AWS refuses if it is no longer there
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html). AWS moves
AWSPREVIOUS by itself; AWSPENDING is never used. Our label is always the same one and leaves the version when the write
is over, so it never fills the twenty that a secret can have; where the answer was lost it goes with the next write.

Ids of versions are random. AWS takes a request with a known id for the same request and answers as if it had just done
it, while the port wants to hear that it was not the one who did (docs/decisions/2026-11-25-aws-tokens.md). A rotation
makes one version of a published secret, and one more if it is rolled back; AWS allows about 100 a day. A write whose
race is lost or whose answer does not come costs one more.

Pending and previous values are secrets of their own, so that no policy for `prod/openai-*` lets anybody read them; they
are emptied under compare-and-set, so that a stalled write can no longer land, and deleted without a recovery window.
A published secret is never deleted: its ARN, its policies and its tags are its consumers'. Where nothing is left of it,
it is an empty object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores import json_text
from rotator.adapters.stores.aws.answers import BAD_PARAMETER, BAD_REQUEST, EXISTS, NOT_FOUND, Answer, Need
from rotator.adapters.stores.aws.auth import reach_in, source_in
from rotator.adapters.stores.aws.client import AwsClient
from rotator.adapters.stores.aws.listing import Recent
from rotator.adapters.stores.aws.policy import least_policy
from rotator.adapters.stores.aws.secret_names import PRIVATE_KINDS, arn, name_of, place_of, prefix
from rotator.adapters.stores.aws.settings import kms_key_in, private_in, public_address, region_in
from rotator.adapters.stores.aws.wire import Wire
from rotator.adapters.stores.names import check_values
from rotator.domain.address import address_in
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict, Failure, Permanent, Transient
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted
from rotator.ports import ABSENT, StoreCapabilities, Stored

KNOWN = ("region", "auth", "private", "kms_key", "endpoint_url", "ca")
LABEL = "ROTATOR"
CURRENT = "AWSCURRENT"
NO_VALUE = "0"
"""The version of a secret that was made without a value."""

LARGEST = 65536
"""Bytes of a SecretString (https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html)."""


@dataclass(frozen=True, slots=True, repr=False)
class _Found:
    """A secret's current version and its text."""

    version: str
    text: str


class AwsStore:
    """Secrets of one region of one account. Safe for many threads."""

    def __init__(self, client: AwsClient, private: str, kms_key: str | None, timeout: timedelta) -> None:
        """`timeout`: for one call of the port, all its requests together."""
        self._client = client
        self._private = private
        self._kms_key = kms_key
        self._timeout = timeout
        self._recent = Recent()

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> AwsStore:
        """A store as configured. No request, and no reference is resolved yet. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        if find_spec("botocore") is None:
            raise SettingsError("boto3 is not installed", "pip install 'rotator[aws]'")
        wire = Wire(region_in(given), _ca(given))
        client = AwsClient(wire, _endpoint(given), source_in(given, "auth", wire, resolve))
        return cls(client, private_in(given), kms_key_in(given), timeout)

    @classmethod
    def reach(cls, settings: Mapping[str, object]) -> Reach:
        """Secrets Manager, and what `auth` opens. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        region, ca = region_in(given), _ca(given)
        own = host_of(_endpoint(given) or public_address("secretsmanager", region))
        return Reach(hosts=own, paths=(str(ca),) if ca is not None else ()) + reach_in(given, "auth", region)

    def capabilities(self) -> StoreCapabilities:
        """As the port says. No history: AWSPREVIOUS is whatever was written last, by anybody."""
        return StoreCapabilities(exact=True, max_bytes=LARGEST)

    def read(self, place: Place) -> Stored:
        """As the port says. A secret without a value is there, without fields."""
        found = self._get(place, self._deadline())
        if found is None:
            return Stored(version=ABSENT)
        if not _shared(place):
            return Stored(version=found.version, fields=json_text.whole_values(found.text))
        values = json_text.values(found.text)
        fields = {name: values[name] for name in place.fields if name in values}
        return Stored(version=found.version, fields=fields or None)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """As the port says. One request for a new secret, else four."""
        check_values(fields)
        deadline = self._deadline()
        if expected == ABSENT:
            return self._create(place, _text(fields), deadline)
        found = self._get(place, deadline)
        if found is None or found.version != expected:
            raise _stale(place)
        text = json_text.edited(found.text, {**fields}) if _shared(place) else _text(fields)
        return self._replace(place, text or "{}", expected, deadline)

    def remove(self, place: Place, expected: str) -> None:
        """As the port says. Where a crash comes in between, a private place reads as `{}` and can be removed again."""
        deadline = self._deadline()
        found = self._get(place, deadline)
        if found is None or (_shared(place) and not json_text.values(found.text).keys() & set(place.fields)):
            return
        if found.version != expected:
            raise _stale(place)
        left = json_text.edited(found.text, dict.fromkeys(place.fields)) if _shared(place) else None
        self._replace(place, left or "{}", expected, deadline)
        if not _shared(place):
            self._delete(place, deadline)

    def places(self, ref: str) -> tuple[Place, ...]:
        """As the port says; what another process did in the last five minutes may not be listed yet."""
        start = tuple(prefix(ref, kind, self._private) for kind in PRIVATE_KINDS)
        names = self._recent.corrected(self._names(start, self._deadline()), start)
        found = (place_of(name, ref, self._private) for name in names)
        return tuple(place for place in found if place is not None)

    def least_policy(self, refs: Collection[str]) -> str:
        """The IAM policy, in JSON, that suffices for publishing to these references."""
        return least_policy(refs, self._private, self._client.region, self._kms_key)

    # -- requests ------------------------------------------------------------------------------------------------

    def _get(self, place: Place, deadline: Deadline) -> _Found | None:
        """The current version; None where there is no secret."""
        answer = self._ask("GetSecretValue", place, {}, deadline, _gone(place))
        if answer.code == NOT_FOUND and "staging label" in answer.message:
            return _Found(NO_VALUE, "{}")
        if not answer.ok:
            self._must_be_gone(answer, place)
            return None
        text, version = answer.body.get("SecretString"), answer.body.get("VersionId")
        if not isinstance(text, str):
            hint = "publish to another reference, or store a JSON object as text"
            raise Permanent(f"the secret {quoted(place.ref)} holds binary data", hint)
        if not isinstance(version, str) or not version:
            raise Transient(
                f"{self._client.where} gave no version of {quoted(place.ref)}", "look at what is in between"
            )
        return _Found(version, _checked(place, text))

    def _create(self, place: Place, text: str, deadline: Deadline) -> str:
        _check_size(place, text)
        version = str(uuid4())
        parameters = {"ClientRequestToken": version, "SecretString": text, "Description": _description(place)}
        if self._kms_key is not None:
            parameters["KmsKeyId"] = self._kms_key
        answer = self._ask("CreateSecret", place, parameters, deadline, (EXISTS, *_gone(place)), named="Name")
        if answer.ok:
            self._made(place)
            return version
        if answer.code == EXISTS:
            raise _stale(place)
        self._must_be_gone(answer, place)
        # Ours, and nobody wants it back: the sooner it is gone, the sooner there can be another.
        self._delete(place, deadline)
        raise Transient(f"the last {place.kind.value} secret of {quoted(place.ref)} is still being deleted", "wait")

    def _replace(self, place: Place, text: str, expected: str, deadline: Deadline) -> str:
        """Make a new version and move AWSCURRENT to it from `expected`, or conflict."""
        _check_size(place, text)
        version = str(uuid4())
        parameters = {"ClientRequestToken": version, "SecretString": text, "VersionStages": [LABEL]}
        answer = self._ask("PutSecretValue", place, parameters, deadline, _gone(place))
        if answer.ok:
            # AWS labels the first version of a secret so by itself.
            if CURRENT not in answer.body.get("VersionStages", ()):
                answer = self._move(place, version, expected, deadline)
            self._unlabel(place, version, deadline)
        if answer.ok:
            return version
        self._must_be_gone(answer, place)
        raise _stale(place)

    def _move(self, place: Place, version: str, expected: str, deadline: Deadline) -> Answer:
        """Move AWSCURRENT from exactly where it was; a bad parameter means that it is no longer there."""
        origin = {} if expected == NO_VALUE else {"RemoveFromVersionId": expected}
        parameters = {"VersionStage": CURRENT, "MoveToVersionId": version, **origin}
        accept = (BAD_PARAMETER, *_gone(place))
        return self._ask("UpdateSecretVersionStage", place, parameters, deadline, accept)

    def _unlabel(self, place: Place, version: str, deadline: Deadline) -> None:
        """Take our label off. What is written is written: a failure here is none of the write's."""
        parameters = {"VersionStage": LABEL, "RemoveFromVersionId": version}
        with suppress(Failure):
            self._ask("UpdateSecretVersionStage", place, parameters, deadline, (BAD_PARAMETER,))

    def _delete(self, place: Place, deadline: Deadline) -> None:
        assert not _shared(place)
        self._ask("DeleteSecret", place, {"ForceDeleteWithoutRecovery": True}, deadline, (NOT_FOUND,))
        self._recent.removed(name_of(place, self._private))

    def _names(self, start: tuple[str, ...], deadline: Deadline) -> list[str]:
        names: list[str] = []
        parameters: dict[str, Any] = {"MaxResults": 100, "Filters": [{"Key": "name", "Values": list(start)}]}
        while True:
            answer = self._client.ask(Need("secretsmanager:ListSecrets", "*"), parameters, deadline)
            names += [str(each.get("Name", "")) for each in answer.body["SecretList"]]
            token = answer.body.get("NextToken")
            if not token:
                return names
            parameters["NextToken"] = token

    def _ask(
        self,
        operation: str,
        place: Place,
        parameters: Mapping[str, Any],
        deadline: Deadline,
        accept: Collection[str] = (),
        named: str = "SecretId",
    ) -> Answer:
        name = name_of(place, self._private)
        need = Need(f"secretsmanager:{operation}", arn(name, self._client.region))
        return self._client.ask(need, {named: name, **parameters}, deadline, accept)

    def _must_be_gone(self, answer: Answer, place: Place) -> None:
        """A bad request about a private secret is one about its deletion, or a defect."""
        if answer.code == BAD_REQUEST and not answer.deleted:
            raise Permanent(f"AWS refuses the request for {quoted(place.ref)}: {quoted(answer.message)}", "report it")

    def _made(self, place: Place) -> None:
        if not _shared(place):
            self._recent.made(name_of(place, self._private))

    def _deadline(self) -> Deadline:
        self._client.prepare()  # before time runs: with a short lease the first call has none for an import
        return Deadline(self._timeout)

    def __repr__(self) -> str:
        return f"AwsStore({self._client.where!r})"


def _shared(place: Place) -> bool:
    """Whether others may have fields in the place's secret."""
    return place.kind is PlaceKind.CURRENT


def _gone(place: Place) -> tuple[str, ...]:
    """What AWS says of a secret that is not there; one of ours that waits for its deletion is not."""
    return (NOT_FOUND,) if _shared(place) else (NOT_FOUND, BAD_REQUEST)


def _stale(place: Place) -> Conflict:
    return Conflict(f"{quoted(place.ref)} is not what was read any more", "look again")


def _description(place: Place) -> str:
    return "published by the rotator" if _shared(place) else "the rotator's own, for consumers to read never"


def _text(fields: Mapping[str, str]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False)


def _checked(place: Place, text: str) -> str:
    """The text, if it is a JSON object."""
    try:
        (json_text.values if _shared(place) else json_text.whole_values)(text)
    except Permanent:
        pass  # raised below: beneath this handler the error would carry what was read as its context
    else:
        return text
    hint = "store a JSON object in it, or publish to another reference; a plain string has no fields"
    raise Permanent(f"the secret {quoted(place.ref)} is no JSON object", hint)


def _check_size(place: Place, text: str) -> None:
    size = len(text.encode())
    if size > LARGEST:
        message = f"the secret {quoted(place.ref)} would have {size} bytes, and AWS takes {LARGEST}"
        raise Permanent(message, "publish to a secret of its own")


def _ca(given: Settings) -> Path | None:
    ca = given.path("ca") if given.has("ca") else None
    if ca is not None and not ca.is_file():
        raise SettingsError(f"ca: there is no file {ca}", "name the authority's certificate in PEM form")
    return ca


def _endpoint(given: Settings) -> str | None:
    like = "https://secretsmanager.eu-west-1.amazonaws.com"
    return address_in(given, "endpoint_url", like) if given.has("endpoint_url") else None
