"""What a driver's process says, asks and leaves behind; and what the parent never gives away."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rotator.adapters.isolation import keeping, processes
from rotator.adapters.isolation.copies import Copies
from rotator.adapters.isolation.keeping import Driver, NotMade
from rotator.adapters.isolation.processes import Overdue, machine_paths
from rotator.adapters.isolation.provider import IsolatedProvider
from rotator.adapters.processors import together
from rotator.child.wire import MOST_BYTES, BrokenFrame, read
from rotator.domain.codec import encode
from rotator.domain.failures import Denied, Failure, JournalOlder, Permanent, Transient
from rotator.domain.keys import MintRequest
from rotator.domain.secret import Secret
from tests.isolation.children import ADMIN, SVC, Start, needs_sandbox
from tests.isolation.strangers import install

VALUE = Secret({"secret": "value-of-a-key-0123"})
SOURCE = (Path(__file__).parent / "hostile_talk.py").read_text()
BROKE = "the driver of hostile-talk broke"
DEFECT = f"hostile_talk.py:{1 + SOURCE[: SOURCE.index('all is well')].count(chr(10))}"
SECONDS = 3.0

Talking = Callable[..., IsolatedProvider]


@pytest.fixture
def talking(strangers: Path, start: Start) -> Talking:
    install(strangers, "hostile-talk", {"hostile_talk.py": SOURCE}, driver="hostile_talk:Hostile")

    def begin(attempt: str = "", **settings: Any) -> IsolatedProvider:
        return start("hostile-talk", {"attempt": attempt, **settings}, seconds=SECONDS)

    return begin


@pytest.fixture
def listener() -> Iterator[list[Any]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield list(listening.getsockname())


@pytest.fixture
def deaf() -> Iterator[list[Any]]:
    """Where a connection takes for ever."""
    with socket.socket() as listening, ExitStack() as filling:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            each = filling.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        yield list(listening.getsockname())


def driver_of(provider: IsolatedProvider) -> Driver:
    return provider._calls.driver


def pid_of(provider: IsolatedProvider) -> int:
    process = driver_of(provider)._process
    assert process is not None
    return process._process.pid


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except (FileNotFoundError, ProcessLookupError):  # it may end while it is looked at
        return False


def soon(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


# -- what it gets ------------------------------------------------------------------------------------------------------


@needs_sandbox
def test_a_driver_has_no_variable_of_ours_and_its_credential_is_nowhere_to_be_found(
    talking: Talking, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROTATOR_SECRET", ADMIN)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    provider = talking("tell_environment")
    assert provider.identify(SVC, VALUE) == "LANG,MALLOC_ARENA_MAX"
    process = Path(f"/proc/{pid_of(provider)}")
    assert b"hostile-talk" in (process / "cmdline").read_bytes()
    assert ADMIN.encode() not in (process / "cmdline").read_bytes()
    written = [each for each in copies.root.rglob("*") if each.is_file()]
    assert written
    assert not [each for each in written if ADMIN.encode() in each.read_bytes()]


def test_a_driver_that_is_first_needed_by_a_rotation_is_not_kept_on_the_rotations_processor(
    talking: Talking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_starter", cache(processes._Starter))
    everywhere = os.sched_getaffinity(0)
    with together():
        provider = talking("tell_environment")
        provider.identify(SVC, VALUE)
    assert os.sched_getaffinity(pid_of(provider)) == everywhere


def test_private_keys_of_the_machine_are_among_nothing_that_a_driver_may_read() -> None:
    for private in ("/etc/ssl/private/host.key", "/etc/pki/tls/private/host.key", "/etc/shadow", "/root/.ssh/id_rsa"):
        assert not [each for each in machine_paths() if Path(private).is_relative_to(each)]


@needs_sandbox
@pytest.mark.parametrize("path", ["root", "/", "//", "/etc/../root", ""])
def test_a_word_of_the_settings_is_no_path_to_read(path: str, talking: Talking) -> None:
    with pytest.raises(NotMade, match="not named from the root on"):
        talking("", user=path, paths=[path])


@needs_sandbox
@pytest.mark.parametrize("setting", [date(2026, 1, 1), float("nan"), {1, 2}])
def test_settings_that_cannot_be_passed_on_are_complained_about(setting: object, talking: Talking) -> None:
    with pytest.raises(NotMade, match="neither text, number nor list"):
        talking("", setting=setting)


# -- what it says ------------------------------------------------------------------------------------------------------


@needs_sandbox
def test_why_a_driver_cannot_be_made_is_said_without_its_credential(talking: Talking) -> None:
    with pytest.raises(NotMade) as caught:
        talking("refuse to be made")
    assert caught.value.message == "<secret> is no credential [2J"
    assert ADMIN not in caught.value.hint


@needs_sandbox
@pytest.mark.parametrize(
    ("attempt", "kind", "words"),
    [
        ("tell_the_credential_as_a_permission", Denied, "no"),
        ("tell_the_credential_at_the_end", Permanent, "x" * 980 + "<secret>"),
        ("ask_for_a_host_that_is_the_credential", Transient, "no connection"),
        ("break_with_a_name_that_clears_the_screen", Transient, f"{BROKE}:  [2J all is well at {DEFECT}"),
        ("say_that_the_journal_is_old", Transient, "the driver of hostile-talk failed in a way that is not a driver's"),
    ],
)
def test_a_failure_is_a_driver_s_and_shows_nothing(
    attempt: str, kind: type[Failure], words: str, talking: Talking
) -> None:
    with pytest.raises(kind) as caught:
        talking(attempt).identify(SVC, VALUE)
    assert not isinstance(caught.value, JournalOlder)
    assert caught.value.message == words
    said = "".join(str(each) for each in vars(caught.value).values())
    assert ADMIN[:10] not in said
    assert said.isprintable()


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 1, "returned": [' + b"{}," * 600_000 + b"{}]}",
        b'{"id": 1, "returned": ' + b"[" * 900_000 + b"}",
        b'{"id": ' + b"9" * 10_000 + b"}",
        b'["id", 1]',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_frame_that_would_fill_the_memory_or_is_none_is_not_read(line: bytes) -> None:
    assert len(line) < MOST_BYTES
    with pytest.raises(BrokenFrame):
        read(line)


@needs_sandbox
def test_answers_to_nothing_end_the_process_that_sends_them(talking: Talking) -> None:
    provider = talking("answer_what_nobody_asked")
    pid = pid_of(provider)
    with pytest.raises(Transient, match="ended before it answered"):
        provider.identify(SVC, VALUE)
    assert soon(lambda: not alive(pid))


@needs_sandbox
def test_a_late_answer_to_a_call_that_was_given_up_disturbs_nobody(talking: Talking) -> None:
    provider, principal = talking(), [encode(SVC)]
    pid, process = pid_of(provider), driver_of(provider)._process
    assert process is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(Overdue):
        process.call("keys", principal, 0.2)
    os.kill(pid, signal.SIGCONT)
    assert "returned" in process.call("keys", principal, 60)
    process.end()


# -- what it does not do -----------------------------------------------------------------------------------------------


@needs_sandbox
def test_a_process_that_stops_itself_is_ended_and_the_next_call_is_answered(talking: Talking) -> None:
    provider = talking("stop_itself")
    pid = pid_of(provider)
    with pytest.raises(Transient, match="did not answer in time"):
        provider.identify(SVC, VALUE)
    assert provider.keys(SVC) == ()
    assert soon(lambda: not alive(pid))


@needs_sandbox
def test_a_process_that_does_not_listen_costs_no_more_than_the_call_s_time(talking: Talking) -> None:
    provider = talking()
    os.kill(pid_of(provider), signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(Overdue):
        driver_of(provider).call("keys", ["x" * 4_000_000], 1.0)
    assert time.monotonic() - began < 20
    assert provider.keys(SVC) == ()


@needs_sandbox
def test_a_mint_for_a_process_that_is_gone_goes_to_the_next_one(talking: Talking) -> None:
    provider = talking()
    process = driver_of(provider)._process
    assert process is not None
    os.kill(pid_of(provider), signal.SIGSTOP)
    process._frames.shutdown(socket.SHUT_WR)  # it ended, and nobody here has noticed
    assert provider.mint(SVC, MintRequest(mark="m")).key_id == "k1"
    assert driver_of(provider)._process is not process
    process = driver_of(provider)._process
    assert process is not None
    os.kill(pid_of(provider), signal.SIGKILL)
    assert soon(lambda: process.ended)
    assert provider.mint(SVC, MintRequest(mark="m")).key_id == "k1"


@needs_sandbox
def test_an_idle_process_is_stopped_and_a_busy_one_is_not(talking: Talking) -> None:
    provider = talking()
    driver, pid, later = driver_of(provider), pid_of(provider), time.monotonic() + 2 * keeping.IDLE
    answers: list[object] = []
    calling = threading.Thread(target=lambda: answers.append(provider.keys(SVC)))
    os.kill(pid, signal.SIGSTOP)  # it is busy until it goes on
    calling.start()
    assert soon(lambda: driver._process is not None and driver._process.busy)
    driver.stop_if_idle(later)
    os.kill(pid, signal.SIGCONT)
    calling.join()
    assert answers == [()]
    assert pid_of(provider) == pid
    driver.stop_if_idle(later)
    assert not alive(pid)
    assert provider.keys(SVC) == ()


# -- what it asks ------------------------------------------------------------------------------------------------------


@needs_sandbox
@pytest.mark.parametrize("attempt", ["ask_by_way_of_a_file", "ask_nothing", "ask_by_a_way_that_is_full"])
def test_after_a_senseless_question_others_are_answered_and_nothing_is_kept(
    attempt: str, talking: Talking, listener: list[Any]
) -> None:
    provider = talking(attempt, target=listener, hosts=[f"{listener[0]}:{listener[1]}"])
    provider.keys(SVC)
    before, threads = descriptors(), threading.active_count()
    for _ in range(2):
        assert provider.identify(SVC, VALUE) == "connected"
    assert soon(lambda: descriptors() <= before and threading.active_count() <= threads)


def failing(provider: IsolatedProvider) -> None:
    with pytest.raises(Failure):
        provider.identify(SVC, VALUE)


@needs_sandbox
def test_a_driver_that_asks_without_end_has_few_descriptors_in_the_parent(talking: Talking, deaf: list[Any]) -> None:
    provider = talking("ask_without_end", target=deaf, hosts=[f"{deaf[0]}:{deaf[1]}"])
    before, most = descriptors(), 0
    asking = threading.Thread(target=failing, args=(provider,))
    asking.start()
    while asking.is_alive():
        most = max(most, descriptors() - before)
        time.sleep(0.01)
    assert 16 <= most <= 50


# -- what it leaves behind ---------------------------------------------------------------------------------------------


@needs_sandbox
def test_restarts_leave_no_descriptor_no_thread_and_no_process(talking: Talking) -> None:
    provider = talking()
    provider.keys(SVC)
    provider.stop()
    assert soon(lambda: not [each for each in threading.enumerate() if "_compile" in each.name])
    gc.collect()
    before, threads = descriptors(), threading.active_count()
    for _ in range(5):
        provider.keys(SVC)
        provider.stop()
    assert soon(lambda: descriptors() <= before and threading.active_count() <= threads)


@needs_sandbox
def test_a_driver_that_nobody_has_any_more_has_no_process(strangers: Path, copies: Copies, talking: Talking) -> None:
    provider = talking()
    recipe, pid = driver_of(provider)._recipe, pid_of(provider)
    another = Driver(recipe)
    another.start()
    process = another._process
    assert process is not None
    left = process._process.pid
    del another, process
    assert soon(lambda: gc.collect() >= 0 and not alive(left), 150)  # once its code is compiled
    assert alive(pid)


PARENT = """
import sys, time
from datetime import timedelta
from pathlib import Path
from rotator.adapters.isolation.copies import Copies
from rotator.adapters.isolation.keeping import Driver, Recipe
from rotator.adapters.isolation.pins import Pins
from tests.isolation.strangers import found
recipe = Recipe(label="provider", entry=found("hostile-talk"), name="d", settings={settings!r},
    copies=Copies(Path({copies!r}), b"a key of the tests"), pins=Pins(), confine=True, seconds=5.0, admin="a")
