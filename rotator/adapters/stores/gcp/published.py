"""What consumers read: a secret that others may write, too, and the order of requests in which it changes.

The claim comes first, under the etag that was read: of two who write one version, one is refused here, before anybody
could read its value. Then the version, which is `latest` at once and minds no etag. Then the alias, together with the
end of the claim, under the claim's etag. docs/decisions/2026-11-25-gcp-store.md walks through crashes and races.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.gcp import documents, pruning
from rotator.adapters.stores.gcp.marks import FIRST, WRITING, Marks
from rotator.adapters.stores.gcp.resources import Token, changed
from rotator.adapters.stores.gcp.secrets import LATEST, Payload, Secrets, State, Unreadable
from rotator.domain.failures import Failure, Permanent
from rotator.domain.times import quoted

PATIENCE = 0.2
"""The part of a call's time for which the claim of another writer is respected."""

GLANCE = 0.1
"""Seconds between two looks at it."""


@dataclass(frozen=True, slots=True, repr=False)
class Look:
    """The number of `latest`, 0 for none, what it holds, None if nothing, and the marks."""

    newest: int
    payload: bytes | None
    marks: Marks

    @property
    def token(self) -> Token:
        """The version of the place."""
        return Token(self.newest, self.marks.etag)


class Published:
    """One secret within one call. Its methods raise the failures that the port names."""

    def __init__(self, secrets: Secrets, secret: str, ref: str, deadline: Deadline) -> None:
        self._secrets = secrets
        self._secret = secret
        self._ref = ref
        self._deadline = deadline

    # -- looking -------------------------------------------------------------------------------------------------------

    def look(self) -> Look | None:
        """The newest version, then the marks: in this order one that is being written is always seen with its claim."""
        newest = self._secrets.access(self._secret, LATEST, self._deadline)
        marks = self._secrets.marks(self._secret, self._deadline)
        if marks is None:
            return None
        if marks.known > (newest.number if newest else 0):
            newest = self._secrets.access(self._secret, marks.known, self._deadline)
        if newest is None:
            return Look(0, None, marks)
        if isinstance(newest, Payload):
            return Look(newest.number, newest.data, marks)
        return Look(self._destroyed(newest), None, marks)

    def expected(self, token: Token) -> Look:
        """The look that the token is of. Raises Conflict when it is another by now."""
        look = self.look()
        if look is None or look.token != token:
            raise changed(self._ref)
        return look

    def current(self, look: Look) -> bytes | None:
        """What the current version holds; None where there is none or nobody can access it."""
        number = look.marks.current(look.newest)
        if number in (0, look.newest):
            return look.payload if number else None
        found = self._secrets.access(self._secret, number, self._deadline)
        return found.data if isinstance(found, Payload) else None

    def fields(self, payload: bytes | None) -> Mapping[str, str]:
        """The members of a document; none where there is nothing."""
        return documents.fields_of(payload, self._ref) if payload is not None else {}

    def _destroyed(self, newest: Unreadable) -> int:
        if newest.state is State.DISABLED:
            message = f"the newest version of {quoted(self._ref)}, {newest.number}, is disabled"
            raise Permanent(message, "enable it, or add a version that holds what consumers need")
        return newest.number

    # -- writing -------------------------------------------------------------------------------------------------------

    def make(self, fields: Mapping[str, str]) -> Token:
        """A new secret with these fields. Raises Conflict where there is one."""
        payload = documents.edited(None, fields, self._ref)
        marks = self._secrets.create(self._secret, {WRITING: FIRST}, {}, self._deadline)
        return self._publish(Look(0, None, marks), payload)

    def edit(self, look: Look, changes: Mapping[str, str | None]) -> Token:
        """The newest document with these members set, or removed where the change is None."""
        payload = documents.edited(look.payload, changes, self._ref)
        self._wait_for_another_writer(look)
        self._refuse_a_foreign_one(look, changes)
        marks = self._secrets.update(self._secret, look.marks.claimed(look.newest), self._deadline)
        return self._publish(replace(look, marks=marks), payload)

    def _wait_for_another_writer(self, look: Look) -> None:
        """A claim is of somebody who writes right now, or of one who died: whoever lives is done in a moment.

        Taking it from a living one would leave the version that it has added to readers of `latest`, and tell it that
        nothing was written.
        """
        until = self._deadline.remaining(self._secret) * (1 - PATIENCE)
        while look.marks.claim and self._deadline.remaining(self._secret) > until:
            time.sleep(GLANCE)
            marks = self._secrets.marks(self._secret, self._deadline)
            if marks is None or marks.etag != look.marks.etag:
                raise changed(self._ref)

    def _refuse_a_foreign_one(self, look: Look, changes: Mapping[str, str | None]) -> None:
        """Behind a write of ours that was not finished, somebody may have added a version of their own meanwhile.

        Then neither what was current nor what is to be written stands in the newest one: the claim is dropped, so that
        the next look shows theirs, and the write is a Conflict.
        """
        if not look.marks.unfinished(look.newest) or look.payload is None:
            return
        newest, before = self.fields(look.payload), self.fields(self.current(look))
        ours = {name: newest.get(name) for name in changes}
        if ours not in (dict(changes), {name: before.get(name) for name in changes}):
            self._secrets.update(self._secret, look.marks.unclaimed(), self._deadline)
            raise changed(self._ref)

    def _publish(self, claimed: Look, payload: bytes) -> Token:
        """Add the version and move the alias to it, under a claim."""
        number = self._secrets.add(self._secret, payload, self._deadline)
        if number != claimed.newest + 1:
            self._put_theirs_back(claimed.marks, number)
            raise changed(self._ref)
        settled = self._secrets.update(self._secret, claimed.marks.settled(number), self._deadline)
        with suppress(Failure):  # it is written, and the next write prunes as well
            self._prune(settled)
        return Token(number, settled.etag)

    def _put_theirs_back(self, marks: Marks, number: int) -> None:
        """Somebody added a version between our look and ours: theirs is `latest` again, and the next look finds it.

        It is a colleague's, or of a rotator that took us for dead. Where it cannot be had, our claim stays, and what
        was current before it stays current.
        """
        theirs = self._secrets.access(self._secret, number - 1, self._deadline)
        if isinstance(theirs, Payload):
            self._secrets.add(self._secret, theirs.data, self._deadline)
            self._secrets.update(self._secret, marks.unclaimed(), self._deadline)

    def _prune(self, marks: Marks) -> None:
        if not pruning.candidates(marks):
            return
        for version in pruning.old(marks, self._secrets.versions(self._secret, self._deadline)):
            act = self._secrets.disable if version.state is State.ENABLED else self._secrets.destroy
            act(self._secret, version.number, self._deadline)
