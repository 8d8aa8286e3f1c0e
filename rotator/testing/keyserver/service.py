"""The keyserver without its socket: requests in, answers out, faults between, everything logged."""

import hmac
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus

from rotator.testing.keyserver import control
from rotator.testing.keyserver.behaviour import ADMIN_OPERATIONS, Behaviour, Fault, FaultKind, Operation, RetryAfter
from rotator.testing.keyserver.effects import Effects, Outcome
from rotator.testing.keyserver.fates import Fates
from rotator.testing.keyserver.keys import Key, digest
from rotator.testing.keyserver.log import ADMIN, INVALID_KEY, NOBODY, NOT_DONE, Log, Record
from rotator.testing.keyserver.routes import Call, route
from rotator.testing.keyserver.state import Issuer
from rotator.testing.keyserver.wire import GLANCE, Answer, Request

_PAGE = "<!doctype html><title>one moment</title><p>checking your browser before you proceed</p>"
_CANNED: Mapping[FaultKind, Answer] = {
    FaultKind.ERROR_BEFORE: Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal"}),
    FaultKind.ERROR_AFTER: Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal"}),
    FaultKind.UNAUTHORIZED: Answer(HTTPStatus.UNAUTHORIZED, {"error": INVALID_KEY}),
    FaultKind.FORBIDDEN: Answer(HTTPStatus.FORBIDDEN, {"error": "forbidden"}),
}
# the effect happens on arrival, whatever becomes of the answer
_DONE = frozenset({None, FaultKind.LOSE_RESPONSE, FaultKind.ERROR_AFTER, FaultKind.SLOW, FaultKind.HELD})
_LOST = frozenset({FaultKind.LOSE_REQUEST, FaultKind.LOSE_RESPONSE})
_DELAYED = frozenset({FaultKind.SLOW, FaultKind.LATE, FaultKind.HELD})


@dataclass(slots=True)
class Exchange:
    """One call under way. `done_at` and `outcome` are set when it was carried out or turned down.

    presented: the key that a call which needs no admin came with, alive or dead.
    """

    request: Request = field(repr=False)
    call: Call
    caller: str
    received_at: float
    fault: Fault | None = None
    presented: Key | None = None
    delay: float = 0.0
    done_at: float | None = None
    outcome: Outcome | None = None


class Service:
    """One lock around all of it, so that Python and the sockets see the same state. `clock` gives epoch seconds."""

    def __init__(self, behaviour: Behaviour, *, admin: str, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.log = Log()
        self.lock = threading.RLock()
        self.issuer = Issuer(behaviour)
        self._admin = digest(admin)
        self._effects = Effects(self.issuer)
        self._fates = Fates(behaviour)

    @property
    def behaviour(self) -> Behaviour:
        return self.issuer.behaviour

    def tell(self, behaviour: Behaviour) -> None:
        with self.lock:
            self.issuer.behaviour = behaviour
            self._fates.tell(behaviour)

    def add_fault(self, fault: Fault) -> None:
        with self.lock:
            self.tell(replace(self.behaviour, faults=(*self.behaviour.faults, fault)))

    def receive(self, request: Request) -> Exchange:
        with self.lock:
            now = self.clock()
            call = route(request)
            key = self.issuer.owner(request.bearer or "")
            exchange = Exchange(request, call, self._caller(request, key), now)
            if call.operation is Operation.CONTROL:
                exchange.outcome = control.answer(self, request) if exchange.caller == ADMIN else _stranger()
                return exchange
            exchange.delay = self._fates.latency()
            may = exchange.caller == ADMIN or (key is not None and self.issuer.administers(key, now))
            if call.operation in ADMIN_OPERATIONS and not may:
                exchange.done_at, exchange.outcome = now, _stranger()
                return exchange
            exchange.presented = key if call.operation not in ADMIN_OPERATIONS else None
            exchange.fault = self._fates.of(call.operation, now)
            kind = exchange.fault.kind if exchange.fault else None
            if exchange.fault and kind in _DELAYED:
                exchange.delay += exchange.fault.seconds or (GLANCE if kind is FaultKind.HELD else 0.0)
            if kind in _DONE:
                self._carry_out(exchange)
            return exchange

    def held(self, exchange: Exchange) -> bool:
        fault = exchange.fault
        if fault is None or fault.kind is not FaultKind.HELD:
            return False
        return any(told is fault for told in self.behaviour.faults)

    def finish(self, exchange: Exchange, *, connected: bool) -> Answer | None:
        with self.lock:
            if exchange.fault and exchange.fault.kind is FaultKind.LATE:
                self._carry_out(exchange)
            answer = self._answer(exchange)
            if exchange.call.operation is not Operation.CONTROL:
                self._record(exchange, answer if connected else None)
            return answer

    def _carry_out(self, exchange: Exchange) -> None:
        exchange.done_at = self.clock()
        exchange.outcome = self._effects.carry_out(exchange.call, exchange.request, exchange.done_at, exchange.caller)

    def _caller(self, request: Request, key: Key | None) -> str:
        if hmac.compare_digest(digest(request.bearer or ""), self._admin):
            return ADMIN
        return key.id if key else NOBODY

    def _answer(self, exchange: Exchange) -> Answer | None:
        fault = exchange.fault
        if fault is None or fault.kind in _DELAYED:
            return exchange.outcome.answer if exchange.outcome else None
        if fault.kind is FaultKind.HTML:
            return Answer(fault.status, _PAGE)
        if fault.kind is FaultKind.THROTTLED:
            headers = self._retry_after(exchange.received_at, fault.seconds)
            return Answer(HTTPStatus.TOO_MANY_REQUESTS, {"error": "throttled"}, headers)
        return None if fault.kind in _LOST else _CANNED[fault.kind]

    def _retry_after(self, now: float, seconds: float | None) -> tuple[tuple[str, str], ...]:
        form = self.behaviour.retry_after
        if seconds is None or form is RetryAfter.NONE:
            return ()
        whole = max(1, math.ceil(seconds))
        if form is RetryAfter.SECONDS:
            return (("Retry-After", str(whole)),)
        then = datetime.fromtimestamp(math.ceil(now) + whole, UTC)
        return (("Retry-After", format_datetime(then, usegmt=True)),)

    def _record(self, exchange: Exchange, answer: Answer | None) -> None:
        call, outcome, presented = exchange.call, exchange.outcome, exchange.presented
        self.log.append(
            Record(
                seq=self.log.next_seq,
                received_at=exchange.received_at,
                done_at=exchange.done_at,
                answered_at=self.clock() if answer else None,
                operation=call.operation,
                principal=call.principal or (presented.principal if presented else None),
                key_id=(outcome and outcome.made) or call.key_id or (presented.id if presented else None),
                mark=call.wish.mark,
                outcome=outcome.word if outcome else NOT_DONE,
                status=answer.status if answer else None,
                fault=exchange.fault.kind if exchange.fault else None,
                caller=exchange.caller,
                consumer=exchange.request.headers.get("x-consumer"),
            )
        )


def _stranger() -> Outcome:
    return Outcome("unauthorized", Answer(HTTPStatus.UNAUTHORIZED, {"error": "unauthorized"}))
