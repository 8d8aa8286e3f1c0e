"""Private copies of what makes a driver, which are what its process imports.

A part is read once; what was read is hashed, compared with its pin and written, so nothing can be swapped between. The
name of a copy is its digest. Copies are kept from one run to the next and are compared with what was read each time.

Compiled code lies apart from the sources, because Python believes it without looking at them. We compile what a child
said that it imports, and remember the hash of each compiled file under a key of our own; others are thrown away.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from rotator.adapters.isolation.closures import Closure, Part, digest_of

MANIFEST = "manifest.json"
BUILDING = ".making-"
COMPILER = """
import json, py_compile, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for source, target in json.load(sys.stdin):
    try:
        py_compile.compile(
            source, target, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
        )
    except Exception:
        pass
"""
"""In a process of its own, because compiling six megabytes of somebody's source takes two gigabytes."""


class Copies:
    """A folder of ours with copies and compiled code. Used by many threads and processes."""

    def __init__(self, root: Path, key: bytes) -> None:
        """`root` is made, for us alone. `key` protects the manifest. Raises `OSError` for a folder of somebody else."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise OSError(f"{root} is not ours alone")
        self.root = root
        self._key = key
        self.bytecode = root / f"bytecode-{sys.implementation.cache_tag}"

    def of(self, closure: Closure) -> tuple[str, ...]:
        """The folders of a closure's copies, in its order. Raises `OSError`, `NoClosure`."""
        with self._alone():
            for left in self.root.glob(f"{BUILDING}*"):  # by a process that was ended
                _remove(left)
            return tuple(str(self._copy(part)) for part in closure.parts)

    def _copy(self, part: Part) -> Path:
        folder = self.root / f"{part.name}-{part.digest[:32]}"
        if os.path.lexists(folder):
            if not folder.is_symlink() and digest_of(_read(folder)) == part.digest:
                return folder
            _remove(folder)
        building = Path(tempfile.mkdtemp(dir=self.root, prefix=BUILDING))
        try:
            for path, content in part.contents.items():
                target = building / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                target.chmod(0o400)
            building.rename(folder)
        except BaseException:
            _remove(building)
            raise
        return folder

    # -- compiled code -------------------------------------------------------------------------------------------------

    def checked(self) -> str:
        """The folder of compiled code, without everything that we did not compile.

        Raises `OSError` where something else stays: Python would run it.
        """
        with self._alone():
            known = self._manifest()
            for path in _files(self.bytecode):
                name = path.relative_to(self.bytecode).as_posix()
                if known.get(name) != _hash(path):
                    path.unlink(missing_ok=True)
        return str(self.bytecode)

    def compile(self, sources: Iterable[str]) -> None:
        """Compile those of these sources that lie in our copies or in the standard library. Runs none of them."""
        with self._alone():
            known = self._manifest()
            named = ((self._compiled(source), source) for source in sources)
            fresh = {
                name: source
                for name, source in named
                if name is not None
                and not (name in known and (self.bytecode / name).exists())
                and _removed(self.bytecode / name)
            }
            if not fresh:
                return
            _run_compiler([(source, str(self.bytecode / name)) for name, source in fresh.items()])
            known |= {name: found for name in fresh if (found := _hash(self.bytecode / name))}
            self._write_manifest(known)

    def _compiled(self, source: str) -> str | None:
        """Where Python looks for a source's compiled code beneath `pycache_prefix`; of others' sources None."""
        path = Path(source)
        homes = (str(self.root), *_library())
        if ".." in path.parts or "\0" in source or not any(path.is_relative_to(each) for each in homes):
            return None
        return f"{str(path.parent).lstrip('/')}/{path.stem}.{sys.implementation.cache_tag}.pyc"

    def _manifest(self) -> dict[str, str]:
        """What we compiled, by hash; nothing where the manifest is not ours."""
        known: dict[str, str] = {}
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):  # then all is compiled anew
            told = json.loads((self.root / MANIFEST).read_text())
            if hmac.compare_digest(told["mac"], self._mac(told["compiled"])):
                known |= told["compiled"]
        return known

    def _write_manifest(self, known: Mapping[str, str]) -> None:
        with suppress(OSError):  # then all is compiled anew the next time
            fresh = self.root / f".{MANIFEST}"
            fresh.write_text(json.dumps({"compiled": known, "mac": self._mac(known)}))
            fresh.replace(self.root / MANIFEST)

    def _mac(self, known: Mapping[str, str]) -> str:
        text = json.dumps([sys.version, known], sort_keys=True)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time."""
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _library() -> tuple[str, ...]:
    return (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


def _files(folder: Path) -> list[Path]:
    """Raises `OSError` where there is a folder that cannot be listed: Python finds what is in it all the same."""
    found: list[Path] = []
    for base, folders, files in os.walk(folder, onerror=_raise) if folder.is_dir() else ():
        found += [each for name in (*folders, *files) if (each := Path(base, name)).is_symlink() or each.is_file()]
    return found


def _raise(error: OSError) -> None:
    raise error


def _removed(path: Path) -> bool:
    """Whether nothing is there any more, whoever put it there: it would pass for what we compile."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _read(folder: Path) -> dict[PurePosixPath, bytes]:
    """Every file of a copy; a link is no file of ours, and makes the digest another one."""
    return {
        PurePosixPath(each.relative_to(folder).as_posix()): b"link" if each.is_symlink() else each.read_bytes()
        for each in _files(folder)
    }


def _hash(path: Path) -> str:
    if path.is_symlink():
        return ""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""  # which no file of ours has


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def _run_compiler(pairs: list[tuple[str, str]]) -> None:
    with suppress(OSError, subprocess.SubprocessError):  # what is not compiled is only slower
        subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", COMPILER],
            input=json.dumps(pairs).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=120,
            check=False,
        )
