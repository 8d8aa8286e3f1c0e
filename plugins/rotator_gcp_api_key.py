"""API keys of a Google Cloud project, as Gemini and Maps take them: any number, each under an id that we choose.

    providers:
      gcp: {driver: gcp_api_key, project: my-project, admin: file:/run/secrets/service-account.json}
    credentials:
      gemini: {provider: gcp, needs: {scopes: [generativelanguage.googleapis.com]}, …}

The admin credential is a service account's JSON key, exchanged for tokens (its own `token_uri` is not heeded: the text
of a secret does not say where secrets go), or an access token, which ends within an hour. What Google does
(https://cloud.google.com/api-keys/docs/reference/rest/v2/projects.locations.keys):

- A key's id is chosen at its making, `[a-z]([a-z0-9-]{0,61}[a-z0-9])?`, and unique within the project, also among the
  keys that were deleted in the last 30 days: it is our mark, and a mint cannot happen twice.
- Making and deleting are operations that are asked after until they are done, within the time of one call. The value is
  read by `getKeyString`, and can be read again by whoever may.
- Deleting can be undone for 30 days by whoever has `apikeys.keys.undelete`: the proof of death holds until then if
  nobody does. The role that is printed lacks it; `roles/serviceusage.apiKeysAdmin` has it.
- Scopes become `apiTargets`, by service; without any the key gets the setting `services`, never all of the project's.
- Gemini answers 400 with the reason API_KEY_INVALID to a key that is nobody's, and other 400s to one that lives (for
  example where the API is not offered at all), so no status alone is a proof and there is no plain HTTP probe.
  403 with a reason API_KEY_…_BLOCKED is a restriction of a key that Google knows: authentic
  (https://cloud.google.com/php/docs/reference/common-protos/latest/Api.ErrorReason). Every other 403 tells nothing of
  it: the service is not enabled, the project is suspended, or the key was "reported as leaked", which Google may take
  back. Seen in issues of google-gemini's repositories.
- A project has room for some hundreds of keys; what that refusal looks like is not confirmed (RESOURCE_EXHAUSTED).
- How long a new key is on its way and a deleted one lives on is said to be minutes; the windows are a guess.

Nothing here was tried on Google Cloud. Use is told by Cloud Monitoring alone, which is not asked.

The console's page: from memory, not checked.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from rotator.sdk import (
    OVERLAP,
    Ambiguous,
    Capabilities,
    CapFull,
    Denied,
    Failure,
    Key,
    KeyState,
    Minted,
    MintRequest,
    Permanent,
    Principal,
    Reach,
    Secret,
    Settings,
    SettingsError,
    Transient,
    UnreadableError,
    Verdict,
    parse_time,
    quoted,
)
from rotator.sdk.http import Authority, BaseUrl, Client, bearer, path
from rotator.sdk.oauth import Tokens

URLS = {
    "base_url": "https://apikeys.googleapis.com",
    "token_url": "https://oauth2.googleapis.com/token",
    "rights_url": "https://cloudresourcemanager.googleapis.com",
    "verify_url": "https://generativelanguage.googleapis.com",
}
GEMINI = "generativelanguage.googleapis.com"
PERMISSIONS = tuple(f"apikeys.keys.{each}" for each in ("create", "delete", "get", "getKeyString", "list", "lookup"))
MODELS = "/v1beta/models?pageSize=1"
MOST_PAGES = 200
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
KEY_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_WINDOWS = {"propagation": 300, "death_window": 300, "list_lag": 60}
_BLOCKED = re.compile(r"API_KEY_[A-Z_]+_BLOCKED")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


class ApiKeys:
    """One project with one admin credential; a `Provider`. Used by many threads."""

    def __init__(
        self,
        clients: tuple[Client, Client, Client],
        project: str,
        services: tuple[str, ...],
        offers: Capabilities,
        *,
        patience: timedelta,
    ) -> None:
        """The API of keys, that of rights, and the one where keys are tried. `patience` is for one operation."""
        self._keys, self._rights, self._models = clients
        self._project = project
        self._services = services
        self._offers = offers
        self._patience = patience

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Self:
        """Sends nothing. Raises `SettingsError`."""
        read = Settings(settings)
        urls = {each: read.text(each, default) for each, default in URLS.items()}
        project, services = read.text("project"), read.texts("services", (GEMINI,))
        windows = {each: read.duration(each, timedelta(seconds=last)) for each, last in _WINDOWS.items()}
        read.finish()
        if not _PROJECT.fullmatch(project):
            raise SettingsError("project is no id of a project", "write its id, like my-project, not its name")
        third = timeout / 3  # a mint is a request, the wait for its operation, and another request
        shown = _authority(admin, name, urls["token_url"], third)
        clients = (
            Client(urls["base_url"], timeout=third, headers=shown, permission=" ".join(PERMISSIONS)),
            Client(urls["rights_url"], timeout=third, headers=shown),
            Client(urls["verify_url"], timeout=third),
        )
        offers = Capabilities(
            strategy=OVERLAP,
            reveals=True,
            scopes=True,
            identifies=True,
            propagation=windows["propagation"],
            death_window=windows["death_window"],
            list_lag=windows["list_lag"],
            least_permission=_role(project),
            console_url=f"https://console.cloud.google.com/apis/credentials?project={project}",
        )
        return cls(clients, project, services, offers, patience=third)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        """The APIs of keys, tokens and rights, and the one where keys are tried."""
        read = Settings(settings)
        hosts = [BaseUrl.parse(read.text(each, default)).name for each, default in URLS.items()]
        return Reach(hosts=tuple(dict.fromkeys(hosts)))

    # -- the port ------------------------------------------------------------------------------------------------------

    def capabilities(self, principal: Principal) -> Capabilities:
        """The same for every principal: keys belong to the project."""
        _wordless(principal)
        return self._offers

    def mint(self, principal: Principal, request: MintRequest) -> Minted:
        """One POST whose key has the mark as its id; then its operation and its value are waited for.

        `Conflict` where the id was used before. What fails once Google has said yes is `Ambiguous`.
        """
        _wordless(principal)
        if not KEY_ID.fullmatch(request.mark):
            raise Permanent("the mark is no id that Google takes", "it is a fault of the rotator's")
        targets = [{"service": each} for each in request.scopes or self._services]
        wish = {"displayName": request.mark, "restrictions": {"apiTargets": targets}}
        answer = self._keys.mint(self._at(keyId=request.mark), wish, expect=(200,))
        error = self._after_yes(lambda: self._outcome(answer.body))
        if error is not None:
            raise _refusal(error)
        body = self._after_yes(lambda: self._keys.get(self._at(request.mark, "keyString"))).body
        value = _member(body, "keyString")
        if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value):
            raise Ambiguous("google answered without a usable key, so there may be one", "look at the project's keys")
        return Minted(key_id=request.mark, value=Secret({"secret": value}))

    def keys(self, principal: Principal) -> tuple[Key, ...]:
        """All of the project's keys over all pages, those of others too."""
        _wordless(principal)
        return tuple(_key(row) for page in self._pages() for row in page)

    def verify(self, principal: Principal, value: Secret) -> Verdict:
        """List a model. What the key is for makes no difference: a key's restriction is `FORBIDDEN`."""
        bearer(value.reveal("secret"))  # the same check of what fits into a header
        shown = {"x-goog-api-key": value.reveal("secret")}
        answer = self._models.get(MODELS, headers=shown, expect=(200, 400, 401, 403))
        if answer.status == 200:
            return Verdict.WORKS
        if answer.status == 403 and any(_BLOCKED.fullmatch(each) for each in _reasons(answer.body)):
            return Verdict.FORBIDDEN
        if answer.status == 400 and "API_KEY_INVALID" in _reasons(answer.body):
            return Verdict.INVALID
        host = self._models.base.name
        raise Permanent(f"{host} answered {answer.status} and not whether the key lives", "look at verify_url")

    def identify(self, principal: Principal, value: Secret) -> str | None:
        """Google's own word; None for a value that is nobody's, a deleted key's, or another project's."""
        target = "/v2/keys:lookupKey?" + urlencode({"keyString": value.reveal("secret")}, errors="replace")
        answer = self._keys.get(target, expect=(200, 404))
        key_id = _last(_member(answer.body, "name")) if answer.status == 200 else None
        return key_id if key_id is not None and self._lives(key_id) else None

    def set_state(self, principal: Principal, key_id: str, state: KeyState) -> None:
        """Delete, and wait until that is done; a key that is gone, or was deleted before, is done already."""
        _wordless(principal)
        if state is not KeyState.DELETED:
            raise Permanent("google has no disabled keys", "delete the key")
        answer = self._keys.send("DELETE", self._at(key_id), expect=(200, 400, 404, 409))
        if answer.status == 200:
            error = self._outcome(answer.body)
            if error is not None:
                raise Transient(f"google did not delete the key: {quoted(_member(error, 'message'))}")
        elif answer.status != 404 and self._lives(key_id):
            raise Transient(f"google answered {answer.status} to a deletion, and the key lives", "it is tried again")

    def check_admin(self, principal: Principal) -> None:
        """Ask Google which of the permissions the credential has; a look at the list shows whether it is one at all."""
        _wordless(principal)
        self._keys.get(self._at(pageSize="1"))
        target = f"/v3{path('projects', self._project)}:testIamPermissions"
        told = self._rights.send("POST", target, {"permissions": list(PERMISSIONS)}).body
        missing = [each for each in PERMISSIONS if each not in (_member(told, "permissions") or ())]
        if missing:
            raise Denied(
                "the admin credential may not do enough", f"it needs {missing[0]}", permission=", ".join(missing)
            )

    # -- requests ------------------------------------------------------------------------------------------------------

    def _at(self, *more: str, **query: str) -> str:
        return path("v2", "projects", self._project, "locations", "global", "keys", *more, **query)

    def _pages(self) -> Iterator[list[Any]]:
        query = {"pageSize": "300"}
        for _ in range(MOST_PAGES):
            body = self._keys.get(self._at(**query)).body
            rows, after = _member(body, "keys") or [], _member(body, "nextPageToken")
            if not isinstance(body, dict) or not isinstance(rows, list) or not isinstance(after, str | None):
                raise Transient("google's list has another form")
            yield rows
            if not after:
                return
            query["pageToken"] = after
        raise Transient("google's list does not end")

    def _lives(self, key_id: str) -> bool:
        answer = self._keys.get(self._at(key_id), expect=(200, 404))
        return answer.status == 200 and not _member(answer.body, "deleteTime")

    def _outcome(self, operation: Any) -> Any:
        """The error that an operation ended with, None for a success. `Transient` when it takes too long."""
        deadline, pause = time.monotonic() + self._patience.total_seconds(), 0.05
        while _member(operation, "done") is not True:
            name = _member(operation, "name")
            if not isinstance(name, str) or not name.startswith("operations/"):
                raise Transient("google answered without an operation")
            if time.monotonic() + pause > deadline:
                raise Transient("google's operation takes too long", "it is tried again")
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
            operation = self._keys.get(path("v2", *name.split("/"))).body
        return _member(operation, "error")

    def _after_yes(self, call: Callable[[], Any]) -> Any:
        """Whatever goes wrong once the key may be there leaves that open."""
        try:
            return call()
        except Failure as failure:
            problem = failure.message
        raise Ambiguous(f"{problem}, and there may be a key", "look at the project's keys")


