"""Pending and previous values: secrets of our own, which nobody else reads or writes.

What such a place holds is what the alias points to, and nothing else: a version that came late, or whose writer lost
its race, is nobody's. So the secret's etag, which guards the alias, makes compare-and-set exact here.
"""

from __future__ import annotations

from contextlib import suppress

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.gcp import documents
from rotator.adapters.stores.gcp.marks import Marks
from rotator.adapters.stores.gcp.resources import KIND, Token, changed, marks_of
from rotator.adapters.stores.gcp.secrets import Payload, Secrets
from rotator.domain.credential import Place
from rotator.domain.failures import Conflict, Failure
from rotator.ports import ABSENT, Stored


class Hidden:
    """One secret of ours within one call. Its methods are the port's."""

    def __init__(self, secrets: Secrets, secret: str, place: Place, deadline: Deadline) -> None:
        self._secrets = secrets
        self._secret = secret
        self._place = place
        self._deadline = deadline

    def read(self) -> Stored:
        """What the alias points to; no fields where a writer died before it pointed anywhere."""
        marks = self._secrets.marks(self._secret, self._deadline)
        if marks is None:
            return Stored(version=ABSENT)
        found = None
        if marks.aliased is not None:
            found = self._secrets.access(self._secret, marks.aliased, self._deadline)
        fields = documents.fields_of(found.data, self._place.ref) if isinstance(found, Payload) else None
        return Stored(version=str(_token(marks)), fields=fields)

    def write(self, payload: bytes, expected: str) -> Token:
        """Add a version and point the alias at it; what it pointed to before is destroyed."""
        marks = self._made() if expected == ABSENT else self._expected(expected)
        number = self._secrets.add(self._secret, payload, self._deadline)
        try:
            settled = self._secrets.update(self._secret, marks.settled(number), self._deadline)
        except Conflict:
            self._forget(number)
            raise
        self._forget(marks.aliased)
        return Token(number, settled.etag)

    def remove(self, expected: str) -> None:
        """Delete the secret with all its versions."""
        if self._secrets.marks(self._secret, self._deadline) is not None:
            self._secrets.delete(self._secret, self._expected(expected).etag, self._deadline)

    def _made(self) -> Marks:
        labels = {KIND: self._place.kind.value}
        return self._secrets.create(self._secret, marks_of(self._place), labels, self._deadline)

    def _expected(self, expected: str) -> Marks:
        marks = self._secrets.marks(self._secret, self._deadline)
        if marks is None or str(_token(marks)) != expected:
            raise changed(self._place.ref)
        return marks

    def _forget(self, number: int | None) -> None:
        """As far as possible: it is nobody's, and goes with the secret at the latest."""
        if number is not None:
            with suppress(Failure):
                self._secrets.destroy(self._secret, number, self._deadline)


def _token(marks: Marks) -> Token:
    return Token(marks.aliased or 0, marks.etag)
