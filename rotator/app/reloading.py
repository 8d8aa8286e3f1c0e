"""Which config a daemon works with while its files change: plain changes at once, sensitive ones once approved.

What the config says is never in force by being there: it is compared with what was approved, also at the start, because
it may have changed while nobody ran. A file that is no config changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rotator.adapters.calendar import CronCalendar
from rotator.adapters.repository.signed import Committed, checked_out, signed_since
from rotator.app import approving, standing
from rotator.app.approving import REMEMBERED, ChangedMeanwhile, commit_of, files_of, load_whole, names_of, recalled
from rotator.app.assembly import Assembly
from rotator.config import anchor
from rotator.config.approved import Approved, sealed, unsealed
from rotator.config.changes import Change, canonical, compare
from rotator.config.errors import ConfigError
from rotator.config.in_force import InForce, in_force
from rotator.config.including import digest
from rotator.config.opening import opening_of
from rotator.config.permissions import checked
from rotator.config.reading import Config, Tree, Whole
from rotator.config.watching import Files, Stamp
from rotator.domain.failures import Permanent

ATTEMPTS = 3
"""So often it is looked what is approved, when others approve at the same moment; the next look goes on."""
SHOW = "`rotator config diff` shows it, `rotator config approve` puts it in force"


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing that was not so at the last look."""


@dataclass(frozen=True, slots=True)
class Applied:
    """This config is to be in force from now on. `waiting`: what of the file is not in it."""

    config: Config
    waiting: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The config in force stays; of the file these changes wait."""

    waiting: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Bad:
    """The file is no config, or may not be believed; the config in force stays."""

    message: str
    hint: str


Outcome = Unchanged | Applied | Waiting | Bad


@dataclass(frozen=True, slots=True)
class _Known:
    """What was seen at the last look; nothing of the size of a config but the sealed text.

    `read` and `in_force` are digests. `kept`: what the journal at `journal` remembered, whoever wrote it; `text`: the
    approved config as it could be believed. `unfinished`: something stays until a rotation is over.
    """

    files: Files
    stamp: Stamp | None
    read: str
    in_force: str
    text: str
    kept: str | None
    journal: str
    unfinished: bool
    signers: bool
    commit: tuple[str, str] | None  # which was looked at with what was read, and does not approve it


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a `Reloading` knows between two looks."""

    known: _Known | None
    told: Mapping[str, str]
    waiting: tuple[Change, ...]


