"""The end of an incident as the journal keeps it, and whether the admin credentials that a thief may have are dead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rotator.app.admins import is_published_by
from rotator.app.assembly import Assembly
from rotator.app.reporting import proven
from rotator.domain.aftermath import AdminKey, AdminState, Aftermath, ForeignKey
from rotator.domain.codec import CodecError, decode, encode
from rotator.domain.credential import Credential
from rotator.domain.records import Origin
from rotator.domain.rotation import Rotation
from rotator.ports import Journal


def remember(assembly: Assembly, after: Aftermath, looked: Sequence[Credential] = ()) -> Aftermath:
    """Keep it, and return it as it is kept: with what an earlier command of this incident saw and this one did not.

    `looked`: the credentials at whose principals this one looked to the end.
    """
    journal = assembly.journal
    earlier = recall(journal, after.incident)
    if earlier is not None:
        places = {(spec.provider, spec.principal.name) for spec in looked}
        known = assembly.config.credentials.values()
        names = {spec.name for spec in known if (spec.provider, spec.principal.name) in places}
        after = after.after(earlier, places, names)
    journal.remember(_name(after.incident), json.dumps(encode(after)))
    return after


def recall(journal: Journal, incident: str) -> Aftermath | None:
    """As it was remembered; None where it was not, and for one that cannot be read: it is made anew by every run."""
    text = journal.recall(_name(incident))
    try:
        return None if text is None else decode(Aftermath, json.loads(text))
    except (CodecError, ValueError):
        return None


def _name(incident: str) -> str:
    return f"aftermath:{incident}"


def fingerprints(assembly: Assembly, providers: Iterable[str]) -> dict[str, str]:
    """Of the admin credential that each provider's reference has now; none where it cannot be read."""
    found = {}
    prints = assembly.installation.fingerprinter()
    for name in providers:
        text = assembly.admin_at_reference(name)
        if text:
            found[name] = prints.of_text(text)
    return found


def judge(
    assembly: Assembly, specs: Sequence[Credential], rows: Sequence[Rotation], before: Mapping[str, str]
) -> tuple[AdminKey, ...]:
    """What became of the admin credential of each provider of these credentials.

    `rows`: the incident's rotations as they are now. `before`: the fingerprints of the beginning.
    """
    by_name = {row.credential: row for row in rows}
    found = []
    now = fingerprints(assembly, dict.fromkeys(spec.provider for spec in specs))
    for provider in dict.fromkeys(spec.provider for spec in specs):
        reference = assembly.config.providers[provider].admin
        if reference is None:
            continue  # there is none that could mint
        managed = [spec.name for spec in assembly.config.credentials.values() if is_published_by(reference, spec)]
        row = next((by_name[name] for name in managed if name in by_name), None)
        if row is not None:
            found.append(_rotated(provider, row))
        else:
            replaced = provider in before and now.get(provider, before[provider]) != before[provider]
            state = AdminState.REPLACED if replaced else AdminState.NOT_REPLACED
            found.append(AdminKey(provider=provider, state=state, credential=managed[0] if managed else None))
    return tuple(found)


def minted_since(
    assembly: Assembly, specs: Sequence[Credential], seen: Iterable[ForeignKey], since: datetime
) -> frozenset[str]:
    """The providers at which somebody else minted since then.

    A key whose age nobody knows counts as new, unless the plan had it.
    """
    found = {
        each.provider for each in seen if (not each.planned if each.created_at is None else each.created_at > since)
    }
    for spec in specs:
        known = assembly.journal.keys(spec.name)
        found_here = (key for key in known if key.origin is Origin.FOUND and key.rotation is None)
        # Whose value was kept by a journal that got lost is no stranger's, whenever it was found again.
        if any(key.since > since and key.fingerprint is None for key in found_here):
            found.add(spec.provider)
    return frozenset(found)


def _rotated(provider: str, row: Rotation) -> AdminKey:
    if not proven(row):
        return AdminKey(provider=provider, state=AdminState.ALIVE, credential=row.credential)
    dead_at = max((old.dead_at for old in row.old_keys if old.dead_at is not None), default=row.ended_at)
    return AdminKey(provider=provider, state=AdminState.DEAD, credential=row.credential, dead_at=dead_at)
