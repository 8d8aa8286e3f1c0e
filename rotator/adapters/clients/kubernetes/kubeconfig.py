"""Access by a kubeconfig that the settings name: one file, one context, and nothing in it that runs a program.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. `KUBECONFIG` and `~/.kube/config` are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rotator.adapters.clients.kubernetes.access import LIKE, Server, sendable, text_of_file
from rotator.adapters.clients.kubernetes.answers import Need
from rotator.domain.address import checked_address
from rotator.domain.failures import Denied, Permanent
from rotator.domain.reach import Reach, host_of
from rotator.domain.settings import SettingsError
from rotator.domain.times import quoted

Table = Mapping[str, Any]

REFUSED_OF_CLUSTER = {
    "insecure-skip-tls-verify": "name the cluster's authority: certificate-authority-data",
    "proxy-url": "let the rotator reach the API server itself",
}
REFUSED_OF_USER = {
    "exec": "it runs a program; write a token of a service account, or a client certificate",
    "auth-provider": "it runs a program; write a token of a service account, or a client certificate",
    "username": "a password is no access any more; write a token or a client certificate",
    "password": "a password is no access any more; write a token or a client certificate",
    "as": "give the rotator a service account of its own",
    "as-uid": "give the rotator a service account of its own",
    "as-groups": "give the rotator a service account of its own",
    "as-user-extra": "give the rotator a service account of its own",
}


class Kubeconfig:
    """Safe for many threads. The file is read again when it changed, what it refers to every time."""

    def __init__(self, file: Path, context: str | None) -> None:
        """`context`: which one, None for the file's current one."""
        self._file = file
        self._context = context
        self._lock = threading.Lock()
        self._seen: tuple[object, ...] = ()
        self._cluster: Table = {}
        self._user: Table = {}

    def check(self) -> None:
        """Read it once. Raises `SettingsError` for whatever in it cannot be used."""
        try:
            self._server()
            self._token()
        except Denied as denied:
            wrong = SettingsError(denied.message, denied.hint)
        else:
            return
        raise wrong

    def server(self) -> Server:
        """As the protocol says."""
        try:
            return self._server()
        except SettingsError as error:
            failure = Permanent(error.message, error.hint)
        raise failure

    def token(self, *, anew: bool = False) -> str | None:
        """As the protocol says."""
        try:
            return self._token()
        except SettingsError as error:
            failure = Permanent(error.message, error.hint)
        raise failure

    def refused(self, need: Need, address: str) -> Denied:
        """The token or certificate is wrong, expired or revoked."""
        hint = f"renew the token or the certificate of the user in {self._file}"
        return Denied(f"kubernetes at {address} refuses our credentials", hint, permission=str(need))

    def reach(self) -> Reach:
        """What is needed to use it, as far as it can be read by now."""
        own = str(self._file)
        try:
            cluster, user = self._entries()
            server, named = self._text(cluster, "server"), self._files(cluster, user)
        except SettingsError:  # said by `check`
            return Reach(paths=(own,))
        return Reach(hosts=host_of(server), paths=(own, *named))

    def _files(self, cluster: Table, user: Table) -> list[str]:
        """Whatever else is read."""
        asked = [(cluster, "certificate-authority"), (user, "client-certificate"), (user, "client-key")]
        paths = [self._text(table, key) for table, key in asked if self._text(table, f"{key}-data") is None]
        return [str(self._file.parent / path) for path in (*paths, self._text(user, "tokenFile")) if path is not None]

    def _server(self) -> Server:
        cluster, user = self._entries()
        ca = self._pem(cluster, "certificate-authority")
        certificate, key = self._pem(user, "client-certificate"), self._pem(user, "client-key")
        if (certificate is None) != (key is None):
            raise self._wrong("has a client certificate without its key, or the key alone", "write both")
        return Server(
            address=checked_address(self._text(cluster, "server") or "", f"{self._file}: server", LIKE),
            ca=ca,
            certificate=(certificate, key) if certificate is not None and key is not None else None,
            name=self._text(cluster, "tls-server-name"),
        )

    def _token(self) -> str | None:
        _, user = self._entries()
        file = self._text(user, "tokenFile")
        if file is not None:
            return sendable(text_of_file(self._file.parent / file), str(self._file.parent / file))
        token = self._text(user, "token")
        return sendable(token, str(self._file)) if token is not None else None

    def _entries(self) -> tuple[Table, Table]:
        """The cluster and the user of the context."""
        with self._lock:
            seen = self._look()
            if seen != self._seen:
                self._cluster, self._user = self._read()
                self._seen = seen
            return self._cluster, self._user

    def _look(self) -> tuple[object, ...]:
        try:
            found = self._file.stat()
        except OSError as error:
            raise self._wrong(f"cannot be read: {error.strerror}", "check the path and its permissions") from None
        if found.st_mode & stat.S_IWOTH:
            raise self._wrong("may be written by everybody", f"chmod o-w {self._file}")
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> tuple[Table, Table]:
        document = self._document()
        name = self._context or self._text(document, "current-context")
        if name is None:
            raise self._wrong("has no current-context", "set auth.context to one of its contexts")
        context = self._named(document, "context", name)
        cluster = self._named(document, "cluster", self._text(context, "cluster") or "")
        user = self._named(document, "user", self._text(context, "user") or "")
        self._refuse(cluster, REFUSED_OF_CLUSTER, "cluster")
        self._refuse(user, REFUSED_OF_USER, "user")
        if not any(user.get(each) for each in ("token", "tokenFile", "client-certificate", "client-certificate-data")):
            raise self._wrong("has a user without credentials", "write a token or a client certificate")
        return cluster, user

    def _document(self) -> Table:
        import yaml

        try:
            found = yaml.safe_load(text_of_file(self._file))
        except Denied as denied:
            wrong = SettingsError(denied.message, denied.hint)
        except (yaml.YAMLError, RecursionError, ValueError):
            wrong = self._wrong("is no YAML", "`kubectl config view --kubeconfig FILE` reads it the same way")
        else:
            if isinstance(found, dict):
                return found
            wrong = self._wrong("is no kubeconfig", "`kubectl config view --kubeconfig FILE` reads it the same way")
        raise wrong  # out here, because YAML's errors show what stands there

    def _named(self, document: Table, kind: str, name: str) -> Table:
        listed = document.get(f"{kind}s")
        for each in listed if isinstance(listed, list) else []:
            if isinstance(each, dict) and each.get("name") == name and isinstance(each.get(kind), dict):
                found: Table = each[kind]
                return found
        raise self._wrong(f"has no {kind} {quoted(name)}", f"`kubectl config get-{kind}s` lists them")

    def _refuse(self, table: Table, refused: Mapping[str, str], kind: str) -> None:
        for key, hint in refused.items():
            if table.get(key):
                raise self._wrong(f"has a {kind} with {key}, which is refused", hint)

    def _pem(self, table: Table, key: str) -> str | None:
        """The data in the file itself, or at the path that it names, relative to it."""
        data, path = self._text(table, f"{key}-data"), self._text(table, key)
        if data is None:
            return text_of_file(self._file.parent / path) if path is not None else None
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, ValueError):
            wrong = self._wrong(f"has a {key}-data that is no PEM in base64", "`base64 --wrap=0` writes it")
        raise wrong

    def _text(self, table: Table, key: str) -> str | None:
        value = table.get(key)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise self._wrong(f"has a {key} that is no text", "write it in quotes")
        return value

    def _wrong(self, what: str, hint: str) -> SettingsError:
        return SettingsError(f"{self._file} {what}", hint)

    def __repr__(self) -> str:
        return f"Kubeconfig({str(self._file)!r})"
