"""What GitHub tells of leaked keys. It has no token of ours: its signature is looked at instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from rotator.api.asking import Answer, guarded_router, parts_of
from rotator.api.guarded import ANYBODY, needs
from rotator.api.problems import Problem
from rotator.api.throttle import Throttle
from rotator.app.assembly import Assembly
from rotator.app.github_leaks import GithubLeaks, Refused
from rotator.app.leak_intake import take

router = guarded_router()
READ, TAKEN = 32, 2
"""Messages that are read, and that are verified and taken in, at the same time: anybody may send some."""
HINT = "docs/leaks.md says what is believed"
BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}


class Leaks:
    """Verifies what came and takes it in. For one loop."""

    def __init__(self, assembly_of: Callable[[], Assembly], throttle: Throttle) -> None:
        """`throttle`: counts what is not signed, and alerts."""
        self._assembly_of = assembly_of
        self._throttle = throttle
        self._github = GithubLeaks(assembly_of)
        self._reading = asyncio.Semaphore(READ)
        self._taking = asyncio.Semaphore(TAKEN)

    async def came(self, request: Request) -> bool:
        """Whether it was news that is taken in now. Raises `Problem`."""
        address = request.client.host if request.client else "nowhere"
        if self._assembly_of().config.github_leaks is None:
            raise Problem(404, "nobody listens to GitHub here", "write leaks: github: in the config")
        async with self._reading:
            try:
                body = await request.body()
            except ClientDisconnect:
                raise Problem(400, "the body did not come", "the same message again") from None
            async with self._taking:
                return await run_in_threadpool(self._take, body, dict(request.headers), address)

    def _take(self, body: bytes, headers: Mapping[str, str], address: str) -> bool:
        try:
            report = self._github.verified(body, headers)
        except Refused as refused:
            raise self._problem(refused, address) from None
        if report is None:
            return False
        try:
            take(self._assembly_of(), report)
        except BaseException:
            self._github.forget(body)
            raise
        return True

    def _problem(self, refused: Refused, address: str) -> Problem:
        """What is rightly signed is never refused for what others send from the same address."""
        if refused.status != HTTPStatus.UNAUTHORIZED:
            return Problem(refused.status, refused.message, HINT)
        wait = self._throttle.wait(address)
        self._throttle.failed(address)
        if not wait:
            return Problem(refused.status, refused.message, HINT)
        return Problem(429, "too much from here was not signed", HINT, headers={"Retry-After": str(wait)})


@router.post("/leaks/github", openapi_extra=BODY)
@needs(ANYBODY)
async def github(request: Request) -> Answer:
    """A message of GitHub's about leaked keys, as it signed it: an incident is opened, nothing is rotated.

    `taken`: whether it was news. The answer says nothing else of what is known here.
    """
    return {"taken": await parts_of(request).leaks.came(request)}
