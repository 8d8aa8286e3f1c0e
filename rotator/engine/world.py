"""Everything that the engine is given: the ports of one credential, and the installation's own constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from rotator.domain.marks import Marker
from rotator.domain.secret import Fingerprinter
from rotator.ports import Admins, Calendar, Clock, Consumers, Ids, Journal, Observer, Prober, Provider, Store, Together


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the engine waits for whom. Every request of an adapter takes at most a quarter of `lease`."""

    lease: timedelta = timedelta(seconds=60)
    give_up: timedelta = timedelta(hours=24)  # of transient failures until the new key is live, from the first one
    store_wait: timedelta = timedelta(minutes=2)  # in an emergency, before a store is left behind
    verified_for: timedelta = timedelta(minutes=10)  # how old a verification may be at promotion
    poll: timedelta = timedelta(seconds=10)  # between looks at something that others change
    hold_poll: timedelta = timedelta(minutes=5)
    longest_death: timedelta = timedelta(minutes=10)  # a deleted key accepted for longer parks the rotation
    straggling: timedelta = timedelta(
        seconds=10
    )  # a use so soon after an acknowledgement was under way, or is a clock's

    @property
    def request(self) -> timedelta:
        """The longest that one request may take."""
        return self.lease / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports as one credential sees them: its provider, the stores it is published to, and what all share."""

    provider: Provider
    stores: Mapping[str, Store]
    journal: Journal
    clock: Clock
    ids: Ids
    calendar: Calendar
    prober: Prober
    consumers: Consumers
    observer: Observer
    together: Together
    marker: Marker
    fingerprinter: Fingerprinter
    admins: Admins | None = None  # where the credential is some provider's admin credential
    timing: Timing = Timing()
