"""The filter of system calls, as a program for seccomp: what a driver never needs is refused with EPERM.

Numbers are those of the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
Calls that this file does not know, because they are newer than it, do not exist (ENOSYS).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets into struct seccomp_data

NEWEST = 467
"""The last call that was looked at: open_tree_attr."""
AF_UNIX = 1
MSG_FASTOPEN = 0x20000000
"""Connects while sending, past every check of connect(2)."""
CLONE_THREAD = 0x10000
ENDED_OPTIONS = (1, 4, 0x59616D61)
"""Of prctl(2): PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER; what was given up stays given up."""

NEWER = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "memfd_secret": 447, "process_mrelease": 448,
    "fchmodat2": 452, "setxattrat": 463, "removexattrat": 466, "open_tree_attr": 467,
}  # fmt: skip
"""From 424 on every architecture has the same numbers."""

X86_64 = {
    "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50,
    "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "semget": 64, "semop": 65, "semctl": 66, "msgget": 68,
    "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94,
    "ptrace": 101, "rt_sigqueueinfo": 129, "utime": 132, "mknod": 133, "uselib": 134, "personality": 135,
    "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166,
    "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172,
    "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179, "setxattr": 188, "lsetxattr": 189,
    "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "tkill": 200, "io_setup": 206,
    "io_submit": 209, "semtimedop": 220, "clock_settime": 227, "utimes": 235, "mq_open": 240, "mq_unlink": 241,
    "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "inotify_init": 253,
    "inotify_add_watch": 254, "migrate_pages": 256, "mknodat": 259, "fchownat": 260, "futimesat": 261,
    "fchmodat": 268, "unshare": 272, "move_pages": 279, "utimensat": 280, "accept4": 288, "inotify_init1": 294,
    "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "clock_adjtime": 305, "sendmmsg": 307, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "kexec_file_load": 320,
    "bpf": 321, "execveat": 322, "userfaultfd": 323, **NEWER,
}  # fmt: skip

AARCH64 = {
    "io_setup": 0, "io_submit": 2, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14,
    "lremovexattr": 15, "fremovexattr": 16, "inotify_init1": 26, "inotify_add_watch": 27, "mknodat": 33,
    "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "fchmod": 52, "fchmodat": 53, "fchownat": 54,
    "fchown": 55, "quotactl": 60, "utimensat": 88, "acct": 89, "personality": 92, "unshare": 97, "kexec_load": 104,
    "init_module": 105, "delete_module": 106, "clock_settime": 112, "ptrace": 117, "kill": 129, "tkill": 130,
    "rt_sigqueueinfo": 138, "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170,
    "adjtimex": 171, "mq_open": 180, "mq_unlink": 181, "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189,
    "semget": 190, "semctl": 191, "semtimedop": 192, "semop": 193, "shmget": 194, "shmctl": 195, "shmat": 196,
    "socket": 198, "bind": 200, "listen": 201, "accept": 202, "connect": 203, "add_key": 217, "request_key": 218,
    "keyctl": 219, "execve": 221, "swapon": 224, "swapoff": 225, "migrate_pages": 238, "move_pages": 239,
    "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "accept4": 242, "fanotify_init": 262, "name_to_handle_at": 264,
    "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268, "sendmmsg": 269, "process_vm_readv": 270,
    "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "bpf": 280, "execveat": 281,
    "userfaultfd": 282, "kexec_file_load": 294, **NEWER,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One machine's numbers. `audit`: how the kernel names it; the rest are calls that are judged by an argument."""

    audit: int
    refused: Mapping[str, int]
    socketpair: int
    sendto: int
    sendmsg: int
    clone: int
    tgkill: int
    prctl: int
    prlimit: int
    clone3: int = 435


ARCHITECTURES = {
    "x86_64": Architecture(
        audit=0xC000003E, refused=X86_64, socketpair=53, sendto=44, sendmsg=46, clone=56, tgkill=234, prctl=157,
        prlimit=302,
    ),
    "aarch64": Architecture(
        audit=0xC00000B7, refused=AARCH64, socketpair=199, sendto=206, sendmsg=211, clone=220, tgkill=131, prctl=167,
        prlimit=261,
    ),
}  # fmt: skip


def program(machine: str, pid: int) -> bytes:
    """The filter for a process with this id. Raises `KeyError` for a machine whose numbers are not known."""
    its = ARCHITECTURES[machine]
    lines = [_load(_ARCHITECTURE), _unless(_EQUAL, its.audit, _KILL), _load(_NUMBER)]
    lines += [_when(_AT_LEAST, NEWEST + 1, _refuse(errno.ENOSYS))]  # also the x32 calls, from 0x40000000 on
    lines += [_when(_EQUAL, number, _refuse(errno.EPERM)) for number in sorted(its.refused.values())]
    lines += [_when(_EQUAL, its.clone3, _refuse(errno.ENOSYS))]  # its flags are out of sight; libc falls back to clone
    lines += _judged(its.socketpair, 0, [(_EQUAL, AF_UNIX)], allow=True)
    lines += _judged(its.sendto, 4, [(_EQUAL, 0)], allow=True, also=(3, MSG_FASTOPEN))
    lines += _judged(its.sendmsg, 2, [(_ANY_BIT, MSG_FASTOPEN)], allow=False)
    lines += _judged(its.clone, 0, [(_ANY_BIT, CLONE_THREAD)], allow=True)
    lines += _judged(its.tgkill, 0, [(_EQUAL, pid)], allow=True)
    lines += _judged(its.prctl, 0, [(_EQUAL, option) for option in ENDED_OPTIONS], allow=False)
    lines += _judged(its.prlimit, 0, [(_EQUAL, 0), (_EQUAL, pid)], allow=True)
    return b"".join([*lines, struct.pack("HBBI", _RETURN, 0, 0, _ALLOW)])


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", _LOAD, 0, 0, offset)


def _refuse(error: int) -> int:
    return _REFUSE | error


def _when(test: int, value: int, then: int) -> bytes:
    return struct.pack("HBBI", test, 0, 1, value) + struct.pack("HBBI", _RETURN, 0, 0, then)


def _unless(test: int, value: int, then: int) -> bytes:
    return struct.pack("HBBI", test, 1, 0, value) + struct.pack("HBBI", _RETURN, 0, 0, then)


def _judged(
    number: int, argument: int, tests: list[tuple[int, int]], *, allow: bool, also: tuple[int, int] | None = None
) -> list[bytes]:
    """One call, judged by the lower half of an argument; `also`: bits that another argument must not have.

    Where the whole argument counts (an address), its upper half is judged too.
    """
    passed, failed = (_ALLOW, _refuse(errno.EPERM)) if allow else (_refuse(errno.EPERM), _ALLOW)
    body = []
    if also is not None:
        body += [_load(_ARGUMENTS + 8 * also[0]), _when(_ANY_BIT, also[1], _refuse(errno.EPERM))]
        body += [_load(_ARGUMENTS + 8 * argument + 4), _unless(_EQUAL, 0, _refuse(errno.EPERM))]
    body += [_load(_ARGUMENTS + 8 * argument)]
    body += [_when(test, value, passed) for test, value in tests]
    body += [struct.pack("HBBI", _RETURN, 0, 0, failed)]
    length = sum(len(each) for each in body) // 8
    return [struct.pack("HBBI", _EQUAL, 0, length, number), *body]
