"""`rotator notify test`: one notice for each target, all at the same time, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from rotator.app.assembly import Assembly
from rotator.app.notice_senders import make_sender
from rotator.config.errors import ConfigError
from rotator.domain.failures import Failure
from rotator.domain.notices import Notice, Severity
from rotator.policy.notifying import TEST

MOST_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A target after it was tried. `problem`: message and hint; None: it took the notice."""

    name: str
    where: str = ""
    problem: tuple[str, str] | None = None


def try_each(assembly: Assembly, names: Sequence[str]) -> tuple[Tried, ...]:
    """Tell each once, in their order; what one cannot do keeps no other. Remembers nothing."""
    notice = Notice(
        kind=TEST,
        severity=Severity.INFO,
        subject="",
        what="a test: nothing happened",
        words="somebody typed `rotator notify test`; notices of this installation come here",
        command="rotator notify list",
        at=assembly.clock.now(),
    )
    with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="trial") as pool:
        return tuple(pool.map(partial(_try, assembly, notice), names))


def _try(assembly: Assembly, notice: Notice, name: str) -> Tried:
    try:
        sender = make_sender(assembly.config.notifications[name], lambda: assembly)
        sender.send(notice, 0)
    except (ConfigError, Failure) as error:
        return Tried(name=name, problem=(error.message, error.hint))
    except Exception as error:  # noqa: BLE001 - of a library; its text may hold a secret
        return Tried(name=name, problem=(f"telling it went wrong ({type(error).__name__})", ""))
    return Tried(name=name, where=sender.where)