class Reloading:
    """The config of one daemon. For one thread at a time.

    `state`: the journal that was named when it was started, instead of the config's. `waiting`: what of the file is not
    in force.
    """

    def __init__(self, path: Path, *, state: str | None = None) -> None:
        self._path = path
        self._state = state
        self._known: _Known | None = None
        self._told: dict[str, str] = {}
        self._noted: tuple[Path, str, str] | None = None
        self.waiting: tuple[Change, ...] = ()

    # -- what the daemon calls -------------------------------------------------------------------------------------

    def begin(self, put_together: Callable[[Config], Assembly]) -> Config:
        """The config to begin with. At the first start ever the file as it is, which is said.

        Raises `ConfigError` for a file that is none, and where what was approved cannot be believed; `Failure` while
        the journal is away. Twice: begun anew.
        """
        self._known = None
        whole = load_whole(self._path)
        config = self._stated(whole.config)
        opening = opening_of(whole.tree, config.state)
        anchor.check_opening(self._path, opening, stated=bool(self._state) or approving.stated())
        assembly = put_together(config)
        try:
            outcome = _again(lambda: self._begun(assembly, whole))
            self._where(assembly)
        finally:
            assembly.close()
        assert isinstance(outcome, Applied)
        return outcome.config

    def _begun(self, assembly: Assembly, whole: Whole) -> Outcome:
        kept = assembly.journal.recall(REMEMBERED)
        known = recalled(assembly)
        self._where(assembly, check=True, approved=known is not None)
        approved = known or self._first(assembly, whole)
        if known is None:
            kept = sealed(approved, assembly.installation.approvals_key())
        return self._settle(assembly, whole, approved, kept, ours=True)

    def look(self, assembly: Assembly) -> Outcome:
        """What became of the files and approvals since the last look; cheap where nothing did.

        `assembly`: that of the config in force; its observer hears once of what waits and of what is wrong. Raises
        `Failure` while the journal is away, and then nothing happened. Twice: `Unchanged`. Only after `begin`.
        """
        known = self._known
        assert known is not None
        try:
            checked(self._path)
            self._where(assembly)
            whole = self._changed(known)
            return _again(lambda: self._looked(assembly, known, whole))
        except ConfigError as error:
            return self._bad(assembly, error)

    def _looked(self, assembly: Assembly, known: _Known, whole: Whole | None) -> Outcome:
        """`whole`: the file, if it says anything else than at the last look."""
        kept = assembly.journal.recall(REMEMBERED)
        ours = whole is not None or known.unfinished
        theirs = (kept, assembly.config.state) != (known.kept, known.journal) or self._another_commit(known)
        if not ours and not theirs:
            if self._told.pop("bad config", None) is not None:
                _keep(assembly, "bad config", ())
            return Unchanged()
        approved, believed = self._believed(assembly, known)
        return self._settle(assembly, whole or load_whole(self._path), approved, kept, ours=ours, believed=believed)

    def quiet(self, assembly: Assembly) -> bool:
        """Whether nothing can have changed since the last look; reads no file. Raises what the journal does."""
        known = self._known
        if known is None or known.unfinished or known.stamp is None or known.stamp != known.files.stamp():
            return False
        kept = assembly.journal.recall(REMEMBERED)
        same = (kept, assembly.config.state) == (known.kept, known.journal)
        return same and "bad config" not in self._told and not self._another_commit(known)

    def remembered(self) -> Remembered:
        """What it knows, for another one that goes on with it."""
        return Remembered(self._known, dict(self._told), self.waiting)

    def go_on(self, remembered: Remembered) -> None:
        """Know what another one knew."""
        self._known, self._told, self.waiting = remembered.known, dict(remembered.told), remembered.waiting

    # -- reading ---------------------------------------------------------------------------------------------------

    def _changed(self, known: _Known) -> Whole | None:
        """The file, if it says anything else than at the last look. Raises `ConfigError`."""
        if known.stamp is not None and known.stamp == known.files.stamp():
            return None
        whole = load_whole(self._path)
        if digest(whole.document) != known.read:
            return whole
        self._known = replace(known, stamp=known.files.stamp_of(whole.document))
        return None

    def _bad(self, assembly: Assembly, error: ConfigError) -> Outcome:
        if self._known is not None:
            self._known = replace(self._known, stamp=None)  # what is mended may be a file that was never read
        if not self._is_new("bad config", error.message):
            return Unchanged()
        said = f"{error.message} — {error.hint}"
        _keep(assembly, "bad config", [(str(self._path), said)])
        message = f"{error.message} — {error.hint}; the config in force stays"
        assembly.told.alert("bad config", str(self._path), message)
        return Bad(error.message, error.hint)

    def _stated(self, config: Config) -> Config:
        return replace(config, state=self._state) if self._state else config

    def _where(self, assembly: Assembly, *, check: bool = False, approved: bool = False) -> None:
        """Remember in which journal and installation the config is in force; or compare that with what is remembered.

        What the environment or an option says is no part of the config, and is believed.
        """
        where = (self._path, assembly.config.state, assembly.installation.public().hex())
        if check:
            approved = approved or bool(self._state) or approving.stated()
            anchor.check(*where, approved=approved)
        elif where != self._noted:
            anchor.note(*where)
            self._noted = where

    def _note_opening(self, before: Tree, now: Tree) -> None:
        """At the first start, and where an approval in the journal changed it: so it may be opened from now on.

        Where it stays the same nothing is noted, for a person may have approved another one for the next start.
        """
        if before != now or anchor.opened(self._path) is None:
            anchor.note_opening(self._path, now)

    # -- what is approved ------------------------------------------------------------------------------------------

    def _first(self, assembly: Assembly, whole: Whole) -> Approved:
        """It is said before it is done: whoever is ended behind it begins anew, and sees an approval like any other."""
        message = f"this journal knows of no approved config, so {self._path} is approved as it is"
        assembly.told.alert("config approved", str(self._path), message)
        how, changes = "what was there at the first start", compare({}, whole.tree)
        return approving.keep(assembly, whole.tree, how, changes, expected=None, commit=commit_of(whole))

    def _believed(self, assembly: Assembly, known: _Known) -> tuple[Approved, bool]:
        """What is approved, and True; where the journal cannot be believed, what it said when it could, and False."""
        before = unsealed(known.text, assembly.installation.approvals_key())
        try:
            found = recalled(assembly)
            if found is None and known.journal != assembly.config.state:
                how = "in the journal before"
                return approving.keep(assembly, before.tree, how, (), expected=None, commit=before.commit), True
            if found is None or found.number < before.number:
                raise ConfigError("the approved config in the journal is an older one", "compare it with a copy")
        except ConfigError as error:
            if self._is_new("approved config not believed", error.message):
                message = f"{error.message} — {error.hint}; the config in force stays"
                assembly.told.alert("approved config not believed", str(self._path), message)
            return before, False
        self._told.pop("approved config not believed", None)
        return found, True

    def _another_commit(self, known: _Known) -> bool:
        """Whether a commit that was not looked at yet may approve what waits."""
        return bool(self.waiting) and known.signers and known.commit != (_head(self._path), known.read)

    def _signed(self, whole: Whole, approved: Approved) -> Committed | str:
        """The signed commit that approves the file as it is; else why none does."""
        since = Committed.read(approved.commit)
        if since is None:
            return "what was approved last was in none"
        try:
            return signed_since(files_of(whole), _signers(approved), since)
        except Permanent as failure:
            return f"{failure.message} — {failure.hint}" if failure.hint else failure.message

    # -- what is in force ------------------------------------------------------------------------------------------

    def _settle(
        self, assembly: Assembly, whole: Whole, given: Approved, kept: str | None, *, ours: bool, believed: bool = True
    ) -> Outcome:
        """Compare, and remember what came of it. `ours`: what changed is this machine's file, or what it waited for.

        `kept`: what the journal remembered when it was asked what is approved. Raises `ChangedMeanwhile` where that is
        not what this would replace.
        """
        before, approved, known = given.tree, given, self._known
        busy = _busy(assembly, given.tree, whole.tree)
        looked = (_head(self._path), digest(whole.document)) if _signers(given) else None
        found = _compared(given.tree, whole, busy)
        commit = self._signed(whole, given) if found.to_approve and believed and looked is not None else ""
        if isinstance(commit, Committed):
            found = _compared(whole.tree, whole, busy)
        if known is None:  # as in `_first`; at a look what was in force before it is known also after such an end
            self._say_what_is_gone(assembly, before, found.tree)
        if isinstance(commit, Committed):
            changes = compare(given.tree, whole.tree)
            how = f"signed commit {commit.id}"
            approved = approving.keep(assembly, whole.tree, how, changes, expected=kept, commit=str(commit))
        elif ours and believed and found.tree != given.tree:
            changes = compare(given.tree, found.tree)
            approved = approving.follow(assembly, given, found.tree, changes, expected=kept)
        self._told.pop("bad config", None)
        text = sealed(approved, assembly.installation.approvals_key())
        files = Files.of(self._path, whole.document)
        self.waiting = found.waiting
        self._known = _Known(
            files=files,
            stamp=files.stamp_of(whole.document),
            read=digest(whole.document),
            in_force=_digest(found.tree),
            text=text,
            kept=kept if approved is given else text,
            journal=assembly.config.state,
            unfinished=bool(busy),
            signers=bool(_signers(approved)),
            commit=looked,
        )
        self._say_what_waits(assembly, found, uncommitted=commit if isinstance(commit, str) else "")
        if known is None or known.in_force != _digest(found.tree):
            if known is not None:
                before = unsealed(known.text, assembly.installation.approvals_key()).tree
                self._say_what_is_gone(assembly, before, found.tree)
            config = self._stated(found.config)
            self._note_opening(opening_of(before, assembly.config.state), opening_of(found.tree, config.state))
            return Applied(config, found.waiting)
        return Waiting(found.waiting) if found.waiting else Unchanged()

    # -- what is said ----------------------------------------------------------------------------------------------

    def _say_what_waits(self, assembly: Assembly, found: InForce, *, uncommitted: str) -> None:
        """`uncommitted`: why no commit approves it, where one could."""
        self._keep_what_waits(assembly, found)
        if not found.to_approve:
            self._told.pop("config waits", None)
        elif self._is_new("config waits", repr(found.waiting) + uncommitted):
            named = names_of([change for change in found.waiting if change.sensitive])
            why = f"; nothing else is in force either, for without this it would be no config: {found.because}"
            message = f"{named}{why if found.because else ''}; {SHOW}"
            message += f"; no commit approves it: {uncommitted}" if uncommitted else ""
            assembly.told.alert("config waits", str(self._path), message)

    def _keep_what_waits(self, assembly: Assembly, found: InForce) -> None:
        """For whoever looks later."""
        named = names_of([change for change in found.waiting if change.sensitive])
        waits = [(str(self._path), named)] if found.to_approve else []
        _keep(assembly, "config waits", waits)
        _keep(assembly, "bad config", ())

    def _say_what_is_gone(self, assembly: Assembly, before: Tree, now: Tree) -> None:
        for name in sorted(_credentials(before) - _credentials(now)):
            message = "the config lacks it, so its keys are rotated no more; they live on"
            assembly.told.alert("no longer rotated", name, message)

    def _is_new(self, action: str, about: str) -> bool:
        """Whether this was not the last thing said so."""
        about = hashlib.sha256(about.encode()).hexdigest()
        known, self._told[action] = self._told.get(action), about
        return known != about


