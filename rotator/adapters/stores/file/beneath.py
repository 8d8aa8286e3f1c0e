"""Files beneath one directory, reached by descriptors alone: no symbolic link is followed, no `..` is entered.

Every change is durable on return: a temporary file in the same directory, fsync, rename, fsync of the directory.

In as few calls of the system as that takes: in each of them the interpreter's lock goes to another thread, and to get
it back costs more than most of these calls do.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType

from rotator.adapters.stores.halfway import behind
from rotator.domain.failures import Conflict, Denied, Failure, Permanent, Transient

LARGEST = 16 * 2**20
"""Bytes of a file; a larger one is no document of secrets."""
CHUNK = 65_536

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes and what the file system says of it."""

    data: bytes
    status: os.stat_result

    def __repr__(self) -> str:
        return f"Content({len(self.data)} bytes)"

    @property
    def traces(self) -> bytes:
        """Changes with every change of the file, as far as the file system's clock can tell; holds nothing of it."""
        return traces_of(self.status)


def traces_of(status: os.stat_result) -> bytes:
    """Where a file is and when it was changed."""
    return repr((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)).encode()


class Directory:
    """An open directory; `shown` is its path for people. Close it, or use it as a context manager.

    Methods raise the types of `rotator.domain.failures`, with a hint.
    """

    def __init__(self, fd: int, shown: str) -> None:
        """Takes the descriptor over."""
        self.fd = fd
        self.shown = shown
        self._status = os.fstat(fd)

    @classmethod
    def root(cls, path: Path) -> Directory:
        """The declared directory; it may be reached by symbolic links, because the operator wrote its path."""
        with failing_as(str(path)):
            directory = cls(os.open(path, _DIRECTORY), str(path))
        return directory._checked()

    def enter(self, name: str, *, create: int | None = None) -> Directory | None:
        """A directory in this one, or None where there is none; with a mode it is made. Never through a link."""
        with failing_as(self.path(name)):
            for _ in range(2):
                with suppress(FileNotFoundError):
                    found = Directory(os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd), self.path(name))
                    return found._checked()
                if create is None:
                    return None
                with suppress(FileExistsError):
                    os.mkdir(name, create, dir_fd=self.fd)
                    os.fsync(self.fd)
        raise Transient(f"{self.path(name)} comes and goes", "see who removes it")

    def must_be_private(self) -> None:
        """Raise Denied unless this directory is ours and nobody else may enter it."""
        status = self._status
        if status.st_uid != os.geteuid():
            hint = "run the rotator as that user, or give the directory to ours"
            raise Denied(f"{self.shown} belongs to the user {status.st_uid}", hint, permission=f"own {self.shown}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            hint = f"chmod 700 {self.shown}"
            raise Denied(f"{self.shown} is open to others", hint, permission=f"close {self.shown}")

    def read(self, name: str) -> Content | None:
        """A regular file, or None where there is none."""
        with failing_as(self.path(name)):
            try:
                # Without O_NONBLOCK a pipe of that name would be waited for.
                fd = os.open(name, _LOOK | os.O_NONBLOCK, dir_fd=self.fd)
            except FileNotFoundError:
                return None
            try:
                status = os.fstat(fd)
                if not stat.S_ISREG(status.st_mode):
                    raise Permanent(f"{self.path(name)} is no file", "name a regular file")
                data = read_all(fd, status.st_size)
            finally:
                os.close(fd)
        if len(data) > LARGEST:
            raise Permanent(f"{self.path(name)} is larger than {LARGEST // 2**20} MiB", "name a document of secrets")
        return Content(data, status)

    def status(self, name: str) -> os.stat_result | None:
        """Of whatever has that name, a link itself too; None where there is nothing."""
        with failing_as(self.path(name)), suppress(FileNotFoundError):
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        return None

    def link(self, name: str) -> str | None:
        """Where a symbolic link points to; None where there is none."""
        with failing_as(self.path(name)):
            try:
                return os.readlink(name, dir_fd=self.fd)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return None
                raise

    def names(self) -> tuple[str, ...]:
        """What is in the directory, sorted."""
        with failing_as(self.shown):
            return tuple(sorted(os.listdir(self.fd)))  # noqa: PTH208 - pathlib takes no descriptor

    def create(self, name: str, data: bytes, owner: os.stat_result | None, shown: str) -> None:
        """A new file, 0600, its content durable and its name not yet; like `owner` in user and group."""
        with failing_as(shown):
            fd = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self.fd
            )
            try:
                os.fchmod(fd, 0o600)
                if owner is not None:
                    own_like(fd, owner)
                write_all(fd, data)
                os.fsync(fd)
            finally:
                os.close(fd)

    def replace(
        self, name: str, data: bytes, owner: os.stat_result | None, before: Callable[[], None] = lambda: None
    ) -> None:
        """Put a file in the place of another at once. `before` runs last: if it raises, nothing has changed."""
        temporary = temporary_name(name)
        try:
            self._create_anew(temporary, data, owner, self.path(name))
            before()
            self.rename(temporary, name)
        except BaseException:
            with suppress(Failure):  # what went wrong first is told
                self.discard(temporary)
            raise
        self.settle(name)

    def _create_anew(self, name: str, data: bytes, owner: os.stat_result | None, shown: str) -> None:
        """As `create`, in the place of what a crash left behind."""
        try:
            self.create(name, data, owner, shown)
        except Conflict:
            self.discard(name)
        else:
            return
        self.create(name, data, owner, shown)

    def rename(self, old: str, new: str) -> None:
        """Rename within this directory, over what is there; durable only after `sync`."""
        with failing_as(self.path(new)):
            os.rename(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def replace_link(self, name: str, target: str) -> None:
        """Put a symbolic link in the place of another, or of a file, at once and durably."""
        temporary = temporary_name(name)
        self.discard(temporary)
        with failing_as(self.path(name)):
            os.symlink(target, temporary, dir_fd=self.fd)
        self.rename(temporary, name)
        self.settle(name)

    def discard(self, name: str) -> None:
        """Remove a file or link; of one that is not there: nothing. Durable only after `sync`."""
        with failing_as(self.path(name)), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def discard_directory(self, name: str) -> None:
        """Remove a directory and the files in it."""
        found = self.enter(name)
        if found is None:
            return
        with found:
            for each in found.names():
                found.discard(each)
        with failing_as(self.path(name)), suppress(FileNotFoundError):
            os.rmdir(name, dir_fd=self.fd)

    def discard_empty(self, name: str) -> None:
        """Remove a directory if nothing is in it."""
        with suppress(OSError):  # something is in it, or it stays as an empty one
            os.rmdir(name, dir_fd=self.fd)
            os.fsync(self.fd)

    def sync(self) -> None:
        """Make the names in this directory durable."""
        with failing_as(self.shown):
            os.fsync(self.fd)

    def settle(self, name: str) -> None:
        """`sync` behind a change of that name, which everybody sees already."""
        behind(f"{self.path(name)} was changed", self.sync)

    def path(self, name: str) -> str:
        """The path of something in this directory, for people."""
        path = f"{self.shown}/{name}"
        return path if path.isprintable() else repr(path)[1:-1]

    def close(self) -> None:
        """Close the descriptor. Once only."""
        os.close(self.fd)

    def __enter__(self) -> Directory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _checked(self) -> Directory:
        if self._status.st_mode & stat.S_IWOTH:
            self.close()
            what = f"{self.shown} may be written by everybody"
            raise Denied(what, f"chmod o-w {self.shown}", permission=f"keep others out of {self.shown}")
        return self


def temporary_name(name: str) -> str:
    """One name per file, so that what a crash left behind is found and overwritten by the next write."""
    return f"..rotator-{sha256(name.encode()).hexdigest()[:16]}.tmp"


def read_all(fd: int, size: int) -> bytes:
    """What an open file holds, but not much more than `LARGEST`; in one call if it has the size that it had."""
    data = os.read(fd, min(size, LARGEST) + 1)
    more = data if len(data) != size else b""  # it grew, its size is not told, or the file system gives it in parts
    while more and len(data) <= LARGEST:
        more = os.read(fd, CHUNK)
        data += more
    return data


def write_all(fd: int, data: bytes) -> None:
    """Write it, in as many calls as that takes."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def own_like(fd: int, status: os.stat_result) -> None:
    """Give an open file to the user and group of another one. Raises PermissionError where we may not."""
    ours = os.fstat(fd)
    if (status.st_uid, status.st_gid) != (ours.st_uid, ours.st_gid):
        os.fchown(fd, status.st_uid, status.st_gid)


class failing_as:  # noqa: N801 - it is said like a function
    """Turn what the operating system says into a failure with a hint."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise _failure(error, self._path) from None


def _failure(error: OSError, path: str) -> Failure:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            hint = "let the rotator's user own the file and write in its directory"
            return Denied(f"may not touch {path}", hint, permission=f"write {path}")
        case errno.EROFS:
            return Denied(f"{path} is on a read-only file system", "mount it writable", permission=f"write {path}")
        case errno.ENOSPC | errno.EDQUOT:
            return Transient(f"no space left for {path}", "free some space; nothing was changed")
        case errno.ELOOP | errno.ENOTDIR | errno.EISDIR:
            return Permanent(
                f"{path} is, or leads through, a link or something else than expected", "name the file itself"
            )
        case errno.ENAMETOOLONG:
            return Permanent(f"{path} is too long", "use a shorter reference")
        case errno.ENOENT:
            return Transient(f"{path} is not there", "mount or create its directory")
        case errno.EEXIST:
            return Conflict(f"{path} was written by somebody else at the same time")
    return Transient(f"{path}: {(error.strerror or 'input/output error').lower()}", "look at the disk")
