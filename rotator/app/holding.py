"""Rule 6 for keys that are no credential's: which keys a provider's stores hold now, and where nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from rotator.adapters.together import Threads
from rotator.app.assembly import Assembly
from rotator.app.knowing import AT_ONCE, values_of
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential, Publication
from rotator.domain.failures import Failure
from rotator.domain.secret import Secret
from rotator.ports import Store


@dataclass(slots=True)
class Held:
    """Where a key is, by its id; and the places of which nobody can say which key is there, with the reason."""

    keys: dict[str, str] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)

    def __iadd__(self, other: Held) -> Held:
        self.keys |= other.keys
        self.unclear += other.unclear
        return self


def held_at(assembly: Assembly, provider: str) -> Held:
    """What all places hold that are published with a key of this provider, or of another entry with the same driver.

    What a broken entry publishes, and where, nobody can say.
    """
    driver = assembly.config.providers[provider].driver
    alike = {name for name, each in assembly.config.providers.items() if each.driver == driver}
    specs = [spec for spec in assembly.config.credentials.values() if spec.provider in alike]
    held, threads = Held(), Threads(AT_ONCE)
    held.unclear += [f"{name}: {why.message}" for name, why in assembly.config.broken.items()]
    for at in range(0, len(specs), AT_ONCE):
        chunk = specs[at : at + AT_ONCE]
        for spec, answer in zip(chunk, threads.run([partial(_of, assembly, each) for each in chunk]), strict=True):
            if isinstance(answer, Failure):
                held.unclear.append(f"{spec.name}: {answer.message}")
            else:
                held += answer
    return held


def _of(assembly: Assembly, spec: Credential) -> Held:
    held = Held()
    for publication in spec.publish:
        where = f"{publication.store}:{publication.ref}"
        try:
            store = assembly.store(publication.store)
            if store.capabilities().readable:
                _look(assembly, spec, store, publication, held)
            else:
                _written(assembly, spec, publication, held)
        except (ConfigError, Failure) as error:
            held.unclear.append(f"{where}: {error.message.removeprefix(f'{where}: ')}")
    return held


def _look(assembly: Assembly, spec: Credential, store: Store, publication: Publication, held: Held) -> None:
    where = f"{publication.store}:{publication.ref}"
    for value, key_id, _ in values_of(store, publication):
        found = {key_id} if key_id else set(_known(assembly, spec, value))
        if not found:
            named = patient(assembly.world_of(spec)).provider.identify(spec.principal, value)
            found = {named} if named is not None else set()
        held.keys.update(dict.fromkeys(found, where))
        if not found:
            held.unclear.append(f"{where} holds a value that nobody can tell")


def _written(assembly: Assembly, spec: Credential, publication: Publication, held: Held) -> None:
    """What cannot be read holds what was written last, if that is known."""
    where = f"{publication.store}:{publication.ref}"
    last = assembly.journal.credential(spec.name).last_write(publication.store, publication.ref)
    if last is None or last.key_id is None or last.version is None:
        held.unclear.append(f"{where} cannot be read, and what was written there last is not known")
    else:
        held.keys[last.key_id] = where


def _known(assembly: Assembly, spec: Credential, value: Secret) -> Iterator[str]:
    """The keys of the journal that have this value."""
    prints = assembly.installation.fingerprinter()
    of_value = {prints.of(value, name) for name in value.names}
    for key in assembly.journal.keys(spec.name):
        if key.fingerprint is not None and key.fingerprint in of_value:
            yield key.key_id
