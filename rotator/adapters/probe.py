"""The engine's own look at a key, by plain HTTP: no driver stands between the provider's answer and the proof.

It has an HTTP stack of its own and not the drivers', who have an interest in what it says.
"""

from __future__ import annotations

import re
import ssl
import threading
from datetime import timedelta
from functools import cache

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError

from rotator.domain.failures import Permanent, Transient
from rotator.domain.keys import Probe, Verdict
from rotator.domain.secret import Secret
from rotator.exchanges import in_time

MOST_BYTES = 65_536
"""Of an answer's body: its first character matters, and a word that a probe looks for in an error."""

_PART = re.compile(r"\{([a-z_]+)\}")
_SENDABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_making = threading.Lock()


class HttpProber:
    """Sends probes; a `Prober`. Used by many threads."""

    def __init__(self, timeout: timedelta) -> None:
        """`timeout`: of a whole exchange."""
        self._timeout = timeout.total_seconds()

    def probe(self, probe: Probe, value: Secret) -> Verdict:
        """One GET, no redirect followed, no retry. The status decides, with the probe's words where it has some, unless

        the answer is a page of HTML.

        Raises `Transient` for every answer that is neither "works" nor "no such key", and for none; `Permanent` when
        the value does not fit into the probe's header.
        """
        header = _header(probe, value)
        try:
            with _manager().request(
                "GET",
                probe.url,
                headers={"Accept": "application/json", "User-Agent": "rotator", **probe.headers, probe.header: header},
                timeout=Timeout(total=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            ) as response:
                return _verdict(probe, response)
        except HTTPError as error:
            kind = type(error).__name__
        raise Transient(f"the probe got no answer ({kind})")


def _header(probe: Probe, value: Secret) -> str:
    if not set(_PART.findall(probe.template)) <= set(value):
        raise Permanent("the probe wants a part that the value does not have")
    text = _PART.sub(lambda found: value.reveal(found[1]), probe.template)
    if not _SENDABLE.fullmatch(text):
        raise Permanent("the value fits into no header", "it may hold a line break")
    return text


def _verdict(probe: Probe, response: BaseHTTPResponse) -> Verdict:
    body = response.read(MOST_BYTES, decode_content=False)
    if len(body) < MOST_BYTES:
        response.drain_conn()  # all of it was read: the connection can be used again
    status = response.status
    if body.lstrip()[:1] == b"<" or "html" in response.headers.get("Content-Type", "").lower():
        raise Transient(f"a page of HTML with status {status} answered the probe")
    if status in probe.works:
        return Verdict.WORKS
    if 400 <= status < 500 and probe.forbidden_word and probe.forbidden_word.encode() in body:
        return Verdict.FORBIDDEN
    if status in probe.invalid and probe.invalid_word.encode() in body:
        return Verdict.INVALID
    raise Transient(f"status {status} answered the probe, which says nothing of the key")


def _manager() -> PoolManager:
    with _making:
        return _made()


@cache
def _made() -> PoolManager:
    # one context for all: making one takes 43 ms
    return in_time(PoolManager(num_pools=64, maxsize=64, ssl_context=ssl.create_default_context()))
