"""A store in virtual time, with compare-and-set of its own, shared by all credentials that are published to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from rotator.domain.credential import Place, PlaceKind
from rotator.domain.failures import Conflict
from rotator.ports import ABSENT, StoreCapabilities, Stored
from tests.simulation.year.weather import Weather

FIELD = "API_KEY"


class YearStore:
    """Implements `rotator.ports.Store`. `on_write`: told of each value that consumers read from now on."""

    def __init__(self, weather: Weather, *, history: bool) -> None:
        self.weather = weather
        self._offers = StoreCapabilities(exact=True, history=history)
        self._held: defaultdict[str, dict[tuple[PlaceKind, str], Stored]] = defaultdict(dict)
        self._versions = 0
        self.on_write: Callable[[str], None]

    def capabilities(self) -> StoreCapabilities:
        return self._offers

    def read(self, place: Place) -> Stored:
        self.weather.look()
        return self._read(place)

    def write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        return self.weather.effect(lambda: self._write(place, fields, expected))

    def remove(self, place: Place, expected: str) -> None:
        self.weather.effect(lambda: self._remove(place, expected))

    def places(self, ref: str) -> tuple[Place, ...]:
        self.weather.look()
        return tuple(Place(ref=ref, kind=kind, of=of) for kind, of in self._held[ref] if kind is not PlaceKind.CURRENT)

    # -- the truth -------------------------------------------------------------------------------------------------

    def current(self, ref: str) -> str | None:
        """What consumers read."""
        held = self._held[ref].get((PlaceKind.CURRENT, ""))
        return held.fields[FIELD] if held is not None and held.fields else None

    def install(self, ref: str, value: str) -> None:
        """What was there before us."""
        self._put(Place(ref=ref, kind=PlaceKind.CURRENT), {FIELD: value})

    def leftovers(self, ref: str) -> list[str]:
        """The private places that still hold something, in words."""
        return [f"{kind.value} {of}" for kind, of in self._held[ref] if kind is not PlaceKind.CURRENT]

    def _read(self, place: Place) -> Stored:
        return self._held[place.ref].get((place.kind, place.of), Stored(version=ABSENT))

    def _compare(self, place: Place, expected: str) -> None:
        if self._read(place).version != expected:
            raise Conflict(f"{self.weather.name} was written meanwhile")

    def _put(self, place: Place, fields: Mapping[str, str]) -> str:
        self._versions += 1
        version = f"v{self._versions}"
        self._held[place.ref][place.kind, place.of] = Stored(version=version, fields=dict(fields))
        return version

    def _write(self, place: Place, fields: Mapping[str, str], expected: str) -> str:
        self._compare(place, expected)
        version = self._put(place, fields)
        if place.kind is PlaceKind.CURRENT:
            self.on_write(place.ref)
        return version

    def _remove(self, place: Place, expected: str) -> None:
        if (place.kind, place.of) in self._held[place.ref]:
            self._compare(place, expected)
            del self._held[place.ref][place.kind, place.of]
