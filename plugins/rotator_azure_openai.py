"""The two keys of an Azure OpenAI (Azure AI services) account: slots `key1` and `key2`, whose values Azure makes.

    providers:
      azure:
        driver: azure_openai
        admin: file:/run/secrets/azure-admin       # {"tenant": …, "client_id": …, "client_secret": …}
        subscription: 00000000-0000-0000-0000-000000000000
        resource_group: ml
        account: contoso                           # endpoint: https://contoso.openai.azure.com
    credentials:
      chat: {provider: azure, principal: {exclusive: true}, …}

One entry is one account, because the host that keys are tried at is the account's own. What Azure does:

- `regenerateKey` makes a new value for one key and kills the old one "immediately"
  (https://learn.microsoft.com/azure/ai-services/rotate-keys); how long data planes accept it still is documented
  nowhere, so the windows are a guess. Regenerating *is* deleting; a key cannot be switched off.
- It compares nothing. This driver looks first whether the slot holds what is expected, under a lock of this process:
  of two rotators of one account, which nobody should have, the later one wins.
- Whoever may call `listKeys` reads both values, at any time: a lost answer of a regeneration loses no value, and a
  slot's tag is a keyed digest of what it holds. It changes whenever the value does, whoever changed it.
- A slot is never empty. That nobody has its value stands in a tag of the account, `rotator-key1: empty-<digest>`:
  another value in the slot, from whomever, makes it untrue by itself. `emptying-<digest>` was written by a deletion
  that did not come to its end (https://learn.microsoft.com/rest/api/resources/tags/update-at-scope).
- With `disableLocalAuth` keys are refused altogether: `listKeys` is a 400 that says so (seen in issues of
  Azure/terraform-azurerm-avm-res-cognitiveservices-account), and a key is answered 403.
- The data plane says 401 to a wrong key. A key has no rights of its own that could forbid it a list of models, so 403
  tells nothing of it: that is the network's rules (https://learn.microsoft.com/azure/ai-services/cognitive-services-virtual-networks)
  or `disableLocalAuth`, whatever key is shown. A 401 comes also from the endpoint of another account; the proof's
  positive control tells these apart.

Nothing here was tried on Azure. No use of a key is told, and nobody knows when it was made.

The console's page: from memory, not checked.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, Self

from rotator.sdk import (
    TWO_SLOTS,
    Ambiguous,
    Capabilities,
    Conflict,
    Denied,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Probe,
    Reach,
    Secret,
    Settings,
    SettingsError,
    Transient,
    Verdict,
    slot_of,
)
from rotator.sdk.http import BaseUrl, Client, bearer, path
from rotator.sdk.oauth import Tokens

SLOTS = ("key1", "key2")
ARM = "https://management.azure.com"
LOGIN = "https://login.microsoftonline.com"
VERSION = {"api-version": "2024-10-01"}
TAGS_VERSION = {"api-version": "2021-04-01"}
RIGHTS_VERSION = {"api-version": "2022-04-01"}
MODELS = "/openai/models?api-version=2024-10-21"
VERDICTS = {200: Verdict.WORKS, 401: Verdict.INVALID}
ACTIONS = (
    "Microsoft.CognitiveServices/accounts/listKeys/action",
    "Microsoft.CognitiveServices/accounts/regenerateKey/action",
    "Microsoft.Resources/tags/read",
    "Microsoft.Resources/tags/write",
)
PERMISSION = "a role with " + ", ".join(ACTIONS)


@dataclass(frozen=True, slots=True)
class Slot:
    """What a slot holds, its keyed digest, and what the account's tag says of the slot."""

    name: str
    value: str = field(repr=False)
    digest: str
    note: str

    @property
    def id(self) -> str:
        return f"{self.name}@{self.digest}"

    @property
    def empty(self) -> bool:
        """Whether nobody has the value."""
        return self.note == f"empty-{self.digest}"

    def was_emptying(self, key_id: str) -> bool:
        """Whether a deletion of this key began and did not come to its end."""
        return self.note == f"emptying-{key_id.partition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Account:
    """Where an account is in Azure."""

    subscription: str
    group: str
    name: str

    def at(self, *more: str, **query: str) -> str:
        """A path of this account's."""
        return path("subscriptions", self.subscription, "resourceGroups", self.group, *_OF, self.name, *more, **query)


_OF = ("providers", "Microsoft.CognitiveServices", "accounts")


