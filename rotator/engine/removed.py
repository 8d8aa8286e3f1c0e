"""Places that the config lost while a rotation was writing them: nobody here knows their fields any more."""

from __future__ import annotations

from dataclasses import replace

from rotator.domain.failures import Undecidable
from rotator.domain.rotation import Phase
from rotator.engine.recorded import Recorded

REMOVED = "was removed from publish"

WRITING = frozenset({Phase.PROMOTING, Phase.LIVE, Phase.RETIRING, Phase.ROLLING_BACK, Phase.WITHDRAWING})
"""Where it matters what a place holds that a promotion was intended for."""


def heed_removed_places(rotation: Recorded) -> None:
    """Leave such a place behind, named: neither going on nor putting back can reach it.

    Before the pivot a person is asked once, because a slip of the pen in `publish` must not tear a cutover; `resume` is
    the answer. One that came back into the config is no longer left behind.
    """
    row = rotation.row
    if row.phase not in WRITING or row.beyond_pivot:
        return
    published = {(each.store, each.ref) for each in rotation.spec.publish}
    removed = []
    for state in row.stores:
        here = (state.store, state.ref) in published
        if here and state.left_behind == REMOVED:
            rotation.row = rotation.row.with_store(replace(state, left_behind=None))
        elif not here and state.expected is not None and state.left_behind is None:
            rotation.row = rotation.row.with_store(replace(state, left_behind=REMOVED))
            rotation.note("left behind", f"{state.store}:{state.ref}", why=REMOVED)
            removed.append(f"{state.store}:{state.ref}")
    if removed and not row.rules.emergency:
        hint = f"put it back, or mean it: it keeps the value that it has; then `rotator resume {rotation.spec.name}`"
        raise Undecidable(f"{', '.join(removed)} {REMOVED} while this rotation was writing it", hint)
