"""A POST that is signed as Standard Webhooks says (standard-webhooks, spec/standard-webhooks.md).

`webhook-id`, `webhook-timestamp` and `webhook-signature: v1,<base64>`: HMAC-SHA256 over `id.timestamp.body`, keyed by
the bytes behind `whsec_`. The reference may hold several secrets, a blank between them: it is signed with each.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ssl
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from functools import cache
from http.client import HTTPException
from urllib.parse import SplitResult, urlsplit

from urllib3.exceptions import HTTPError

from rotator.domain.address import is_here
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.settings import SettingsError
from rotator.exchanges import Connection, TlsConnection

PREFIX = "whsec_"
LONGEST_ANSWER = 16_384
"""Bytes of an answer that are read."""
FEWEST_BYTES, MOST_BYTES = 24, 64
"""Of a secret, as the specification says."""
LONGEST_WAIT = 3600
_GONE = 410  # by the specification: tell no more


class Endpoint:
    """One URL that is posted to. Used by many threads; keeps no connection and no secret."""

    def __init__(
        self, url: SplitResult, secret: Callable[[], str] | None, timeout: timedelta, ca: str | None = None
    ) -> None:
        """`secret`: asked for each time; None: not signed. `timeout`: of a whole exchange."""
        self._url = url
        self._secret = secret
        self._timeout = timeout.total_seconds()
        self._ca = ca

    @property
    def signs(self) -> bool:
        """Whether what is posted is signed."""
        return self._secret is not None

    def check_secret(self) -> None:
        """Read the secret. Raises a `Failure` where it is none."""
        self._keys()

    def post(self, message: str, content: bytes) -> str:
        """One POST; no redirect is followed and nothing is retried. Returns the answer's text, bounded.

        `message` is the id that the receiver knows it by. Raises `Transient`, and `Permanent` where another attempt
        makes no sense; any status of the two hundreds is a success. Twice: posted again, by the same id.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "rotator",
            "Connection": "close",
            **self._signed(message, content),
        }
        try:
            status, retry_after, answer = self._post(content, headers)
        except (OSError, HTTPError, HTTPException) as error:
            kind = type(error).__name__
        else:
            return _judged(status, retry_after, answer)
        # Out here, without the client's own error: that may quote what it was sent.
        raise Transient(f"its webhook gave no answer ({kind})")

    def _signed(self, message: str, content: bytes) -> dict[str, str]:
        at = str(int(time.time()))
        headers = {"webhook-id": message, "webhook-timestamp": at}
        if self._secret is not None:
            text = b".".join((message.encode(), at.encode(), content))
            macs = (base64.b64encode(hmac.digest(key, text, "sha256")).decode() for key in self._keys())
            headers["webhook-signature"] = " ".join(f"v1,{mac}" for mac in macs)
        return headers

    def _keys(self) -> tuple[bytes, ...]:
        assert self._secret is not None
        return tuple(_key(each) for each in self._secret().split())

    def _post(self, content: bytes, headers: dict[str, str]) -> tuple[int, str, str]:
        connection = self._connection()
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        with closing(connection):
            connection.connect()
            connection.request("POST", path, body=content, headers=headers, preload_content=False)
            with closing(connection.getresponse()) as response:  # it may be what has the socket by now
                answer = response.read(LONGEST_ANSWER, decode_content=False)
        return response.status, response.headers.get("Retry-After", ""), answer.decode(errors="replace")

    def _connection(self) -> Connection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return Connection(host, port or 80, timeout=self._timeout)
        return TlsConnection(host, port or 443, timeout=self._timeout, ssl_context=_context(self._ca))


@cache
def _context(ca: str | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def _judged(status: int, retry_after: str, answer: str) -> str:
    if 200 <= status < 300:
        return answer
    if 300 <= status < 400:
        raise Permanent("its webhook answers with a redirect, which is not followed", "write where it leads")
    if status == _GONE:
        raise Permanent("its webhook is gone (410)", "remove it from the config, or mend it")
    seconds = int(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else None
    wait = timedelta(seconds=min(seconds, LONGEST_WAIT)) if seconds is not None else None
    raise Transient(f"its webhook answers with status {status}", retry_after=wait)


def _key(secret: str) -> bytes:
    found = b""
    if secret.startswith(PREFIX):
        with suppress(binascii.Error, ValueError):
            found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    if not FEWEST_BYTES <= len(found) <= MOST_BYTES:
        raise _no_secret()
    return found


def _no_secret() -> Failure:
    return Transient(
        "the secret of its webhook is not of the form of Standard Webhooks",
        f"{PREFIX} and base64 of {FEWEST_BYTES} to {MOST_BYTES} bytes",
    )


def endpoint_url(text: str, setting: str, like: str) -> SplitResult:
    """The URL, which may be a secret itself in its path: it is not repeated. `like`: an example to follow.

    Raises `SettingsError` with the name of the setting.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    if url.username is not None or url.password is not None:
        raise SettingsError(f"{setting} holds a name or password", "leave it out; the webhook is signed instead")
    printable = text.isascii() and text.isprintable() and " " not in text
    if not url.hostname or url.scheme not in ("http", "https") or url.fragment or port == 0 or not printable:
        raise SettingsError(f"{setting} is no URL", f"write it like {like}")
    if url.scheme == "http" and not is_here(url.hostname):
        raise SettingsError(f"{setting} is not encrypted", "write https://; http is for this machine alone")
    return url
