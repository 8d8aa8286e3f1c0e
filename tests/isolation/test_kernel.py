"""What a driver tries by rarer system calls: at level `off` it succeeds, in the sandbox it fails. And their numbers."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rotator.child.system_calls import ARCHITECTURES, NEWER
from rotator.domain.secret import Secret
from tests.isolation.children import ADMIN, SVC, Start, needs_sandbox
from tests.isolation.hostile_kernel import ATTEMPTS, SECRET
from tests.isolation.strangers import found, install

VALUE = Secret({"secret": "value-of-a-key-0123"})
AS_ROOT = ("have_capabilities", "read_the_log_of_the_kernel")
SOURCE = (Path(__file__).parent / "hostile_kernel.py").read_text()


@dataclass
class Scene:
    """Who and what there is to be harmed."""

    settings: Callable[[str], dict[str, Any]]
    file: Path
    told: list[socket.socket]
    listening: socket.socket


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as opened:
        victim = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        opened.callback(victim.wait)
        opened.callback(victim.kill)
        assert victim.stdin is not None
        opened.enter_context(victim.stdin)
        file = tmp_path / "somebody's"
        file.write_text("as it was")
        os.setxattr(file, "user.note", SECRET.encode())
        listening = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        path, name = str(tmp_path / "log"), f"\0rotator-test-{os.getpid()}"
        sockets = []
        for address in (path, name):
            sockets.append(opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)))
            sockets[-1].bind(address)
            sockets[-1].setblocking(False)
        targets = {
            "send_to_another_unix_socket": path,
            "send_to_an_abstract_socket": name,
            "route_by_another_host": list(listening.getsockname()),
            **dict.fromkeys(("signal_by_descriptor", "signal_by_control"), victim.pid),
            **dict.fromkeys(("slow_another_down", "pin_another_down", "let_another_idle"), victim.pid),
        }

        def settings(attempt: str) -> dict[str, Any]:
            host, port = listening.getsockname()
            return {"attempt": attempt, "target": targets.get(attempt, str(file)), "hosts": [f"{host}:{port}"]}

        yield Scene(settings, file, sockets, listening)


@pytest.fixture
def hostile(strangers: Path) -> str:
    install(strangers, "hostile-kernel", {"hostile_kernel.py": SOURCE}, driver="hostile_kernel:Hostile")
    return "hostile-kernel"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_at_level_off_the_attempt_works(attempt: str, scene: Scene, hostile: str) -> None:
    if attempt in AS_ROOT and os.geteuid() != 0:
        pytest.skip("only root may")
    entry = found(hostile)
    driver = getattr(import_module(entry.module), entry.attr).from_settings(
        hostile, scene.settings(attempt), ADMIN, timedelta(seconds=5)
    )
    assert driver.identify(SVC, VALUE).startswith("worked: ")


@needs_sandbox
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_in_the_sandbox_the_attempt_fails(attempt: str, scene: Scene, hostile: str, start: Start) -> None:
    provider = start(hostile, scene.settings(attempt))
    assert provider.identify(SVC, VALUE) == "failed: PermissionError"
    assert scene.file.read_text() == "as it was"
    for each in scene.told:
        with pytest.raises(BlockingIOError):
            each.recv(1000)
    provider.check_admin(SVC)


# -- numbers -----------------------------------------------------------------------------------------------------------

HEADERS = {"x86_64": "/usr/include/*/asm/unistd_64.h", "aarch64": "/usr/include/asm-generic/unistd.h"}
JUDGED = ("socketpair", "sendto", "sendmsg", "setsockopt", "clone", "tgkill", "prctl", "fcntl", "ioctl", "openat")


def numbers(machine: str) -> dict[str, int]:
    """What the kernel's header for that machine says."""
    here = sorted(Path("/").glob(HEADERS[machine].lstrip("/")))
    if not here or (machine == "x86_64" and os.uname().machine != machine):
        pytest.skip("there is no header of the kernel for that machine here")
    return {
        name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", here[0].read_text())
    }


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_those_of_the_kernel_s_headers(machine: str) -> None:
    told, its = numbers(machine), ARCHITECTURES[machine]
    newest = max(number for number in told.values() if number < 512)
    wrong = {name: number for name, number in its.refused.items() if number <= newest and told.get(name) != number}
    wrong = {name: number for name, number in wrong.items() if name in told or number in told.values()}
    assert wrong == {}
    assert {name: told[name] for name in JUDGED} == {name: getattr(its, name) for name in JUDGED}
    assert (told["prlimit64"], told["clone3"], told["openat2"]) == (its.prlimit, its.clone3, its.openat2)
    assert told.get("open") == its.open
    assert len(set(its.refused.values())) == len(its.refused)


def test_a_call_that_one_machine_has_by_that_name_is_refused_on_each_that_has_it() -> None:
    one, other = (numbers(machine) for machine in HEADERS)
    assert NEWER.items() <= ARCHITECTURES["aarch64"].refused.items()
    refused = {machine: set(ARCHITECTURES[machine].refused) for machine in HEADERS}
    assert {name for name in refused["x86_64"] if name in other} <= refused["aarch64"]
    assert {name for name in refused["aarch64"] if name in one} <= refused["x86_64"]
