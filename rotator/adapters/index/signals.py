"""What follows from a project's page for one version. Each says ok, bad or unknown, and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from packaging.version import Version

from rotator.adapters.index.project import Project
from rotator.domain.findings import HASH, STATUS, VANISHED, YANKED, YOUNG, Signal, State
from rotator.domain.times import format_time, roughly

_STATUS = {
    "active": State.OK,
    "archived": State.BAD,
    "deprecated": State.BAD,
    "quarantined": State.BAD,
}
"""PEP 792."""


def of_page(
    project: Project, version: Version, hashes: tuple[str, ...], *, at: datetime, young: timedelta
) -> Iterator[Signal]:
    """Everything that needs no further request. `hashes`: the lockfile's."""
    yield vanished(project, version)
    yield status(project)
    yield too_young(project, version, at=at, young=young)
    yield yanked(project, version)
    if hashes:
        yield other_files(project, version, hashes)


def vanished(project: Project, version: Version) -> Signal:
    """Whether the index still has the version: what is taken down for being malicious is simply gone."""
    if project.release(version):
        return Signal(VANISHED, State.OK, "the index has files of it")
    if project.versions is None:
        return Signal(VANISHED, State.UNKNOWN, f"the index tells no versions (API 1.{project.api})")
    if version in project.versions:
        return Signal(VANISHED, State.BAD, "the index lists the version, without any file of it")
    return Signal(VANISHED, State.BAD, f"not among the {len(project.versions)} that the index lists")


def status(project: Project) -> Signal:
    """What the index says of the whole project."""
    if project.status is None:
        return Signal(STATUS, State.UNKNOWN, f"the index tells no status of projects (API 1.{project.api})")
    because = f": {project.reason}" if project.reason else ""
    return Signal(STATUS, _STATUS.get(project.status, State.UNKNOWN), f"the project is {project.status}{because}")


def too_young(project: Project, version: Version, *, at: datetime, young: timedelta) -> Signal:
    """Whether its youngest file was uploaded a short time before `at`; an old release may get a new file."""
    times = [each.uploaded for each in project.release(version)]
    known = [each for each in times if each is not None]
    if not known or len(known) < len(times):
        return Signal(YOUNG, State.UNKNOWN, "the index does not tell when it was uploaded")
    newest = max(known)
    if newest > at:
        return Signal(
            YOUNG, State.BAD, f"uploaded at {format_time(newest.replace(microsecond=0))}, after the time asked for"
        )
    state = State.BAD if at - newest < young else State.OK
    return Signal(
        YOUNG, state, f"uploaded {roughly(at - newest)} before, at {format_time(newest.replace(microsecond=0))}"
    )


def yanked(project: Project, version: Version) -> Signal:
    """Whether its publisher took back some of it (PEP 592); a page that says nothing of a file says no."""
    files = project.release(version)
    back = [each for each in files if each.yanked is not None]
    if not files:
        return Signal(YANKED, State.UNKNOWN, "the index has no file of it")
    if not back:
        return Signal(YANKED, State.OK, "not taken back")
    because = next((f": {each.yanked}" for each in back if each.yanked), "")
    return Signal(YANKED, State.BAD, f"{len(back)} of {len(files)} files were taken back{because}")


def other_files(project: Project, version: Version, hashes: tuple[str, ...]) -> Signal:
    """Whether every file that the lockfile pins is one that the index has of this version."""
    pinned = {each.partition(":")[2].lower() for each in hashes if each.lower().startswith("sha256:")}
    files = project.release(version)
    known = {each.sha256 for each in files if each.sha256}
    if not pinned or not files or any(each.sha256 is None for each in files):
        return Signal(HASH, State.UNKNOWN, "the index, or the lockfile, has no SHA-256 of its files")
    strange = sorted(pinned - known)
    if strange:
        said = f"{len(strange)} of {len(pinned)} pinned files are none of the index's"
        return Signal(HASH, State.BAD, f"{said}: sha256:{strange[0][:12]}…")
    return Signal(HASH, State.OK, f"all {len(pinned)} pinned files are the index's")
