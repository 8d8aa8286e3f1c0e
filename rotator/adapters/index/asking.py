"""One index, asked without credentials. Which one is the caller's to say: there is no default."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from rotator.adapters.clients.content import content_of
from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.clients.fetching import checked, fetched
from rotator.adapters.index.project import Project, parse
from rotator.domain.failures import Denied, Failure, Permanent, Transient

SIMPLE = "application/vnd.pypi.simple.v1+json"
ATTESTATIONS = "application/vnd.pypi.integrity.v1+json"
TIMEOUT = timedelta(seconds=20)
LONGEST_PAUSE = 5.0
"""Seconds that are waited for an index that asks for patience, once a request."""
PATIENCE = 4
"""Requests in a row without a usable answer, after which the others are not sent."""


class Index:
    """Asks projects and attestations. Used by several threads."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises `Permanent` for an address that may not be asked."""
        self.url = checked(url).rstrip("/") + "/"
        self._sleep = sleep
        self._failed = 0
        self._said = ""
        self._lock = threading.Lock()

    def project(self, name: str) -> Project:
        """One project. Raises `Failure`; `NotThere` when the index has none of that name."""
        return parse(self._content(urljoin(self.url, quote(name, safe="") + "/"), SIMPLE), name)

    def attestations(self, url: str) -> Any:
        """What stands at the address of a file's provenance. Raises `Failure`, also for another host than its own."""
        target = urljoin(self.url, url)
        if urlsplit(target)[:2] != urlsplit(self.url)[:2]:
            raise Permanent("the attestations are at another host than the index", "")
        try:
            return json.loads(self._content(target, f"{ATTESTATIONS}, application/json"))
        except (ValueError, RecursionError):
            raise Permanent("the attestations are no JSON", "") from None

    def _content(self, url: str, accept: str) -> bytes:
        with self._lock:
            if self._failed >= PATIENCE:
                raise Transient(f"the index was not asked any more: {self._said}")
        try:
            content = self._patiently(url, accept)
        except (Transient, Denied) as failure:
            self._note(failure)
            raise
        except Permanent:
            self._note(None)
            raise
        self._note(None)
        return content

    def _note(self, failure: Failure | None) -> None:
        with self._lock:
            self._failed = self._failed + 1 if failure is not None else 0
            if failure is not None:
                self._said = failure.message

    def _patiently(self, url: str, accept: str) -> bytes:
        try:
            return self._once(url, accept)
        except Transient as failure:
            if failure.retry_after is None and not failure.throttled:
                raise
            pause = failure.retry_after.total_seconds() if failure.retry_after else 1.0
        self._sleep(min(pause, LONGEST_PAUSE))
        return self._once(url, accept)

    def _once(self, url: str, accept: str) -> bytes:
        deadline = Deadline(TIMEOUT)
        with fetched(url, deadline, headers={"Accept": accept}) as answer:
            return content_of(answer, deadline, "the index")
