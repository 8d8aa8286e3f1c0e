"""A small real HTTP service that issues, lists, disables and deletes keys and serves a resource behind them.

Told to, it is slow, inconsistent, forgetful, lossy or mute, and it logs what it saw. Demo, benchmarks and fault tests
run on it; `Issuer` is its inside without sockets, for simulators.

    with Keyserver(Behaviour(propagation=2.0)) as server:
        key_id, secret = server.seed_key("svc")
        server.fail(Operation.MINT, FaultKind.LOSE_RESPONSE)

Admin calls need `Authorization: Bearer <admin secret>`, or a living key of the principal that `admins` names; bodies
are JSON; errors are {"error": word}.

    POST   /principals/P/keys            {"mark", "slot", "expects", "secret", "fingerprint", "expires_in", "scopes"},
                                         all optional → 201 {"id", "secret", "slot", "mark", "created_at",
                                         "expires_at", "scopes"}; 409 "cap", "slot_conflict" or "taken"
    GET    /principals/P/keys            {"keys": [{"id", "mark", "state", "created_at", "created_by", "last_used_at",
             ?after=ID&limit=N           "last_used_by", "expires_at", "slot", "scopes", "hint"}],
                                          "after": the last one's ID | null}
    POST   /principals/P/keys/ID/state   {"state": "enabled" | "disabled"} → 200; 404 if it is deleted
    PATCH  /principals/P/keys/ID         {"mark": text | null} → 200; 404 if it is deleted
    DELETE /principals/P/keys/ID         204; 404 the second time
    GET    /admin/made?since=N           {"made": [{"id", "principal", "mark", "created_at", "created_by", "state"}]}:
                                         what was minted since that second, of every principal, dead ones too
    GET    /admin/whoami                 200 if the admin secret is right; changes nothing
    GET    /whoami                       with a key's secret: {"id", "principal"} | 401 "invalid_key"
    GET    /resource?scope=S             with a key's secret: 200 | 401 "invalid_key" | 403 "forbidden"

`S` is `resource.read` unless said; a key with scopes that lack it gets the 403. With slots, a key's id is `slot@tag`. A
mint replaces what its slot holds, if that has the tag `expects` (409 otherwise); deleting what a slot holds, a key or
an emptiness, leaves a fresh tag, listed as a `deleted` key, so that a late mint no longer matches.
"""

from rotator.testing.keyserver.behaviour import ADMIN_OPERATIONS, Behaviour, Fault, FaultKind, Operation, RetryAfter
from rotator.testing.keyserver.keys import Issued, Key, KeyState, Listed, Page, Wish
from rotator.testing.keyserver.log import ADMIN, NOBODY, Log, Record
from rotator.testing.keyserver.process import KeyserverProcess
from rotator.testing.keyserver.server import Keyserver
from rotator.testing.keyserver.state import Issuer

__all__ = [
    "ADMIN",
    "ADMIN_OPERATIONS",
    "NOBODY",
    "Behaviour",
    "Fault",
    "FaultKind",
    "Issued",
    "Issuer",
    "Key",
    "KeyState",
    "Keyserver",
    "KeyserverProcess",
    "Listed",
    "Log",
    "Operation",
    "Page",
    "Record",
    "RetryAfter",
    "Wish",
]
