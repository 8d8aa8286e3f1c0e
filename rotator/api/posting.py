"""Inventories, posted by a consumer's own token."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request
from pydantic import Field, StringConstraints

from rotator.api.asking import Answer, Instant, Key, Now, Strict, Who, guarded_router, parts_of
from rotator.api.guarded import needs
from rotator.app.posted import post
from rotator.app.reporting import time
from rotator.domain.tokens import Role

router = guarded_router()
LARGEST = 16 * 2**20


class File(Strict):
    """One lockfile or bill of materials. `name`: its path as the config would call it; its form is told by its name."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    text: Annotated[str, StringConstraints(max_length=LARGEST)]


class Inventories(Strict):
    """What the token's consumer has now. `had_since`: since when it says so, which is marked as its own word."""

    files: Annotated[list[File], Field(min_length=1, max_length=50)]
    had_since: Instant | None = None


@router.post("/inventories")
@needs(Role.CONSUMER)
def inventories(request: Request, caller: Who, assembly: Now, body: Inventories, key: Key = None) -> Answer:
    """Record them, all or none. They are seen when they come; nothing that was recorded is changed or ends earlier."""

    def do() -> Answer:
        files = [(each.name, each.text.encode("utf-8", "surrogatepass")) for each in body.files]
        posted = post(assembly, caller.consumer, files, body.had_since)
        return {
            "consumer": caller.consumer,
            "seen_at": time(posted[0].inventory.since),
            "back_dated": body.had_since is not None,
            "files": [
                {
                    "name": each.inventory.origin,
                    "form": each.inventory.kind,
                    "packages": len(each.inventory.components),
                    "gaps": list(each.inventory.gaps[:20]),
                    "news": each.news,
                }
                for each in posted
            ],
        }

    return parts_of(request).once(caller.whose, key, (request.url.path, body.model_dump(mode="json")), do)
