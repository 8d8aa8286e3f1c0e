"""What folders of installed packages do not tell of an environment, in the words that a record of such a folder has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rotator.domain.packages import EGGS, SEES_BENEATH, egg_gap, sees_beneath

MOST_BYTES = 1024 * 1024


def gaps_in(folders: Sequence[Path]) -> Iterator[str]:
    """Eggs, which do not tell for certain what is in them, and packages that are seen and are in no folder of these."""
    for folder in folders:
        for entry in sorted(each for each in folder.iterdir() if each.suffix in EGGS):
            yield egg_gap(entry.name)
    roots = {root for folder in folders if (root := _environment(folder)) is not None}
    for root in sorted(roots):
        if _sees_beneath(root) and all(each.is_relative_to(root) for each in folders):
            yield SEES_BENEATH


def _environment(folder: Path) -> Path | None:
    return next((each for each in folder.parents if (each / "pyvenv.cfg").is_file()), None)


def _sees_beneath(root: Path) -> bool:
    try:
        with (root / "pyvenv.cfg").open("rb") as file:
            return sees_beneath(file.read(MOST_BYTES).decode("utf-8", "replace"))
    except OSError:
        return sees_beneath(None)
