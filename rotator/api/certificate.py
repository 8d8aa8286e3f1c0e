"""The certificate that the API shows: read from its files, and again when they were renewed."""

from __future__ import annotations

import ssl

from rotator.config.api_listening import Tls
from rotator.config.errors import ConfigError

Stamp = tuple[tuple[int, int, int], ...]
"""Of each file what differs when another one takes its place, or it is written again."""


class Certificate:
    """What new connections are shown. `renew` by one thread, while another one serves."""

    def __init__(self, tls: Tls) -> None:
        """Raises `ConfigError`."""
        self._tls = tls
        self._stamp = _stamp(tls)
        self._newest = _read(tls)

    def context(self) -> ssl.SSLContext:
        """For a server: it turns to the newest at each handshake. Raises `ConfigError`."""
        context = _read(self._tls)
        context.sni_callback = self._turn
        return context

    def renew(self) -> None:
        """Read the files if they changed. Raises `ConfigError` for what is no certificate; the former one stays."""
        stamp = _stamp(self._tls)
        if stamp is None or stamp != self._stamp:
            self._newest, self._stamp = _read(self._tls), stamp

    def _turn(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """A context in use is not written to: half of a pair that does not fit would stay in it."""
        connection.context = self._newest


def _stamp(tls: Tls) -> Stamp | None:
    try:
        found = [each.stat() for each in (tls.cert, tls.key)]
    except OSError:
        return None  # reading them says why
    return tuple((each.st_mtime_ns, each.st_ino, each.st_size) for each in found)


def _read(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert, tls.key, password=_no_password)
    except (ssl.SSLError, ValueError):
        raise _unusable("it is no certificate with its key, in PEM") from None
    except OSError as error:
        raise _unusable(error.strerror or "it cannot be read") from None
    return context


def _unusable(why: str) -> ConfigError:
    return ConfigError(f"the API's certificate cannot be used: {why}", "see api: tls: cert and key")


def _no_password() -> str:
    """A key with a passphrase is refused, and not asked for on a terminal."""
    raise ValueError("the key has a passphrase")
