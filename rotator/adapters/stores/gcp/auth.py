"""Where the gcp store gets its access tokens. Each method opens what it names and nothing else.

    auth: {method: metadata}        # GCE, Cloud Run; on GKE this is Workload Identity
    auth: {method: workload_identity_federation, config: /etc/gcp/config.json}   # a subject token from a file or URL
    auth: {method: adc_file, file: file:/run/secrets/sa.json}   # a service account's key, or a person's login
    auth: {method: access_token, token: file:/run/gcp-token}    # one that somebody else renews

No GOOGLE_APPLICATION_CREDENTIALS, no gcloud configuration and no metadata server is looked for by itself, and no
program is run for a token. https://docs.cloud.google.com/docs/authentication/application-default-credentials
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from rotator.adapters.clients.resolving import Resolve, resolved
from rotator.adapters.stores.gcp.answers import Need
from rotator.adapters.stores.gcp.rest import Ask, Reply
from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""The one that Secret Manager takes (https://docs.cloud.google.com/secret-manager/docs/accessing-the-api)."""

METADATA_ADDRESS = "169.254.169.254"
"""https://docs.cloud.google.com/compute/docs/metadata/querying-metadata"""

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
KEYS = ("method", "host", "config", "file", "token")
METHODS = ("metadata", "workload_identity_federation", "adc_file", "access_token")


@dataclass(frozen=True, slots=True, repr=False)
class Grant:
    """A token, and for how many seconds it is good; None where nobody says."""

    token: str
    lifetime: float | None


class Auth(Protocol):
    """Where tokens come from."""

    def fetch(self, ask: Ask) -> Grant:
        """A token. Raises Denied when there is none to be had, Transient when it may work later."""
        ...

    def refused(self, need: Need, endpoint: str) -> Denied:
        """What it means that the API takes our token for nobody's."""
        ...


class AccessToken:
    """A token at a reference, read anew when it is refused: whoever renews it may have replaced it."""

    def __init__(self, reference: str, resolve: Resolve) -> None:
        self._reference = reference
        self._resolve = resolve

    def fetch(self, ask: Ask) -> Grant:
        """The text at the reference."""
        return Grant(resolved(self._resolve, self._reference), None)

    def refused(self, need: Need, endpoint: str) -> Denied:
        """The token is wrong or expired."""
        return _refused("access token", f"put a valid token at {self._reference}", need)


class MetadataServer:
    """The service account that this machine or pod runs as."""

    def __init__(self, host: str) -> None:
        self._url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"

    def fetch(self, ask: Ask) -> Grant:
        """Ask the metadata server; an answer without its header is somebody else's."""
        reply = ask("GET", self._url, {"Metadata-Flavor": "Google"}, None)
        if reply.headers.get("Metadata-Flavor") != "Google":
            raise Transient(f"{self._url} is no metadata server", "use another `method` outside of Google Cloud")
        if reply.status != 200:
            hint = "attach a service account to this machine or pod"
            raise Denied(f"the metadata server gives no token ({reply.status})", hint, permission="a service account")
        found = _object(reply.content)
        token, lifetime = found.get("access_token"), found.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(lifetime, (int, float)):
            raise Transient(f"{self._url} gave no token", "look at the metadata server")
        return Grant(token, float(lifetime))

    def refused(self, need: Need, endpoint: str) -> Denied:
        """The machine's account was disabled or deleted, or its scopes leave the API out."""
        return _refused("the machine's token", f"enable its service account, and give it the scope {SCOPE}", need)


class AdcFile:
    """The text of an ADC file: a service account's key, or what `gcloud auth application-default login` wrote.

    A service account signs its tokens itself (https://google.aip.dev/auth/4111), so no other host is asked for one.
    """

    def __init__(self, reference: str, resolve: Resolve) -> None:
        self._reference = reference
        self._resolve = resolve

    def fetch(self, ask: Ask) -> Grant:
        """Read the file anew, so that a replaced one is picked up."""
        info = _object(resolved(self._resolve, self._reference).encode())
        make = {"service_account": _service_account, "authorized_user": _authorized_user}.get(str(info.get("type")))
        if make is None:
            hint = "use method workload_identity_federation for external_account, or a service account's key"
            raise Denied(f"{self._reference} is no ADC file that is taken here", hint, permission="credentials")
        return _granted(lambda: make(info), ask, self._reference)

    def refused(self, need: Need, endpoint: str) -> Denied:
        """The key was deleted or disabled, or the login was revoked."""
        return _refused("the credentials", f"put a valid key at {self._reference}", need)


