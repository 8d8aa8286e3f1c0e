"""Sessions of people who signed in, in this process's memory: bounded, and over as soon as what they came by is.

Nothing by which somebody came is kept, and nothing by which a session could be taken over: of a token and of
a session's own id their hashes alone. A restart of the daemon ends all of them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rotator.api.authenticating import Proof
from rotator.api.callers import Caller
from rotator.ports import Clock

LASTS: Final = timedelta(hours=12)
IDLE: Final = timedelta(hours=1)
OF_ONE: Final = 10
"""Sessions of one person: somebody who signs in again and again ends his own."""
IN_ALL: Final = 1000
BYTES: Final = 32
"""Random bytes of an id: nobody guesses one, so that a plain hash of it is as good as a slow one."""
LENGTH: Final = 43


@dataclass(slots=True)
class _Session:
    proof: Proof
    began: datetime
    began_tick: float
    seen: datetime
    seen_tick: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody with a session. `key`: what it is kept by, which opens nothing."""

    caller: Caller
    key: str


class Sessions:
    """Begun at sign-in, found at each request. Safe for many threads.

    `still`: who somebody is now who came by this; None: nobody any more. A clock that is set back prolongs nothing, and
    one that is set ahead ends what it would end.
    """

    def __init__(self, still: Callable[[Proof], Caller | None], clock: Clock) -> None:
        self._still = still
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Session] = OrderedDict()  # the oldest first

    def begin(self, proof: Proof) -> str:
        """The id of a new one, which is told once. Where there are too many, the oldest ends. Twice: another one."""
        text, now, tick = secrets.token_urlsafe(BYTES), self._clock.now(), self._clock.boottime()
        with self._lock:
            own = [key for key, each in self._known.items() if each.proof.caller.whose == proof.caller.whose]
            for key in own[: max(0, len(own) - OF_ONE + 1)]:
                del self._known[key]
            while len(self._known) >= IN_ALL:
                self._known.popitem(last=False)
            self._known[_key(text)] = _Session(proof, now, tick, now, tick)
        return text

    def find(self, text: str, *, used: bool = True) -> Known | None:
        """Who it is, or None. `used`: a person did this, and not a page by itself. Raises what `still` does.

        A session that is over is so for ever: also when a clock is set back.
        """
        if len(text) != LENGTH:
            return None
        key = _key(text)
        with self._lock:
            session = self._known.get(key)
            if session is None:
                return None
            if self._over(session):
                del self._known[key]
                return None
            proof = session.proof
        caller = self._still(proof)
        with self._lock:
            if caller is None:
                self._known.pop(key, None)
                return None
            if used:
                session.seen, session.seen_tick = self._clock.now(), self._clock.boottime()
        return Known(caller=caller, key=key)

    def end(self, key: str) -> None:
        """No more. Twice: nothing more."""
        with self._lock:
            self._known.pop(key, None)

    def __len__(self) -> int:
        """How many there are, some of which may be over."""
        with self._lock:
            return len(self._known)

    def _over(self, session: _Session) -> bool:
        now, tick = self._clock.now(), self._clock.boottime()
        age = max(now - session.began, timedelta(seconds=tick - session.began_tick))
        idle = max(now - session.seen, timedelta(seconds=tick - session.seen_tick))
        return age >= min(LASTS, session.proof.lasts or LASTS) or idle >= IDLE


class Seals:
    """What a form sends along to show that it is a page of ours, shown to whoever sends it. Nothing is kept of it."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, whom: Hashable) -> str:
        """For the forms of a session, or of a caller without one. Twice: the same."""
        return hmac.new(self._key, repr(whom).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def fits(self, text: str, whom: Hashable) -> bool:
        """Whether this came from a form of his."""
        return hmac.compare_digest(text.encode("utf-8", "surrogatepass"), self.of(whom).encode())


class Messages:
    """One message for whoever did something, shown once with his next page. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: OrderedDict[Hashable, str] = OrderedDict()

    def leave(self, whom: Hashable, text: str) -> None:
        """Instead of one that was not taken."""
        with self._lock:
            self._left[whom] = text
            self._left.move_to_end(whom)
            if len(self._left) > IN_ALL:
                self._left.popitem(last=False)

    def take(self, whom: Hashable) -> str:
        """It; or an empty one. Twice: an empty one."""
        with self._lock:
            return self._left.pop(whom, "")


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
