"""A folder of installed Python packages, as it is: every `*.dist-info` in it. Nothing of it is imported or run."""

from __future__ import annotations

from pathlib import Path

from rotator.adapters.lockfiles.form import Document, Found
from rotator.adapters.lockfiles.gathering import Gathering
from rotator.domain.packages import EGGS, PYPI, SEES_BENEATH, egg_gap, installed_from, sees_beneath
from rotator.domain.times import quoted

KIND = "site-packages"
LONGEST = 1024 * 1024
"""Bytes of a METADATA that are read; what we look for stands at its beginning."""
MOST = 100_000


def is_site_packages(folder: Path) -> bool:
    """Whether packages are installed in it."""
    return folder.name in ("site-packages", "dist-packages") or any(folder.glob("*.dist-info"))


def beneath(folder: Path) -> Path | None:
    """The site-packages of a virtual environment; None where it is none."""
    if not (folder / "pyvenv.cfg").is_file():
        return None
    return next((each for each in sorted(folder.glob("[Ll]ib*/**/site-packages")) if each.is_dir()), None)


def read_site_packages(folder: Path, shown: str) -> Found:
    """What is installed there. `hashed`: its RECORD is there, which has the files' hashes. Raises `Unreadable`."""
    document = Document(shown, "")
    found = Gathering(document, KIND)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise document.error(f"it cannot be read: {error.strerror}", "check its permissions", None) from None
    if len(entries) > MOST:
        raise document.error(f"it has more than {MOST} entries", "name a folder of packages", None)
    for entry in entries:
        if entry.suffix == ".dist-info":
            _distribution(found, entry)
        elif entry.suffix in EGGS:
            _egg(found, entry)
    config = _first_folder_with(folder, "pyvenv.cfg")
    if config is not None and sees_beneath(_start(config)):
        found.gap(SEES_BENEATH)
    return found.found()


def _distribution(found: Gathering, entry: Path) -> None:
    headers = _headers(entry / "METADATA")
    if "name" not in headers or "version" not in headers:
        found.gap(f"{quoted(entry.name)} has no METADATA that names it")
        return
    hashed = (entry / "RECORD").is_file()
    found.add(PYPI, headers["name"], headers["version"], hashed=hashed, elsewhere=_elsewhere(entry))


def _egg(found: Gathering, entry: Path) -> None:
    found.gap(egg_gap(entry.name))
    for information in (entry / "PKG-INFO", entry / "EGG-INFO" / "PKG-INFO", entry):
        headers = _headers(information)
        if "name" in headers:
            found.add(PYPI, headers["name"], headers.get("version", ""), hashed=False)
            return


def _headers(path: Path) -> dict[str, str]:
    """The first headers by their names in lower case; none of what is no such file."""
    headers: dict[str, str] = {}
    for line in (_start(path) or "").splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon and not name[:1].isspace():
            headers.setdefault(name.strip().lower(), value.strip())
    return {name: headers[name] for name in ("name", "version") if headers.get(name)}


def _elsewhere(entry: Path) -> str:
    """What PEP 610 says of where it was installed from; without the file it was an index."""
    said = _start(entry / "direct_url.json")
    return installed_from("" if said is None else said or "{}")


def _start(path: Path) -> str | None:
    """Its beginning; "" where there is no such file, None where it cannot be read."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(LONGEST).decode("utf-8", "replace")
    except OSError:
        return None


def _first_folder_with(folder: Path, name: str) -> Path | None:
    return next((each / name for each in folder.parents if (each / name).is_file()), None)
