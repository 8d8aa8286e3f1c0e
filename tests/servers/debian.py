"""Servers that only Debian's packages have: the system's programs where there are any, else unpacked below `.venv`.

    python -m tests.servers.debian        # `make dev` does it, once; never fails, says what is missing

The packages come by apt from the mirrors that the system is configured for, and are verified as it verifies them. Its
lists, cache and locks are left alone, and nothing is installed: the packages are unpacked into a folder of ours, so no
root is needed. What they need of the system's libraries they find there, and the rest in the same folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.servers import Unavailable

FOLDER = Path(__file__).parents[2] / ".venv" / "debian"
PACKAGES: Mapping[str, str] = {
    "redis-server": "redis-server",
    "mariadbd": "mariadb-server-core",
    "rabbitmqctl": "rabbitmq-server",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "chromium-headless-shell": "chromium-headless-shell",
}
"""The package of each program that tells whether the system has the server already."""
PLACES = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
SECONDS = 600
# A list in apt's configuration can be emptied in a file alone; the system's hooks would clean the system's cache.
CONFIG = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
APT::Update::Error-Mode "any";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Retries "2";
Debug::NoLocking "true";
Dir::State "{folder}/state";
Dir::State::status "{status}";
Dir::Cache "{folder}/cache";
"""
STATUS = Path("/var/lib/dpkg/status")


def find(program: str) -> Path:
    """The system's program, else the unpacked one. Raises `Unavailable`."""
    for folder in (Path("/"), FOLDER):
        for place in PLACES:
            if os.access(folder / place / program, os.X_OK):
                return folder / place / program
    raise Unavailable(f"no {program}: neither the system's nor, by `make dev` with apt and a network, Debian's")


def surroundings(program: Path) -> dict[str, str]:
    """The variables with which a program finds what it needs: paths of programs and libraries."""
    if not program.is_relative_to(FOLDER):
        return {"PATH": os.defpath + ":/usr/sbin:/sbin"}
    programs = ":".join(str(FOLDER / place) for place in PLACES)
    return {"PATH": f"{programs}:{os.defpath}:/usr/sbin:/sbin", "LD_LIBRARY_PATH": ":".join(map(str, _libraries()))}


@cache
def _libraries() -> tuple[Path, ...]:
    """Where the unpacked ones are: some name a folder of their own, which they would look for in the system."""
    places = [each for place in ("usr/lib", "lib") for each in FOLDER.glob(f"{place}/*-linux-*")]
    return (*places, *sorted({each.parent for place in places for each in place.glob("*/*.so*")}))


def home(program: Path) -> Path:
    """The root of the file system that a program came with: `/`, or the folder of the unpacked ones."""
    return FOLDER if program.is_relative_to(FOLDER) else Path("/")


# -- fetching ----------------------------------------------------------------------------------------------------------


class NotFetched(Exception):
    """The packages could not be had; the text says why."""


def missing() -> list[str]:
    """The packages that are still to be fetched."""

    def is_there(program: str) -> bool:
        try:
            find(program)
        except Unavailable:
            return False
        return True

    return [package for program, package in PACKAGES.items() if not is_there(program)]


def fetch(packages: list[str]) -> None:
    """Download the packages with what they depend on and the system lacks, and unpack them. Raises `NotFetched`."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise NotFetched(f"there is no {program}")
    if not STATUS.is_file():
        raise NotFetched("this is no Debian")
    FOLDER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent, prefix="debian-") as folder:
        unpacked = _unpack(_download(Path(folder), packages), Path(folder) / "unpacked")
        for script in _scripts_of_erlang(unpacked):
            script.write_text(script.read_text().replace("=/usr/lib/erlang", f"={FOLDER}/usr/lib/erlang"))
        shutil.copytree(unpacked, FOLDER, symlinks=True, dirs_exist_ok=True)


def _download(folder: Path, packages: list[str]) -> list[Path]:
    config = folder / "apt.conf"
    config.write_text(CONFIG.format(folder=folder, status=STATUS))
    for place in ("state/lists/partial", "cache/archives/partial"):
        (folder / place).mkdir(parents=True)
    _run("apt-get", "-q", "-c", str(config), "update")
    _run("apt-get", "-q", "-y", "-c", str(config), "--download-only", "install", *packages)
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _unpack(archives: list[Path], folder: Path) -> Path:
    folder.mkdir()
    for archive in archives:
        _run("dpkg-deb", "-x", str(archive), str(folder))
    return folder


def _scripts_of_erlang(folder: Path) -> Iterator[Path]:
    """Where the path of an installed Erlang is written down."""
    for each in folder.glob("usr/lib/erlang/**/bin/*"):
        if each.is_file() and not each.is_symlink() and each.read_bytes()[:2] == b"#!":
            yield each


def _run(*command: str) -> None:
    environment = {"PATH": os.defpath + ":/usr/sbin:/sbin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    proxies = {name: text for name, text in os.environ.items() if name.lower() in ("http_proxy", "https_proxy")}
    try:
        done = subprocess.run(
            command,
            env=environment | proxies,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotFetched(f"{command[0]} took longer than {SECONDS} s") from None
    if done.returncode:
        raise NotFetched("\n".join([f"{command[0]} failed", *done.stdout.splitlines()[-5:]]))


def main() -> int:
    """Fetch what is missing; 1 when it could not be had."""
    packages = missing()
    if not packages:
        return 0
    try:
        fetch(packages)
    except NotFetched as why:
        sys.stderr.write(f"tests of {', '.join(packages)} will be skipped: {why}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
