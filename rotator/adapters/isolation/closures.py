"""Which files make a driver: its own, those of every distribution that it needs, and the rotator's part beneath it.

Nothing is imported to find that out, because importing runs code. What a driver of ours needs besides is the extra that
its entry point names in brackets; what a stranger's needs are the requirements of its distribution.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

OURS = "rotator"
BENEATH = ("urllib3", "tenacity")
"""What `rotator.sdk` needs."""
SHARED = ("__init__.py", "py.typed", "ports.py", "exchanges.py", "domain", "sdk", "child")
"""The part of the rotator that every driver gets."""
STORES = ("adapters/__init__.py", "adapters/stores/__init__.py", "adapters/clients")
"""What a store of ours gets besides its own folder and the files beside it."""


class NoClosure(Exception):
    """The files cannot be told: what is missing, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Part:
    """The files of one distribution, by where they are imported from. `files`: path in the part, and where.

    `recorded`: what the installer wrote down of them, as the name of a hash and its value.
    """

    name: str
    version: str
    files: Mapping[PurePosixPath, Path]
    recorded: Mapping[PurePosixPath, tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def contents(self) -> dict[PurePosixPath, bytes]:
        """The files as they are now. Raises `NoClosure`, also for one that is not what was installed."""
        try:
            contents = {path: source.read_bytes() for path, source in self.files.items()}
        except OSError as error:
            raise NoClosure(f"{self.name}: {error.strerror}: {error.filename}", f"install {self.name} again") from None
        for path, (how, was) in self.recorded.items():
            if _hashed(how, contents[path]) != was:
                hint = f"find out who changed it, and install {self.name} again"
                raise NoClosure(f"{self.name}: {path} was changed after it was installed", hint)
        return contents

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the paths and contents of all files, in order: what is pinned."""
        return digest_of(self.contents)


def _hashed(how: str, content: bytes) -> str:
    """As a RECORD writes it."""
    return base64.urlsafe_b64encode(hashlib.new(how, content).digest()).rstrip(b"=").decode()


def digest_of(contents: Mapping[PurePosixPath, bytes]) -> str:
    """Hash paths and contents, as 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for path in sorted(contents):
        whole.update(f"{path}\0{hashlib.sha256(contents[path]).hexdigest()}\n".encode())
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class Closure:
    """All parts of one driver, the rotator's first."""

    driver: str
    entry: str
    parts: tuple[Part, ...]

    def digests(self) -> dict[str, str]:
        """What is pinned: of every part its version and digest."""
        return {part.name: f"{part.version} sha256:{part.digest}" for part in self.parts}


def closure_of(entry: EntryPoint) -> Closure:
    """The closure of a driver. Raises `NoClosure`."""
    parts = {OURS: _part_of_ours(entry.module if _brought_by(entry) == OURS else None)}
    for name in _needed_by(entry):
        parts[name] = _part(name)
    return Closure(entry.name, f"{entry.module}:{entry.attr}", tuple(parts.values()))


def versions_in(entry: EntryPoint) -> dict[str, str]:
    """The distributions of a driver's closure and their versions, without a look at their files. Raises `NoClosure`."""
    return {name: _distribution(name).version for name in (OURS, *_needed_by(entry))}


# -- distributions -----------------------------------------------------------------------------------------------------


def _brought_by(entry: EntryPoint) -> str:
    return canonicalize_name(entry.dist.name or "") if entry.dist is not None else OURS


def _needed_by(entry: EntryPoint) -> tuple[str, ...]:
    """All distributions of its closure but the rotator."""
    brought_by = _brought_by(entry)
    needed = [*BENEATH, *_wanted_by(entry, brought_by)]
    return _all_of(needed if brought_by == OURS else [*needed, brought_by])


def _wanted_by(entry: EntryPoint, brought_by: str) -> list[str]:
    """What the entry point needs directly: its extras, and of a stranger's distribution all that it requires."""
    if brought_by == OURS and not entry.extras:
        return []
    return list(_requirements(_distribution(brought_by), frozenset(entry.extras), only_extras=brought_by == OURS))


def _all_of(names: Iterable[str]) -> tuple[str, ...]:
    """These distributions and whatever they need, each once, in a fixed order; never the rotator."""
    found: set[tuple[str, frozenset[str]]] = set()
    ahead = [Requirement(name) for name in names]
    while ahead:
        wanted = ahead.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in found:
            continue
        found.add((name, extras))
        if name != OURS or extras:
            needed = _requirements(_distribution(name), extras, only_extras=name == OURS)
            ahead += [Requirement(each) for each in needed]
    return tuple(sorted({name for name, _ in found if name != OURS}))


def _requirements(of: Distribution, extras: frozenset[str], *, only_extras: bool = False) -> Iterator[str]:
    """What a distribution requires here, with these extras; `only_extras`: no more than they add."""
    for text in of.requires or ():
        try:
            wanted = Requirement(text)
            plain = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
            added = wanted.marker is not None and any(wanted.marker.evaluate({"extra": extra}) for extra in extras)
        except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):
            raise NoClosure(f"{of.name} requires something unreadable", f"install {of.name} again") from None
        if (added and not plain) or (plain and not only_extras):
            extra = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
            yield f"{wanted.name}{extra}"


