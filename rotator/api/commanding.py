"""The commands in the same words: `rotator --server`."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from fastapi import Request
from pydantic import Field, StringConstraints
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from rotator.api.asking import Strict, Who, guarded_router, parts_of
from rotator.api.commands import Running
from rotator.api.guarded import needs
from rotator.api.problems import Problem
from rotator.domain.tokens import Role

router = guarded_router()
KIND = "application/x-ndjson"
Word = Annotated[str, StringConstraints(max_length=4096)]


class Streamed(StreamingResponse):
    """What a command says, as it says it. Whoever hangs up leaves it."""

    def __init__(self, running: Running) -> None:
        super().__init__(running.frames(), media_type=KIND)
        self._running = running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """However it ends, nobody listens any more."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._running.leave()


class Command(Strict):
    """What was typed behind `rotator`, and what stands on standard input, in base64. No word may be a secret."""

    prog: Literal["rotate", "rotator"] = "rotator"
    words: Annotated[list[Word], Field(min_length=1, max_length=2000)]
    stdin: str = Field(default="", json_schema_extra={"format": "byte"})


@router.post("/commands", response_class=StreamingResponse, responses={200: {"content": {KIND: {}}}})
@needs(Role.VIEWER)
def command(request: Request, caller: Who, body: Command) -> StreamingResponse:
    """Run a command. What a role may not do ends in exit code 2, and nothing is done.

    Lines of JSON: `{"out": text}` and `{"err": text}` as they come, an empty one while nothing does, `{"exit": code}`.
    """
    try:
        stdin = base64.b64decode(body.stdin, validate=True)
    except (binascii.Error, ValueError):
        raise Problem(422, "stdin is no base64", "see /v1/openapi.json") from None
    if any("\0" in word for word in body.words):
        raise Problem(422, "a word has a zero byte", "leave it out")
    return Streamed(parts_of(request).commands.start(caller, body.prog, body.words, stdin))
