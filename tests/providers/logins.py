"""What tests of the drivers that use logins in turn have in common: requests, one look at a slot, and patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count

from rotator.sdk import Key, Minted, MintRequest, Principal, Provider, Secret, slot_of

ADMIN_PASSWORD = "AdminOfTheTests4711"
WRONG_PASSWORD = "NotTheAdmin12345"
TIMEOUT = timedelta(seconds=60)
SHORT = timedelta(seconds=1)
SECOND = timedelta(seconds=1)
"""As exactly as servers tell the time."""

_serial = count(1)


def request(expects: str, *, scopes: tuple[str, ...] = (), **changes: object) -> MintRequest:
    """A mint as the engine asks for it, for the slot that shows this id."""
    number = next(_serial)
    return MintRequest(
        mark=str(changes.get("mark", f"rot-tests-r{number}-1-abcdefghijklm")),
        fingerprint=f"{number:016x}",
        chosen=Secret({"password": str(changes.get("password", f"Chosen{number}" + "x7" * 14))}),
        slot=slot_of(expects),
        expects=expects,
        scopes=scopes,
    )


def held(driver: Provider, principal: Principal, slot: str = "app_a") -> Key:
    """What the list shows of a slot."""
    [key] = [key for key in driver.keys(principal) if key.slot == slot]
    return key


def mint(driver: Provider, principal: Principal, slot: str = "app_a") -> Minted:
    """Mint into this slot, whatever it holds."""
    return driver.mint(principal, request(held(driver, principal, slot).id))


def login(user: str, password: str) -> Secret:
    """A value as consumers read it."""
    return Secret({"user": user, "password": password})


def until(happens: Callable[[], bool]) -> None:
    """Wait, as long as a call may take at most."""
    deadline = time.monotonic() + TIMEOUT.total_seconds()
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.02)
