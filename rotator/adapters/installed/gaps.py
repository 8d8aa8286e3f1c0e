"""What folders of installed packages do not tell of an environment, in the words that a record of such a folder has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rotator.domain.times import quoted

EGGS = (".egg", ".egg-info", ".egg-link")
MOST_BYTES = 1024 * 1024
_SEES_BENEATH = re.compile(r"^\s*include-system-site-packages\s*=\s*true\s*$", re.IGNORECASE | re.MULTILINE)


def gaps_in(folders: Sequence[Path]) -> Iterator[str]:
    """Eggs, which do not tell for certain what is in them, and packages that are seen and are in no folder of these."""
    for folder in folders:
        for entry in sorted(each for each in folder.iterdir() if each.suffix in EGGS):
            yield f"{quoted(entry.name)} is an egg: what is in it is not told for certain"
    roots = {root for folder in folders if (root := _environment(folder)) is not None}
    for root in sorted(roots):
        if _sees_beneath(root) and all(each.is_relative_to(root) for each in folders):
            yield "it also sees the packages of the Python beneath it, which are not here"


def _environment(folder: Path) -> Path | None:
    return next((each for each in folder.parents if (each / "pyvenv.cfg").is_file()), None)


def _sees_beneath(root: Path) -> bool:
    """A config that cannot be read does not say that it does not."""
    try:
        with (root / "pyvenv.cfg").open("rb") as file:
            return bool(_SEES_BENEATH.search(file.read(MOST_BYTES).decode("utf-8", "replace")))
    except OSError:
        return True
