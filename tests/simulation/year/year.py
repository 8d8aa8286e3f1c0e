"""One year from its seed: `python -m tests.simulation.year.year --seed 1 --credentials 1000` prints its figures."""

from __future__ import annotations

import argparse
import json
import random as chance
import sys
import tempfile
import time as machine_time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

from rotator.app.assembly import Assembly
from rotator.app.journals import open_at, verify_trail
from rotator.config.installation import Installation
from rotator.config.reading import Config
from rotator.ports import Provider, Store
from tests.simulation.year import estate
from tests.simulation.year.checks import Checks, Told
from tests.simulation.year.life import Life
from tests.simulation.year.machine import Site, VirtualDaemon, virtual
from tests.simulation.year.provider import YearProvider
from tests.simulation.year.script import Pause, Script
from tests.simulation.year.store import YearStore
from tests.simulation.year.time import DAY, VirtualTime, true_time
from tests.simulation.year.truth import FOREVER, SERVICE, Broken, Live, Span, Subject, Truth, Violation
from tests.simulation.year.upgrades import Versions
from tests.simulation.year.weather import Weather

INSTALLATION = Installation("yearyear", b"\x07" * 32)
MEMORY = Path("/dev/shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a year ended. `broken`: the check that failed first; `figures`: how often what happened."""

    broken: Violation | None
    figures: Mapping[str, int]


class Year:
    """One world: `run` lives it through."""

    def __init__(self, *, seed: int, credentials: int, days: float, folder: Path) -> None:
        self.random = Random(f"year:{seed}")
        chance.seed(seed)  # APScheduler's jitter
        self.time, self.life = VirtualTime(), Life()
        self.truth = Truth(self.time)
        self.days, self.folder = days, folder
        fingerprinter = INSTALLATION.fingerprinter()
        self.providers = {
            name: YearProvider(kind, self._weather(name), lambda value: fingerprinter.of(value, "secret"))
            for name, kind in estate.PROVIDERS.items()
        }
        self.stores = {name: YearStore(self._weather(name), history=name == "vault") for name in estate.STORES}
        self.checks = Checks(self.truth, self.providers, self.stores)
        for subject in estate.subjects(credentials, self.random):
            self.truth.subjects[subject.who] = self.checks.by_name[subject.name] = subject
            self._exists(subject)
        self.script = Script(self.truth, self.checks, self.providers, self.random, days, self._write)
        self.script.plan(self._day)
        told = Told(self.checks)
        told.others.append(self.script.heard)
        self.versions = Versions(folder)
        self.site = Site(
            time=self.time,
            truth=self.truth,
            life=self.life,
            observer=told,
            watcher=self.checks,
            providers=cast("dict[str, Provider]", self.providers),
            stores=cast("dict[str, Store]", self.stores),
            installation=INSTALLATION,
            config=self._written(),
            script=lambda daemon: self.script.due(),
            next_event=self.script.next_event,
        )

    def _weather(self, name: str) -> Weather:
        return Weather(name, self.truth, self.life, self.random)

    def _exists(self, subject: Subject) -> None:
        """A key that somebody made before us, of which the provider mostly tells how old it is."""
        provider, slots = self.providers[subject.provider], self.providers[subject.provider].offers.slots
        law = subject.law
        days = self.random.uniform(0, 1.2) * (law.every or 20)
        born = true_time(-days * DAY) if self.random.random() < 0.8 else None
        for slot in slots[1:]:
            provider.empty(subject.who, slot)
        key = provider.make(subject.who, born=born, slot=slots[0] if slots else None)
        for store in subject.stores:
            self.stores[store].install(subject.who, key.value)
        subject.lives.append(Live(key.value, 0.0, self.time.now(), adopted=True, born=None if slots else born))

    def _write(self) -> None:
        self.site.config = self._written()

    def _written(self) -> Config:
        here = [subject for subject in self.truth.subjects.values() if subject.here]
        return estate.write(self.folder / "rotator.yaml", here, self.script.laws, self.providers)

    def _day(self, assembly: Assembly) -> None:
        self.checks.day(assembly.journal)
        self.script.resume_stuck(assembly)

    def run(self) -> Outcome:
        """Until its end, or until a check fails."""
        with virtual(self.site), self.versions, suppress(Broken):
            while self._serve():
                pass
            if self.truth.broken is None:
                self._over()
        counts = self.truth.counts
        counts["points"], counts["processes"] = self.life.points, self.site.owners
        return Outcome(broken=self.truth.broken, figures=dict(sorted(counts.items())))

    def _serve(self) -> bool:
        """One process, and the time until the next one; False at the end."""
        self.script.daemon = daemon = VirtualDaemon(self.site)
        for span in self.truth.down[SERVICE][-1:]:
            span.end = self.time.seconds
        polite = daemon.run()
        self.script.daemon = None
        self.truth.counts["stops" if polite else "deaths"] += 1
        pause = self.script.taken_pause() or Pause(self.random.uniform(5, 1800))
        if pause.seconds == FOREVER:
            return False
        begin = self.time.seconds
        self.truth.down[SERVICE].append(Span(begin))
        self.script.away(pause)
        while self.script.next_event() < begin + pause.seconds:
            self.time.seconds = max(self.time.seconds, self.script.next_event())
            self.script.due()
        self.time.seconds = max(self.time.seconds, begin + pause.seconds)
        if pause.upgrade:
            self.versions.next()
            self.truth.counts["upgrades"] += 1
        asked = self.script.taken_pause()  # while there was nobody to stop
        return asked is None or asked.seconds != FOREVER

    def _over(self) -> None:
        self.checks.count()
        journal = open_at(self.folder / "rotator.db", INSTALLATION)
        try:
            verdict = verify_trail(journal, INSTALLATION, None)
            if not verdict.ok:
                self.truth.violate("trail", "the journal", "; ".join(verdict.lines))
        finally:
            journal.close()


def live_through(*, seed: int, credentials: int, days: float = 365) -> Outcome:
    """One year, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="year-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        return Year(seed=seed, credentials=credentials, days=days, folder=Path(folder)).run()


def main() -> int:
    """0 when every policy was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--credentials", type=int, default=1000)
    parser.add_argument("--days", type=float, default=365)
    options = parser.parse_args()
    began = machine_time.process_time()
    outcome = live_through(seed=options.seed, credentials=options.credentials, days=options.days)
    spent = machine_time.process_time() - began
    sys.stdout.write(json.dumps(outcome.figures, indent=1) + f"\n{spent:.0f} s of processor time\n")
    sys.stdout.write(f"{outcome.broken}\n")
    return int(outcome.broken is not None)


if __name__ == "__main__":
    sys.exit(main())
