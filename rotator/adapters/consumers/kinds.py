"""Which kinds of telling there are, and what each is given. A new kind is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, runtime_checkable

from rotator.adapters.consumers.cluster import Clusters
from rotator.adapters.consumers.command import Command
from rotator.adapters.consumers.deployment import Deployment
from rotator.adapters.consumers.external_secret import ExternalSecret
from rotator.adapters.consumers.settings import Settings, SettingsError
from rotator.adapters.consumers.signalling import Signal
from rotator.adapters.consumers.webhook import Webhook
from rotator.domain.consumers import Heard, News

LONGEST_SPREAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """`resolve` turns a reference into its secret, or raises a `Failure`. `timeout`: the most that a telling takes.

    `clusters`: the clients that are there already, for as long as somebody holds it.
    """

    resolve: Callable[[str], str]
    timeout: timedelta
    clusters: Clusters = field(default_factory=Clusters)


class Kind(Protocol):
    """One consumer told in one way. Used by many threads."""

    def tell(self, consumer: str, news: News) -> Heard:
        """Tell it once. Raises the failures of `rotator.domain.failures`. Twice: told again, by the same id."""
        ...

    def remarks(self) -> tuple[str, ...]:
        """What is worth knowing about it, for `rotator check`."""
        ...


@runtime_checkable
class TellsLeastRole(Protocol):
    """A kind that can say what it must be allowed to do: for `rotator check --policy`."""

    def least_role(self) -> str:
        """The least role that suffices, as the vendor takes it. No request."""
        ...


KINDS: dict[str, Callable[[Settings, Tools], Kind]] = {
    "webhook": lambda settings, tools: Webhook.from_settings(settings, tools.resolve, tools.timeout),
    "signal": lambda settings, tools: Signal.from_settings(settings),
    "command": lambda settings, tools: Command.from_settings(settings, tools.timeout),
    "deployment": lambda settings, tools: Deployment.from_settings(
        settings, tools.clusters, tools.resolve, tools.timeout
    ),
    "external_secret": lambda settings, tools: ExternalSecret.from_settings(
        settings, tools.clusters, tools.resolve, tools.timeout
    ),
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
