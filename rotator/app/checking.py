"""Everything that can be asked without changing anything: drivers, reachability, permissions, the places' values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rotator.adapters.consumers.kinds import TellsLeastRole
from rotator.adapters.isolation.possible import why_not
from rotator.app.assembly import Assembly
from rotator.app.notice_senders import make_sender
from rotator.app.patient import patient
from rotator.app.pinning import runs_at_start
from rotator.app.reporting import WRITTEN
from rotator.config.errors import ConfigError
from rotator.config.values import ConsumerConfig
from rotator.domain.credential import Credential, Publication
from rotator.domain.failures import Failure
from rotator.domain.keys import Capabilities, Disabling
from rotator.engine.world import World
from rotator.ports import ABSENT, Store, TellsLeastPolicy, TellsWorthKnowing


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `check`. `ok` None: worth knowing, and no fault."""

    subject: str
    ok: bool | None
    text: str
    hint: str = ""


def check(assembly: Assembly) -> Iterator[Finding]:
    """Check the installation's key, the journal, then every credential's provider and stores."""
    yield _tried("installation", lambda: f"installation {assembly.installation.id}")
    journal = _tried("journal", lambda: _journal(assembly))
    yield journal
    for name, error in assembly.config.broken.items():
        yield Finding(subject=name, ok=False, text=error.message, hint=error.hint)
    if journal.ok is False:
        return
    for spec in assembly.config.credentials.values():
        yield from check_credential(assembly, spec)
    yield from _stores(assembly)
    yield from _consumers(assembly)
    yield from _notifications(assembly)
    yield from _drivers(assembly)


def _notifications(assembly: Assembly) -> Iterator[Finding]:
    """Who is told, and what would keep them from being told; nobody is told anything now."""
    for name, config in assembly.config.notifications.items():
        try:
            sender = make_sender(config, lambda: assembly)
            remarks = sender.remarks()
        except (ConfigError, Failure) as error:
            yield Finding(subject=name, ok=False, text=error.message, hint=error.hint)
            continue
        for text in remarks:
            yield Finding(subject=name, ok=None, text=text)
        if not remarks:
            yield Finding(subject=name, ok=True, text=f"told by {sender.where}; `rotator notify test` tries it")


def _drivers(assembly: Assembly) -> Iterator[Finding]:
    """What keeps drivers apart and unchanged; that one would not start was said where it is used."""
    reason = why_not()
    if reason is not None and assembly.config.isolation is None:
        yield Finding(subject="drivers", ok=None, text=f"in processes of their own, but not confined: {reason}")
    try:
        pinned = assembly.isolation.pins.drivers is not None
    except ConfigError as error:
        yield Finding(subject="drivers", ok=False, text=error.message, hint=error.hint)
    else:
        if not pinned:
            yield Finding(
                subject="drivers", ok=None, text="not pinned; `rotator plugins pin` records what they are now"
            )
    for path in runs_at_start():
        yield Finding(subject="drivers", ok=None, text=f"{path} runs code in every Python here, the rotator's own too")


def _stores(assembly: Assembly) -> Iterator[Finding]:
    """What is worth knowing of a store, once for all who publish to it; that it cannot be made was said before."""
    for name in dict.fromkeys(each.store for spec in assembly.config.credentials.values() for each in spec.publish):
        try:
            texts = tuple(_of_store(assembly.store(name), _places_in(assembly, name)))
        except (ConfigError, Failure):  # said already, where its places are looked at
            continue
        for text in texts:
            yield Finding(subject=name, ok=None, text=text)


def _of_store(store: Store, places: Sequence[Publication]) -> Iterator[str]:
    offers = store.capabilities()
    if not offers.readable:
        yield "cannot be read: what others write there, or a late write of ours, is known by its version and left alone"
    elif not offers.exact:
        yield "only detects other writers: an old write may land late, until the reconciler's next pass"
    if isinstance(store, TellsWorthKnowing):
        yield from store.worth_knowing(places)


def _consumers(assembly: Assembly) -> Iterator[Finding]:
    """How each consumer is told, and what would keep it from being told now."""
    for name, config in assembly.config.consumers.items():
        try:
            teller = assembly.teller(config)
            if teller is None:
                continue
            remarks = teller.by.remarks()
        except (ConfigError, Failure) as error:
            yield Finding(subject=name, ok=False, text=error.message, hint=error.hint)
            continue
        for text in remarks:
            yield Finding(subject=name, ok=None, text=text)
        if not remarks:
            yield Finding(subject=name, ok=True, text=f"told by {teller.kind}")


def _journal(assembly: Assembly) -> str:
    older = assembly.journal.older_than_world()
    if older is not None:
        raise ConfigError(older, "`rotator reconcile --rebuild`")
    known = {row.name for row in assembly.journal.credentials()}
    unknown = assembly.config.credentials.keys() - known
    return f"works; {len(known)} adopted, {len(unknown)} not yet"


def _tried(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject=subject, ok=True, text=look())
    except (ConfigError, Failure) as error:
        return Finding(subject=subject, ok=False, text=error.message, hint=error.hint)