# -- the admin credential ----------------------------------------------------------------------------------------------


def _wordless(principal: Principal) -> None:
    """The provider's settings say which project it is. Raises `Permanent` for a principal that says more."""
    try:
        Settings(principal.settings, ())
    except SettingsError as wrong:
        raise Permanent(f"principal: {wrong.message}", "leave it out: the settings name the project") from None


def _authority(text: str, name: str, token_url: str, timeout: timedelta) -> Mapping[str, str] | Authority:
    if not text.lstrip().startswith("{"):
        try:
            return bearer(text)
        except Permanent as wrong:
            raise SettingsError(f"the admin credential of {name} fits into no header", wrong.hint) from None
    sign = _signer(text, name)
    base = BaseUrl.parse(token_url)
    host = token_url.removesuffix(base.prefix) if base.prefix else token_url

    def form() -> dict[str, str]:
        now = int(time.time())
        claims = {"scope": SCOPE, "aud": token_url, "iat": now, "exp": now + 3600}
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": sign(claims)}

    return Tokens(Client(host, timeout=timeout), base.prefix or "/", form, "a key of a service account that is enabled")


def _signer(text: str, name: str) -> Callable[[Mapping[str, Any]], str]:
    """Makes assertions (RFC 7523) as https://developers.google.com/identity/protocols/oauth2/service-account has it."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    email = key_id = key = None
    try:
        given = json.loads(text)
        email, key_id = given["client_email"], given["private_key_id"]
        key = serialization.load_pem_private_key(given["private_key"].encode(), None)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass  # said below: beneath this handler the error would carry what was read as its context
    if not isinstance(key, rsa.RSAPrivateKey) or not isinstance(email, str) or not isinstance(key_id, str):
        hint = "give it the JSON key of a service account, or an access token"
        raise SettingsError(f"the admin credential of {name} is no service account's", hint)
    private = key

    def sign(claims: Mapping[str, Any]) -> str:
        parts = ({"alg": "RS256", "typ": "JWT", "kid": key_id}, {"iss": email, **claims})
        said = b".".join(_base64(json.dumps(each).encode()) for each in parts)
        return (said + b"." + _base64(private.sign(said, padding.PKCS1v15(), hashes.SHA256()))).decode()

    return sign


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _role(project: str) -> str:
    return f"gcloud iam roles create rotatorApiKeys --project={project} --permissions={','.join(PERMISSIONS)}"


# -- what comes back ---------------------------------------------------------------------------------------------------


def _refusal(error: Any) -> Failure:
    """How an operation ended (google.rpc.Code): nothing was made, if the code says so."""
    said = quoted(_member(error, "message"))
    match _member(error, "code"):
        case 7:
            return Denied(f"google refuses to make a key: {said}", "see the role", permission="apikeys.keys.create")
        case 8:
            return CapFull(f"the project has no room for another key: {said}", "delete a key that is not needed")
        case 3 | 6 | 9:
            return Permanent(f"google makes no key: {said}", "a policy of the organisation may forbid it")
    return Ambiguous(f"google's operation failed, and there may be a key: {said}", "look at the project's keys")


def _key(row: Any) -> Key:
    key_id = _last(_member(row, "name"))
    if key_id is None:
        raise Transient("google lists a key without a name")
    targets = _member(_member(row, "restrictions"), "apiTargets")
    services = [_member(each, "service") for each in targets] if isinstance(targets, list) else []
    return Key(
        id=key_id,
        state=KeyState.DELETED if _member(row, "deleteTime") else KeyState.ENABLED,
        mark=key_id,
        created_at=_instant(row, "createTime"),
        hint=quoted(_member(row, "displayName") or ""),
        grant=tuple(str(each)[:200] for each in services) or None,  # without targets it may do everything
    )


def _instant(row: Any, name: str) -> datetime | None:
    text = _member(row, name)
    try:
        return parse_time(text) if isinstance(text, str) else None
    except UnreadableError:
        return None


def _reasons(body: Any) -> set[str]:
    details = _member(_member(body[0] if isinstance(body, list) and body else body, "error"), "details")
    return {str(_member(each, "reason")) for each in details} if isinstance(details, list) else set()


def _last(name: Any) -> str | None:
    """The id at the end of a resource's name."""
    text = name.rpartition("/")[2] if isinstance(name, str) else ""
    return text if re.fullmatch(r"[A-Za-z0-9-]{1,100}", text) else None


def _member(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, dict) else None
