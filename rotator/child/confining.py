"""Giving up what a driver does not need, by ctypes alone and without any privilege.

Applied by the process to itself before it has a thread, a driver or a secret. Nothing of it can be taken back.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from rotator.child.system_calls import program

_PDEATHSIG, _DUMPABLE, _SECCOMP, _NO_NEW_PRIVILEGES = 1, 4, 22, 38  # linux/prctl.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3  # linux/landlock.h
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many rights over files a version of Landlock knows; 16 from version 5 on."""

_CAPABILITIES, _READ_ALL = 0x20080522, 1 << 2  # linux/capability.h: version 3, CAP_DAC_READ_SEARCH

MEMORY = 2 << 30
LARGEST_FILE = 1 << 20
"""Bytes of a file in memory, by which a client certificate gets into OpenSSL; there is no other to be written."""
FILES = 256
LEAST_LANDLOCK = 1
NEWEST_LANDLOCK = 6

_libc = ctypes.CDLL(None, use_errno=True)


def limit() -> None:
    """What every child gives up: more privileges, core files, being traced, outliving its parent, endless memory."""
    _prctl(_NO_NEW_PRIVILEGES, 1)
    _prctl(_DUMPABLE, 0)
    _prctl(_PDEATHSIG, signal.SIGKILL)
    for what, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, FILES), (resource.RLIMIT_AS, MEMORY)):
        resource.setrlimit(what, (most, most))


def confine(readable: Iterable[str]) -> None:
    """No file but these, no socket, no process, no signal to others. Raises `OSError` where the machine cannot."""
    machine = platform.machine()
    try:
        filter_ = program(machine, os.getpid())
    except KeyError:
        raise OSError(f"the system calls of {machine} are not known") from None
    _landlock(readable)
    _drop_capabilities()
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    _seccomp(filter_)
    _see()


def landlock_version() -> int:
    """Which version of Landlock the kernel has; 0: none."""
    return max(0, int(_libc.syscall(ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint(1))))


def _prctl(*arguments: int) -> None:
    padded = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:5]]
    if _libc.prctl(*padded):
        raise OSError(ctypes.get_errno(), f"prctl {arguments[0]}: {os.strerror(ctypes.get_errno())}")


def _call(number: int, *arguments: object) -> int:
    done = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}: {os.strerror(ctypes.get_errno())}")
    return done


def _landlock(readable: Iterable[str]) -> None:
    version = min(landlock_version(), NEWEST_LANDLOCK)
    if version < LEAST_LANDLOCK:
        raise OSError("the kernel has no Landlock")
    rights = (1 << _RIGHTS.get(version, 16)) - 1
    network, scope = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attributes = struct.pack("QQQ", rights, network, scope)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    try:
        for path in readable:
            _allow(ruleset, path)
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str) -> None:
    """One file, or a folder with all that is in it; what does not exist need not be allowed."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what cannot be opened before cannot be read behind it either
    try:
        rights = _READ_FILE | _READ_FOLDER if Path(path).is_dir() else _READ_FILE
        rule = struct.pack("=Qi", rights, opened)
        _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint(0))
    finally:
        os.close(opened)


def _drop_capabilities() -> None:
    """Of root's privileges only that of reading what another user owns stays, because a Python may lie there."""
    header, sets = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    if _libc.capget(header, sets) == 0:
        kept = (sets[0] & _READ_ALL, sets[1] & _READ_ALL, 0, 0, 0, 0)
        if _libc.capset(header, (ctypes.c_uint32 * 6)(*kept)) == 0:
            return
    raise OSError(ctypes.get_errno(), f"capabilities: {os.strerror(ctypes.get_errno())}")


def _seccomp(filter_: bytes) -> None:
    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    text = ctypes.create_string_buffer(filter_, len(filter_))
    given = Program(len(filter_) // 8, ctypes.addressof(text))
    if _libc.prctl(_SECCOMP, ctypes.c_ulong(2), ctypes.byref(given), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _see() -> None:
    """That it holds is tried and not believed. Raises `OSError` for what is still possible."""
    for what, attempt in (
        ("open a socket", lambda: socket.socket().close()),
        ("read another folder", lambda: next(Path("/").iterdir())),
        ("send a signal", lambda: os.kill(os.getppid(), 0)),
    ):
        try:
            attempt()
        except PermissionError:
            continue  # as it must be
        raise OSError(f"a confined process could {what}")
