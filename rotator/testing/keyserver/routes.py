"""Which call a request is: method and path to operation, principal and key; the body to what is wished for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from rotator.testing.keyserver import codec
from rotator.testing.keyserver.behaviour import Operation
from rotator.testing.keyserver.errors import BadRequest
from rotator.testing.keyserver.keys import KeyState, Wish
from rotator.testing.keyserver.wire import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a request asks for.

    principal, key_id: empty where the operation names none.
    wish: of a mint; of a renaming the mark alone.
    wrong: why it cannot be carried out although its operation is known; None if it can.
    allowed: for UNKNOWN, the methods that the path has; empty: there is no such path.
    """

    operation: Operation
    principal: str = ""
    key_id: str = ""
    wish: Wish = field(default_factory=Wish)
    wrong: BadRequest | None = None
    allowed: tuple[str, ...] = ()


ROUTES: Sequence[tuple[str, Sequence[str], Operation]] = (
    ("GET", ("resource",), Operation.RESOURCE),
    ("GET", ("whoami",), Operation.IDENTIFY),
    ("GET", ("admin", "whoami"), Operation.CHECK_ADMIN),
    ("GET", ("principals", "*", "keys"), Operation.LIST),
    ("POST", ("principals", "*", "keys"), Operation.MINT),
    # the body says which of the two; one that cannot be read counts as the more harmless wish
    ("POST", ("principals", "*", "keys", "*", "state"), Operation.DISABLE),
    ("PATCH", ("principals", "*", "keys", "*"), Operation.RENAME),
    ("GET", ("admin", "made"), Operation.TRAIL),
    ("DELETE", ("principals", "*", "keys", "*"), Operation.DELETE),
)


def route(request: Request) -> Call:
    parts = [unquote(part) for part in request.path.split("/")[1:]]
    if parts[:1] == ["control"]:
        return Call(operation=Operation.CONTROL)
    there = {method: (pattern, operation) for method, pattern, operation in ROUTES if _fits(parts, pattern)}
    if request.method not in there:
        return Call(operation=Operation.UNKNOWN, allowed=tuple(there))
    pattern, operation = there[request.method]
    named = [part for part, expected in zip(parts, pattern, strict=True) if expected == "*"]
    principal, key_id, *_ = *named, "", ""
    return _read(request, Call(operation=operation, principal=principal, key_id=key_id))


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(parts) == len(pattern) and all(
        part == expected or (expected == "*" and part) for part, expected in zip(parts, pattern, strict=True)
    )


def _read(request: Request, call: Call) -> Call:
    try:
        match call.operation:
            case Operation.MINT:
                return replace(call, wish=codec.wish(codec.parse(request.body)))
            case Operation.RENAME:
                return replace(call, wish=Wish(mark=codec.wanted_mark(codec.parse(request.body))))
            case Operation.DISABLE if codec.wanted_state(codec.parse(request.body)) is KeyState.ENABLED:
                return replace(call, operation=Operation.ENABLE)
    except BadRequest as wrong:
        return replace(call, wrong=wrong)
    return call
