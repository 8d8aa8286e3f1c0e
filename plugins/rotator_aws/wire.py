"""One request of AWS's query protocol: a form, signed, sent once; XML comes back.

botocore signs (its signature version 4, and nothing else of it: no session, no model, no retry, no file and no variable
is read); the SDK's transport sends. The protocol: IAM User Guide, "Calling the IAM API using HTTP query requests"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/programming.html).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from rotator.sdk import Ambiguous, Transient
from rotator.sdk.http import BaseUrl
from rotator.sdk.transport import Lost, Reply, Unsent, exchange

from .admin import SigningKey
from .answers import Answer

FORM = "application/x-www-form-urlencoded; charset=utf-8"
MOST_BYTES = 4 * 1024 * 1024
LONGEST_PAUSE = 3600


class Query:
    """One service at one address. Safe for many threads."""

    def __init__(self, base_url: str, service: str, region: str, version: str, timeout: timedelta) -> None:
        """Raises `SettingsError` for an address that is none. `version` is the API's, a date."""
        self.base = BaseUrl.parse(base_url)
        self._service = service
        self._region = region
        self._version = version
        self._seconds = timeout.total_seconds()

    def ask(self, key: SigningKey, action: str, parameters: Mapping[str, str], *, once: bool = False) -> Answer:
        """Send one request. Raises `Transient`, or where it would have made a key `Ambiguous`, when no answer came."""
        target = f"{self.base.prefix}/"
        body = urlencode({"Action": action, "Version": self._version, **parameters}).encode()
        headers = self._signed(key, f"{self.base.scheme}://{self.base.name}{target}", body)
        try:
            reply = exchange(
                self.base, "POST", target, headers=headers, body=body, seconds=self._seconds, most=MOST_BYTES
            )
        except Unsent as unsent:
            raise Transient(str(unsent), "look at region, base_url and the network") from None
        except Lost as lost:
            raise (Ambiguous if once else Transient)(str(lost)) from None
        return _answer(reply, action, key)

    def _signed(self, key: SigningKey, url: str, body: bytes) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import ReadOnlyCredentials

        # Its debug messages hold what is signed, a session's token with it.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        request = AWSRequest("POST", url, data=body, headers={"Content-Type": FORM, "User-Agent": "rotator"})
        credentials = ReadOnlyCredentials(key.key_id, key.secret, key.token)
        SigV4Auth(credentials, self._service, self._region).add_auth(request)
        return dict(request.headers.items())


def _answer(reply: Reply, action: str, key: SigningKey) -> Answer:
    root = _xml(reply.body)
    after = reply.headers.get("Retry-After", "").strip()
    pause = timedelta(seconds=min(int(after), LONGEST_PAUSE)) if re.fullmatch("[0-9]{1,9}", after) else None
    if reply.status == 200 and root is not None and root.tag.endswith(f"}}{action}Response"):
        return Answer(200, result=root)
    code = text_at(root, "Error/Code") or text_at(root, "Errors/Error/Code")
    message = text_at(root, "Error/Message") or text_at(root, "Errors/Error/Message")
    if reply.status == 200 or not code or code.isdecimal():
        code, message = str(reply.status), ""
    redirect = _host(reply.headers.get("Location", "")) if 300 <= reply.status < 400 else ""
    return Answer(reply.status, code, key.hidden_in(message), retry_after=pause, redirect=redirect)


def text_at(element: ElementTree.Element | None, path: str) -> str:
    """The text at a path of names, in whatever namespace; empty where there is none."""
    if element is None:
        return ""
    found = element.find("/".join(f"{{*}}{name}" for name in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def _xml(body: bytes) -> ElementTree.Element | None:
    if b"<!" in body:  # a declaration can make a short text an endless one, and AWS sends none
        return None
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - without declarations there are no entities
    except (ElementTree.ParseError, ValueError):
        return None


def _host(location: str) -> str:
    try:
        return urlsplit(location).netloc or "itself"
    except ValueError:
        return "nowhere"