class WorkloadIdentityFederation:
    """Tokens of another cloud, of CI or of a cluster, exchanged for Google's as a configuration file says.

    https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-other-providers
    """

    def __init__(self, config: Path) -> None:
        self._config = config

    def fetch(self, ask: Ask) -> Grant:
        """Read the file and the subject token anew, and exchange it."""
        try:
            info = _object(self._config.read_bytes())
        except OSError as error:
            info, why = None, type(error).__name__
        else:
            why = "it is no JSON object"
        if not info:
            message = f"{self._config} cannot be read ({why})"
            raise Denied(
                message,
                "write it with `gcloud iam workload-identity-pools create-cred-config`",
                permission="credentials",
            )
        source = info.get("credential_source")
        if (
            info.get("type") != "external_account"
            or not isinstance(source, dict)
            or not {"file", "url"} & source.keys()
        ):
            hint = "its credential_source must be a file or a url: no program is run and no variable read for a token"
            raise Denied(f"{self._config} is no configuration that is taken here", hint, permission="credentials")
        return _granted(lambda: _external_account(info), ask, str(self._config))

    def refused(self, need: Need, endpoint: str) -> Denied:
        """The pool or the provider was disabled."""
        return _refused("the federated token", f"check the pool and the provider that {self._config} names", need)


def reach_of(settings: Settings) -> Reach:
    """What the table `auth` takes beside its references. Raises `SettingsError`."""
    auth = settings.table("auth", KEYS)
    method = auth.choice("method", METHODS)
    if method == "metadata":
        host = auth.text("host", METADATA_ADDRESS)
        # Behind metadata.google.internal is the same address, which is link-local: no name leads there by itself.
        return Reach(hosts=(*host_of(f"http://{host}"), f"{METADATA_ADDRESS}/32"))
    if method == "workload_identity_federation":
        return _federation_reach(auth.path("config"))
    # A person's login is renewed there; where its file names another host, only the config's `hosts` can allow that.
    return Reach(hosts=host_of(TOKEN_URI)) if method == "adc_file" else Reach()


def _federation_reach(config: Path) -> Reach:
    """What the file names, as far as it can be read by now."""
    try:
        info = _object(config.read_bytes())
    except OSError:
        info = {}
    source = info.get("credential_source")
    given = source if isinstance(source, dict) else {}
    urls = (info.get("token_url"), info.get("service_account_impersonation_url"), given.get("url"))
    file = given.get("file")
    subject = (file,) if isinstance(file, str) and file.startswith("/") else ()
    hosts = tuple(host for url in urls for host in host_of(url))
    return Reach(hosts=hosts, paths=(str(config), *subject))


def auth_from(settings: Settings, resolve: Resolve) -> Auth:
    """What the table `auth` says. Raises `SettingsError`."""
    auth = settings.table("auth", KEYS)
    method = auth.choice("method", METHODS)
    if method == "metadata":
        auth.only("method", "host")
        return MetadataServer(auth.text("host", METADATA_ADDRESS))
    if method == "workload_identity_federation":
        auth.only("method", "config")
        config = auth.path("config")
        if not config.is_file():
            raise SettingsError(f"auth.config: there is no file {config}", "name a credential configuration file")
        return WorkloadIdentityFederation(config)
    if method == "adc_file":
        auth.only("method", "file")
        return AdcFile(auth.reference("file"), resolve)
    auth.only("method", "token")
    return AccessToken(auth.reference("token"), resolve)


def _service_account(info: Mapping[str, Any]) -> Any:
    from google.oauth2 import service_account

    kind: Any = service_account.Credentials
    return kind.from_service_account_info(info, scopes=[SCOPE]).with_always_use_jwt_access(True)


def _authorized_user(info: Mapping[str, Any]) -> Any:
    from google.oauth2 import credentials

    named = {name: info.get(name) for name in ("refresh_token", "client_id", "client_secret")}
    kind: Any = credentials.Credentials
    return kind(None, token_uri=info.get("token_uri", TOKEN_URI), **named)


def _external_account(info: Mapping[str, Any]) -> Any:
    from google.auth import identity_pool

    kind: Any = identity_pool.Credentials
    return kind.from_info(info, scopes=[SCOPE])


def _granted(make: Callable[[], Any], ask: Ask, source: str) -> Grant:
    """A fresh token of credentials of the SDK's."""
    from google.auth.exceptions import GoogleAuthError

    try:
        credentials = make()
        credentials.refresh(_request(ask))
        until = credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
        return Grant(str(credentials.token), until.total_seconds())
    except Failure:
        raise
    except (GoogleAuthError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        kind = type(error).__name__
    # Out here, because those errors carry what the token server said, and what was in the file.
    hint = "put valid credentials there, and check that the account is enabled"
    raise Denied(f"the credentials of {source} give no token ({kind})", hint, permission="an access token")


def _request(ask: Ask) -> Callable[..., Any]:
    """What the SDK's credentials send their requests with: once, in the time that the call has left."""

    def send(
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> Any:
        content = body.encode() if isinstance(body, str) else body
        reply = ask(method, url, headers or {}, content)
        if reply.status >= 500 or reply.status == 429:  # raised here, because the SDK would try again by itself
            raise Transient(f"{url} failed ({reply.status})", "it is tried again")
        return _Response(reply)

    return send


class _Response:
    """A reply as `google.auth.transport.Response` has it."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.data = reply.content


def _object(content: bytes) -> Mapping[str, Any]:
    """The JSON object; an empty one where there is none."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(what: str, hint: str, need: Need) -> Denied:
    return Denied(f"secret manager refuses our token: {what} is wrong, expired or revoked", hint, permission=str(need))