class AzureOpenAi:
    """One account with one service principal; a `Provider`. Used by many threads."""

    def __init__(self, arm: Client, data: Client, account: Account, windows: Mapping[str, timedelta]) -> None:
        """`arm` is the resource manager, `data` where keys are used."""
        self._arm = arm
        self._data = data
        self._account = account
        self._windows = windows
        self._changing = threading.Lock()

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        arm_url, login_url, data_url = _addresses(read)
        account = Account(read.text("subscription"), read.text("resource_group"), read.text("account"))
        windows = {each: read.duration(each, timedelta(seconds=last)) for each, last in _WINDOWS.items()}
        read.finish()
        tenant, form = _admin(admin, name, f"{arm_url}/.default")
        try:
            account.at()
            target = path(tenant, "oauth2", "v2.0", "token")
        except Permanent as wrong:
            raise SettingsError(
                f"{wrong.message}: subscription, resource_group, account or tenant", wrong.hint
            ) from None
        tokens = Tokens(Client(login_url, timeout=timeout), target, lambda: form, PERMISSION)
        arm = Client(arm_url, timeout=timeout, headers=tokens, permission=PERMISSION)
        return cls(arm, Client(data_url, timeout=timeout), account, windows)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The resource manager, the login, and the account's own endpoint."""
        hosts = [BaseUrl.parse(each).name for each in _addresses(Settings(settings))]
        return Reach(hosts=tuple(dict.fromkeys(hosts)))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every principal: an account has one pair."""
        _wordless(principal)
        return Capabilities(
            strategy=TWO_SLOTS,
            reveals=True,
            slots=SLOTS,
            identifies=True,
            propagation=self._windows["propagation"],
            death_window=self._windows["death_window"],
            list_lag=self._windows["list_lag"],
            probe=Probe(url=f"{self._data.base.text}{MODELS}", header="api-key", template="{secret}"),
            least_permission=_role(self._account),
            console_url=f"https://portal.azure.com/#@/resource{self._account.at('cskeys')}",
        )

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """Look, and regenerate the slot's key if the slot holds what is expected: one request, compared before it."""
        _wordless(principal)
        with self._changing:
            slot = self._look().get(request.slot or "")
            if slot is None or slot.id != request.expects:
                raise Conflict("the slot does not hold what was expected")
            if slot.note.startswith("emptying-"):
                self._note(slot.name, "none")  # else an old deletion, done again, would go on with the new key
            target = self._account.at("regenerateKey", **VERSION)
            answer = self._arm.mint(target, {"keyName": slot.name.title()}, expect=(200,))
        value = _member(answer.body, slot.name)
        if not _usable(value) or value == slot.value:
            raise Ambiguous("azure answered without a new value, so there may be a key", "look at the account's keys")
        return Minted(key_id=f"{slot.name}@{self._digest(value)}", value=Secret({"secret": value}))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """Both slots; one whose value nobody has is a deleted key."""
        _wordless(principal)
        state = {True: KeyState.DELETED, False: KeyState.ENABLED}
        return tuple(Key(id=each.id, state=state[each.empty], slot=each.name) for each in self._look().values())

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """List the models, which changes nothing."""
        bearer(value.reveal("secret"))  # the same check of what fits into a header
        shown = {"api-key": value.reveal("secret")}
        status = self._data.get(MODELS, headers=shown, expect=(*VERDICTS, 403)).status
        if status not in VERDICTS:
            why = f"{self._data.base.name} forbids before it looks for whose key it is, so it tells nothing of the key"
            raise Transient(why, "let this host through the account's network rules, and see that it takes keys")
        return VERDICTS[status]

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """Azure gives the values, so they are compared."""
        shown = value.reveal("secret").encode()
        found = (each.id for each in self._look().values() if hmac.compare_digest(each.value.encode(), shown))
        return next(found, None)

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Regenerate the slot's key if the slot holds this one, and write down that nobody has what it holds now."""
        _wordless(principal)
        if state is not KeyState.DELETED:
            raise Permanent("azure has no disabled keys", "delete the key")
        with self._changing:
            slot = self._look().get(slot_of(key_id))
            if slot is None or not (slot.id == key_id or slot.was_emptying(key_id)):
                return
            self._note(slot.name, f"emptying-{key_id.partition('@')[2]}")
            target = self._account.at("regenerateKey", **VERSION)
            answer = self._arm.send("POST", target, {"keyName": slot.name.title()})
            value = _member(answer.body, slot.name)
            if not _usable(value) or value == slot.value:
                raise Transient("azure answered without a new value", "it is tried again")
            self._note(slot.name, f"empty-{self._digest(value)}")

    def check_admin(self, principal: Principal) -> None:
        """Read the keys and the tags, and what Azure says that the service principal may do, if it may read that."""
        _wordless(principal)
        self._look()
        target = self._account.at("providers", "Microsoft.Authorization", "permissions", **RIGHTS_VERSION)
        answer = self._arm.get(target, expect=(200, 403))
        if answer.status != 200:
            return
        missing = [each for each in ACTIONS if not _granted(each, _member(answer.body, "value"))]
        if missing:
            raise Denied(
                "the service principal may not do enough", f"it needs {missing[0]}", permission=", ".join(missing)
            )

    # -- requests ------------------------------------------------------------------------------------------------------

    def _look(self) -> dict[str, Slot]:
        """Two reads: the tags first, so that a note is never newer than the value that it speaks of."""
        tags = self._arm.get(self._tags()).body
        notes = _member(_member(tags, "properties"), "tags")
        held = self._arm.send("POST", self._account.at("listKeys", **VERSION)).body
        values = {name: _member(held, name) for name in SLOTS}
        if not all(_usable(each) for each in values.values()):
            raise Transient("azure lists keys in another form")
        return {
            name: Slot(name, value, self._digest(value), str(_member(notes, f"rotator-{name}") or ""))
            for name, value in values.items()
        }

    def _note(self, slot: str, text: str) -> None:
        tags = {"tags": {f"rotator-{slot}": text}}
        self._arm.send("PATCH", self._tags(), {"operation": "Merge", "properties": tags}, expect=(200, 202))

    def _tags(self) -> str:
        return self._account.at("providers", "Microsoft.Resources", "tags", "default", **TAGS_VERSION)

    def _digest(self, value: str) -> str:
        """Tells values apart; of 128 random bits and more it gives nothing away."""
        key = f"rotator slot {self._account.at().lower()}".encode()
        return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:16]


