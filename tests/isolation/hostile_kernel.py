"""A driver that means harm and knows the kernel: what it tries by system calls that nobody thinks of.

Like its neighbour it is never installed. As root, which it is seen to use at level `off`, it may do more than others.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.sdk import Principal, Reach, Secret

SECRET = "what nobody else may read"
_libc = ctypes.CDLL(None, use_errno=True)


class Hostile:
    """As much of a `Provider` as an attempt needs."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Hostile:
        return cls(settings)

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach:
        return Reach(hosts=tuple(settings.get("hosts", ())))

    def identify(self, principal: Principal, value: Secret) -> str | None:
        try:
            told = ATTEMPTS[str(self._settings["attempt"])](self._settings.get("target"))
        except Exception as error:  # noqa: BLE001 - whatever kept it from working
            return f"failed: {type(error).__name__}"
        return f"worked: {told}"

    def check_admin(self, principal: Principal) -> None:
        """Nothing."""


def _done(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


# -- whom it tells -----------------------------------------------------------------------------------------------------


def send_to_another_unix_socket(path: str) -> str:
    """A pair of datagrams is connected, and still sends wherever a message says: to syslog, to systemd."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendmsg([SECRET.encode()], [], 0, path)
    return "told"


def send_to_an_abstract_socket(name: str) -> str:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)
    with one, other:
        one.sendmsg([SECRET.encode()], [], 0, name)
    return "told"


def route_by_another_host(allowed: list[Any]) -> str:
    """Loose source routing: what is sent goes to 127.0.0.9 first, whoever that is."""
    with socket.create_connection(tuple(allowed), 5) as connection:
        by_way_of = bytes([131, 7, 4]) + socket.inet_aton("127.0.0.9") + b"\0"
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, by_way_of)
    return "routed"


# -- what it does to others --------------------------------------------------------------------------------------------


def signal_by_descriptor(pid: int) -> str:
    """Whoever owns a descriptor gets its signal, which need not be SIGIO."""
    one, other = socket.socketpair()
    with one, other:
        fcntl.fcntl(one, fcntl.F_SETOWN, pid)
    return "owned by another"


def signal_by_control(pid: int) -> str:
    one, other = socket.socketpair()
    with one, other:
        fcntl.ioctl(one, 0x8901, struct.pack("i", pid))  # FIOSETOWN
    return "owned by another"


def choose_a_signal(_: object) -> str:
    one, other = socket.socketpair()
    with one, other:
        fcntl.fcntl(one, 10, 9)  # F_SETSIG, SIGKILL
    return "chosen"


def let_others_wait(path: str) -> str:
    """A lease on a file lets whoever opens it wait for most of a minute."""
    with Path(path).open("rb") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return "leased"


def slow_another_down(pid: int) -> str:
    os.setpriority(os.PRIO_PROCESS, pid, 1 + os.getpriority(os.PRIO_PROCESS, pid))
    return "slower"


def pin_another_down(pid: int) -> str:
    os.sched_setaffinity(pid, [min(os.sched_getaffinity(pid))])
    return "on one processor"


def let_another_idle(pid: int) -> str:
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
    return "idle"


# -- what it reads and writes ------------------------------------------------------------------------------------------


def truncate_by_name(path: str) -> str:
    """What Landlock does not know before its third version."""
    os.truncate(path, 0)
    return "empty"


def truncate_while_opening(path: str) -> str:
    os.close(os.open(path, os.O_RDONLY | os.O_TRUNC))
    return "empty"


def read_attribute(path: str) -> str:
    return os.getxattr(path, "user.note").decode()


def list_attributes(path: str) -> str:
    return ", ".join(os.listxattr(path))


def read_the_log_of_the_kernel(_: object) -> str:
    return str(_done(_libc.klogctl(10, None, 0)))


def have_capabilities(_: object) -> str:
    """With which root raises its own limits, and writes what it does not own."""
    found = (ctypes.c_uint32 * 6)()
    _done(_libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), found))
    if not (found[0] | found[3]) & ~(1 << 2):
        raise PermissionError
    return "has capabilities"


ATTEMPTS: Mapping[str, Callable[[Any], str]] = {
    each.__name__: each
    for each in (
        send_to_another_unix_socket, send_to_an_abstract_socket, route_by_another_host, signal_by_descriptor,
        signal_by_control, choose_a_signal, let_others_wait, slow_another_down, pin_another_down, let_another_idle,
        truncate_by_name, truncate_while_opening, read_attribute, list_attributes, read_the_log_of_the_kernel,
        have_capabilities,
    )
}  # fmt: skip
