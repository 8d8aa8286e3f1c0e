"""What endpoints ask of a request: who calls, with which parts, and about which credential."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from rotator.api.callers import Caller
from rotator.api.guarded import Guarded, caller_of
from rotator.api.problems import KIND, unknown
from rotator.app.assembly import Assembly

if TYPE_CHECKING:
    from fastapi import APIRouter

    from rotator.api.app import Parts

BEARER = HTTPBearer(auto_error=False, description="a token of `rotator token new`, or a JWT of the identity provider")
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": what, "content": {KIND: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for status, what in {
        400: "the body is no JSON",
        401: "nobody is known by this token",
        403: "the role does not suffice, or another site sent it",
        404: "not there, or not for this token",
        409: "not now",
        413: "too large",
        415: "no JSON",
        421: "called by another name",
        422: "not as described, or refused",
        429: "too many failed logins",
        500: "a defect of the rotator",
        502: "the admin credential may not",
        503: "later",
    }.items()
}
Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Text = Annotated[str, StringConstraints(max_length=500)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=100)]
Answer = dict[str, Any]


def _bounded(at: datetime) -> datetime:
    if not 1970 <= at.year <= 9000:
        raise ValueError("a time between 1970 and 9000")
    return at.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_bounded)]
"""A time in UTC; further away than these years none can be told in UTC, or be a week earlier."""


class Strict(BaseModel):
    """A body: nothing that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Why(Strict):
    """Why, for the trail."""

    reason: Text = Field(default="")


def guarded_router() -> APIRouter:
    """Of routes that say who may call them."""
    from fastapi import APIRouter

    return APIRouter(prefix="/v1", route_class=Guarded, responses=PROBLEMS, dependencies=[Security(BEARER)])


def parts_of(request: Request) -> Parts:
    """The application's parts."""
    return cast("Parts", request.app.state.parts)


def assembly_of(request: Request) -> Assembly:
    """The assembly of this moment."""
    return parts_of(request).assembly_of()


Who = Annotated[Caller, Depends(caller_of)]
Now = Annotated[Assembly, Depends(assembly_of)]


def seen(caller: Caller, assembly: Assembly, name: str) -> str:
    """The name of a credential that is there and seen. Raises `Problem` 404, in the same words for both."""
    there = name in assembly.config.credentials or name in assembly.config.broken
    if not there or not caller.scope.sees(assembly.config, name):
        raise unknown("credential", name)
    return name
