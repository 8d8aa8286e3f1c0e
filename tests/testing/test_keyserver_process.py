"""The keyserver in a process of its own, and what its control endpoints are told."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rotator.testing.keyserver import (
    ADMIN_OPERATIONS,
    Behaviour,
    Fault,
    FaultKind,
    Keyserver,
    KeyserverProcess,
    KeyState,
    Operation,
    RetryAfter,
)
from rotator.testing.keyserver.codec import behaviour_json, changed
from tests.servers.process import reserved_port
from tests.testing.keyserver_client import Client, call_as

EVERYTHING = Behaviour(
    latency=0.1,
    jitter=0.2,
    propagation=2.0,
    death=math.inf,
    flapping=0.5,
    list_lag=3.0,
    rate=5.0,
    burst=3,
    throttled=frozenset({Operation.MINT}),
    retry_after=RetryAfter.DATE,
    cap=2,
    page_size=7,
    marks=False,
    disable=False,
    expiry=False,
    last_used=False,
    identify=False,
    slots=("a", "b"),
    in_place=True,
    faults=(Fault(kind=FaultKind.LATE, operation=Operation.MINT, calls=1, skip=2, probability=0.5, seconds=1.5),),
    seed=9,
)
INTERRUPTED = """
import io, os, signal, sys
from rotator.testing.keyserver import __main__ as keyserver

def served(lines):
    # True if it ended before so many lines were run
    seen, done = 0, False
    def trace(frame, event, argument):
        nonlocal seen, done
        seen += 1
        if seen == lines:
            done = True
            signal.raise_signal(signal.SIGTERM)
        return trace
    class Announced(io.StringIO):
        def flush(self):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            sys.settrace(trace)
            sys._getframe(1).f_trace = trace
    os.environ["KEYSERVER_ADMIN"] = "admin"
    was, sys.stdout = sys.stdout, Announced()
    try:
        assert keyserver.main([]) == 0
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout = was
    return not done

signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
lines = 1
while not served(lines):
    lines += 1
