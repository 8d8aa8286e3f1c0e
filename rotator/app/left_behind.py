"""Places that an emergency left behind: tried once more when its run is over, and by the same command later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rotator.app.assembly import Assembly
from rotator.app.housekeeping import place_in_words
from rotator.app.patient import patient
from rotator.config.errors import ConfigError
from rotator.domain.credential import Credential
from rotator.domain.failures import Failure, Fenced, JournalOlder
from rotator.domain.rotation import Rotation
from rotator.engine import reconciling
from rotator.engine.world import World


def as_it_stands(assembly: Assembly, row: Rotation) -> Rotation:
    """A rotation that is over, without the places that it left behind and that hold the current key by now.

    Whoever mended them, the credential's row tells; of a place that is not configured any more it tells nothing.
    """
    spec = assembly.config.credentials.get(row.credential)
    if spec is None or row.open or not behind(row):
        return row
    drift = assembly.journal.credential(row.credential).drift
    mended = {f"{each.store}:{each.ref}" for each in spec.publish} - set(drift)
    stores = tuple(
        replace(each, left_behind=None) if f"{each.store}:{each.ref}" in mended else each for each in row.stores
    )
    return replace(row, stores=stores)


def behind(row: Rotation) -> set[tuple[str, str]]:
    """Store and reference of each place that the rotation left behind."""
    return {(each.store, each.ref) for each in row.stores if each.left_behind is not None}


def mend(assembly: Assembly, rows: Sequence[Rotation], parallel: int, stop: Callable[[], bool] = lambda: False) -> None:
    """Bring what these rotations left behind to the current key, where its store is back. Twice: nothing more.

    What is mended, and what cannot be although its store answers, is told. A store that is still away is asked by as
    many threads as there are, and not once for each of its places. `stop`: asked before each credential.
    """
    newest = (as_it_stands(assembly, assembly.journal.rotation(row.id) or row) for row in rows)
    left = [row for row in newest if not row.open and behind(row)]
    if left:
        mending = _Mending(assembly, stop)
        with ThreadPoolExecutor(min(parallel, len(left)), thread_name_prefix="mending") as pool:
            list(pool.map(mending.mend, left))


class _Mending:
    """One pass. `away`: stores that did not answer."""

    def __init__(self, assembly: Assembly, stop: Callable[[], bool]) -> None:
        self._assembly = assembly
        self._stop = stop
        self._specs = assembly.specs()
        self._lock = threading.Lock()
        self._away: set[str] = set()

    def mend(self, row: Rotation) -> None:
        """Every place of one credential."""
        spec = self._specs.get(row.credential)
        if spec is None or self._stop() or self._assembly.journal.older_than_world() is not None:
            return
        try:
            world = patient(self._assembly.world_of(spec))
            if self._back(spec, world, behind(row)):
                self._tell(spec.name, reconciling.sync(spec, world))
        except JournalOlder as older:
            self._assembly.journal.set_older_than_world(older.message)
        except Fenced:
            return  # a rotation has begun meanwhile, and publishes everywhere itself
        except (ConfigError, Failure) as error:
            self._alert(spec.name, error.message)

    def _back(self, spec: Credential, world: World, places: set[tuple[str, str]]) -> bool:
        """Whether each place can be looked at again."""
        for publication in spec.publish:
            if (publication.store, publication.ref) not in places:
                continue
            with self._lock:
                if publication.store in self._away:
                    return False
            try:
                world.stores[publication.store].read(publication.place)
            except Failure:
                with self._lock:
                    self._away.add(publication.store)
                return False
        return True

    def _tell(self, name: str, found: Sequence[reconciling.PlaceFound]) -> None:
        for place in found:
            words = place_in_words(place, name)
            if words:
                self._alert(name, words)

    def _alert(self, name: str, text: str) -> None:
        self._assembly.told.alert("reconciled", name, text)
