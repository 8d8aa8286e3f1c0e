"""Identities of the config: what they read must be there, and who runs as one must name it rightly."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from rotator.config.document import Document, Step
from rotator.config.errors import ConfigError, nearest
from rotator.config.faults import Faults
from rotator.config.secrecy import shown
from rotator.domain.grants import Identity
from rotator.policy.grants import TAG, WILD

if TYPE_CHECKING:
    from rotator.config.models import ConfigFile


def make_identities(document: Document, file: ConfigFile, faults: Faults) -> dict[str, Identity]:
    """All of them, by name. A fault of one keeps no credential from being rotated; lenient, it is left out."""
    made: dict[str, Identity] = {}
    for name, entry in file.identities.items():
        try:
            for index, what in enumerate(entry.reads):
                _check(document, file, what, ("identities", name, "reads", index))
            made[name] = Identity(name=name, reads=tuple(entry.reads))
        except ConfigError as fault:
            faults.add("identities", name, fault)
    for consumer, reader in file.consumers.items():
        for index, name in enumerate(reader.identities):
            if name not in file.identities:
                path = ("consumers", consumer, "identities", index)
                hint = "declare it beneath identities:"
                faults.add("identities", name, _missing(document, path, "identity", name, file.identities, hint))
    return made


def _check(document: Document, file: ConfigFile, what: str, path: tuple[Step, ...]) -> None:
    """Raises `ConfigError`. A pattern may be of nothing yet; a place that is written out must be somebody's."""
    if what.startswith(TAG):
        tags = {tag for each in file.credentials.values() for tag in each.tags}
        _must_be(document, path, "tag", what.removeprefix(TAG), tags)
    elif ":" not in what:
        _must_be(document, path, "credential", what, file.credentials)
    else:
        store, _, ref = what.partition(":")
        _must_be(document, path, "store", store, file.stores)
        if WILD not in ref:
            places = {place.ref for each in file.credentials.values() for place in each.publish if place.store == store}
            _must_be(document, path, f"credential published to {store}:", ref, places)


def _must_be(document: Document, path: tuple[Step, ...], what: str, word: str, known: Collection[str]) -> None:
    if word not in known:
        raise _missing(document, path, what, word, known, "write a credential, STORE:REF, STORE:PREFIX* or tag:TAG")


def _missing(
    document: Document, path: tuple[Step, ...], what: str, word: str, known: Collection[str], hint: str
) -> ConfigError:
    near = nearest(word, known)
    hint = f"did you mean {near}?" if near else hint
    return ConfigError(f"{document.where(path)}: there is no {what} {shown(word)}", hint)
