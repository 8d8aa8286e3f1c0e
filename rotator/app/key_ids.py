"""Which credential `--key-id P/ID` means: the id of a provider's key, a slot, or the hint that its console shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rotator.app.assembly import Assembly
from rotator.app.knowing import Known, Match, Standing, in_slot
from rotator.app.leaking import Foreign
from rotator.app.patient import PatientProvider
from rotator.config.errors import ConfigError, nearest
from rotator.config.recognise import value_form
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.keys import Key

_MASK = re.compile(r"…|\.{3,}|\*{3,}|•{3,}")
VISIBLE = 3
"""Characters of a hint that must be visible, or it says nothing."""
CHOICE = 8
"""So many candidates are named."""


class Misspelt(ConfigError):
    """What was typed can be the id of no key; nothing was asked."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A key that a provider lists, and for whom."""

    spec: Credential
    key: Key


def resolve(assembly: Assembly, known: Known, text: str) -> tuple[Match, ...] | Foreign:
    """Whose key it is. Raises `ConfigError` for what is ambiguous, not there, or cannot be asked, and `Misspelt`.

    A value in place of an id is known by its form or its fingerprint, and is not repeated.
    """
    provider, slash, wanted = text.partition("/")
    form = value_form(text)
    if form is not None:
        raise _a_value(f"it looks like a key of {form.vendor}")
    holders = {each.credential for part in (text, wanted) for each in known.of(part) if each.secret}
    if holders:
        raise _a_value(f"it is one of {', '.join(sorted(holders))}")
    if not slash or not provider or not wanted:
        raise Misspelt("--key-id is not understood", "write --key-id PROVIDER/ID, the provider as in the config")
    config = assembly.config
    if provider not in config.providers:
        near = nearest(provider, config.providers)
        hint = f"did you mean {near}?" if near else f"known: {', '.join(sorted(config.providers)[:CHOICE])}"
        raise Misspelt(f"--key-id: there is no provider {provider!r}", hint)
    ours = tuple(each for each in known.of_key_id(wanted) if each.provider == provider)
    if ours:
        return ours
    slots = _of_slot(known, provider, wanted)
    if slots:
        return slots
    return _listed(assembly, known, provider, wanted)


def _a_value(whose: str) -> Misspelt:
    hint = "`rotate --leaked` takes values, at a prompt; what was typed is in the shell's history now"
    return Misspelt(f"--key-id holds a value, not an id: {whose}", hint)


def _of_slot(known: Known, provider: str, slot: str) -> tuple[Match, ...]:
    """What the slot holds now: of several keys that it ever held, the one that lives."""
    every = [each for found in known.key_ids.values() for each in found if each.provider == provider]
    held = [each for each in every if in_slot(each, slot)]
    return tuple(each for each in held if each.alive) or tuple(held)


def _listed(assembly: Assembly, known: Known, provider: str, wanted: str) -> tuple[Match, ...] | Foreign:
    listed, console, failures = _list(assembly, provider)
    found = [each for each in listed if wanted in (each.key.id, each.key.slot)]
    if not found:
        found = _by_hint(listed, known, provider, wanted)
    ids = sorted({each.key.id for each in found})
    if len(ids) > 1:
        raise ConfigError(
            f"{wanted} at {provider} may be any of {len(ids)} keys", f"write one of them: {', '.join(ids[:CHOICE])}"
        )
    if ids:
        return _owners(assembly, known, provider, found, console)
    if failures:
        raise ConfigError(f"{provider} could not be asked about {wanted}: {failures[0].message}", failures[0].hint)
    hint = "of a key that is gone already only the journal would know; write the id as its console does"
    raise ConfigError(f"{provider} lists no key {wanted}, and no credential had one", hint)


def _list(assembly: Assembly, provider: str) -> tuple[list[_Listed], str, list[Failure | ConfigError]]:
    """All that lives at the provider's principals; the console's address; what could not be listed."""
    listed: list[_Listed] = []
    failures: list[Failure | ConfigError] = []
    console = ""
    for spec in assembly.config.credentials.values():
        if spec.provider == provider:
            try:
                driver = PatientProvider(assembly.provider(provider))
                console = driver.capabilities(spec.principal).console_url or console
                listed += [_Listed(spec, key) for key in driver.keys(spec.principal) if key.live]
            except (ConfigError, Failure) as error:
                failures.append(error)
    return listed, console, failures


def _by_hint(listed: list[_Listed], known: Known, provider: str, wanted: str) -> list[_Listed]:
    mask = _MASK.search(wanted)
    if mask is None:
        return [each for each in listed if each.key.hint == wanted]
    before, after = wanted[: mask.start()], wanted[mask.end() :]
    if len(before) + len(after) < VISIBLE:
        raise ConfigError(f"{wanted} shows too little of a key", f"write at least {VISIBLE} of its characters")
    return [each for each in listed if _fits(before, after, each.key)]


def _fits(before: str, after: str, key: Key) -> bool:
    """Whether the two masked texts may be of one value; also where one of them shows more than the other."""
    mask = _MASK.search(key.hint)
    if mask is not None:
        shown, ends = key.hint[: mask.start()].rpartition(" ")[2], key.hint[mask.end() :]
        begins_so = shown.startswith(before) or before.startswith(shown)
        return begins_so and bool(ends or not after) and (ends.endswith(after) or after.endswith(ends))
    return any(text.startswith(before) and text.endswith(after) for text in (key.id, key.hint) if text)


def _owners(
    assembly: Assembly, known: Known, provider: str, found: list[_Listed], console: str
) -> tuple[Match, ...] | Foreign:
    key = found[0].key
    ours = tuple(each for each in known.of_key_id(key.id) if each.provider == provider)
    if ours:
        return ours
    marker = assembly.installation.marker()
    for each in found:
        spec = each.spec
        if spec.principal.exclusive or marker.read(spec.name, each.key.mark) is not None:
            standing = Standing.OLD
            return (Match(credential=spec.name, provider=provider, key_id=key.id, standing=standing, alive=True),)
    return Foreign(provider=provider, key_id=key.id, console=console)
