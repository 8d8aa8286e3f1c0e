"""`rotator provide --next`: one after the other, everything that waits for a person; only on a terminal."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rotator.app.asking import Deletion, to_delete, to_make
from rotator.app.assembly import Assembly
from rotator.app.providing import Wanted, provide, read_value, wanted
from rotator.cli import words
from rotator.cli.errors import Told
from rotator.cli.terminal import Terminal, clean, count
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure
from rotator.domain.rotation import Rotation
from rotator.domain.secret import Secret
from rotator.engine import handed
from rotator.engine.handed import NotTaken
from rotator.engine.providing import Sleep


class _Skipped(Exception):
    """Nothing was typed."""


@dataclass(slots=True)
class Walked:
    """How far a person came. `interrupted`: by Ctrl-C, and not by the end of the input."""

    rows: list[Rotation] = field(default_factory=list)
    left: int = 0
    interrupted: bool = False


def walk(assembly: Assembly, err: Terminal, sleep: Sleep) -> Walked:
    """Ask for one key after the other; what was handed over stays so, wherever it ends."""
    if not sys.stdin.isatty():
        raise Told("--next asks on a terminal", "without one: `rotator provide NAME`, the key on standard input")
    waiting, walked = to_make(assembly), Walked()
    try:
        for number, (spec, row) in enumerate(waiting, 1):
            err.line(err.style(f"[{number}/{len(waiting)}] {spec.name}", "bold") + f"  {_urgency(row, assembly)}")
            err.line(f"  {clean(_wish(assembly, spec))}")
            done = _one(assembly, spec, err, sleep)
            if done is not None:
                walked.rows.append(done)
    except EOFError:
        err.line()
    except KeyboardInterrupt:
        err.line()
        walked.interrupted = True
    walked.left = len(waiting) - len(walked.rows)
    return walked


def _urgency(row: Rotation, assembly: Assembly) -> str:
    now: datetime = assembly.clock.now()
    asked = f"asked for {words.ago(row.last_mint_at, now)}"
    return f"emergency, exposed until it is there; {asked}" if row.rules.emergency else asked


def _one(assembly: Assembly, spec: Credential, err: Terminal, sleep: Sleep) -> Rotation | None:
    """Until a key is taken, or none is given. None: skipped, or it cannot be asked for now."""
    want: Wanted | None = None
    while True:
        try:
            want = wanted(assembly, spec)
            done = provide(assembly, spec, want, _ask(want), sleep)
        except _Skipped:
            err.line("  skipped")
            return None
        except NotTaken as refusal:
            _tell(err, refusal.message, refusal.hint if want is None or refusal.hint != want.instruction else "")
            if assembly.journal.open_rotation(spec.name) is None:
                return None
        except (ConfigError, Failure) as problem:
            _tell(err, problem.message, problem.hint)
            return None
        else:
            err.line(f"  {err.style('handed over', 'green')}: {clean(done.key_id)}")
            return done.rotation


def _wish(assembly: Assembly, spec: Credential) -> str:
    try:
        capabilities = assembly.provider(spec.provider).capabilities(spec.principal)
    except (ConfigError, Failure):
        return f"make a key for {spec.principal.name}"
    return handed.wish(spec, capabilities)


def _ask(want: Wanted) -> Secret:
    texts = {}
    for part in want.parts:
        text = getpass.getpass(f"  {part} (not shown; Enter skips): ")
        if not text:
            raise _Skipped
        texts[part] = text
    return read_value(texts)


def _tell(err: Terminal, message: str, hint: str) -> None:
    err.line(f"  {err.style('not taken', 'red')}: {clean(message)}")
    if hint:
        err.line(f"  hint: {clean(hint)}")


def remaining(walked: Walked) -> str:
    """What came of it, in one sentence."""
    if not walked.rows and not walked.left:
        return "no key is to be made"
    done = count(len(walked.rows), "key") if walked.rows else "nothing was"
    return f"{done} handed over" + (f"; {count(walked.left, 'key')} still to make" if walked.left else "")


def deletions(assembly: Assembly) -> Iterator[str]:
    """Which old keys a person has to delete, and where."""
    waiting = to_delete(assembly)
    if waiting:
        yield f"{count(len(waiting), 'credential')} with old keys to be deleted by hand:"
    for each in waiting:
        yield f"  {each.credential}: {clean(each.instruction)}{clean(_ends(each))}"


def _ends(each: Deletion) -> str:
    ends = ", ".join(f"…{end}" if len(each.ends) == 1 else f"…{end} ({key_id})" for key_id, end in each.ends)
    return f"; the value ends in {ends}" if ends else ""
