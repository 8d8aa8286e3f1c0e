"""`.pth` files: by a line that begins with `import` an installed package runs code in every Python of its environment.

That is how the harvester of litellm 1.82.8 ran without ever being imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rotator.domain.findings import START, Signal, State
from rotator.domain.packages import Package

MOST_BYTES = 1024 * 1024
SHOWN = 60
"""Characters of a line that are shown."""


@dataclass(frozen=True, slots=True)
class Starts:
    """One file and what it says; `package`: whose RECORD lists it, None for nobody's."""

    path: Path
    package: Package | None
    signal: Signal


def starts_in(
    folders: Sequence[Path], owners: Mapping[str, Package], *, ours: Package | None, local: Collection[Package]
) -> tuple[Starts, ...]:
    """Every `.pth` of these folders. `owners`: the packages by the resolved paths of their files."""
    found = []
    for folder in folders:
        for path in sorted(folder.glob("*.pth")):
            package = owners.get(str(path.resolve()))
            if package is not None and package == ours and package in local:
                signal = Signal(START, State.OK, f"{path.name} is the link to the rotator's own sources")
            else:
                signal = _judged(path, package)
            found.append(Starts(path, package, signal))
    return tuple(found)


def _judged(path: Path, package: Package | None) -> Signal:
    whose = path.name if package is not None else f"{path.name}, which no installed package lists,"
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
    return Signal(START, State.OK, f"{whose} only adds {len(paths)} to where modules are looked for")


def _bounded(line: str) -> str:
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
