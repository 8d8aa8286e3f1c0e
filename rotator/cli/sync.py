"""`rotator sync`: bring a store that was added, or mended, to the current value."""

from __future__ import annotations

import argparse
import sys

from rotator.app.housekeeping import place_in_words
from rotator.app.patient import patient
from rotator.cli.context import assembled, named
from rotator.cli.errors import Told
from rotator.cli.terminal import clean, terminal
from rotator.domain.failures import Fenced
from rotator.engine import reconciling
from rotator.engine.reconciling import Drift


def options(parser: argparse.ArgumentParser, verb: str) -> None:
    """Which one."""
    parser.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    """A line a place; 1 when one of them does not hold the current key now."""
    out = terminal(sys.stdout, no_color=args.no_color)
    with assembled(args) as assembly:
        spec = named(assembly.config, args.name)
        if assembly.journal.credential(spec.name).current is None:
            raise Told(f"{spec.name} has no current key", f"`rotator adopt {spec.name}` takes over what is there")
        try:
            found = reconciling.sync(spec, patient(assembly.world_of(spec)))
        except Fenced:
            hint = f"it publishes everywhere itself; `rotator status {spec.name}` shows where it stands"
            raise Told(f"a rotation of {spec.name} is open", hint) from None
        assembly.journal.checkpoint(assembly.clock.now())
    for place in found:
        words = place_in_words(place, spec.name) or f"{place.where} holds the current key"
        out.line(f"{spec.name}: {clean(words)}")
    whole = len(found) == len(spec.publish)  # somebody else began to write meanwhile
    return 0 if whole and all(place.mended or place.drift is Drift.NONE for place in found) else 1
