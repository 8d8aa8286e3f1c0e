"""The control endpoints, for a keyserver in another process.

    GET   /control/behaviour         what it was told
    PUT   /control/behaviour         tell all of it: what is left out is as by default
    PATCH /control/behaviour         tell a part of it
    POST  /control/faults            add a row to its faults
    GET   /control/log?after=&limit= records that ended after that number; `after` is null when there is no more
    POST  /control/keys              {"principal", and what a mint takes}: a key that got about long ago; not in the log
    GET   /control/keys/{principal}  the truth: {"keys": [{"id", "state"}]}, without deleted and expired ones

All of them need the admin secret; none is ever slow, faulty or logged.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rotator.testing.keyserver import codec
from rotator.testing.keyserver.behaviour import Behaviour
from rotator.testing.keyserver.effects import Outcome, turned_down
from rotator.testing.keyserver.errors import BadRequest, TurnedDown
from rotator.testing.keyserver.log import OK
from rotator.testing.keyserver.wire import Answer, Request

if TYPE_CHECKING:
    from rotator.testing.keyserver.service import Service

MOST_RECORDS = 5000


def answer(service: "Service", request: Request) -> Outcome:
    """Do what the request says; the caller has made sure that it is the admin's."""
    what, _, rest = request.path.removeprefix("/control/").partition("/")
    handler = _HANDLERS.get((request.method, what))
    try:
        found = handler(service, request, unquote(rest)) if handler else None
    except TurnedDown as error:
        return turned_down(error)
    return Outcome(OK, found or Answer(HTTPStatus.NOT_FOUND, {"error": "not_found"}))


def _told(service: "Service", _request: Request, _rest: str) -> Answer:
    return Answer(HTTPStatus.OK, codec.behaviour_json(service.behaviour))


def _tell_all(service: "Service", request: Request, rest: str) -> Answer:
    service.tell(codec.changed(Behaviour(), codec.parse(request.body)))
    return _told(service, request, rest)


def _tell(service: "Service", request: Request, rest: str) -> Answer:
    service.tell(codec.changed(service.behaviour, codec.parse(request.body)))
    return _told(service, request, rest)


def _add_fault(service: "Service", request: Request, rest: str) -> Answer:
    service.add_fault(codec.fault(codec.parse(request.body)))
    return _told(service, request, rest)


def _log(service: "Service", request: Request, _rest: str) -> Answer:
    query = request.query
    limit = codec.whole(query, "limit") or MOST_RECORDS
    later = service.log.since(codec.whole(query, "after") or 0, most=min(limit, MOST_RECORDS))
    records = [codec.record_json(record) for record in later]
    more = bool(records) and later.next_seq < service.log.next_seq
    return Answer(HTTPStatus.OK, {"records": records, "after": later.next_seq - 1 if more else None})


def _seed(service: "Service", request: Request, _rest: str) -> Answer:
    body = codec.parse(request.body)
    principal = body.pop("principal", None)
    if not isinstance(principal, str) or not principal:
        raise BadRequest("the field principal is missing")
    issued = service.issuer.seed(principal, codec.wish(body), service.clock())
    return Answer(HTTPStatus.CREATED, {"id": issued.key.id, "secret": issued.secret})


def _live(service: "Service", _request: Request, principal: str) -> Answer:
    keys = service.issuer.live(principal, service.clock())
    return Answer(HTTPStatus.OK, {"keys": [{"id": key.id, "state": key.state} for key in keys]})


_HANDLERS: Mapping[tuple[str, str], Callable[["Service", Request, str], Answer]] = {
    ("GET", "behaviour"): _told,
    ("PUT", "behaviour"): _tell_all,
    ("PATCH", "behaviour"): _tell,
    ("POST", "faults"): _add_fault,
    ("GET", "log"): _log,
    ("POST", "keys"): _seed,
    ("GET", "keys"): _live,
}
