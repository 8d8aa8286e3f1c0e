"""The hunt finds what it must: each form of a secret, planted in each kind of place where one could be."""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.security.exceptions import held_by
from tests.security.guarded import ROOT, odd
from tests.security.hunt import WINDOW, Hunt, TooShort, forms
from tests.security.watching import PIECE, Watch

PLACES = {
    "stdout": "print(leak)",
    "stderr": "import sys; sys.stderr.write(leak)",
    "traceback": "raise RuntimeError(leak)",
    "traceback of the cause": "raise RuntimeError from ValueError(leak)",
    "log": "from rotator.adapters.observe import Log; Log('debug').alert('made up', 'it', leak)",
    "environment of a child": "run(env={'LEAK': leak})",
    "arguments of a child": "run(leak)",
    "file": "open('left', 'w').write(leak)",
    "file that is gone again": "open('gone', 'w').write(leak); seen(); os.remove('gone')",
    "row of a journal": "database('insert into t values (?)', leak)",
    "row that was deleted": "database('insert into t values (?)', leak); database('delete from t')",
    "write-ahead log": "database('pragma journal_mode = wal'); database('insert into t values (?)', leak); seen()",
}
"""What a process does with a leak, by the name of the place where that puts it."""

PROGRAM = """
import os, sqlite3, subprocess, sys
leak = sys.stdin.read()
SEEN = '''import os, time
for _ in range(6000):
    if os.path.exists('seen'):
        break
    time.sleep(0.01)'''
def seen():
    exec(SEEN, {})
def run(*words, env=None):
    subprocess.run([sys.executable, '-S', '-c', SEEN, *words], env=env)
kept = sqlite3.connect('journal.db', isolation_level=None)
kept.execute('pragma secure_delete = off')
kept.execute('create table t (leak)')
def database(statement, *values):
    kept.execute(statement, values)
"""


def awkward() -> str:
    """A secret of which no form but `plain` has twelve bytes in a row as they are."""
    return "".join(f"{secrets.token_hex(1)}{special}" for special in '"\\&é' * 6)


WRITTEN = dict(forms(awkward().encode()))


def of(form: str) -> tuple[str, str]:
    """A fresh secret, and the last way of several to write it in that form."""
    secret = awkward()
    return secret, [written for name, written in forms(secret.encode()) if name == form][-1].decode()


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(folder=tmp_path, ours=frozenset(), environment={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)})


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_leak_is_found_wherever_it_is(place: str, watch: Watch) -> None:
    planted = dict(of(form) for form in WRITTEN)
    leak = " ".join(planted.values())
    with ThreadPoolExecutor(1) as pool:
        ran = pool.submit(watch.run, [sys.executable, "-c", PROGRAM + PLACES[place]], stdin=leak)
        while not ran.done() and not any(leak[:WINDOW].encode() in data for _, data in list(watch.sinks)):
            time.sleep(0.01)
        (watch.folder / "seen").touch()
        ran.result()
    for secret in planted:
        assert Hunt({"planted": secret}).search(watch.sinks), [form for form in WRITTEN if of(form)[0] == secret]


@pytest.mark.parametrize("form", WRITTEN)
def test_every_form_is_told_from_the_others(form: str) -> None:
    secret, written = of(form)
    found = Hunt({"planted": secret}).search([("here", written.encode())])
    assert form in {leak.form for leak in found}


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_behind_any_number_of_bytes(before: int, encode: type[bytes]) -> None:
    secret = odd("key")
    blob = bytes(encode(b"x" * before + secret.encode() + b"behind it"))
    assert Hunt({"planted": secret}).look("here", b"so it " + blob)


def test_twelve_bytes_are_enough_and_eleven_are_not() -> None:
    secret = odd("key")
    hunt = Hunt({"planted": secret})
    for at in range(len(secret) - WINDOW + 1):
        piece = secret[at : at + WINDOW].encode()
        assert hunt.look("here", b"-- " + piece + b" --")
        assert not hunt.look("here", b"-- " + piece[1:] + b" --")


def test_what_lies_over_the_edge_of_a_piece_is_found(watch: Watch) -> None:
    secret = odd("key")
    for before in range(PIECE - len(secret), PIECE + 1):
        watch.sinks.clear()
        watch.add("here", b" " * before + secret[:WINDOW].encode() + b" " * PIECE)
        assert Hunt({"planted": secret}).search(watch.sinks)


def test_the_raw_bytes_of_a_key_are_found() -> None:
    seed = secrets.token_bytes(32)
    assert Hunt({"seed": seed}).look("here", b"\0" + seed)
    assert Hunt({"seed": seed}).look("here", seed.hex().encode())


def test_a_find_does_not_repeat_the_secret() -> None:
    secret = odd("key")
    found = Hunt({"planted": secret}).search([("here", secret.encode())])
    assert not Hunt({"planted": secret}).look("message", repr(found).encode())


def test_nothing_is_found_where_nothing_is(watch: Watch) -> None:
    watch.run([sys.executable, "-c", PROGRAM + PLACES["stdout"]], stdin="nothing")
    assert watch.sinks
    assert Hunt({"planted": odd("key")}).search(watch.sinks) == []


def test_a_secret_too_short_to_be_told_from_chance_is_refused() -> None:
    with pytest.raises(TooShort, match="admin"):
        Hunt({"admin": "short"})


def _hidden(text: str) -> RuntimeError:
    """An error of ours behind which, unseen in a traceback, the reader's own still holds the text."""
    try:
        try:
            json.loads(text)
        except ValueError:
            raise RuntimeError from None
    except RuntimeError as error:
        return error
    raise AssertionError


def test_what_an_exception_holds_is_seen_though_no_traceback_shows_it() -> None:
    secret = odd("key")
    error = _hidden(f'{{"key": "{secret}')
    hunt = Hunt({"planted": secret})
    assert not hunt.look("traceback", "".join(traceback.format_exception(error)).encode())
    assert hunt.look("exception", "\n".join(held_by(error)).encode())
