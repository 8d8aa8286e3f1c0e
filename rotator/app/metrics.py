"""Metrics of a running rotator: looked at when somebody asks, and then kept for a few seconds for whoever asks next.

One look at a time, in a thread of its own: a journal that does not answer keeps nobody waiting longer than `PATIENCE`,
and ten scrapers cost one look. The census, a walk over all credentials, is made every minute at most, and takes a
five-hundredth of the time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from rotator.adapters.metrics.counting import PROCESS, Counts
from rotator.adapters.metrics.families import MOST_CREDENTIALS, Sample
from rotator.adapters.metrics.hearing import expect
from rotator.app import pausing
from rotator.app.assembly import Assembly
from rotator.app.findings_kept import at_large, recall_found
from rotator.app.grouping import Grouping, grouped
from rotator.app.measuring import Seen, measured
from rotator.config.errors import ConfigError
from rotator.config.reading import Config
from rotator.config.values import MetricsConfig
from rotator.domain.failures import Failure, Permanent
from rotator.domain.figures import Census
from rotator.ports import Accounts

if TYPE_CHECKING:
    from rotator.adapters.metrics.serving import Listener

KEPT = 5.0
"""Seconds for which a look is good enough."""
CENSUS = 60.0
"""Seconds for which a census is good enough, at least; a long one for `RARELY` times as long as it took."""
RARELY, LONGEST = 500, 900.0
PATIENCE = 3.0
"""Seconds that a look may take; scrapers give up after ten."""

Seconds = Callable[[], float]


@dataclass(slots=True)
class _Look:
    """One look. `samples`: None while it goes on; `ended`: when it was over."""

    began: float
    ended: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)
    samples: tuple[Sample, ...] | None = None


class Metrics:
    """All metrics of this process and of its journal. Any thread may ask.

    `assembly_of` gives the assembly that is in use now. `counts`: what happened in this process. `alone`: nothing did
    that is worth telling, because it ends with the answer. Raises `ConfigError` where the extra is not installed.
    """

    def __init__(
        self,
        assembly_of: Callable[[], Assembly],
        *,
        counts: Counts = PROCESS,
        alone: bool = False,
        seconds: Seconds = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._assembly_of = assembly_of
        self._seconds = seconds
        self._patience = patience
        self._lock = threading.Lock()
        self._look: _Look | None = None
        self._counts = counts
        self._expected: Config | None = None
        self._census: tuple[Config, Grouping, Census, float] | None = None
        try:
            from rotator.adapters.metrics.exposing import Exposition
        except ImportError as error:
            raise ConfigError("metrics need prometheus-client", "pip install 'rotator[daemon]'") from error
        self._exposition = Exposition(self.state, None if alone else counts)

    def exposition(self, accept: str = "") -> tuple[str, bytes]:
        """The content type and the text in the best format that a client accepts, its `Accept` header."""
        return self._exposition(accept)

    def serve(self, config: MetricsConfig) -> Listener:
        """Show them at an address, from now until it is closed. Raises `ConfigError` where the port cannot be had."""
        from rotator.adapters.metrics.serving import Listener

        where = f"[{config.address}]:{config.port}" if ":" in config.address else f"{config.address}:{config.port}"
        try:
            return Listener(config.address, config.port, config.hosts, self.exposition)
        except OSError as error:
            message = f"metrics cannot be shown at {where}: {(error.strerror or str(error)).lower()}"
        raise ConfigError(message, "set another address beneath metrics: in the config, or end what listens there")

    @property
    def up(self) -> bool:
        """Whether the journal answered the last look."""
        return Sample("rotator_journal_up", (), 1) in self.state()

    def state(self) -> Sequence[Sample]:
        """The samples of a look that ended at most `KEPT` seconds ago; where nobody answers, that it is so."""
        look = self._latest()
        look.done.wait(self._patience)
        known = look.samples if look.samples is not None else _down(self._seconds() - look.began)
        return (*known, *self._of_this_process())

    # -- looking ---------------------------------------------------------------------------------------------------

    def _latest(self) -> _Look:
        """A fresh look, or the one that goes on."""
        with self._lock:
            now, look = self._seconds(), self._look
            if look is None or (look.done.is_set() and now - look.ended > KEPT):
                look = self._look = _Look(now)
                threading.Thread(target=self._take, args=(look,), name="metrics-look", daemon=True).start()
            return look

    def _take(self, look: _Look) -> None:
        try:
            assembly = self._assembly_of()
            samples = tuple(measured(assembly.config, self._seen(assembly)))
            took = self._seconds() - look.began
            look.samples = (
                Sample("rotator_journal_up", (), 1),
                Sample("rotator_journal_look_duration_seconds", (), took),
                *samples,
            )
        except (ConfigError, Failure):
            look.samples = _down(self._seconds() - look.began)
        finally:
            look.ended = self._seconds()
            look.done.set()

    def _seen(self, assembly: Assembly) -> Seen:
        """Raises `ConfigError` and `Failure`."""
        journal, accounts = assembly.journal, assembly.opened
        if not isinstance(accounts, Accounts):
            raise Permanent("this journal tells no numbers")
        now = assembly.clock.now()
        grouping, census = self._counted(assembly, accounts)
        found = recall_found(journal)
        incidents, keys = at_large(journal)
        return Seen(
            now=now,
            figures=accounts.figures(),
            grouping=grouping,
            census=census,
            due=journal.due(now, MOST_CREDENTIALS),
            paused=pausing.pause_of(journal, now) is not None,
            reconciled_at=found.at,
            foreign=found.foreign,
            incidents=incidents,
            at_large=keys,
        )

    def _counted(self, assembly: Assembly, accounts: Accounts) -> tuple[Grouping, Census]:
        """A census that is good enough; of another config, a new one."""
        now, kept = self._seconds(), self._census
        if kept is not None and kept[0] is assembly.config and now < kept[3]:
            return kept[1], kept[2]
        same = kept is not None and kept[0] is assembly.config
        grouping = kept[1] if kept is not None and same else grouped(assembly.config)
        census = accounts.census(grouping.groups, assembly.clock.now())
        ended = self._seconds()
        self._census = (assembly.config, grouping, census, ended + min(max(CENSUS, RARELY * (ended - now)), LONGEST))
        return grouping, census

    # -- what this process knows by itself ---------------------------------------------------------------------------

    def _of_this_process(self) -> tuple[Sample, ...]:
        assembly = self._assembly_of()
        lines = assembly.lines
        if self._expected is not assembly.config:
            expect(self._counts, assembly.config.providers, assembly.config.stores)
            self._expected = assembly.config
        return (
            Sample("rotator_build_info", (version("rotator"),), 1),
            *(Sample("rotator_provider_waiting", (name,), line.waiting) for name, line in lines.items()),
            *(Sample("rotator_provider_paused_seconds", (name,), line.paused) for name, line in lines.items()),
        )


def _down(took: float) -> tuple[Sample, ...]:
    """What is told of a journal that does not answer: nothing else of it is known, and the last known may be wrong."""
    return (
        Sample("rotator_journal_up", (), 0),
        Sample("rotator_journal_look_duration_seconds", (), took),
    )
