"""What the config says of a cluster: where it is and how we are let in, the same words for whoever talks to it.

auth: {method: in-cluster}            # our own service account
auth: {method: kubeconfig, file: /etc/rotator/kubeconfig, context: prod}
auth: {method: token, token: file:/run/secrets/cluster-token}
address: https://kubernetes.internal:6443   # both with a token alone
ca: /etc/rotator/cluster-ca.crt
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rotator.adapters.clients.kubernetes.access import LIKE, Auth, TokenAuth, in_cluster, reach_in_cluster
from rotator.adapters.clients.kubernetes.kubeconfig import Kubeconfig
from rotator.domain.address import address_in
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import Settings, SettingsError

ACCESS = ("address", "ca", "auth")
KEYS = ("method", "directory", "file", "context", "token")
METHODS = ("in-cluster", "kubeconfig", "token")


def auth_of(given: Settings, resolve: Callable[[str], str]) -> Auth:
    """Read `auth:` and what belongs to it. No request, and no reference is resolved yet. Raises `SettingsError`."""
    auth = given.table("auth", KEYS)
    method = auth.choice("method", METHODS)
    if method == "token":
        auth.only("method", "token")
        return TokenAuth(address_in(given, "address", LIKE), _ca(given), auth.reference("token"), resolve)
    for key in ("address", "ca"):
        if given.has(key):
            raise SettingsError(f"{key} does not belong here", f"auth.method {method} knows its own")
    if method == "in-cluster":
        auth.only("method", "directory")
        return in_cluster(auth)
    auth.only("method", "file", "context")
    kubeconfig = _kubeconfig(auth)
    kubeconfig.check()
    return kubeconfig


def reach_of(given: Settings) -> Reach:
    """What that access takes. Raises `SettingsError`."""
    auth = given.table("auth", KEYS)
    method = auth.choice("method", METHODS)
    if method == "in-cluster":
        return reach_in_cluster(auth)
    if method == "kubeconfig":
        return _kubeconfig(auth).reach()
    ca = _ca(given)
    return Reach(hosts=host_of(address_in(given, "address", LIKE)), paths=(str(ca),) if ca is not None else ())


def _kubeconfig(auth: Settings) -> Kubeconfig:
    return Kubeconfig(auth.path("file"), auth.text("context") if auth.has("context") else None)


def _ca(given: Settings) -> Path | None:
    ca = given.path("ca") if given.has("ca") else None
    if ca is not None and not ca.is_file():
        raise SettingsError(f"ca: there is no file {ca}", "name the certificate of the cluster's authority in PEM form")
    return ca