driver = Driver(recipe)
driver.start()
print(driver._process._process.pid, flush=True)
{then}
"""


@needs_sandbox
@pytest.mark.parametrize("then", ["time.sleep(60)", ""])
def test_no_process_outlives_its_parent(then: str, strangers: Path, copies: Copies, talking: Talking) -> None:
    with parent_of(strangers, copies, {}, then) as parent:
        assert parent.stdout is not None
        told = parent.stdout.readline()
        assert re.fullmatch(r"\d+\n", told)
        if then:
            os.kill(int(told), signal.SIGSTOP)  # so that it does not notice by itself
            assert alive(int(told))
            parent.kill()
        parent.wait(60)
    assert soon(lambda: not alive(int(told)))


@needs_sandbox
def test_a_parent_ends_although_a_driver_asks_for_what_takes_long(
    strangers: Path, copies: Copies, talking: Talking, deaf: list[Any]
) -> None:
    settings = {"attempt": "ask_without_end", "target": deaf, "hosts": [f"{deaf[0]}:{deaf[1]}"]}
    arguments = [encode(SVC), encode(VALUE, reveal=True)]
    then = f"""
import threading
threading.Thread(target=driver.call, args=("identify", {arguments}, 600), daemon=True).start()
while threading.active_count() <= 16:
    time.sleep(0.01)
print("many", flush=True)
"""
    with parent_of(strangers, copies, settings, then) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert parent.stdout.readline() == "many\n"
        parent.wait(60)


def parent_of(strangers: Path, copies: Copies, settings: dict[str, Any], then: str) -> subprocess.Popen[str]:
    """Another process that has the driver, which is installed."""
    text = PARENT.format(settings=settings, copies=str(copies.root), then=then)
    path = os.pathsep.join([str(strangers), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, env=environment)


@needs_sandbox
def test_sixty_four_calls_are_under_way_at_once(talking: Talking) -> None:
    provider = talking(slowly=0.5)
    answers: list[object] = []
    calling = [threading.Thread(target=lambda: answers.append(provider.keys(SVC))) for _ in range(64)]
    for each in calling:
        each.start()
    for each in calling:
        each.join()
    assert answers == [()] * 64
