"""The approved config: remembered beside the journal, compared with the file, and put in force by somebody's word."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rotator.adapters.calendar import CronCalendar
from rotator.adapters.repository.signed import committed
from rotator.app.assembly import Assembly
from rotator.config import anchor
from rotator.config.approved import Approved, sealed, unsealed
from rotator.config.changes import Change, compare, digest
from rotator.config.errors import ConfigError
from rotator.config.opening import opening_of
from rotator.config.permissions import checked
from rotator.config.reading import Tree, Whole, read_whole
from rotator.config.secrecy import dotted
from rotator.domain.failures import Permanent, Transient
from rotator.domain.records import Event, EventKind
from rotator.domain.trail import credential_chain
from rotator.ports import Journal

REMEMBERED = "approved config"
OWN = "the config"
"""Whose trail it is: no credential can have a name with a space."""
MOST_NAMED = 20
"""Keys that an event names; of more it says how many."""


class ChangedMeanwhile(Transient):
    """Somebody else approved or followed a config since it was looked what is approved; nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a person is shown. `before`: what is approved; None: nothing yet, or nothing that can be believed: `doubt`.

    `kept`: what was read, so that nothing else is replaced. `digest`: of exactly these changes. `opening`: they are of
    what opens the journal, which was not opened, and this is what would count; None: it was.
    """

    whole: Whole
    before: Approved | None
    doubt: ConfigError | None
    kept: str | None
    changes: tuple[Change, ...]
    digest: str
    opening: Tree | None = None


def load_whole(path: Path) -> Whole:
    """The config as it is now, with its permissions checked as at the start. Raises `ConfigError`."""
    return read_whole(checked(path), calendar=CronCalendar())


def recalled(assembly: Assembly) -> Approved | None:
    """The approved config; None before the first start. Raises `ConfigError` where what is there cannot be believed."""
    newest, text = newest_number(assembly.journal), assembly.journal.recall(REMEMBERED)  # as `keep` writes, reversed
    hint = "compare the database with a copy; `rotator config approve` shows the file as it is, and puts it in force"
    if text is None:
        if newest:
            raise ConfigError("the approved config is gone from the journal", hint)
        return None
    approved = unsealed(text, assembly.installation.approvals_key())
    if approved.number < newest:
        raise ConfigError("the approved config in the journal is older than its trail", hint)
    return approved


def newest_number(journal: Journal) -> int:
    """That of the last approved config which the trail tells of; 0: none."""
    newest = after = 0
    while events := journal.events(credential_chain(OWN), after=after):
        after = events[-1].seq
        numbers = (each.event.detail.get("number", "") for each in events)
        newest = max(newest, *(int(each) if each.isdecimal() else 0 for each in numbers))
    return newest


def stated() -> bool:
    """Whether the environment names the journal: what it says is no part of the config, and is believed."""
    return bool(os.environ.get("ROTATOR_STATE"))


def pending(assembly: Assembly, whole: Whole, *, option: bool = False) -> Pending:
    """What differs from what is approved; with nothing approved, all of it. `option`: one named the journal.

    Where what opens the journal differs, that alone: whoever wrote it may be the one who would get its secrets.
    """
    path, opening = whole.config.path, opening_of(whole.tree, assembly.config.state)
    if unopened := anchor.not_as_opened(path, opening, stated=option or stated()):
        told = digest(anchor.opened(path) or {}, opening)
        return Pending(whole=whole, before=None, doubt=None, kept=None, changes=unopened, digest=told, opening=opening)
    kept, doubt, before = assembly.journal.recall(REMEMBERED), None, None
    try:
        before = recalled(assembly)
    except ConfigError as error:
        doubt = error
    old: Tree = before.tree if before is not None else {}
    changes = compare(old, whole.tree)
    return Pending(whole=whole, before=before, doubt=doubt, kept=kept, changes=changes, digest=digest(old, whole.tree))


def approve(assembly: Assembly, shown: Pending, how: str) -> Approved:
    """Put exactly what was shown in force. `how`: by whom, for the trail. Raises `ConfigError` where it is not so now.

    A daemon that runs takes it up at its next look. Twice: the second time there is nothing to approve.
    """
    before = shown.before.commit if shown.before is not None else ""
    commit = commit_of(shown.whole) or before
    try:
        return keep(assembly, shown.whole.tree, how, shown.changes, expected=shown.kept, commit=commit)
    except ChangedMeanwhile as changed:
        raise ConfigError(changed.message, changed.hint) from None


def approve_opening(shown: Pending) -> None:
    """Let the journal be opened so from now on. Raises `ConfigError` where that cannot be kept. Twice: the same."""
    assert shown.opening is not None
    if not anchor.note_opening(shown.whole.config.path, shown.opening):
        raise ConfigError("what was approved cannot be kept on this machine", "set XDG_STATE_HOME to your folder")


def keep(
    assembly: Assembly, tree: Tree, how: str, changes: Sequence[Change], *, expected: str | None, commit: str = ""
) -> Approved:
    """Remember a config as approved, then tell the trail: what the trail knows of is never newer than what is kept.

    `expected`: what was remembered when it was looked, else `ChangedMeanwhile`.
    """
    now = assembly.clock.now()
    number = _number(assembly) + 1
    approved = Approved(number=number, at=now, how=how, tree=tree, commit=commit)
    _replace(assembly, approved, expected)
    detail = _told(assembly, changes, number, how)
    event = Event(kind=EventKind.OPERATOR, action="config approved", subject=assembly.config.path.name, detail=detail)
    assembly.journal.note(OWN, (event,), now)
    return approved


def follow(
    assembly: Assembly, before: Approved, tree: Tree, changes: Sequence[Change], *, expected: str | None
) -> Approved:
    """Remember a config of which only plain parts differ from the approved one, so that they stay when others wait.

    `expected`: as `keep`.
    """
    now = assembly.clock.now()
    number = before.number + 1
    approved = Approved(number=number, at=now, how=before.how, tree=tree, commit=before.commit)
    _replace(assembly, approved, expected)
    detail = _told(assembly, changes, number, "plain")
    event = Event(kind=EventKind.OBSERVATION, action="config applied", subject=assembly.config.path.name, detail=detail)
    assembly.journal.note(OWN, (event,), now)
    return approved


def _replace(assembly: Assembly, approved: Approved, expected: str | None) -> None:
    """Whoever was sooner keeps his: an approval is never overwritten by who had not seen it."""
    text = sealed(approved, assembly.installation.approvals_key())
    if not assembly.journal.replace(REMEMBERED, text, expected=expected):
        raise ChangedMeanwhile("the approved config changed meanwhile", "look again: `rotator config diff`")


def commit_of(whole: Whole) -> str:
    """The commit that holds the config as it is; empty: none."""
    with suppress(Permanent):  # it is not committed as it is, or nobody can tell
        return str(committed(files_of(whole)))
    return ""


def files_of(whole: Whole) -> Mapping[Path, bytes]:
    """All that a config was read from, the main file first."""
    return dict(whole.document.read)


def names_of(changes: Sequence[Change]) -> str:
    """Which keys, as they may be shown."""
    named = ", ".join(dotted(change.path) for change in changes[:MOST_NAMED])
    return f"{named} and {len(changes) - MOST_NAMED} more" if len(changes) > MOST_NAMED else named


def _number(assembly: Assembly) -> int:
    """The greatest that was ever given, as far as anybody can tell."""
    newest = newest_number(assembly.journal)
    text = assembly.journal.recall(REMEMBERED)
    with suppress(ConfigError):  # whoever reads what is approved says that it is not believed
        if text is not None:
            return max(newest, unsealed(text, assembly.installation.approvals_key()).number)
    return newest


def _told(assembly: Assembly, changes: Sequence[Change], number: int, how: str) -> dict[str, str]:
    return {"number": str(number), "how": how, "changes": str(len(changes)), "keys": names_of(changes)}
