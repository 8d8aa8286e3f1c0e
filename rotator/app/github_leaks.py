"""What GitHub tells of leaked keys, as the API is to mount it: verified at once, taken in when there is time.

    intake = GithubLeaks(lambda: assembly)
    report = intake.verified(body, headers)      # raises `Refused` with a status; None: nothing to do, answer 200
    take(assembly, report)                       # on a thread of the caller's: it may ask stores and providers

A signature says nothing of when: the same body again within a day is answered and not taken in again, and after that
taking in is the same incident and tells nobody. The event's name and the delivery's id are not signed and not believed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from time import monotonic

from rotator.adapters.github_signatures import PublicKeys, is_hmac
from rotator.adapters.leak_reports import LeakReport, action_of, read_report
from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure

LARGEST = 4 * 2**20
"""Bytes of a body."""
REPLAYED, REMEMBERED = timedelta(days=1), 1000
"""For so long, and of so many, a body is known again."""
IDENTIFIER, SIGNATURE, HUB = "github-public-key-identifier", "github-public-key-signature", "x-hub-signature-256"
_TOLD = frozenset({"created", "reopened", "publicly_leaked"})
"""What an alert's webhook tells that somebody must look at; `resolved` and the like is somebody's word."""


class Refused(Exception):
    """What to answer: `status`, and a message that tells a stranger nothing."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class GithubLeaks:
    """Verifies and reads; one for a process. Safe for many threads."""

    def __init__(self, assembly: Callable[[], Assembly], clock: Callable[[], float] = monotonic) -> None:
        self._assembly = assembly
        self._clock = clock
        self._keys: PublicKeys | None = None
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def verified(self, body: bytes, headers: Mapping[str, str]) -> LeakReport | None:
        """What a message says, if it is GitHub's. None: nothing of it is news, which is answered with 200.

        `headers`: by any case. Raises `Refused`, and nothing of the body is in it. Twice: None.
        """
        given = {name.lower(): text for name, text in headers.items()}
        if len(body) > LARGEST:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LARGEST >> 20} MiB")
        self._must_be_githubs(body, given)
        if not given.get("content-type", "application/json").lower().startswith("application/json"):
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "set the webhook's content type to application/json")
        digest = sha256(body).digest()
        if self._known(digest):
            return None
        report = _read(body)
        if report is not None:
            self._remember(digest)
        return report

    def forget(self, body: bytes) -> None:
        """Taking it in failed: the same body is to be news again."""
        with self._lock:
            self._seen.pop(sha256(body).digest(), None)

    def _must_be_githubs(self, body: bytes, headers: Mapping[str, str]) -> None:
        config = self._assembly().config.github_leaks
        if config is None:
            raise Refused(HTTPStatus.NOT_FOUND, "not found")
        try:
            if HUB in headers and config.secret is not None:
                genuine = is_hmac(body, headers[HUB], self._assembly().resolver(config.secret))
            elif SIGNATURE in headers and IDENTIFIER in headers and config.keys is not None:
                genuine = self._public(config.keys).signed(body, headers[IDENTIFIER], headers[SIGNATURE])
            else:
                genuine = False
        except (ConfigError, Failure):
            # What cannot be verified now is sent again: GitHub's answer to a 503 is a person's, or a later delivery's.
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "it cannot be verified just now") from None
        if not genuine:
            raise Refused(HTTPStatus.UNAUTHORIZED, "it is not signed as it must be")

    def _public(self, url: str) -> PublicKeys:
        with self._lock:
            if self._keys is None or self._keys.url != url:
                self._keys = PublicKeys(url)
            return self._keys

    def _known(self, digest: bytes) -> bool:
        with self._lock:
            at = self._seen.get(digest)
            return at is not None and self._clock() - at < REPLAYED.total_seconds()

    def _remember(self, digest: bytes) -> None:
        with self._lock:
            self._seen[digest] = self._clock()
            self._seen.move_to_end(digest)
            while len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)


def _read(body: bytes) -> LeakReport | None:
    """The report; None for a message of GitHub's that tells of no leak, such as a ping. Raises `Refused`."""
    action = action_of(body)
    if action is not None and action not in _TOLD:
        return None
    try:
        return read_report("github", body)
    except Failure:
        raise Refused(HTTPStatus.BAD_REQUEST, "it is no message about leaked keys") from None
