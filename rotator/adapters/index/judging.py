"""Many components at one index, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from rotator.adapters.clients.fetching import NotThere
from rotator.adapters.index.asking import Index
from rotator.adapters.index.project import version_of
from rotator.adapters.index.provenance import provenance
from rotator.adapters.index.signals import of_page
from rotator.domain.failures import Failure
from rotator.domain.findings import HASH, PROVENANCE, STATUS, VANISHED, YANKED, YOUNG, Signal, State
from rotator.domain.packages import PYPI, Component

TOGETHER = 8
"""Requests at the same time."""
ASKED = (VANISHED, STATUS, YOUNG, YANKED, PROVENANCE)


def judge_all(
    index: Index, components: Sequence[Component], *, at: datetime, young: timedelta, without: frozenset[str]
) -> list[tuple[Signal, ...]]:
    """The signals of each component, in order, but those in `without`. Never raises for what an index answers.

    What comes from elsewhere is unknown and costs no request: the index may have something of another's by its name.
    """
    pool = ThreadPoolExecutor(TOGETHER, thread_name_prefix="index")
    try:
        judged = pool.map(lambda each: _judge(index, each, at=at, young=young, without=without), components)
        return [tuple(each for each in signals if each.name not in without) for signals in judged]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a Ctrl-C does not wait for what was not asked yet


def _judge(
    index: Index, component: Component, *, at: datetime, young: timedelta, without: frozenset[str]
) -> tuple[Signal, ...]:
    if component.package.ecosystem != PYPI:
        return _unknown(component, f"no index of {component.package.ecosystem} is asked")
    if component.elsewhere:
        return _unknown(component, f"from {component.elsewhere}: no index knows it")
    version = version_of(component.version)
    if version is None:
        return _unknown(component, "the inventory tells no version that can be looked up")
    try:
        project = index.project(component.package.name)
    except NotThere:
        return _unknown(component, "the index has no project of that name: taken down, or never there")
    except Failure as failure:
        return _unknown(component, failure.message)
    signals = [*of_page(project, version, component.hashes, at=at, young=young)]
    if PROVENANCE not in without:
        signals.append(provenance(project, version, index.attestations))
    return tuple(signals)


def _unknown(component: Component, why: str) -> tuple[Signal, ...]:
    names: Iterable[str] = (*ASKED, HASH) if component.hashes else ASKED
    return tuple(Signal(name, State.UNKNOWN, why) for name in names)
