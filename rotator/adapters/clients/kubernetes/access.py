"""How an API server is found and who we are is proven. No token is ever in a message or a repr.

What a pod is given: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rotator.adapters.clients.kubernetes.answers import Need
from rotator.adapters.clients.resolving import Resolve, resolved
from rotator.domain.address import checked_address
from rotator.domain.failures import Denied
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
LARGEST_FILE = 1024 * 1024
LIKE = "https://kubernetes.internal:6443"
"""The example to follow."""
_SENDABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Server:
    """An API server. `ca`: PEM, None for what the machine trusts; `certificate`: PEM of ours and its key.

    `name`: what its certificate must say, where that is not the address.
    """

    address: str
    ca: str | None = None
    certificate: tuple[str, str] | None = None
    name: str | None = None

    def __repr__(self) -> str:
        return f"Server({self.address!r})"


class Auth(Protocol):
    """Where the server is and what we show it; asked before every request, so that what rotates is picked up."""

    def server(self) -> Server:
        """The API server. Raises Denied when a file about it cannot be read, Permanent when it makes no sense."""
        ...

    def token(self, *, anew: bool = False) -> str | None:
        """The bearer token, None where a certificate is shown instead; `anew`: the last one was refused.

        Raises Denied when it cannot be had.
        """
        ...

    def refused(self, need: Need, address: str) -> Denied:
        """What it means that the server does not know who we are."""
        ...


class InCluster:
    """The service account of our own pod. The kubelet replaces the token's file before it expires."""

    def __init__(self, directory: Path, address: str) -> None:
        self._directory = directory
        self._address = address

    def server(self) -> Server:
        """As the protocol says."""
        return Server(address=self._address, ca=text_of_file(self._directory / "ca.crt"))

    def token(self, *, anew: bool = False) -> str | None:
        """As the protocol says; the file is read each time."""
        return sendable(text_of_file(self._directory / "token"), str(self._directory / "token"))

    def refused(self, need: Need, address: str) -> Denied:
        """The token is expired, or of another cluster."""
        hint = f"see that the pod's service account exists and {self._directory}/token is fresh"
        return Denied(f"kubernetes at {address} refuses our service account's token", hint, permission=str(need))


class TokenAuth:
    """A token at a reference, read anew when it is refused: somebody may have replaced it."""

    def __init__(self, address: str, ca: Path | None, reference: str, resolve: Resolve) -> None:
        self._address = address
        self._ca = ca
        self._reference = reference
        self._resolve = resolve
        self._lock = threading.Lock()
        self._text: str | None = None

    def server(self) -> Server:
        """As the protocol says."""
        return Server(address=self._address, ca=text_of_file(self._ca) if self._ca is not None else None)

    def token(self, *, anew: bool = False) -> str | None:
        """As the protocol says."""
        with self._lock:
            if self._text is None or anew:
                self._text = None
                self._text = sendable(resolved(self._resolve, self._reference), self._reference)
            return self._text

    def refused(self, need: Need, address: str) -> Denied:
        """The token is wrong, expired or revoked."""
        hint = f"put a valid token at {self._reference}"
        return Denied(f"kubernetes at {address} refuses our token", hint, permission=str(need))

    def __repr__(self) -> str:
        return f"TokenAuth({self._reference!r})"


def in_cluster(auth: Settings, environment: Mapping[str, str] = os.environ) -> InCluster:
    """The pod's own access. Raises `SettingsError` outside of a cluster."""
    address = _api_server(environment)
    if address is None:
        message = f"auth.method is in-cluster, and this is no pod: {HOST} is not set"
        raise SettingsError(message, "write method: kubeconfig or token")
    return InCluster(_directory(auth), checked_address(address, HOST, LIKE))


def reach_in_cluster(auth: Settings, environment: Mapping[str, str] = os.environ) -> Reach:
    """What that takes. The folder and not its files, which the kubelet replaces. Raises `SettingsError`."""
    hosts = host_of(_api_server(environment))
    return Reach(hosts=hosts, paths=(str(_directory(auth)),), variables=(HOST, PORT))


def _api_server(environment: Mapping[str, str]) -> str | None:
    host, port = environment.get(HOST, ""), environment.get(PORT, "443")
    return f"https://{f'[{host}]' if ':' in host else host}:{port}" if host else None


def _directory(auth: Settings) -> Path:
    return auth.path("directory") if auth.has("directory") else SERVICE_ACCOUNT


def text_of_file(path: Path) -> str:
    """The text of a small file, without blanks at its ends. Raises Denied when it cannot be had."""
    why = "is no text"
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        text = data.decode().strip()
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        pass  # raised below: its error would carry what was read
    else:
        if text and len(data) <= LARGEST_FILE:
            return text
        why = "is too large" if text else "is empty"
    raise Denied(f"{path} {why}", "check the path and its permissions", permission=f"read {path}")


def sendable(token: str, where: str) -> str:
    """The token, if a header can hold it. Raises Denied."""
    if _SENDABLE.fullmatch(token):
        return token
    raise Denied(f"{where} holds no token", "put a bearer token there, on one line", permission=f"read {where}")
