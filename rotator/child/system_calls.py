"""The filter of system calls, as a program for seccomp: what a driver never needs is refused with EPERM.

Numbers are those of the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
Calls that this file does not know, because they are newer than it, do not exist (ENOSYS).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets into struct seccomp_data

NEWEST = 467
"""The last call that was looked at: open_tree_attr."""
AF_UNIX = 1
KINDS = tuple(kind | flags for kind in (1, 5) for flags in (0, 0x800, 0x80000, 0x80800))
"""Of a socketpair(2): SOCK_STREAM and SOCK_SEQPACKET. A pair of datagrams could send to any UNIX socket there is."""
OPTIONS = (1, 6)
"""Levels of setsockopt(2): SOL_SOCKET, IPPROTO_TCP. Those of IP could route what is sent by way of another host."""
CONTROLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Requests of ioctl(2): TCGETS and TIOCGWINSZ (is it a terminal?), FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
ENDED_COMMANDS = (8, 10, 15, 1024, 1026)
"""Of fcntl(2): F_SETOWN, F_SETSIG, F_SETOWN_EX signal others, F_SETLEASE lets them wait, F_NOTIFY watches."""
O_TRUNC = 0x200
MSG_FASTOPEN = 0x20000000
"""Connects while sending, past every check of connect(2)."""
CLONE_THREAD = 0x10000
ENDED_OPTIONS = (1, 4, 0x59616D61)
"""Of prctl(2): PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_PTRACER; what was given up stays given up."""

NEWER = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447,
    "process_mrelease": 448, "fchmodat2": 452, "statmount": 457, "listmount": 458, "setxattrat": 463, "getxattrat": 464,
    "listxattrat": 465, "removexattrat": 466, "open_tree_attr": 467,
}  # fmt: skip
"""From 424 on every architecture has the same numbers."""

X86_64 = {
    "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50,
    "fork": 57, "vfork": 58, "execve": 59, "kill": 62, "semget": 64, "semop": 65, "semctl": 66, "msgget": 68,
    "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "truncate": 76, "creat": 85, "chmod": 90, "fchmod": 91, "chown": 92,
    "fchown": 93, "lchown": 94, "ptrace": 101, "syslog": 103, "capset": 126, "rt_sigqueueinfo": 129, "utime": 132,
    "mknod": 133, "uselib": 134, "personality": 135, "ustat": 136, "sysfs": 139, "setpriority": 141,
    "sched_setparam": 142, "sched_setscheduler": 144, "vhangup": 153, "modify_ldt": 154, "pivot_root": 155,
    "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
    "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "init_module": 175, "delete_module": 176, "quotactl": 179, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
    "getxattr": 191, "lgetxattr": 192, "fgetxattr": 193, "listxattr": 194, "llistxattr": 195, "flistxattr": 196,
    "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199, "tkill": 200, "sched_setaffinity": 203,
    "io_setup": 206, "io_submit": 209, "lookup_dcookie": 212, "semtimedop": 220, "clock_settime": 227, "utimes": 235,
    "mq_open": 240, "mq_unlink": 241, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "ioprio_set": 251, "inotify_init": 253, "inotify_add_watch": 254, "migrate_pages": 256, "mknodat": 259,
    "fchownat": 260, "futimesat": 261, "fchmodat": 268, "unshare": 272, "move_pages": 279, "utimensat": 280,
    "accept4": 288, "inotify_init1": 294, "rt_tgsigqueueinfo": 297, "perf_event_open": 298, "fanotify_init": 300,
    "fanotify_mark": 301, "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "sendmmsg": 307,
    "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
    "sched_setattr": 314, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    **NEWER,
}  # fmt: skip

AARCH64 = {
    "io_setup": 0, "io_submit": 2, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "getxattr": 8, "lgetxattr": 9,
    "fgetxattr": 10, "listxattr": 11, "llistxattr": 12, "flistxattr": 13, "removexattr": 14, "lremovexattr": 15,
    "fremovexattr": 16, "lookup_dcookie": 18, "inotify_init1": 26, "inotify_add_watch": 27, "ioprio_set": 30,
    "mknodat": 33, "umount2": 39, "mount": 40, "pivot_root": 41, "truncate": 45, "chroot": 51, "fchmod": 52,
    "fchmodat": 53, "fchownat": 54, "fchown": 55, "vhangup": 58, "quotactl": 60, "utimensat": 88, "acct": 89,
    "capset": 91, "personality": 92, "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106,
    "clock_settime": 112, "syslog": 116, "ptrace": 117, "sched_setparam": 118, "sched_setscheduler": 119,
    "sched_setaffinity": 122, "kill": 129, "tkill": 130, "rt_sigqueueinfo": 138, "setpriority": 140, "reboot": 142,
    "sethostname": 161, "setdomainname": 162, "settimeofday": 170, "adjtimex": 171, "mq_open": 180, "mq_unlink": 181,
    "msgget": 186, "msgctl": 187, "msgrcv": 188, "msgsnd": 189, "semget": 190, "semctl": 191, "semtimedop": 192,
    "semop": 193, "shmget": 194, "shmctl": 195, "shmat": 196, "socket": 198, "bind": 200, "listen": 201, "accept": 202,
    "connect": 203, "add_key": 217, "request_key": 218, "keyctl": 219, "execve": 221, "swapon": 224, "swapoff": 225,
    "migrate_pages": 238, "move_pages": 239, "rt_tgsigqueueinfo": 240, "perf_event_open": 241, "accept4": 242,
    "fanotify_init": 262, "fanotify_mark": 263, "name_to_handle_at": 264, "open_by_handle_at": 265,
    "clock_adjtime": 266, "setns": 268, "sendmmsg": 269, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
    "finit_module": 273, "sched_setattr": 274, "bpf": 280, "execveat": 281, "userfaultfd": 282,
    "kexec_file_load": 294, **NEWER,
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
    fcntl: int
    ioctl: int
    setsockopt: int
    openat: int
    open: int | None = None
    clone3: int = 435
    openat2: int = 437


ARCHITECTURES = {
    "x86_64": Architecture(
        audit=0xC000003E, refused=X86_64, socketpair=53, sendto=44, sendmsg=46, clone=56, tgkill=234, prctl=157,
        prlimit=302, fcntl=72, ioctl=16, setsockopt=54, openat=257, open=2,
    ),
    "aarch64": Architecture(
        audit=0xC00000B7, refused=AARCH64, socketpair=199, sendto=206, sendmsg=211, clone=220, tgkill=131, prctl=167,
        prlimit=261, fcntl=25, ioctl=29, setsockopt=208, openat=56,
    ),
}  # fmt: skip


def program(machine: str, pid: int) -> bytes:
    """The filter for a process with this id. Raises `KeyError` for a machine whose numbers are not known."""
    its = ARCHITECTURES[machine]
    lines = [_load(_ARCHITECTURE), _unless(_EQUAL, its.audit, _KILL), _load(_NUMBER)]
    lines += [_when(_AT_LEAST, NEWEST + 1, _refuse(errno.ENOSYS))]  # also the x32 calls, from 0x40000000 on
    lines += [_when(_EQUAL, number, _refuse(errno.EPERM)) for number in sorted(its.refused.values())]
    # what they would do is out of sight; libc falls back to what can be judged
    lines += [_when(_EQUAL, number, _refuse(errno.ENOSYS)) for number in (its.clone3, its.openat2)]
    for number, checks in _judged(its, pid):
        body = b"".join([*checks, _return(_ALLOW)])
        lines += [struct.pack("HBBI", _EQUAL, 0, len(body) // 8, number), body]
    return b"".join([*lines, _return(_ALLOW)])


def _judged(its: Architecture, pid: int) -> Iterator[tuple[int, list[bytes]]]:
    """The calls that are judged by their arguments, and by what."""
    yield its.socketpair, [_one_of(0, AF_UNIX), _one_of(1, *KINDS)]
    yield its.sendto, [_none_of(3, MSG_FASTOPEN), _one_of(4, 0), _one_of(4, 0, half=4)]
    yield its.sendmsg, [_none_of(2, MSG_FASTOPEN)]
    yield its.setsockopt, [_one_of(1, *OPTIONS)]
    yield its.clone, [_some_of(0, CLONE_THREAD)]
    yield its.tgkill, [_one_of(0, pid)]
    yield its.prctl, [_not(0, *ENDED_OPTIONS)]
    yield its.prlimit, [_one_of(0, 0, pid)]
    yield its.fcntl, [_not(1, *ENDED_COMMANDS)]
    yield its.ioctl, [_one_of(1, *CONTROLS)]
    yield its.openat, [_none_of(2, O_TRUNC)]
    if its.open is not None:
        yield its.open, [_none_of(1, O_TRUNC)]


# -- of one argument: its lower half, where the other one is not asked for ---------------------------------------------


def _one_of(argument: int, *values: int, half: int = 0) -> bytes:
    tests = [struct.pack("HBBI", _EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    return b"".join([_load(_ARGUMENTS + 8 * argument + half), *tests, _return(_refuse(errno.EPERM))])


def _not(argument: int, *values: int) -> bytes:
    tests = [_when(_EQUAL, value, _refuse(errno.EPERM)) for value in values]
    return b"".join([_load(_ARGUMENTS + 8 * argument), *tests])


def _some_of(argument: int, bits: int) -> bytes:
    return _load(_ARGUMENTS + 8 * argument) + _unless(_ANY_BIT, bits, _refuse(errno.EPERM))


def _none_of(argument: int, bits: int) -> bytes:
    return _load(_ARGUMENTS + 8 * argument) + _when(_ANY_BIT, bits, _refuse(errno.EPERM))


# -- instructions ------------------------------------------------------------------------------------------------------


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", _LOAD, 0, 0, offset)


def _return(what: int) -> bytes:
    return struct.pack("HBBI", _RETURN, 0, 0, what)


def _refuse(error: int) -> int:
    return _REFUSE | error


def _when(test: int, value: int, then: int) -> bytes:
    return struct.pack("HBBI", test, 0, 1, value) + _return(then)


def _unless(test: int, value: int, then: int) -> bytes:
    return struct.pack("HBBI", test, 1, 0, value) + _return(then)