assert lines > 3
print("ended each time")
"""
COMMAND = [sys.executable, "-m", "rotator.testing.keyserver"]


@pytest.fixture(scope="module")
def server() -> Iterator[KeyserverProcess]:
    with KeyserverProcess(Behaviour(slots=())) as server:
        yield server


@pytest.mark.parametrize("behaviour", [EVERYTHING, Behaviour()])
def test_a_behaviour_survives_the_way_through_json(behaviour: Behaviour) -> None:
    text = json.dumps(behaviour_json(behaviour), allow_nan=False)
    assert changed(Behaviour(cap=5), json.loads(text)) == behaviour


def test_everything_that_can_be_done_in_python_can_be_done_from_outside(server: KeyserverProcess) -> None:
    key_id, secret = server.seed_key("svc/1", mark="rot-1")
    before = len(server.log)
    assert call_as(server.url, secret) == 200
    server.fail(Operation.RESOURCE, FaultKind.ERROR_BEFORE)
    assert [call_as(server.url, secret) for _ in range(2)] == [500, 200]
    server.tell(faults=(Fault(kind=FaultKind.HTML, operation=Operation.RESOURCE, status=502),), death=math.inf)
    assert call_as(server.url, secret) == 502
    server.tell(faults=())
    assert server.live("svc/1") == {key_id: KeyState.ENABLED}
    assert server.log.since(before).calls() == {Operation.RESOURCE: 4}
    assert [record.fault for record in server.log.since(before)] == [
        None,
        FaultKind.ERROR_BEFORE,
        None,
        FaultKind.HTML,
    ]
    with Client(server.url, server.admin) as admin:
        assert admin.call("DELETE", f"/principals/svc%2F1/keys/{key_id}").status == 204
    assert call_as(server.url, secret) == 200
    server.tell(death=0.0)
    assert call_as(server.url, secret) == 401
    assert server.live("svc/1") == {}
    assert server.log.first_refusal(key_id) is not None


def test_a_key_seeded_from_outside_is_in_use_at_once(server: KeyserverProcess) -> None:
    server.tell(propagation=60.0)
    _, secret = server.seed_key("svc")
    assert call_as(server.url, secret) == 200
    server.tell(propagation=0.0)


def test_putting_a_behaviour_tells_all_of_it_and_patching_only_a_part(server: KeyserverProcess) -> None:
    with Client(server.url, server.admin) as admin:
        assert admin.call("PUT", "/control/behaviour", {"cap": 2}).body == behaviour_json(Behaviour(cap=2))
        patched = admin.call("PATCH", "/control/behaviour", {"marks": False})
        assert patched.body == behaviour_json(Behaviour(cap=2, marks=False))
        assert admin.call("GET", "/control/behaviour").body == patched.body
        assert admin.call("PUT", "/control/behaviour", {}).body == behaviour_json(Behaviour())


@pytest.mark.parametrize(
    "wrong",
    [
        '{"latency": "slow"}',
        '{"latency": true}',
        '{"latency": "inf"}',
        '{"marks": 1}',
        '{"cap": 1.5}',
        '{"rate": 0}',
        '{"slots": "ab"}',
        '{"throttled": ["nothing"]}',
        '{"faults": {"kind": "html"}}',
        '{"faults": [{"kind": "odd"}]}',
        '{"faults": [{"kind": "slow"}]}',
        '{"faults": [{"calls": 1}]}',
        '{"temper": "bad"}',
        "no json",
    ],
)
def test_a_wrong_behaviour_from_outside_is_refused_whole(server: KeyserverProcess, wrong: str) -> None:
    with Client(server.url, server.admin) as admin:
        before = admin.call("GET", "/control/behaviour").body
        refused = admin.call("PATCH", "/control/behaviour", wrong)
        assert (refused.status, refused.body["error"]) == (400, "bad_request")
        assert admin.call("GET", "/control/behaviour").body == before


def test_being_turned_down_from_outside_is_an_error(server: KeyserverProcess) -> None:
    with pytest.raises(RuntimeError, match="turned it down"):
        server.tell(cap="many")
    with pytest.raises(RuntimeError, match="turned it down"):
        server.seed_key("svc", slot="a")


def test_the_process_starts_with_its_behaviour_and_ends_with_the_block() -> None:
    with reserved_port() as port:
        with KeyserverProcess(EVERYTHING, port=port) as server:
            with Client(server.url, server.admin) as admin:
                assert admin.call("GET", "/control/behaviour").body == behaviour_json(EVERYTHING)
            pid, url = server.pid, server.url
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        with pytest.raises(ConnectionRefusedError):
            call_as(url, "any")
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.log


def test_the_admin_secret_may_come_from_the_environment_and_is_in_no_argument(tmp_path: Path) -> None:
    environment = {**os.environ, "KEYSERVER_ADMIN": "admin-from-the-environment"}
    with subprocess.Popen(
        [*COMMAND, "--behaviour", '{"cap": 3}'],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            announced = json.loads(process.stdout.readline())
            assert list(announced) == ["url"]
            with Client(announced["url"], "admin-from-the-environment") as admin:
                assert admin.call("GET", "/control/behaviour").body["cap"] == 3
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                out, err = process.communicate(timeout=240)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert (process.returncode, out, err) == (0, "", "")


def test_a_signal_that_comes_in_between_ends_it_wherever_it_is() -> None:
    """SIGTERM before each line that the main thread runs once it serves, in Python's own modules too."""
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True) as process:
        try:
            out, _ = process.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (process.returncode, out) == (0, "ended each time\n")


def test_a_killed_starter_leaves_no_keyserver_behind() -> None:
    starter = (
        "import time; from rotator.testing.keyserver import KeyserverProcess\n"
        "with KeyserverProcess() as server: print(server.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    until = time.monotonic() + 60
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(FileNotFoundError, ProcessLookupError):  # it ends just now
        # an orphan that nobody has reaped yet is dead all the same
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([], "", "no admin secret was given"),
        (["--behaviour", "{"], "admin\n", "--behaviour: the body is not JSON"),
        (["--behaviour", '{"temper": 1}'], "admin\n", "there is no field 'temper'"),
    ],
)
def test_a_wrong_start_says_what_and_what_to_do(arguments: list[str], stdin: str, message: str) -> None:
    ended = subprocess.run([*COMMAND, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    what, hint = ended.stderr.splitlines()
    assert message in what
    assert hint.startswith("hint: ")


def test_a_taken_port_is_a_wrong_start() -> None:
    with Keyserver() as server:
        port = server.url.rpartition(":")[2]
        ended = subprocess.run(
            [*COMMAND, "--port", port], input="admin\n", capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 2
    assert f"port {port} cannot be had" in ended.stderr


def test_what_the_throttle_covers_by_default_is_what_needs_the_admin() -> None:
    assert Behaviour().throttled == ADMIN_OPERATIONS
    assert Operation.RESOURCE not in ADMIN_OPERATIONS
