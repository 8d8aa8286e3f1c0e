"""The `github_actions` store: what GitHub Actions' workflows read as `secrets.NAME`.

    stores:
      ci:
        driver: github_actions
        auth: {method: token, token: file:/run/secrets/github}    # or method: app, see `app.py`
        visibility: private         # of an organisation's secret that is made; one that exists keeps its own
        base_url: https://api.github.com                          # of GitHub Enterprise: https://HOST/api/v3
    credentials:
      openai-prod:
        publish:                    # ref: ORG, OWNER/REPO, or OWNER/REPO/ENVIRONMENT; each field is one secret
          - {store: ci, ref: acme/api, fields: {OPENAI_API_KEY: "{secret}"}}

A secret's value is sealed to the public key of the repository, environment or organisation, and no request gives it
back; its version is `updated_at`, to the second. Requests, answers and permissions:
https://docs.github.com/en/rest/actions/secrets, 48 KB: https://docs.github.com/en/actions/reference/security/secrets.
A workflow reads secrets when its run is queued: runs that are under way keep the old value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.github_actions.app import auth_from
from rotator.adapters.stores.github_actions.sealing import sealed
from rotator.adapters.stores.http import Api, Need, segments
from rotator.adapters.stores.names import components
from rotator.adapters.stores.unread import UnreadStore
from rotator.domain.address import address_in
from rotator.domain.failures import Permanent, Transient
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import quoted
from rotator.ports import ABSENT

KNOWN = ("auth", "base_url", "visibility")
GITHUB = "https://api.github.com"
LARGEST = 48 * 1024
"""Bytes of one value."""
PAGE = 100
_NAME = re.compile(r"(?!GITHUB_)[A-Za-z_][A-Za-z0-9_]*")


class GithubActionsStore(UnreadStore):
    """Safe for many threads."""

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> GithubActionsStore:
        """A store as configured. No request, and no reference is resolved yet. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        if find_spec("nacl") is None:
            raise SettingsError("pynacl is not installed", "pip install 'rotator[github]'")
        address = _address(given)
        visibility = given.choice("visibility", ("private", "all"), "private")
        api = Api(address, auth_from(given, address, resolve))
        return cls(Secrets(api, visibility), f"GitHub at {api.host}", LARGEST, timeout)

    @classmethod
    def reach(cls, settings: Mapping[str, object]) -> Reach:
        """The API's host, which also gives an App its tokens. Raises `SettingsError`."""
        return Reach(hosts=host_of(_address(Settings(settings, KNOWN))))

    def least_policy(self, refs: Collection[str]) -> str:
        """The permissions of a GitHub App or fine-grained token that suffice for publishing to these references."""
        return "".join(f"{each}: {_owner(each).permission}\n" for each in sorted(refs))


def _address(given: Settings) -> str:
    return address_in(given, "base_url", GITHUB, default=GITHUB)


class _Owner:
    """Whose secrets they are: where they lie in the API, and the permission that writing them takes."""

    def __init__(self, path: str, permission: str, *, shared: bool = False) -> None:
        self.path = path
        self.permission = permission
        self.shared = shared  # an organisation's: several repositories may see it

    def need(self, what: str) -> Need:
        hint = "see that it exists, and that our token may see it and write its secrets: GitHub does not tell which"
        return Need(what, self.permission, hint)


def _owner(ref: str) -> _Owner:
    owner, *repository = components(ref, ".")
    if not repository:
        return _Owner(segments("orgs", owner, "actions", "secrets"), "organization secrets: write", shared=True)
    if len(repository) == 1:
        return _Owner(segments("repos", owner, repository[0], "actions", "secrets"), "repository secrets: write")
    environment = "/".join(repository[1:])
    path = segments("repos", owner, repository[0], "environments", environment, "secrets")
    return _Owner(path, "environments: write")


class Secrets:
    """Implements `rotator.adapters.stores.unread.Entries`."""

    def __init__(self, api: Api, visibility: str) -> None:
        self._api = api
        self._visibility = visibility

    def check(self, ref: str, name: str) -> None:
        """As the protocol says."""
        _owner(ref)
        if not _NAME.fullmatch(name):
            hint = "letters, digits and _, no digit first, and not GITHUB_"
            raise Permanent(f"no secret of GitHub is called {quoted(name)}", hint)

    def version(self, ref: str, name: str, deadline: Deadline) -> str:
        """As the protocol says: when it was updated, as GitHub writes it."""
        found = self._secret(_owner(ref), ref, name, deadline)
        if found is None:
            return ABSENT
        updated = found.get("updated_at")
        if not isinstance(updated, str) or not updated or "," in updated:
            raise Transient(f"{self._api.host} does not tell when {ref} {name} was updated", "look what is in between")
        return updated

    def put(self, ref: str, name: str, text: str, deadline: Deadline) -> None:
        """As the protocol says. Three requests, and one more for an organisation's secret of chosen repositories."""
        owner = _owner(ref)
        seen_by = self._seen_by(owner, ref, name, deadline)
        answer = self._api.ask("GET", f"{owner.path}/public-key", owner.need(f"read the public key of {ref}"), deadline)
        key_id, key = _text(answer.body, "key_id"), _text(answer.body, "key")
        if not key_id or not key:
            raise Transient(f"{self._api.host} gives no public key of {ref}", "look at what is in between")
        body = {"encrypted_value": sealed(key, text), "key_id": key_id, **seen_by}
        need = owner.need(f"write the secret {name} of {ref}")
        self._api.ask("PUT", owner.path + segments(name), need, deadline, body, expect=(201, 204))

    def delete(self, ref: str, name: str, deadline: Deadline) -> None:
        """As the protocol says."""
        owner = _owner(ref)
        need = owner.need(f"delete the secret {name} of {ref}")
        self._api.ask("DELETE", owner.path + segments(name), need, deadline, expect=(204, 404))

    def _secret(self, owner: _Owner, ref: str, name: str, deadline: Deadline) -> Mapping[str, Any] | None:
        """What GitHub tells of a secret. A 404 may also mean a repository that we cannot see: its key tells which."""
        need = owner.need(f"look at the secret {name} of {ref}")
        answer = self._api.ask("GET", owner.path + segments(name), need, deadline, expect=(200, 404))
        if answer.status == 404:
            self._api.ask("GET", f"{owner.path}/public-key", owner.need(f"read the public key of {ref}"), deadline)
            return None
        return answer.body if isinstance(answer.body, dict) else {}

    def _seen_by(self, owner: _Owner, ref: str, name: str, deadline: Deadline) -> dict[str, Any]:
        """Which repositories see an organisation's secret: a write must say it, and must not change it."""
        if not owner.shared:
            return {}
        found = self._secret(owner, ref, name, deadline)
        visibility = self._visibility if found is None else _text(found, "visibility")
        if visibility != "selected":
            return {"visibility": visibility}
        need = owner.need(f"read which repositories see {name} of {ref}")
        path, page, ids = f"{owner.path}{segments(name)}/repositories?per_page={PAGE}", 1, list[object]()
        while page:
            body = self._api.ask("GET", f"{path}&page={page}", need, deadline).body
            found_ids = [each.get("id") for each in body.get("repositories", ())] if isinstance(body, dict) else []
            ids += found_ids
            page = page + 1 if len(found_ids) == PAGE else 0
        return {"visibility": visibility, "selected_repository_ids": ids}


def _text(body: Any, name: str) -> str:
    text = body.get(name) if isinstance(body, Mapping) else None
    return text if isinstance(text, str) else ""
