"""A GET without credentials: https, or plain http to this machine; to no other host than the one that was named."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError

from rotator.adapters.clients.deadline import Deadline
from rotator.domain.failures import Denied, Permanent, Transient
from rotator.exchanges import in_time

MOST_REDIRECTS = 3
MOST_OF_A_REFUSAL = 65_536
SILENCE = 30.0
"""Seconds without a byte."""
LONGEST_WAIT = timedelta(minutes=10)
"""Of what a server may ask to wait, so much is believed."""

_making = threading.Lock()


def checked(url: str) -> str:
    """The address, if it may be asked. Raises `Permanent`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, SplitResult("", "", "", "", "")
    if not host or parts.scheme not in ("https", "http") or not url.isprintable() or " " in url:
        raise Permanent("the address is no URL that can be asked", "write it like https://HOST/PATH")
    if parts.username or parts.password:
        raise Permanent("the address has a name or a password in it", "nothing is asked with credentials")
    if parts.scheme == "http" and not _here(host):
        raise Permanent(f"{host} is asked without TLS", "write https:// instead of http://")
    return url


@contextmanager
def fetched(url: str, deadline: Deadline, *, headers: Mapping[str, str]) -> Iterator[BaseHTTPResponse]:
    """The answer with status 200, its body not read yet; redirects within the host are followed. All ends in time.

    Raises `Permanent`, `Denied` (401, 403) and `Transient`, the latter also for what urllib3 raises within the block.
    """
    where = urlsplit(checked(url)).hostname or ""
    try:
        answer = _followed(url, deadline, headers)
        try:
            yield answer
        finally:
            answer.close()
    except HTTPError as error:
        kind = type(error).__name__
    else:
        return
    raise Transient(f"{where} gave no whole answer ({kind})", "is there a network? try again later")


def _followed(url: str, deadline: Deadline, headers: Mapping[str, str]) -> BaseHTTPResponse:
    """The answer behind redirects within the host. The caller closes it."""
    where = urlsplit(url).hostname or ""
    for _ in range(MOST_REDIRECTS + 1):
        answer = _manager().request(
            "GET",
            url,
            headers={"User-Agent": "rotator", **headers},
            timeout=Timeout(connect=SILENCE, total=deadline.remaining(where)),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=True,
        )
        if answer.status == 200:
            return answer
        if len(answer.read(MOST_OF_A_REFUSAL, decode_content=False)) == MOST_OF_A_REFUSAL:
            answer.close()  # a body that was read to its end leaves the connection to the next request
        if answer.status not in (301, 302, 303, 307, 308):
            raise _refused(answer, where)
        target = urljoin(url, answer.headers.get("Location", ""))
        if _origin(target) != _origin(url):
            raise Permanent(f"{where} sends elsewhere, where nobody said to ask", "name the address that it leads to")
        url = target
    raise Permanent(f"{where} sends around in circles", "look at the address in a browser")


def _refused(answer: BaseHTTPResponse, where: str) -> Exception:
    status = answer.status
    if status in (401, 403):
        return Denied(f"{where} answers {status}: it wants credentials", "nothing is asked with credentials")
    if status in (408, 429) or status >= 500:
        asked = answer.headers.get("Retry-After", "")
        wait = min(timedelta(seconds=int(asked)), LONGEST_WAIT) if asked.isdecimal() and len(asked) < 7 else None
        again = f"try again in {wait.total_seconds():.0f} seconds" if wait else "try again later"
        return Transient(f"{where} answers {status}", again, retry_after=wait, throttled=status == 429)
    return NotThere(f"{where} answers {status}", "look at the address", status=status)


class NotThere(Permanent):
    """The host answers that it has nothing there."""

    def __init__(self, message: str, hint: str, *, status: int) -> None:
        super().__init__(message, hint)
        self.status = status


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _manager() -> PoolManager:
    with _making:
        return _made()


@cache
def _made() -> PoolManager:
    return in_time(PoolManager(num_pools=4, maxsize=16, ssl_context=ssl.create_default_context()), silence=SILENCE)
