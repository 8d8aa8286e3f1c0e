"""The first files of a stranger's driver: a distribution that passes the contract over an invented API."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from rotator.app.drivers import installed
from rotator.config.errors import ConfigError

FILES = {
    "driver.txt": "rotator_MODULE.py",
    "pyproject.txt": "pyproject.toml",
    "readme.txt": "README.md",
    "stand_in.txt": "tests/stand_in.py",
    "test_contract.txt": "tests/test_contract.py",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def write_driver(name: str, where: Path) -> tuple[Path, ...]:
    """Write the files below `where/rotator-NAME`, which must not be there yet. Raises `ConfigError`."""
    if not _NAME.fullmatch(name) or len(name) > 40:
        raise ConfigError(f"{name!r} is no name for a driver", "write lower-case letters, digits and dashes, like acme")
    taken = next((each for each in installed() if each.name == name and each.kind == "provider"), None)
    if taken is not None:
        raise ConfigError(f"{taken.distribution} already brings a driver {name}", "give it another name")
    folder, module = where / f"rotator-{name}", name.replace("-", "_")
    try:
        (folder / "tests").mkdir(parents=True)
        return tuple(_write(folder, template, target, name, module) for template, target in FILES.items())
    except FileExistsError:
        raise ConfigError(f"{folder} is there already", "move it away, or choose another name") from None
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}", "go to a folder of your own") from None


def _write(folder: Path, template: str, target: str, name: str, module: str) -> Path:
    text = (files("rotator.sdk") / "template" / template).read_text()
    path = folder / target.replace("MODULE", module)
    path.write_text(re.sub(r"\bNAME\b", name, text.replace("rotator_MODULE", f"rotator_{module}")))
    return path
