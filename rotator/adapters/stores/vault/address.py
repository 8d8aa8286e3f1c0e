"""Where the settings say that Vault is."""

from __future__ import annotations

from rotator.adapters.stores.vault.auth import AUTH_KEYS
from rotator.adapters.stores.vault.client import Server
from rotator.domain.address import address_in
from rotator.domain.settings import Settings, SettingsError

KNOWN = ("address", "mount", "namespace", "auth", "private", "ca")


def server_from(given: Settings) -> Server:
    """The server of these settings. Raises `SettingsError`."""
    ca = given.path("ca") if given.has("ca") else None
    if ca is not None and not ca.is_file():
        raise SettingsError(f"ca: there is no file {ca}", "name the certificate of Vault's authority in PEM form")
    auth = given.table("auth", AUTH_KEYS)
    return Server(
        address=address_in(given, "address", "https://vault.internal:8200"),
        namespace=path_from(given, "namespace", None) if given.has("namespace") else None,
        auth_namespace=_auth_namespace(auth) if auth.has("namespace") else None,
        ca=ca,
    )


def path_from(given: Settings, key: str, default: str | None) -> str:
    """A path within Vault, without slashes at its ends. Raises `SettingsError`."""
    path = given.text(key, default).strip("/")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise SettingsError(f"{key} is not a path", "write it like kv or team/kv")
    return path


def _auth_namespace(auth: Settings) -> str:
    return "" if auth.text("namespace") == "/" else path_from(auth, "namespace", None)
