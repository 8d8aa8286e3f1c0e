"""A thousand credentials, and the config that says so, written as a file and read by the real reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

from rotator.adapters.calendar import CronCalendar
from rotator.config.reading import Config, read_config
from tests.simulation.year.laws import LAWS, Law
from tests.simulation.year.provider import KINDS
from tests.simulation.year.store import FIELD
from tests.simulation.year.truth import Subject

PROVIDERS = {f"{kind}{n}": kind for kind, many in (("overlap", 3), ("bare", 2)) for n in range(many)} | {
    kind: kind for kind in KINDS if kind not in ("overlap", "bare")
}
STORES = ("vault", "aws", "disk")
SHARES = {"overlap": 0.5, "bare": 0.2, "unmarked": 0.1, "slots": 0.1, "by-hand": 0.1}


def subjects(count: int, random: Random) -> list[Subject]:
    """So many credentials of every kind under every policy."""
    kinds = [kind for kind, share in SHARES.items() for _ in range(max(1, round(share * count)))][:count]
    names = list(LAWS)
    made = []
    for number, kind in enumerate(kinds):
        provider = random.choice([name for name, of in PROVIDERS.items() if of == kind])
        stores = tuple(random.sample(STORES, random.choice((1, 2, 2, 3))))
        law = LAWS[names[number % len(names)]]
        name = f"c{number:04}"
        made.append(Subject(name, name, provider, stores, [(0.0, law)]))
    return made


def write(path: Path, subjects: Iterable[Subject], laws: Mapping[str, Law], providers: Iterable[str]) -> Config:
    """The config as it is from now on."""
    lines = [f"state: sqlite:///{path.parent}/rotator.db", f"installation: {{key: file:{path.parent}/key}}"]
    lines += ["defaults: {parallel: 32}", "providers:"]
    lines += [f"  {name}: {{driver: year, admin: env:NOTHING}}" for name in providers]
    lines += ["stores:"] + [f"  {name}: {{driver: year}}" for name in STORES]
    lines += ["policies:"] + [f"  {law.name}: {law.written()}" for law in laws.values()]
    lines += ["credentials:"] + [_credential(subject) for subject in subjects]
    path.write_text("\n".join(lines), encoding="utf-8")
    path.chmod(0o600)
    return read_config(path, calendar=CronCalendar())


def _credential(subject: Subject) -> str:
    fields = f"{{{FIELD}: '{{secret}}'}}"
    places = ", ".join(f"{{store: {store}, ref: {subject.who}, fields: {fields}}}" for store in subject.stores)
    principal = f"{{name: {subject.who}, exclusive: true}}"
    head = f"provider: {subject.provider}, principal: {principal}, policy: {subject.law.name}"
    return f"  {subject.name}: {{{head}, publish: [{places}]}}"
