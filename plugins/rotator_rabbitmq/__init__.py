"""Logins of RabbitMQ from 3.10 on, by its management API: two or more users in turn, each a slot.

    providers:
      mq: {driver: rabbitmq, admin: file:…, base_url: https://mq.internal:15671, user: rotator}    # lock_vhost
    credentials:
      app-mq:
        provider: mq
        principal: {users: [app_a, app_b], permissions: ["/ ^app ^app .*"]}    # or needs: {scopes: […]}

A permission is a virtual host and the patterns of what may be configured, written and read there, as `rabbitmqctl
set_permissions` takes them. `tags` of the principal (`tags: [monitoring]`) are set beside ours. Minting sets the
permissions of an idle user and takes all others away, and then, in one request, its password as a salted hash computed
here, its tags and our note (`users.py`). The note is a tag, and each tag is a word that the broker keeps in memory
until it restarts: some hundred bytes for each rotation. Topic permissions are left as they are.

What is conditional and what not: the API cannot compare and set. Rotators are kept apart by a lock of their own
(`lock.py`), which is a lease: one that was stopped for longer than four times the timeout, after its look and before
its last request, could still overwrite. So could a person at that moment; afterwards it shows as a changed password.

A login is asked of GET /api/whoami. To a user without a tag of the management plugin it says "Not management user", and
that after the password was right (RabbitMQ 3.10, `rabbit_mgmt_util:is_authorized`): both are 401, so no plain probe can
tell, and an authentication cache (plugin rabbitmq_auth_backend_cache) makes `death_window` as long as its TTL.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from rotator.sdk import (
    DUAL,
    Capabilities,
    Denied,
    Disabling,
    Failure,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Principal,
    Secret,
    Settings,
    SettingsError,
    Transient,
    Verdict,
    slot_of,
)
from rotator.sdk.http import Client, path
from rotator.sdk.slots import Login, empty_note, expected, login_parts, minted_note, wanted

from .access import NOTHING, Access, Permission, basic, reason_of
from .lock import held
from .users import Stored, User, body_of

__all__ = ["Rabbitmq"]

INSTANT = timedelta(seconds=2)
HANDSHAKE = timedelta(seconds=20)
"""Who has logged in may wait so long before the connection is open.

