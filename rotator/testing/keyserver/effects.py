"""What each operation does to the keys and what it answers when nothing is made to go wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from rotator.testing.keyserver import errors
from rotator.testing.keyserver.behaviour import Operation
from rotator.testing.keyserver.codec import instant, listed_json, made_json, whole
from rotator.testing.keyserver.keys import KeyState
from rotator.testing.keyserver.log import INVALID_KEY, OK
from rotator.testing.keyserver.routes import Call
from rotator.testing.keyserver.state import RESOURCE_SCOPE, Issuer
from rotator.testing.keyserver.wire import Answer, Request


@dataclass(frozen=True, slots=True)
class Outcome:
    """word: `ok` or an error's word, for the log; made: id of the key that a mint made."""

    word: str
    answer: Answer
    made: str | None = None


ERRORS: Mapping[type[errors.TurnedDown], tuple[HTTPStatus, str]] = {
    errors.InvalidKey: (HTTPStatus.UNAUTHORIZED, INVALID_KEY),
    errors.MissingScope: (HTTPStatus.FORBIDDEN, "forbidden"),
    errors.NoSuchKey: (HTTPStatus.NOT_FOUND, "no_such_key"),
    errors.NoSuchSlot: (HTTPStatus.NOT_FOUND, "no_such_slot"),
    errors.SlotRequired: (HTTPStatus.BAD_REQUEST, "slot_required"),
    errors.SlotConflict: (HTTPStatus.CONFLICT, "slot_conflict"),
    errors.CapReached: (HTTPStatus.CONFLICT, "cap"),
    errors.Taken: (HTTPStatus.CONFLICT, "taken"),
    errors.CannotDisable: (HTTPStatus.METHOD_NOT_ALLOWED, "cannot_disable"),
    errors.CannotIdentify: (HTTPStatus.NOT_FOUND, "not_found"),
    errors.BadCursor: (HTTPStatus.BAD_REQUEST, "bad_cursor"),
    errors.BadRequest: (HTTPStatus.BAD_REQUEST, "bad_request"),
}


class Effects:
    """Carries calls out on the keys."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._do: Mapping[Operation, Callable[[Call, Request, float], Outcome]] = {
            Operation.LIST: self._list,
            Operation.ENABLE: self._enable,
            Operation.DISABLE: self._disable,
            Operation.DELETE: self._delete,
            Operation.RENAME: self._rename,
            Operation.TRAIL: self._trail,
            Operation.CHECK_ADMIN: self._check_admin,
            Operation.IDENTIFY: self._identify,
            Operation.RESOURCE: self._resource,
            Operation.UNKNOWN: self._unknown,
        }

    def carry_out(self, call: Call, request: Request, now: float, caller: str) -> Outcome:
        try:
            if call.wrong is not None:
                raise call.wrong
            if call.operation is Operation.MINT:
                return self._mint(call, now, caller)
            return self._do[call.operation](call, request, now)
        except errors.TurnedDown as error:
            return turned_down(error)

    def _mint(self, call: Call, now: float, caller: str) -> Outcome:
        issued = self._issuer.mint(call.principal, call.wish, now, by=caller)
        key = issued.key
        body = {
            "id": key.id,
            "secret": issued.secret,
            "slot": key.slot,
            "mark": key.mark,
            "created_at": instant(key.created_at),
            "expires_at": instant(key.expires_at),
            "scopes": key.scopes,
        }
        return Outcome(OK, Answer(HTTPStatus.CREATED, body), key.id)

    def _list(self, call: Call, request: Request, now: float) -> Outcome:
        query = request.query
        page = self._issuer.page(call.principal, now, after=query.get("after"), limit=whole(query, "limit"))
        return _ok({"keys": [listed_json(row) for row in page.keys], "after": page.after})

    def _enable(self, call: Call, _request: Request, now: float) -> Outcome:
        return self._set_state(call, KeyState.ENABLED, now)

    def _disable(self, call: Call, _request: Request, now: float) -> Outcome:
        return self._set_state(call, KeyState.DISABLED, now)

    def _set_state(self, call: Call, state: KeyState, now: float) -> Outcome:
        self._issuer.set_state(call.principal, call.key_id, state, now)
        return _ok({"id": call.key_id, "state": state})

    def _delete(self, call: Call, _request: Request, now: float) -> Outcome:
        self._issuer.set_state(call.principal, call.key_id, KeyState.DELETED, now)
        return Outcome(OK, Answer(HTTPStatus.NO_CONTENT))

    def _rename(self, call: Call, _request: Request, _now: float) -> Outcome:
        self._issuer.rename(call.principal, call.key_id, call.wish.mark)
        return _ok({"id": call.key_id, "mark": call.wish.mark})

    def _trail(self, _call: Call, request: Request, _now: float) -> Outcome:
        since = whole(request.query, "since") or 0
        return _ok({"made": [made_json(key) for key in self._issuer.made(since)]})

    def _check_admin(self, _call: Call, _request: Request, _now: float) -> Outcome:
        return _ok({"admin": True})

    def _identify(self, _call: Call, request: Request, now: float) -> Outcome:
        key = self._issuer.identify(request.bearer or "", now)
        return _ok({"id": key.id, "principal": key.principal})

    def _resource(self, _call: Call, request: Request, now: float) -> Outcome:
        scope, consumer = request.query.get("scope", RESOURCE_SCOPE), request.headers.get("x-consumer")
        self._issuer.use(request.bearer or "", now, scope=scope, consumer=consumer)
        return _ok({"ok": True})

    def _unknown(self, call: Call, request: Request, _now: float) -> Outcome:
        if not call.allowed:
            return Outcome("not_found", Answer(HTTPStatus.NOT_FOUND, {"error": "not_found"}))
        # an answer to HEAD has no body
        body = None if request.method == "HEAD" else {"error": "method_not_allowed"}
        allow = (("Allow", ", ".join(call.allowed)),)
        return Outcome("method_not_allowed", Answer(HTTPStatus.METHOD_NOT_ALLOWED, body, allow))


def turned_down(error: errors.TurnedDown) -> Outcome:
    status, word = ERRORS[type(error)]
    detail = str(error)
    return Outcome(word, Answer(status, {"error": word, "detail": detail} if detail else {"error": word}))


def _ok(body: Mapping[str, object]) -> Outcome:
    return Outcome(OK, Answer(HTTPStatus.OK, body))