def _again(attempt: Callable[[], Outcome]) -> Outcome:
    """What it comes to; looked at anew where somebody else was sooner. Raises `ChangedMeanwhile` where many were."""
    for _ in range(ATTEMPTS - 1):
        with suppress(ChangedMeanwhile):
            return attempt()
    return attempt()


def _keep(assembly: Assembly, kind: str, found: Sequence[tuple[str, str]]) -> None:
    """What is true of one kind now; without a journal that can be opened nobody looks later."""
    with suppress(ConfigError):
        standing.keep(assembly.journal, kind, found, assembly.clock.now())


def _busy(assembly: Assembly, approved: Tree, new: Tree) -> set[str]:
    """The credentials that are gone from the config in the middle of a rotation."""
    gone = _credentials(approved) - _credentials(new)
    return {name for name in gone if assembly.journal.open_rotation(name) is not None}


def _compared(approved: Tree, whole: Whole, busy: set[str]) -> InForce:
    calendar = CronCalendar()
    return in_force(approved, whole.tree, lambda tree: whole.saying(tree, calendar), busy=busy)


def _credentials(tree: Tree) -> set[str]:
    return set(tree.get("credentials", {}))


def _signers(approved: Approved) -> list[str]:
    approvals = approved.tree.get("approvals")
    return list(approvals["signers"]) if approvals else []


def _digest(tree: Tree) -> str:
    return hashlib.sha256(canonical(tree).encode()).hexdigest()


def _head(path: Path) -> str:
    try:
        return checked_out(path)
    except Permanent:
        return ""  # where none can be seen none approves anything