`handshake_timeout` is 10 s (RabbitMQ documentation), and with streams each of two steps has 10 s of its own
(`rabbit_stream_reader`, `connection_negotiation_step_timeout`).
"""
LEAST = """\
rabbitmqctl add_user rotator …; rabbitmqctl set_user_tags rotator administrator
rabbitmqctl add_vhost rotator; rabbitmqctl set_permissions -p rotator rotator "^rotator\\." "^$" "^$"
(who may change users may change every user: RabbitMQ has no narrower right)"""
OTHER_USER = "Not management user"


class Rabbitmq:
    """The driver. Objects are used by many threads at once."""

    def __init__(
        self, client: Client, user: str, lock_vhost: str, timeout: timedelta, windows: Mapping[str, timedelta]
    ) -> None:
        """`client` logs in as `user`, who may do what `LEAST` names."""
        self._client = client
        self._user = user
        self._lock_vhost = lock_vhost
        self._timeout = timeout
        self._windows = windows

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Read the settings of one entry. Raises `SettingsError`."""
        given = Settings(settings)
        base_url, user, vhost = given.text("base_url"), given.text("user"), given.text("lock_vhost", "rotator")
        defaults = {"propagation": INSTANT, "death_window": INSTANT, "login_window": HANDSHAKE}
        windows = {each: given.duration(each, usual) for each, usual in defaults.items()}
        given.finish()
        if ":" in user:
            raise SettingsError("user has a colon", "no such user can log in over HTTP")
        client = Client(base_url, timeout=timeout, headers=basic(user, admin), permission="the tag administrator")
        return cls(client, user, vhost, timeout, windows)

    def capabilities(self, principal: Principal) -> Capabilities:
        """The users are the slots. Raises `Permanent` for a principal that makes no sense."""
        return Capabilities(
            strategy=DUAL,
            parts=("user", "password"),
            secret_part="password",  # noqa: S106 # the name of the part
            slots=self._principal(principal).users,
            disabling=Disabling.REVERSIBLE,
            scopes=True,
            usage=True,
            identifies=True,
            propagation=self._windows["propagation"],
            death_window=self._windows["death_window"],
            login_window=self._windows["login_window"],
            list_lag=timedelta(0),
            least_permission=LEAST,
            console_url=f"{self._client.base.text}/#/users",
        )

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """One key for each user, the absent and emptied ones as deleted."""
        return tuple(self._key(name) for name in self._principal(principal).users)

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Give the user its permissions, then by one PUT its password; then end the sessions of what it was before.

        Raises `Ambiguous` when the answer to that PUT was lost; a failure before it has made no key.
        """
        access = self._principal(principal)
        slot, password = wanted(request, access.users)
        access = access.within(request.scopes)
        stored = Stored.of(password)
        with held(self._client, self._lock_vhost, slot, self._timeout) as lock:
            login = expected(self._login(slot), request)
            note = minted_note(request, str(stored), login.seen_at)
            self._allow(login, access)
            lock.check()
            self._client.mint(_user(slot), body_of(stored, note, access.tags), method="PUT", expect=(201, 204))
        with suppress(Failure):  # the key is made: no failure may lose it
            self._end_sessions(slot)  # of an emptied one, too: a login may have come late
        value = Secret({"user": slot, "password": password})
        return Minted(key_id=f"{slot}@{note.tag}", value=value, created_at=note.since)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """Ask who this is.

        A disabled user is refused like a wrong password, so the admin looks: `NOT_YET` where it still has this one.
        """
        user, password = login_parts(value)
        self._principal(principal)
        if ":" in user:
            return Verdict.INVALID  # the name would end there
        answer = self._client.get(path("api", "whoami"), headers=basic(user, password), expect=(200, 401))
        if answer.status == 200 or reason_of(answer.body) == OTHER_USER:
            return Verdict.WORKS
        if not reason_of(answer.body):
            raise Transient("RabbitMQ refuses without a reason")
        found = self._find(user)
        has_it = found is not None and found.password is not None and found.password.is_of(password)
        return Verdict.NOT_YET if has_it else Verdict.INVALID

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """Which key the user holds, if this is its password; nobody logs in with it."""
        user, password = login_parts(value)
        if user not in self._principal(principal).users:
            return None
        found = self._find(user)
        if found is None or found.password is None or not found.password.is_of(password):
            return None
        return found.login(datetime.now(UTC), 0, "").key_id

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Disable, enable or empty the slot that holds this key, by one PUT; then end sessions, unless it is enabled.

        When the slot holds something else, nothing changes. Sessions of an empty slot are ended all the same: it may be
        the second call, after the answer to the first was lost.
        """
        slot, access = slot_of(key_id), self._principal(principal)
        if slot not in access.users:
            return
        with held(self._client, self._lock_vhost, slot, self._timeout) as lock:
            login, found = self._login(slot), self._find(slot)
            if login.key_id == key_id and (state is KeyState.DELETED or login.state is not KeyState.DELETED):
                lock.check()
                self._client.send("PUT", _user(slot), _changed(login, found, state), expect=(201, 204))
        if state is not KeyState.ENABLED and (login.key_id == key_id or login.state is KeyState.DELETED):
            self._end_sessions(slot)

    def check_admin(self, principal: Principal) -> None:
        """Ask who the admin is and what it may. Raises `Denied` naming what is missing."""
        self._principal(principal)
        tags = User.read(self._user, self._client.get(path("api", "whoami")).body).others
        if "administrator" not in tags:
            hint = f"rabbitmqctl set_user_tags {self._user} administrator"
            raise Denied(f"the admin {self._user} is no administrator", hint, permission="the tag administrator")
        granted = {each.vhost: each.configure for each in self._granted(self._user)}
        if granted.get(self._lock_vhost, NOTHING) in ("", NOTHING):
            hint = f'rabbitmqctl set_permissions -p {self._lock_vhost} {self._user} "^rotator\\." "^$" "^$"'
            permission = f"configure ^rotator\\. in {self._lock_vhost}"
            raise Denied(f"the admin {self._user} lacks {permission}", hint, permission=permission)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _principal(self, principal: Principal) -> Access:
        return Access.of(principal, self._user)

    def _key(self, name: str) -> Key:
        login = self._login(name)
        granted = tuple(str(each) for each in self._granted(name)) if login.exists else None
        return replace(login.key(), grant=granted)

    def _login(self, name: str) -> Login:
        found, seen_at = self._find(name), datetime.now(UTC)
        if found is None:
            return Login(name=name, exists=False, seen_at=seen_at)
        sessions = self._sessions(name)
        return found.login(seen_at, len(sessions), ", ".join(sorted(sessions)[:3]))

    def _find(self, name: str) -> User | None:
        answer = self._client.get(_user(name), expect=(200, 404))
        return User.read(name, answer.body) if answer.status == 200 else None

    def _sessions(self, name: str) -> list[str]:
        body = self._client.get(path("api", "connections", "username", name)).body
        if not isinstance(body, list):
            raise Transient("RabbitMQ lists connections in another form")
        return [str(each.get("name", "")).partition(" ")[0] for each in body if isinstance(each, dict)]

    def _granted(self, name: str) -> tuple[Permission, ...]:
        return Permission.read_all(self._client.get(path("api", "users", name, "permissions")).body)

    # -- changing ------------------------------------------------------------------------------------------------------

    def _allow(self, login: Login, access: Access) -> None:
        """Give the user these permissions and no others; make it without a password, if it is not there."""
        if not login.exists:
            self._client.send("PUT", _user(login.name), body_of(None, empty_note(login.seen_at), ()), expect=(201, 204))
        wanted_now = {each.vhost: each for each in access.permissions}
        for each in self._granted(login.name):
            if each.vhost not in wanted_now:
                self._client.send("DELETE", _permission(each, login.name), expect=(204, 404))
        for each in access.permissions:
            self._client.send("PUT", _permission(each, login.name), each.body(), expect=(201, 204))

    def _end_sessions(self, name: str) -> None:
        """End the user's connections and see them gone. May be called twice."""
        until = time.monotonic() + self._timeout.total_seconds()
        self._client.send("DELETE", path("api", "connections", "username", name), expect=(204, 404))
        while self._sessions(name):
            if time.monotonic() > until:
                raise Transient(f"connections of {name} do not end in time")
            time.sleep(0.05)


def _user(name: str) -> str:
    return path("api", "users", name)


def _permission(permission: Permission, user: str) -> str:
    return path("api", "permissions", permission.vhost, user)


def _changed(login: Login, found: User | None, state: KeyState) -> dict[str, Any]:
    if state is KeyState.DELETED or found is None:
        return body_of(None, empty_note(login.seen_at), ())
    if state is KeyState.ENABLED:
        return body_of(found.password, found.note, found.others)
    return body_of(None, found.note, found.others, held=found.password)
