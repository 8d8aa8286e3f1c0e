"""Which kinds of telling there are, and what each is given. A new kind is a file beside this one and a line here.

Kinds that need a client of their own (a Deployment's restart, a forced sync of External Secrets) belong here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from rotator.adapters.consumers.command import Command
from rotator.adapters.consumers.settings import Settings, SettingsError
from rotator.adapters.consumers.signalling import Signal
from rotator.adapters.consumers.webhook import Webhook
from rotator.domain.consumers import Heard, News

LONGEST_SPREAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """`resolve` turns a reference into its secret, or raises a `Failure`. `timeout`: the most that a telling takes."""

    resolve: Callable[[str], str]
    timeout: timedelta


class Kind(Protocol):
    """One consumer told in one way. Used by many threads."""

    def tell(self, consumer: str, news: News) -> Heard:
        """Tell it once. Raises the failures of `rotator.domain.failures`. Twice: told again, by the same id."""
        ...

    def remarks(self) -> tuple[str, ...]:
        """What is worth knowing about it, for `rotator check`."""
        ...


KINDS: dict[str, Callable[[Settings, Tools], Kind]] = {
    "webhook": lambda settings, tools: Webhook.from_settings(settings, tools.resolve, tools.timeout),
    "signal": lambda settings, tools: Signal.from_settings(settings),
    "command": lambda settings, tools: Command.from_settings(settings, tools.timeout),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """How one consumer is told."""

    kind: str
    spread: timedelta
    by: Kind


def make_teller(reload: Mapping[str, object], tools: Tools) -> Teller | None:
    """Read what stands beneath `reload:`; None where nothing does. Raises `SettingsError`."""
    if not reload:
        return None
    named = [kind for kind in KINDS if kind in reload]
    if len(named) != 1:
        what = "names no way to tell it" if not named else "names more than one way to tell it"
        raise SettingsError(f"reload {what}", "write one of: " + ", ".join(KINDS))
    settings = Settings(reload)
    spread = settings.duration("spread", timedelta(0), LONGEST_SPREAD)
    return Teller(kind=named[0], spread=spread, by=KINDS[named[0]](settings, tools))
