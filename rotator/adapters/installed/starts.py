"""What Python reads at every start: by it an installed package runs code in every Python of its environment.

A `.pth` does so by a line that begins with `import`: that is how the harvester of litellm 1.82.8 ran without ever being
imported. `sitecustomize` and `usercustomize` are imported for being there.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rotator.domain.findings import START, Signal, State
from rotator.domain.packages import Package

MOST_BYTES = 1024 * 1024
SHOWN = 60
"""Characters of a line that are shown."""

_IMPORTED = re.compile(r"(site|user)customize(/__init__)?(\.[\w-]+)?\.(py|pyc|so|pyd)")
_STANDARD = Path(sysconfig.get_path("stdlib"))
"""Some systems have a `sitecustomize` of their own there; whoever may write there needs none."""


@dataclass(frozen=True, slots=True)
class Starts:
    """One file and what it says; `package`: whose RECORD lists it, None for nobody's."""

    path: Path
    package: Package | None
    signal: Signal


def starts_in(
    folders: Sequence[Path], owners: Mapping[str, Package], *, ours: Package | None, local: Collection[Package]
) -> tuple[Starts, ...]:
    """Every such file of these folders. `owners`: the packages by the resolved paths of their files."""
    found = []
    looked_at = [each.resolve() for each in folders]
    for folder in folders:
        for path in _imported(folder):
            package = owners.get(str(path.resolve()))
            whose = _whose(path.relative_to(folder).as_posix(), package)
            found.append(Starts(path, package, Signal(START, State.BAD, f"{whose} runs at every start")))
        for path in sorted(folder.glob("*.pth")):
            package = owners.get(str(path.resolve()))
            if package is not None and package == ours and package in local:
                signal = Signal(START, State.OK, f"{path.name} is the link to the rotator's own sources")
            else:
                signal = _judged(path, package, looked_at)
            found.append(Starts(path, package, signal))
    return tuple(found)


def runs_at_start(name: str) -> bool:
    """Whether Python reads a file of this path, beneath a folder like `site-packages`, at every start."""
    return (name.endswith(".pth") and "/" not in name) or _IMPORTED.fullmatch(name) is not None


def _imported(folder: Path) -> Iterator[Path]:
    if folder == _STANDARD:
        return
    for path in sorted((*folder.glob("*customize.*"), *folder.glob("*customize/__init__.*"))):
        if _IMPORTED.fullmatch(path.relative_to(folder).as_posix()):
            yield path


def _whose(name: str, package: Package | None) -> str:
    return name if package is not None else f"{name}, which no installed package lists,"


def _judged(path: Path, package: Package | None, looked_at: Sequence[Path]) -> Signal:
    whose = _whose(path.name, package)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        return Signal(START, State.UNKNOWN, f"{whose} cannot be read: {error.strerror}")
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    code = [line for line in lines if line.startswith(("import ", "import\t"))]
    if code:
        more = f" and {len(code) - 1} more lines" if len(code) > 1 else ""
        return Signal(START, State.BAD, f"{whose} runs code at every start: {_bounded(code[0])}{more}")
    if len(content) > MOST_BYTES:
        return Signal(START, State.UNKNOWN, f"{whose} is larger than {MOST_BYTES >> 20} MB")
    paths = [line for line in lines if line.strip() and not line.startswith("#")]
    outside = next((each for each in paths if not _within(path.parent, each, looked_at)), None)
    if outside is not None:
        evidence = f"{whose} adds {_bounded(outside)}, in which nobody looked, to where modules are looked for"
        return Signal(START, State.UNKNOWN, evidence)
    return Signal(START, State.OK, f"{whose} only adds {len(paths)} to where modules are looked for")


def _within(folder: Path, line: str, looked_at: Sequence[Path]) -> bool:
    """Whether a line leads to one of these folders, or into it."""
    try:
        target = Path(folder, line.rstrip()).resolve()
    except (OSError, ValueError, RuntimeError):
        return False  # where nobody can look, nobody looked
    return any(target.is_relative_to(each) for each in looked_at)


def _bounded(line: str) -> str:
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
