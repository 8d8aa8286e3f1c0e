"""The distributions of folders like `site-packages`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

from rotator.adapters.installed.gaps import gaps_in
from rotator.adapters.installed.starts import Starts, runs_at_start, starts_in
from rotator.domain.failures import Permanent
from rotator.domain.packages import EGGS, PYPI, Component, Inventory, Package, installed_from

KIND = "site-packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What an environment has. `local`: packages that were installed from a folder, so that no index has them."""

    inventory: Inventory
    local: frozenset[Package]
    starts: tuple[Starts, ...]


def read_environment(
    folders: Sequence[Path], *, consumer: str, at: datetime, origin: str = "", ours: str = ""
) -> Environment:
    """Everything installed in these folders. `ours`: the distribution whose link to its sources is our own.

    Raises `Permanent` for a folder that cannot be read.
    """
    for folder in folders:
        _readable(folder)
    components, local, gaps = set(), set(), [*gaps_in(folders)]
    owners: dict[str, Package] = {}
    for each in distributions(path=[str(each) for each in folders]):
        name, version = _identity(each)
        if not name:
            if getattr(getattr(each, "_path", None), "suffix", "") not in EGGS:
                gaps.append(f"{getattr(each, '_path', 'a distribution')} has no name")
            continue
        package = Package.of(PYPI, name)
        elsewhere = _elsewhere(each)
        components.add(Component(package=package, version=version, elsewhere=elsewhere))
        if elsewhere in ("editable", "directory"):
            local.add(package)
        owners |= {str(Path(str(each.locate_file(file))).resolve()): package for file in _top_level(each)}
    inventory = Inventory(
        consumer=consumer,
        kind=KIND,
        origin=origin or ", ".join(map(str, folders)),
        since=at,
        components=tuple(sorted(components)),
        gaps=tuple(gaps),
    )
    starts = starts_in(folders, owners, ours=Package.of(PYPI, ours) if ours else None, local=local)
    return Environment(inventory=inventory, local=frozenset(local), starts=starts)


def _readable(folder: Path) -> None:
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise Permanent(f"{folder} cannot be read: {error.strerror}", "name a folder like site-packages") from None


def _identity(each: Distribution) -> tuple[str, str]:
    """Name and version; "" for what the metadata does not say, which may be missing altogether."""
    try:
        told = each.metadata  # read anew each time that it is asked for
        return str(told["Name"] or "").strip(), str(told["Version"] or "").strip()
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return "", ""


def _elsewhere(each: Distribution) -> str:
    """Where its installer wrote down that it came from (PEP 610); "" for an index."""
    try:
        said = each.read_text("direct_url.json") or "{}"
    except (OSError, ValueError, AttributeError):
        said = ""  # there is one, so it was no index
    return installed_from(said)


def _top_level(each: Distribution) -> list[str]:
    """The files that its RECORD lists beside its packages, and that Python reads at every start."""
    with suppress(OSError, ValueError, csv.Error):  # what nobody is seen to list is said to be nobody's
        told = (each.read_text("RECORD") or "").splitlines()
        lines = [line for line in told if ".pth" in line or "customize" in line]
        return [row[0] for row in csv.reader(lines) if row and runs_at_start(row[0])]
    return []
