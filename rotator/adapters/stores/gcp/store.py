"""The `gcp` store: Google Cloud Secret Manager.

    stores:
      gcp:
        driver: gcp
        project: my-project
        location: europe-west3      # for regional secrets; without it they are global
        alias: current              # the alias that is moved with each write; consumers may read it, or `latest`
        auth: {method: metadata}    # or workload_identity_federation, adc_file, access_token
        transport: rest             # or grpc
        endpoint: https://secretmanager.googleapis.com

What consumers read is a secret whose payload is a JSON object. Pending and previous values are secrets of our own
beside it, `rotator-…`, which a role for one secret does not reach. Every write of ours takes the secret's etag first,
so of two rotators one is refused before anybody could read its value, and the alias moves by compare-and-set. Adding a
version takes no etag and changes none (https://docs.cloud.google.com/secret-manager/docs/etags), and it is `latest` at
once: a request that was held up on its way may land after anything. So compare-and-set is exact for our own secrets and
for readers of the alias, and only detected for readers of `latest`; the store says: not exact.

Reading by number is consistent at once, `latest`, aliases and lists may lag for minutes, seldom hours
(https://docs.cloud.google.com/secret-manager/docs/reference/consistency): consumers need that much overlap. A stale
look does no harm here: its version is refused.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from importlib.util import find_spec
from urllib.parse import urlsplit

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.gcp import documents, policy
from rotator.adapters.stores.gcp.auth import auth_from, reach_of
from rotator.adapters.stores.gcp.client import GcpClient
from rotator.adapters.stores.gcp.hidden import Hidden
from rotator.adapters.stores.gcp.published import Published
from rotator.adapters.stores.gcp.resources import OF, REF, Resources, Token, changed, private_prefix
from rotator.adapters.stores.gcp.secrets import LATEST, Secrets
from rotator.adapters.stores.names import check_values, text_of
from rotator.domain.address import address_in
from rotator.domain.credential import Place, PlaceKind
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError
from rotator.ports import ABSENT, StoreCapabilities, Stored

KNOWN = ("project", "location", "alias", "auth", "transport", "endpoint")

_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{0,62}")
_LOCATION = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


class GcpStore:
    """Secrets of one project. Safe for many threads."""

    def __init__(self, client: GcpClient, resources: Resources, alias: str, timeout: timedelta) -> None:
        """`timeout`: for one call of the port, all its requests together."""
        self._client = client
        self._secrets = Secrets(client, alias)
        self._resources = resources
        self._timeout = timeout

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> GcpStore:
        """A store as configured. No request, and no reference is resolved yet. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        if find_spec("google") is None or find_spec("google.cloud.secretmanager_v1") is None:
            raise SettingsError("google-cloud-secret-manager is not installed", "pip install 'rotator[gcp]'")
        location = _location(given)
        resources = Resources(_matching(given, "project", _PROJECT, "my-project"), location)
        transport = given.choice("transport", ("rest", "grpc"), "rest")
        if transport == "grpc":
            _check_sockets()
        client = GcpClient(_endpoint(given, location), transport, auth_from(given, resolve))
        return cls(client, resources, _alias(given), timeout)

    @classmethod
    def reach(cls, settings: Mapping[str, object]) -> Reach:
        """Secret Manager, and where `auth` gets tokens. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        return Reach(hosts=host_of(_endpoint(given, _location(given)))) + reach_of(given)

    def capabilities(self) -> StoreCapabilities:
        """As the port says. Not exact: nothing keeps a late version from becoming `latest`."""
        return StoreCapabilities(exact=False, max_bytes=documents.LARGEST)

    def read(self, place: Place) -> Stored:
        """As the port says. A secret without a version, or whose version was destroyed, is there without fields.

        Raises Permanent where the newest version is disabled: its readers are broken, and what others keep in it would
        be lost to whoever writes the next one.
        """
        deadline = self._deadline()
        if place.kind is not PlaceKind.CURRENT:
            return self._hidden(place, deadline).read()
        published = self._published(place, deadline)
        look = published.look()
        if look is None:
            return Stored(version=ABSENT)
        fields = _ours(published.fields(published.current(look)), place)
        check_values(fields)
        return Stored(version=str(look.token), fields=fields or None)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        """As the port says. What consumers read changes by adding a version, and the alias follows in the same call.

        Where that was not finished, because an answer was lost or the process died, readers of `latest` have the new
        value and those of the alias the old one, and it is read as not yet written.
        """
        check_values(fields)
        deadline = self._deadline()
        if place.kind is not PlaceKind.CURRENT:
            payload = documents.made_of(fields, place.ref)
            return str(self._hidden(place, deadline).write(payload, expected))
        published = self._published(place, deadline)
        if expected == ABSENT:
            return str(published.make(fields))
        return str(published.edit(published.expected(Token.read(expected, place.ref)), fields))

    def remove(self, place: Place, expected: str) -> None:
        """As the port says. A secret of consumers stays, with its roles and as `{}`, when nothing is left in it."""
        deadline = self._deadline()
        if place.kind is not PlaceKind.CURRENT:
            self._hidden(place, deadline).remove(expected)
            return
        published = self._published(place, deadline)
        look = published.look()
        if look is None:
            return
        for payload in (look.payload, published.current(look)):
            if _ours(published.fields(payload), place):
                if str(look.token) != expected:
                    raise changed(place.ref)
                published.edit(look, dict.fromkeys(place.fields))
                return

    def places(self, ref: str) -> tuple[Place, ...]:
        """As the port says. A place that was made some minutes ago may be missing in the list."""
        prefix, deadline = private_prefix(ref), self._deadline()
        return tuple(
            Place(ref=ref, kind=kind, of=text_of(marks[OF]))
            for kind in (PlaceKind.PENDING, PlaceKind.PREVIOUS)
            for marks in self._secrets.annotations(self._resources.parent, f"{prefix}-{kind.value}-", deadline)
            if marks.get(REF) == ref and OF in marks
        )

    def least_policy(self, refs: Collection[str]) -> str:
        """Commands that grant what suffices for publishing to these references."""
        return policy.least_policy(self._resources, refs)

    def _published(self, place: Place, deadline: Deadline) -> Published:
        return Published(self._secrets, self._resources.secret(place), place.ref, deadline)

    def _hidden(self, place: Place, deadline: Deadline) -> Hidden:
        return Hidden(self._secrets, self._resources.secret(place), place, deadline)

    def _deadline(self) -> Deadline:
        self._client.load()  # before time runs: with a short lease the first call has none for an import
        return Deadline(self._timeout)

    def __repr__(self) -> str:
        return f"GcpStore({self._client.endpoint!r}, {self._resources.parent!r})"


def _ours(fields: Mapping[str, str], place: Place) -> dict[str, str]:
    return {name: fields[name] for name in place.fields if name in fields}


def _matching(given: Settings, key: str, pattern: re.Pattern[str], like: str) -> str:
    text = given.text(key)
    if not pattern.fullmatch(text):
        raise SettingsError(f"{key} is no name of a {key}", f"write it like {like}")
    return text


def _location(given: Settings) -> str | None:
    return _matching(given, "location", _LOCATION, "europe-west3") if given.has("location") else None


def _check_sockets() -> None:
    """Raises `SettingsError` in a sandbox: gRPC opens sockets by itself, and takes none from the rotator."""
    try:
        socket.socket().close()
    except PermissionError:
        wrong = SettingsError("a driver in a sandbox cannot use gRPC", "write transport: rest, or isolation: process")
    else:
        return
    raise wrong


def _alias(given: Settings) -> str:
    alias = given.text("alias", "current")
    if not _ALIAS.fullmatch(alias) or alias in (LATEST, "NEW"):
        hint = "begin it with a letter; letters, digits, - and _ follow, and it is neither latest nor NEW"
        raise SettingsError("alias is no name of an alias", hint)
    return alias


def _endpoint(given: Settings, location: str | None) -> str:
    default = f"secretmanager.{location}.rep.googleapis.com" if location else "secretmanager.googleapis.com"
    like = f"https://{default}"
    endpoint = address_in(given, "endpoint", like, default=like)
    if urlsplit(endpoint).path:
        raise SettingsError("endpoint is more than an address", f"write it like {like}")
    return endpoint
