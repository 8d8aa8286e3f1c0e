"""The `gitlab_ci` store: CI/CD variables of projects and groups.

    stores:
      ci:
        driver: gitlab_ci
        token: file:/run/secrets/gitlab       # scope api; Maintainer of the project, Owner of the group
        environment_scope: production         # "*" if it is left out
        masked: true                          # these three for a variable that is made; one that exists keeps its own
        hidden: false
        protected: false
        base_url: https://gitlab.com/api/v4
    credentials:
      openai-prod:
        publish:                              # ref: projects/PATH or groups/PATH; each field is one variable
          - {store: ci, ref: projects/acme/api, fields: {OPENAI_API_KEY: "{secret}"}}

GitLab gives the value of a variable that is not hidden to whoever may write it. It is treated as unreadable all the
same: every job reads every variable, so there is no place for what consumers must not see yet. A variable tells no time
at which it was written; each of our writes leaves a mark at the end of its description, and the version is a digest of
that and, where it is shown, 16 bits of the value's. So of a hidden variable only a new description is noticed.

Requests and answers: https://docs.gitlab.com/api/project_level_variables/ and
https://docs.gitlab.com/api/group_level_variables/; masking: https://docs.gitlab.com/ci/variables/#mask-a-cicd-variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from secrets import token_hex
from typing import Any
from urllib.parse import urlencode

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.http import Api, Need, segments
from rotator.adapters.stores.names import components
from rotator.adapters.stores.tokens import TokenAt
from rotator.adapters.stores.unread import UnreadStore
from rotator.domain.address import address_in
from rotator.domain.failures import Permanent
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings
from rotator.domain.times import quoted
from rotator.ports import ABSENT

KNOWN = ("token", "environment_scope", "masked", "hidden", "protected", "base_url")
GITLAB = "https://gitlab.com/api/v4"
LARGEST = 10_000
"""Characters of one value; as many bytes are never too many."""
LONGEST_WORDS = 200
"""Of somebody's description are kept; GitLab takes 255 characters."""
_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")
_MARK = re.compile(r" ?\(rotator [0-9a-f]{16}\)$")
_MASKABLE = re.compile(r"\S{8,}")


class GitlabCiStore(UnreadStore):
    """Safe for many threads."""

    @classmethod
    def from_settings(
        cls, name: str, settings: Mapping[str, object], resolve: Callable[[str], str], timeout: timedelta
    ) -> GitlabCiStore:
        """A store as configured. No request, and no reference is resolved yet. Raises `SettingsError`."""
        given = Settings(settings, KNOWN)
        token = TokenAt(given.reference("token"), resolve)
        api = Api(
            _address(given),
            lambda refused, _: {"PRIVATE-TOKEN": token.get(anew=refused)},
        )
        made = Made(
            scope=given.text("environment_scope", "*"),
            masked=given.flag("masked", True),
            hidden=given.flag("hidden", False),
            protected=given.flag("protected", False),
        )
        return cls(Variables(api, made), f"GitLab at {api.host}", LARGEST, timeout)

    @classmethod
    def reach(cls, settings: Mapping[str, object]) -> Reach:
        """The API's host. Raises `SettingsError`."""
        return Reach(hosts=host_of(_address(Settings(settings, KNOWN))))

    def least_policy(self, refs: Collection[str]) -> str:
        """The roles that suffice for publishing to these references."""
        return "".join(f"{each}: {_owner(each)[1]}\n" for each in sorted(refs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a variable is made that is not there yet."""

    scope: str
    masked: bool
    hidden: bool
    protected: bool


def _address(given: Settings) -> str:
    return address_in(given, "base_url", GITLAB, default=GITLAB)


def _owner(ref: str) -> tuple[str, str]:
    """Where the variables of a reference lie in the API, and what writing them takes. Raises `Permanent`."""
    kind, *path = components(ref, ".")
    if kind not in ("projects", "groups") or not path:
        raise Permanent(f"{quoted(ref)} is no reference", "write projects/PATH or groups/PATH")
    role = "Maintainer of the project" if kind == "projects" else "Owner of the group"
    return segments(kind, "/".join(path), "variables"), f"scope api, {role}"


class Variables:
    """Implements `rotator.adapters.stores.unread.Entries`."""

    def __init__(self, api: Api, made: Made) -> None:
        self._api = api
        self._made = made
        self._filter = "?" + urlencode({"filter[environment_scope]": made.scope})

    def check(self, ref: str, name: str) -> None:
        """As the protocol says."""
        _owner(ref)
        if not _NAME.fullmatch(name):
            raise Permanent(f"no variable of GitLab is called {quoted(name)}", "letters, digits and _, at most 255")

    def version(self, ref: str, name: str, deadline: Deadline) -> str:
        """As the protocol says: a digest of what GitLab shows."""
        found = self._variable(ref, name, deadline)
        if found is None:
            return ABSENT
        words, value = str(found.get("description") or ""), str(found.get("value") or "")
        return _digest(words)[:12] + _digest(words + "\0" + value)[:4]

    def put(self, ref: str, name: str, text: str, deadline: Deadline) -> None:
        """As the protocol says. The value reaches jobs as it is: `raw`, or GitLab would replace what begins with $."""
        found = self._variable(ref, name, deadline)
        masked = self._made.masked or self._made.hidden if found is None else bool(found.get("masked"))
        if masked and not _MASKABLE.fullmatch(text):
            hint = "publish it to another variable, which is not masked"
            raise Permanent(f"GitLab masks no value that is short or has blanks, and {name} of {ref} is masked", hint)
        body = {"value": text, "raw": True, "description": _marked(str((found or {}).get("description") or ""))}
        path, permission = _owner(ref)
        need = Need(f"write the variable {name} of {ref}", permission)
        if found is not None:
            self._api.ask("PUT", path + segments(name) + self._filter, need, deadline, body)
            return
        made = self._made
        kind = {"masked_and_hidden": True} if made.hidden else {"masked": made.masked}
        more = {"key": name, "environment_scope": made.scope, "protected": made.protected, **kind}
        self._api.ask("POST", path, need, deadline, {**body, **more}, expect=(201,))

    def delete(self, ref: str, name: str, deadline: Deadline) -> None:
        """As the protocol says."""
        path, permission = _owner(ref)
        need = Need(f"delete the variable {name} of {ref}", permission)
        self._api.ask("DELETE", path + segments(name) + self._filter, need, deadline, expect=(204, 404))

    def _variable(self, ref: str, name: str, deadline: Deadline) -> Mapping[str, Any] | None:
        """What GitLab tells of a variable. A 404 may also mean a project that we cannot see: its list tells which."""
        path, permission = _owner(ref)
        need = Need(f"look at the variable {name} of {ref}", permission)
        answer = self._api.ask("GET", path + segments(name) + self._filter, need, deadline, expect=(200, 404))
        if answer.status == 404:
            self._api.ask("GET", f"{path}?per_page=1", Need(f"list the variables of {ref}", permission), deadline)
            return None
        return answer.body if isinstance(answer.body, dict) else {}


def _marked(words: str) -> str:
    """Somebody's description with a mark of ours behind it, another one each time."""
    return f"{_MARK.sub('', words)[:LONGEST_WORDS]} (rotator {token_hex(8)})".strip()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
