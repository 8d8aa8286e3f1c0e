"""The application's surveys of all credentials: one for everybody who looks."""

from __future__ import annotations

from typing import Final, cast

from fastapi import Request

from rotator.app.assembly import Assembly
from rotator.app.surveying import Survey, Surveys

AT_ONCE: Final = 0.03
"""Seconds that the first page waits for figures; without them it says that they are being counted."""
PATIENT: Final = 10.0
"""Seconds that a page waits which has nothing else to show."""


def patiently(request: Request, assembly: Assembly) -> Survey | None:
    """The newest survey; None where it takes long. Raises what the journal does where that is why there is none."""
    found = surveys_of(request).latest(PATIENT)
    if found is None:
        assembly.journal.older_than_world()
    return found


def surveys_of(request: Request) -> Surveys:
    """The application's."""
    return cast(Surveys, request.app.state.surveys)
