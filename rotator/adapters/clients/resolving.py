"""The text at a reference, as a port needs it: whatever goes wrong is a failure."""

from __future__ import annotations

from collections.abc import Callable

from rotator.domain.failures import Denied, Failure

Resolve = Callable[[str], str]


def resolved(resolve: Resolve, reference: str) -> str:
    """The text at a reference. Raises Denied when it cannot be had: without it we may do nothing."""
    try:
        text = resolve(reference).strip()
    except Failure:
        raise
    except Exception as error:  # noqa: BLE001 - whoever resolves has errors of its own, and a port has not
        message, hint = getattr(error, "message", ""), getattr(error, "hint", "")
        message = message or f"{reference} cannot be read ({type(error).__name__})"
        failure = Denied(message, hint or "check the reference", permission=f"read {reference}")
    else:
        if text:
            return text
        failure = Denied(f"{reference} is empty", "put the secret there", permission=f"read {reference}")
    raise failure
