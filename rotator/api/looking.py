"""Routes that look. Each answers only with what its caller sees."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request

from rotator.api.asking import Answer, Now, Who, guarded_router, seen
from rotator.api.describing import described
from rotator.api.guarded import ANYBODY, needs
from rotator.api.problems import unknown
from rotator.app import seeing
from rotator.app.evidence import known
from rotator.domain.tokens import Role

router = guarded_router()
Limit = Annotated[int, Query(ge=1, le=1000)]
Id = Annotated[str, Path(min_length=1, max_length=80)]


@router.get("/alive")
@needs(ANYBODY)
async def alive() -> Answer:
    """Whether somebody answers; nothing more. It waits for no thread."""
    return {"alive": True}


@router.get("/me")
@needs(Role.VIEWER)
def me(caller: Who) -> Answer:
    """Who the token says that you are."""
    owners = sorted(caller.owners) if caller.owners is not None else None
    return {"name": caller.name, "role": caller.role.value, "owners": owners}


@router.get("/openapi.json")
@needs(Role.VIEWER)
def openapi(request: Request) -> Answer:
    """This description."""
    return described(request.app)


@router.get("/credentials")
@needs(Role.VIEWER)
def credentials(
    caller: Who, assembly: Now, limit: Limit = 100, after: Annotated[str, Query(max_length=63)] = ""
) -> Answer:
    """How every credential stands, a page at a time by name."""
    return seeing.credentials(assembly, caller.scope, after=after, limit=limit)


@router.get("/credentials/{name}")
@needs(Role.VIEWER)
def credential(caller: Who, assembly: Now, name: Id) -> Answer:
    """How one stands, every reason to rotate it, and what stands in the way."""
    return seeing.credential(assembly, seen(caller, assembly, name))


@router.get("/credentials/{name}/history")
@needs(Role.VIEWER)
def history(caller: Who, assembly: Now, name: Id, limit: Limit = 50) -> Answer:
    """Its rotations, newest first."""
    return seeing.rotations(assembly, caller.scope, seen(caller, assembly, name), limit=limit)


@router.get("/rotations")
@needs(Role.VIEWER)
def rotations(caller: Who, assembly: Now, limit: Limit = 50) -> Answer:
    """All rotations, newest first."""
    return seeing.rotations(assembly, caller.scope, None, limit=limit)


@router.get("/rotations/{rotation}")
@needs(Role.VIEWER)
def rotation(caller: Who, assembly: Now, rotation: Id) -> Answer:
    """One rotation as a timeline: its row and every event of its chain."""
    row = assembly.journal.rotation(rotation) if rotation.isprintable() else None
    if row is None or not caller.scope.sees(assembly.config, row.credential):
        raise unknown("rotation", rotation)
    return seeing.one_rotation(assembly, row)


@router.get("/events")
@needs(Role.VIEWER)
def events(caller: Who, assembly: Now, after: Annotated[int, Query(ge=0, le=2**53)] = 0, limit: Limit = 1000) -> Answer:
    """The trail behind a position, in the order of commits."""
    return seeing.events(assembly, caller.scope, after=after, limit=limit)


@router.get("/incidents")
@needs(Role.VIEWER)
def incidents(caller: Who, assembly: Now) -> Answer:
    """Every incident, the newest first."""
    return seeing.incidents(assembly, caller.scope)


@router.get("/incidents/{incident}")
@needs(Role.VIEWER)
def incident(caller: Who, assembly: Now, incident: Id) -> Answer:
    """What it is about today, and the evidence."""
    if not incident.isprintable() or incident not in known(assembly):
        raise unknown("incident", incident)
    found = seeing.incident(assembly, caller.scope, incident)
    if found is None:
        raise unknown("incident", incident)
    return found