def check_credential(assembly: Assembly, spec: Credential) -> Iterator[Finding]:
    """The admin credential's permissions, each place, and whether the published value works."""
    try:
        world = patient(assembly.world_of(spec))
        world.provider.check_admin(spec.principal)
        listed = world.provider.keys(spec.principal)
    except (ConfigError, Failure) as error:
        yield _refused(spec, error)
        return
    live = sum(key.live for key in listed)
    keys = "1 living key" if live == 1 else f"{live} living keys"
    if not world.provider.capabilities(spec.principal).lists:
        yield Finding(subject=spec.name, ok=None, text=f"{spec.provider}: lists no keys, so a stranger's is not found")
    elif assembly.config.providers[spec.provider].admin is not None:
        yield Finding(subject=spec.name, ok=True, text=f"{spec.provider}: admin credential works; {keys}")
    for publication in spec.publish:
        where = f"{publication.store}:{publication.ref}"
        try:
            yield _place(spec, world, publication)
        except (ConfigError, Failure) as error:
            yield Finding(
                subject=spec.name,
                ok=False,
                text=f"{where}: {error.message.removeprefix(f'{where}: ')}",
                hint=error.hint,
            )
    yield from _worth_knowing(spec, world)


def _refused(spec: Credential, error: ConfigError | Failure) -> Finding:
    """Whatever the provider's side says, with its name once."""
    named = spec.provider == spec.name or spec.provider in error.message
    text = error.message.removeprefix(f"{spec.name}: ")
    return Finding(subject=spec.name, ok=False, text=text if named else f"{spec.provider}: {text}", hint=error.hint)


def _place(spec: Credential, world: World, publication: Publication) -> Finding:
    where, store = f"{publication.store}:{publication.ref}", world.stores[publication.store]
    stored = store.read(publication.place)
    store.places(publication.ref)
    if stored.version != ABSENT and not store.capabilities().readable:
        text = f"{where}: cannot be read; it is written last, and reported as {WRITTEN}"
        return Finding(subject=spec.name, ok=None, text=text)
    if not stored.fields or not any(stored.fields.values()):
        return Finding(subject=spec.name, ok=None, text=f"{where}: empty; the first rotation fills it")
    value = publication.extract(stored.fields)
    if value is None:
        names = ", ".join(publication.fields)
        return Finding(
            subject=spec.name, ok=False, text=f"{where}: {names} does not look like its template", hint="mend publish:"
        )
    if not world.provider.verify(spec.principal, value).authentic:
        return Finding(
            subject=spec.name, ok=False, text=f"{where}: the provider refuses the value", hint="publish a working key"
        )
    return Finding(subject=spec.name, ok=True, text=f"{where}: holds a key that works")


def _worth_knowing(spec: Credential, world: World) -> Iterator[Finding]:
    capabilities = world.provider.capabilities(spec.principal)
    if not capabilities.strategy.overlap:
        yield Finding(subject=spec.name, ok=None, text="no overlap: every rotation is a short outage")
    if not capabilities.deletes:
        text = "a person deletes old keys, which is waited for" + _where(capabilities)
        yield Finding(subject=spec.name, ok=None, text=text)
    elif capabilities.disabling is Disabling.NONE:
        yield Finding(subject=spec.name, ok=None, text="keys cannot be disabled, only deleted")


def _where(capabilities: Capabilities) -> str:
    return f" at {capabilities.console_url}" if capabilities.console_url else ""


def least_permissions(assembly: Assembly) -> Iterator[tuple[str, str] | Finding]:
    """The least that each provider's, store's and consumer's credential must be allowed; a finding where none tells."""
    for spec in assembly.config.credentials.values():
        try:
            text = assembly.provider(spec.provider).capabilities(spec.principal).least_permission
        except (ConfigError, Failure) as error:
            yield _refused(spec, error)
        else:
            yield f"{spec.provider} for {spec.name}", text or "not stated by the driver"
    for name in assembly.config.stores:
        yield from _least_policy(assembly, name)
    for config in assembly.config.consumers.values():
        yield from _least_role(assembly, config)


def _least_role(assembly: Assembly, config: ConsumerConfig) -> Iterator[tuple[str, str] | Finding]:
    """What telling a consumer needs, where that is a permission of somebody's."""
    try:
        teller = assembly.teller(config)
    except (ConfigError, Failure) as error:
        yield Finding(subject=config.name, ok=False, text=error.message, hint=error.hint)
    else:
        if teller is not None and isinstance(teller.by, TellsLeastRole):
            yield config.name, teller.by.least_role()


def _least_policy(assembly: Assembly, name: str) -> Iterator[tuple[str, str] | Finding]:
    """What a store says of the places in it, and what besides is read there; nothing of a store that is not used."""
    places, read = _places_in(assembly, name), _read_from(assembly, name)
    if not places and not read:
        return
    try:
        store = assembly.store(name)
        told = (
            store.least_policy(sorted({each.ref for each in places}))
            if isinstance(store, TellsLeastPolicy)
            else "not stated by the driver"
        )
    except (ConfigError, Failure) as error:
        yield Finding(subject=name, ok=False, text=error.message, hint=error.hint)
    else:
        yield name, "\n".join([told.rstrip("\n"), *read])


def _places_in(assembly: Assembly, store: str) -> tuple[Publication, ...]:
    specs = assembly.config.credentials.values()
    return tuple(place for spec in specs for place in spec.publish if place.store == store)


def _read_from(assembly: Assembly, store: str) -> list[str]:
    """References into the store, which are read alone, as comments."""
    config = assembly.config
    references = {f"the admin credential of {each.name}": each.admin for each in config.providers.values()}
    references["the installation's key"] = config.installation
    return [
        f"# and read {each.target.partition('#')[0]}: {what}"
        for what, each in references.items()
        if each is not None and each.scheme == store
    ]
