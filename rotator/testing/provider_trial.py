"""One driver and one fresh principal in the hands of a contract test: minting, looking, waiting, failing."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest

from rotator.domain.credential import Principal
from rotator.domain.failures import Failure
from rotator.domain.keys import Capabilities, Key, KeyState, Minted, Minter, MintRequest, Verdict, slot_of
from rotator.domain.marks import Marker
from rotator.domain.secret import Fingerprinter, Secret
from rotator.ports import Provider

MARKER = Marker("contract", b"the contract's own key for marks")
FINGERPRINTER = Fingerprinter(b"the contract's own key for values")
PATIENCE = timedelta(minutes=1)
"""Added to every window: a busy machine is no defect of a driver."""


@dataclass
class Trial:
    """One driver and one fresh principal under test; remembers every secret, so that none turns up in a failure."""

    provider: Provider
    principal: Principal
    secrets: set[str] = field(default_factory=set, repr=False)
    _serial: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def offers(self) -> Capabilities:
        return self.provider.capabilities(self.principal)

    # -- doing ---------------------------------------------------------------------------------------------------------

    def request(self, slot: Key | None = None) -> MintRequest:
        """A mint as the engine asks for it, each with a mark and a value of its own."""
        number = next(self._serial)
        chosen = None
        if self.offers.strategy.minter is Minter.CHOSEN:
            chosen = self.remember(self._chosen(number))
        if self.offers.strategy.slots:
            slot = slot or self.free_slot()
        return MintRequest(
            mark=MARKER.write("contract", f"r{time.monotonic_ns() % 10**12}", number),
            fingerprint=FINGERPRINTER.of(chosen, self.offers.secret_part) if chosen is not None else None,
            chosen=chosen,
            slot=slot_of(slot.id) if slot is not None else None,
            expects=slot.id if slot is not None else None,
        )

    def _chosen(self, number: int) -> Secret:
        forms = self.offers.forms or {self.offers.secret_part: "{value}"}
        value = f"Chosen{number}x{time.monotonic_ns()}y" * 2
        return Secret({part: form.replace("{value}", value) for part, form in forms.items()})

    def mint(self, request: MintRequest | None = None) -> Minted:
        """Mint, and wait until the list shows it."""
        minted = self.provider.mint(self.principal, request or self.request())
        self.remember(minted.value)
        self.until(lambda: minted.key_id in self.live(), self.offers.list_lag, "a new key is listed")
        return minted

    def delete(self, key_id: str) -> None:
        """Delete, and wait until the list shows it."""
        self.provider.set_state(self.principal, key_id, KeyState.DELETED)
        self.until(lambda: key_id not in self.live(), self.offers.list_lag, "a deleted key is gone from the list")

    def remember(self, value: Secret) -> Secret:
        parts = value.parts()
        self.secrets.add(parts[self.offers.secret_part])
        return value

    # -- looking -------------------------------------------------------------------------------------------------------

    def listed(self) -> dict[str, Key]:
        keys = self.provider.keys(self.principal)
        assert len({key.id for key in keys}) == len(keys), "an id is listed twice"
        return {key.id: key for key in keys}

    def live(self) -> dict[str, Key]:
        return {key_id: key for key_id, key in self.listed().items() if key.live}

    def slot(self, name: str) -> Key:
        """What the list shows of a slot."""
        (held,) = [key for key in self.listed().values() if slot_of(key.id) == name]
        return held

    def free_slot(self) -> Key:
        """An empty slot; where keys die at mint, the one slot that there is."""
        slots = [self.slot(name) for name in self.offers.slots]
        return next((key for key in slots if not key.live), slots[0])

    def verdict(self, value: Secret) -> Verdict:
        return self.provider.verify(self.principal, value)

    def works(self, value: Secret) -> None:
        self.until(lambda: self.verdict(value) is Verdict.WORKS, self.offers.propagation, "a key works")
        assert self.verdict(value) is Verdict.WORKS

    def dies(self, value: Secret) -> None:
        """Refused as invalid within the death window, and a window later still."""
        self.until(lambda: self.verdict(value) is Verdict.INVALID, self.offers.death_window, "a key is refused")
        time.sleep(self.offers.death_window.total_seconds())
        assert self.verdict(value) is Verdict.INVALID
        assert self.verdict(value) is Verdict.INVALID

    def until(self, happens: Callable[[], bool], window: timedelta, what: str) -> None:
        deadline = time.monotonic() + (window + PATIENCE).total_seconds()
        pause = 0.01
        while not happens():
            assert time.monotonic() < deadline, f"not within its window: {what}"
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    # -- failing -------------------------------------------------------------------------------------------------------

    @contextmanager
    def fails(self, *kinds: type[Failure]) -> Iterator[None]:
        """One of these failures happens, has a text in the common tone, and shows no secret in any form."""
        with pytest.raises(kinds) as caught:
            yield
        self.shows_no_secret(caught.value)
        message = caught.value.message
        assert message
        assert not message.endswith(".")
        assert message.isprintable()
        assert len(message) < 500

    def shows_no_secret(self, error: BaseException) -> None:
        seen: BaseException | None = error
        texts = ["".join(traceback.format_exception(error))]
        while seen is not None:
            texts += [repr(seen), str(seen), repr(seen.args), repr(vars(seen)), repr(getattr(seen, "doc", ""))]
            seen = seen.__cause__ or seen.__context__
        assert not [True for secret in self.secrets for text in texts if secret in text], "a failure shows a secret"


def invented(like: Secret, part: str) -> Secret:
    """A value of the same form that nobody issued."""
    text = like.reveal(part)
    return Secret({**like.parts(), part: text[: len(text) // 2] + "Invented" + text[len(text) // 2 + 8 :]})
