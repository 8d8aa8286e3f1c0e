"""From a path or the bytes of a commit to what is in it, by name and by content.

Raises `Unreadable`, whose message begins with file and line, for all that is no inventory: never is it taken for an
empty one. Files that are too large are not read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from rotator.adapters.lockfiles import json_text, toml_text, yaml_text
from rotator.adapters.lockfiles.cyclonedx import CycloneDx
from rotator.adapters.lockfiles.form import MIB, MOST, Document, Form, Found, Syntax, Unreadable
from rotator.adapters.lockfiles.package_lock import PackageLock
from rotator.adapters.lockfiles.pdm_lock import PdmLock
from rotator.adapters.lockfiles.pnpm_lock import PnpmLock
from rotator.adapters.lockfiles.poetry_lock import PoetryLock
from rotator.adapters.lockfiles.pylock import PylockToml
from rotator.adapters.lockfiles.requirements import Requirements
from rotator.adapters.lockfiles.site_packages import KIND, beneath, is_site_packages, read_site_packages
from rotator.adapters.lockfiles.spdx import Spdx
from rotator.adapters.lockfiles.uv_lock import UvLock

FORMS: tuple[Form, ...] = (
    UvLock(),
    PoetryLock(),
    PdmLock(),
    PylockToml(),
    PackageLock(),
    PnpmLock(),
    CycloneDx(),
    Spdx(),
    Requirements(),
)
KINDS = (*(form.kind for form in FORMS), KIND)
LARGEST = max(MOST.values())
_PARSERS = {Syntax.TOML: toml_text.parse, Syntax.JSON: json_text.parse, Syntax.YAML: yaml_text.parse}
_ENDINGS = {".toml": Syntax.TOML, ".lock": Syntax.TOML, ".json": Syntax.JSON, ".yaml": Syntax.YAML, ".yml": Syntax.YAML}


def likely(path: PurePath) -> bool:
    """Whether a file of this name is worth a look."""
    return path.name == "sbom.json" or any(form.named(path) for form in FORMS)


def lockfiles_in(folder: Path) -> tuple[Path, ...]:
    """What to read of a folder: itself, the site-packages of an environment, or the lockfiles right in it."""
    if is_site_packages(folder):
        return (folder,)
    environment = beneath(folder)
    if environment is not None:
        return (environment,)
    return tuple(sorted(each for each in folder.iterdir() if likely(each) and each.is_file()))


def read_path(path: Path, shown: str) -> Found:
    """Read a file, or a folder of installed packages. `shown`: what it is called. Raises `Unreadable`."""
    if path.is_dir():
        if not is_site_packages(path):
            raise Unreadable(f"{shown} is a folder without installed packages", "name a lockfile, or a site-packages")
        return read_site_packages(path, shown)
    folder = path.parent.resolve()
    return read_bytes(_bytes(path, shown), path, shown, at=path.name, beside=partial(_beside, folder, shown))


def read_bytes(
    data: bytes,
    path: PurePath,
    shown: str,
    *,
    at: str = "",
    beside: Callable[[str], Document] | None = None,
) -> Found:
    """Read a file's bytes; `path` is for its name alone. Raises `Unreadable`."""
    form = next((each for each in FORMS if each.named(path)), None)
    syntax = form.syntax if form is not None else _syntax(path, data)
    document = replace(_decoded(data, shown, syntax), at=at, beside=beside)
    if syntax in _PARSERS:
        value, lines = _PARSERS[syntax](document)
        document = replace(document, value=value, lines=lines)
    return _form(document, form, syntax).read(document)


def _form(document: Document, named: Form | None, syntax: Syntax) -> Form:
    """The form that the content is of; what it is named as must be no other one."""
    if named is not None and _fits(named, document):
        return named
    found = next((each for each in FORMS if each.syntax is syntax and _fits(each, document)), None)
    if found is not None and named is None:
        return found
    if found is not None:
        raise document.error(f"its content is {found.kind}, and its name says otherwise", "give it its own name")
    if named is not None:
        raise document.error(f"this is no {named.kind}", "lock it anew, or restore it")
    raise document.error("this is no inventory of a form known here", "known: " + ", ".join(KINDS))


def _fits(form: Form, document: Document) -> bool:
    return form.fits(document)


def _syntax(path: PurePath, data: bytes) -> Syntax:
    if path.suffix in _ENDINGS:
        return _ENDINGS[path.suffix]
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return Syntax.JSON if start.startswith(b"{") else Syntax.TEXT


def _decoded(data: bytes, shown: str, syntax: Syntax) -> Document:
    most = MOST[syntax]
    if len(data) > most:
        hint = "name the lockfile itself; a bill of materials may leave out files"
        raise Unreadable(f"{shown}: it is larger than {most // MIB} MiB", hint)
    # PowerShell writes UTF-16 where one says `pip freeze > requirements.txt`, and pip reads it.
    wide = syntax is Syntax.TEXT and data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"{shown}:{line}: this is not UTF-8 text", "save it as UTF-8") from None
    if not text.strip():
        raise Unreadable(f"{shown}:1: it is empty", "lock it anew, or restore it")
    return Document(shown, text)


def _bytes(path: Path, shown: str) -> bytes:
    try:
        if not path.is_file():
            there = "is no file" if path.exists() else "does not exist"
            raise Unreadable(f"{shown} {there}", "check the path; paths in a config are relative to it")
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(f"{shown} cannot be read: {error.strerror}", "check the path and its permissions") from None


def _beside(folder: Path, shown: str, relative: str) -> Document:
    """Another file of the folder, also where links are followed."""
    path = (folder / relative).resolve()
    name = str(PurePath(shown).parent / relative)
    if not path.is_relative_to(folder):
        raise Unreadable(f"{name} is a link out of its folder", "name what it points to")
    document = _decoded(_bytes(path, name), name, Syntax.TEXT)
    return replace(document, at=relative, beside=partial(_beside, folder, shown))
