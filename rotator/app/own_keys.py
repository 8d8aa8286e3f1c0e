"""The keys with which the rotator itself works: a provider's admin key may live beside the keys that it manages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rotator.app.assembly import Assembly
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.config.references import read_reference
from rotator.config.secrecy import secret_settings
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.keys import Key
from rotator.domain.secret import Secret

_CUT = re.compile(r"[.…*]{2,}|…")
SHORTEST_ID, SHORTEST_HINT = 8, 4
"""Characters that are no coincidence: of a key's id in a credential, and of its end in what a provider shows of it."""


class OwnKeys:
    """Tells them from others, asking each provider once. A value goes to the provider whose admin key it is alone."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._identified: dict[str, tuple[str, str | None] | None] = {}

    def sure(self, spec: Credential, key_id: str) -> str:
        """Which key of ours it is, as the provider or the key's id in the credential says; empty: none known."""
        for owner, text in self._texts(spec.provider):
            if len(key_id) >= SHORTEST_ID and key_id in text:
                return owner
        named = self._ask(spec)
        return named[0] if named is not None and named[1] == key_id else ""

    def alike(self, spec: Credential, hint: str) -> str:
        """Whose value ends like what the provider shows of the key; a thief may have had it shown so."""
        ending = _CUT.split(hint)[-1].strip() if _CUT.search(hint) else ""
        if len(ending) < SHORTEST_HINT:
            return ""
        return next((owner for owner, text in self._texts(spec.provider) if text.endswith(ending)), "")

    def unclear(self, spec: Credential, key: Key) -> Iterator[str]:
        """Which keys of ours it may be for all that anybody can tell."""
        for owner, text in self._all(spec.provider):
            if not text:
                yield f"{owner}, which cannot be read here"
            elif owner == _admin(spec.provider) and self._ask(spec) is None and not _CUT.search(key.hint):
                yield owner

    def _ask(self, spec: Credential) -> tuple[str, str | None] | None:
        """Of the admin key its owner, and its id as the provider says; None where it does not tell."""
        if spec.provider not in self._identified:
            self._identified[spec.provider] = self._asked(spec)
        return self._identified[spec.provider]

    def _asked(self, spec: Credential) -> tuple[str, str | None] | None:
        text = self._assembly.admin_at_reference(spec.provider)
        try:
            provider = patient(self._assembly.world_of(spec)).provider
            offers = provider.capabilities(spec.principal)
            if text and len(offers.parts) > 1:
                return _admin(spec.provider), None  # its id is a part of it, which is compared
            if not text or not offers.identifies:
                return None
            return _admin(spec.provider), provider.identify(spec.principal, Secret({offers.secret_part: text}))
        except (ConfigError, Failure):
            return None  # `unclear` says it

    def _texts(self, provider: str) -> Iterator[tuple[str, str]]:
        return ((owner, text) for owner, text in self._all(provider) if text)

    def _all(self, provider: str) -> Iterator[tuple[str, str]]:
        """What the rotator works with at providers of the same driver, and at the stores; empty: it cannot be read."""
        config = self._assembly.config
        for name, each in config.providers.items():
            if each.admin is not None and each.driver == config.providers[provider].driver:
                yield _admin(name), self._assembly.admin_at_reference(name)
        for name, store in config.stores.items():
            for _, reference in secret_settings(store.settings, ()):
                try:
                    text = self._assembly.resolver(read_reference(str(reference), config.stores, name))
                except ConfigError:
                    text = ""
                yield f"the credential of the store {name}", text


def _admin(provider: str) -> str:
    return f"the admin key of {provider}"