def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        pass  # raised below, without the library's own words
    raise NoClosure(f"{name or 'a distribution without a name'} is not installed", f"pip install {name}")


def _part(name: str) -> Part:
    """Everything a distribution installed that can be imported or read, without compiled code and scripts."""
    its = _distribution(name)
    if its.files is None:
        raise NoClosure(f"{name} does not say which files it has", f"install {name} with pip")
    files, recorded = {}, {}
    for each in its.files:
        path, where = PurePosixPath(each.as_posix()), Path(str(its.locate_file(each)))
        outside = path.is_absolute() or ".." in path.parts  # scripts, and what was never installed by a wheel
        if outside or "__pycache__" in path.parts or path.suffix in (".pyc", ".pth"):
            continue
        files[path] = where
        if each.hash is not None and each.hash.mode in hashlib.algorithms_guaranteed:
            recorded[path] = (each.hash.mode, each.hash.value)
        elif where.is_symlink():
            raise NoClosure(f"{name}: {path} is a link to somewhere", f"install {name} again")
    if _editable(its) or not any(path.suffix in (".py", ".so") for path in files):
        raise NoClosure(f"{name} is installed as a link to its sources", "install it as a wheel, or use isolation: off")
    return Part(name, its.version, files, recorded)


def _editable(its: Distribution) -> bool:
    """Whether an installer wrote down that it only linked the sources."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):  # then its files tell
        return bool(json.loads(its.read_text("direct_url.json") or "{}")["dir_info"].get("editable"))
    return False


# -- our own part ------------------------------------------------------------------------------------------------------


def _part_of_ours(module: str | None) -> Part:
    """The rotator beneath drivers, and a driver of ours."""
    root = Path(__file__).parents[2]
    files = dict(_beneath(root, SHARED))
    if module is not None and module.startswith("rotator.adapters.stores."):
        folder = module.removeprefix("rotator.").replace(".", "/")
        files |= _beneath(root, (*STORES, folder, f"{folder}.py"))
        files |= {path: where for path, where in _beneath(root, ("adapters/stores",)) if len(path.parts) == 4}
    elif module is not None:
        files |= _module(module)
    return Part(OURS, _distribution(OURS).version, files)


def _beneath(root: Path, names: Iterable[str]) -> Iterator[tuple[PurePosixPath, Path]]:
    for name in names:
        path = root / name
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if each.is_file() and each.suffix != ".pyc":
                yield PurePosixPath("rotator", each.relative_to(root).as_posix()), each


def _module(name: str) -> Iterator[tuple[PurePosixPath, Path]]:
    """The files of a top-level module, found and not imported."""
    found = PathFinder.find_spec(name.partition(".")[0])
    if found is None or found.origin is None:
        raise NoClosure(f"the module {name} is not installed", "install the rotator again")
    origin = Path(found.origin)
    if not found.submodule_search_locations:
        yield PurePosixPath(origin.name), origin
        return
    for each in sorted(origin.parent.rglob("*")):
        if each.is_file() and each.suffix != ".pyc":
            yield PurePosixPath(origin.parent.name, each.relative_to(origin.parent).as_posix()), each
