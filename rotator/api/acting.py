"""Routes that act, each as the command of that name does. Whoever runs rotations goes on with what is begun here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import Request
from pydantic import Field, model_validator

from rotator.api.asking import Answer, Instant, Key, Name, Now, Strict, Text, Who, Why, guarded_router, parts_of, seen
from rotator.api.callers import Caller
from rotator.api.guarded import needs
from rotator.api.looking import Id
from rotator.api.problems import Problem
from rotator.app import seeing
from rotator.app.asked_for import begin, refuse_stuck
from rotator.app.assembly import Assembly
from rotator.app.incident_planning import plan, shown
from rotator.app.incidents import recall
from rotator.app.opening import Asked, opened
from rotator.app.reporting import report
from rotator.app.steering import steer
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.records import Verb
from rotator.domain.rotation import Rotation
from rotator.domain.tokens import Role

router = guarded_router()


class Rotations(Strict):
    """Which credentials."""

    names: Annotated[list[Name], Field(min_length=1, max_length=1000)]
    reason: Text = ""


class Opening(Strict):
    """What an incident is about: credentials by name, or packages that were bad from then on."""

    names: Annotated[list[Name], Field(max_length=1000, default_factory=list)]
    packages: Annotated[list[Text], Field(max_length=100, default_factory=list)]
    bad_from: Instant | None = None
    bad_to: Instant | None = None
    reason: Text = ""
    contained: bool | None = None

    @model_validator(mode="after")
    def _about_something(self) -> Opening:
        if not self.names and not self.packages:
            raise ValueError("about what")
        return self


@router.post("/rotations")
@needs(Role.OPERATOR)
def rotate(request: Request, caller: Who, assembly: Now, body: Rotations, key: Key = None) -> Answer:
    """Rotate these now: refused before the first, as far as that can be known then. One that rotates already goes on.

    What fails later has its `error` in the report of those that were begun.
    """

    def do() -> Answer:
        return begun(caller, assembly, body.names, body.reason)

    return parts_of(request).once(caller.whose, key, (request.url.path, body.model_dump()), do)


def begun(caller: Caller, assembly: Assembly, names: Sequence[str], reason: str) -> Answer:
    """Begin to rotate these: all that can be, and none where it can be known before that one cannot.

    Raises `Problem`, `ConfigError` and `Failure`.
    """
    names = [seen(caller, assembly, name) for name in dict.fromkeys(names)]
    for name in names:
        if name in assembly.config.broken:
            raise assembly.config.broken[name]
    specs = [assembly.config.credentials[name] for name in names]
    for spec in specs:
        refuse_stuck(assembly, spec)
        assembly.world_of(spec)
    return _each_begun(assembly, specs, caller.reason(reason))


def said(caller: Caller, assembly: Assembly, name: str, verb: Verb, reason: str) -> Answer:
    """Say an operator's word about one credential. Raises `Problem`, `ConfigError` and `Failure`."""
    of = seen(caller, assembly, name)
    return {"credential": of, "said": steer(assembly, of, verb, caller.reason(reason))}


def _each_begun(assembly: Assembly, specs: Sequence[Credential], reason: str) -> Answer:
    """The report, with the errors of those that could not be begun after all; raises the first where none was."""
    rows: list[Rotation] = []
    failed: dict[str, ConfigError | Failure] = {}
    for spec in specs:
        try:
            rows.append(begin(assembly, spec, reason))
        except (ConfigError, Failure) as error:
            failed[spec.name] = error
    if not rows:
        raise next(iter(failed.values()))
    errors = {name: (error.message, error.hint) for name, error in failed.items()}
    return report(rows, selected=len(specs), errors=errors)


@router.post("/credentials/{name}/{verb}")
@needs(Role.OPERATOR)
def word(
    request: Request,
    caller: Who,
    assembly: Now,
    name: Id,
    verb: Literal["hold", "release", "resume", "rollback"],
    body: Why,
    key: Key = None,
) -> Answer:
    """An operator's word about one credential."""

    def do() -> Answer:
        return said(caller, assembly, name, Verb(verb), body.reason)

    return parts_of(request).once(caller.whose, key, (request.url.path, body.model_dump()), do)


@router.post("/incidents")
@needs(Role.RESPONDER)
def open_incident(request: Request, caller: Who, assembly: Now, body: Opening, key: Key = None) -> Answer:
    """Remember what is exposed, and show it. Nothing is rotated. The same words on the same day: the same incident."""

    def do() -> Answer:
        names = tuple(seen(caller, assembly, name) for name in dict.fromkeys(body.names))
        if body.packages and caller.owners is not None:
            raise Problem(403, "what a bad package could read is not only yours", "a token without --owner opens it")
        asked = Asked(
            names=names,
            packages=tuple(body.packages),
            start=body.bad_from,
            end=body.bad_to,
            reason=caller.reason(body.reason),
            contained=body.contained is True,
            uncontained=body.contained is False,
        )
        if body.packages and body.bad_from is None:
            raise Problem(422, "since when was it bad?", "bad_from, rather too early than too late")
        incident = opened(assembly, asked)
        shown(assembly, plan(assembly, incident, new=recall(assembly.journal, incident.id) is None))
        return seeing.incident(assembly, caller.scope, incident.id) or {}

    return parts_of(request).once(caller.whose, key, (request.url.path, body.model_dump(mode="json")), do)