_NAME = re.compile("[A-Za-z0-9-]{2,64}")
_WINDOWS = {"propagation": 60, "death_window": 300, "list_lag": 30}


def _wordless(principal: Principal) -> None:
    """The provider's settings say which account it is. Raises `Permanent` for a principal that says more."""
    try:
        Settings(principal.settings, ())
    except SettingsError as wrong:
        raise Permanent(f"principal: {wrong.message}", "leave it out: the settings name the account") from None


def _addresses(read: Settings) -> tuple[str, str, str]:
    """The resource manager's, the login's and the account's."""
    account = read.text("account")
    if not _NAME.fullmatch(account):  # it becomes a part of a host's name
        raise SettingsError("account is no name of an account", "write its name alone, like contoso-chat")
    found = (read.text("base_url", ARM), read.text("login_url", LOGIN))
    return (*found, read.text("endpoint", f"https://{account}.openai.azure.com"))


def _admin(text: str, name: str, scope: str) -> tuple[str, dict[str, str]]:
    names = ("tenant", "client_id", "client_secret")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or set(given) != set(names) or not all(_usable(each) for each in given.values()):
        hint = 'write {"tenant": …, "client_id": …, "client_secret": …}'
        raise SettingsError(f"the admin credential of {name} is no service principal", hint)
    form = {"grant_type": "client_credentials", "scope": scope}
    return given["tenant"], {**form, "client_id": given["client_id"], "client_secret": given["client_secret"]}


def _role(account: Account) -> str:
    """As `az role definition create --role-definition` takes it."""
    role = {
        "Name": f"rotator of {account.name}",
        "Description": "regenerates the account's keys",
        "Actions": list(ACTIONS),
        "AssignableScopes": [account.at()],
    }
    return json.dumps(role, indent=2)


def _granted(action: str, permissions: Any) -> bool:
    """Whether one entry allows the action and does not take it away again; Azure compares without regard to case."""
    entries = permissions if isinstance(permissions, list) else []

    def among(entry: Any, name: str) -> bool:
        patterns = _member(entry, name) or []
        return any(fnmatchcase(action.lower(), str(each).lower()) for each in patterns)

    return any(among(each, "actions") and not among(each, "notActions") for each in entries)


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None


def _usable(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and bool(value) and " " not in value
