"""I4: no managed or admin secret is in journal, log, trail, arguments, environment, exception, core or file of ours.

Commands run as people run them, with `--debug`, and go wrong in every step; then everything that they said and left is
searched for every secret that was ever issued, shown or configured.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import secrets
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.domain.codec import encode
from rotator.domain.keys import Minted, MintRequest
from rotator.domain.rotation import Phase
from rotator.domain.secret import Secret
from rotator.ports import Change, Stored
from rotator.testing.keyserver import FaultKind, Operation
from tests.cli.scene import NAME, SCRIPTS, SHORT
from tests.providers.postgres_setup import ADMIN_PASSWORD, arena
from tests.real.scene import FIRST, Real, make
from tests.real.scene import NAME as DATABASE
from tests.security.exceptions import held_by
from tests.security.guarded import Guarded, guarded, odd
from tests.security.hunt import Hunt
from tests.security.saboteur import ERRORS, WHEN
from tests.security.tap import Tap
from tests.security.watching import Watch
from tests.servers.openbao import OpenBaoServer
from tests.servers.postgres import PostgresServer

stand_in = pytest.mark.stand_in("API provider: keyserver")
SECRET = Secret({"secret": odd("ks_live")})
EMERGENCY = ("--assume-compromise", "--contained", "--yes", "--again")
LOOKING = (
    ["check"],
    ["check", "--policy"],
    ["status"],
    ["status", NAME],
    ["why", NAME],
    ["history"],
    ["history", NAME, "--json"],
    ["log", "verify"],
    ["log", "export"],
    ["plugins"],
    ["rotate", NAME, "--dry-run"],
)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as each:
        yield each


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Guarded]:
    """Without a log, so that progress is shown."""
    with guarded(tmp_path, log="") as each:
        yield each


def _looks(guard: Guarded) -> None:
    for words in LOOKING:
        guard.run(*words)


def _was_watched(guard: Guarded, mints: int) -> None:
    """A hunt for nothing in nothing finds nothing. `mints`: those whose answer came."""
    assert len(guard.tap.heard) >= mints + 2, "each minted value, the admin's and the first one"
    seen = {where.split()[0] for where, _ in guard.watch.sinks}
    assert seen >= {"stdout", "stderr", "cmdline", "environ", "file"}
    assert "file rotator.db-wal" in {where for where, _ in guard.watch.sinks}


# -- what people do ---------------------------------------------------------------------------------------------------


@stand_in
def test_rotations_of_all_modes_and_everything_that_shows_them(guard: Guarded) -> None:
    assert guard.run("adopt", NAME).code == 0
    assert guard.run("rotate", NAME, "--wait", "--reason", "because", "--json").code == 0
    with guard.scene.journal() as journal:  # what is due
        row = journal.credential(NAME)
        journal.save(replace(row, next_due=row.current_since), datetime.now(UTC), Change())
    assert guard.run("rotate", "--due", "--wait").code == 0
    assert guard.run("rotate", NAME, *EMERGENCY, "--contain-first", "--json").code == 0
    _looks(guard)
    for words in (["prove", NAME], ["reconcile"], ["hold", NAME], ["release", NAME], ["revoke", NAME, "--yes"]):
        guard.run(*words)
    (guard.scene.folder / "rotator.db").unlink()
    guard.run("reconcile", "--rebuild")
    _was_watched(guard, mints=3)
    assert b'"action": "mint"' in b"".join(piece for where, piece in guard.watch.sinks if where.startswith("stderr"))
    assert guard.leaks() == []


@stand_in
def test_a_search_and_a_leaked_value_show_and_keep_nothing(guard: Guarded) -> None:
    scene = guard.scene
    value, stranger = scene.published(), f"sk-proj-{secrets.token_hex(20)}"
    guard.configured["a stranger's"] = stranger[:-4]  # of which the end is shown
    planted = json.dumps({"key": value, "other": stranger})
    for adopted in (False, True):
        if adopted:
            assert guard.run("adopt", NAME).code == 0
        assert guard.run("find", "store").code == 1
        assert guard.run("find", "store", "rotator.yaml", "--json").code == 1
        assert guard.run("find", "-", stdin=planted).code == 1
    scene.keyserver.fail(Operation.IDENTIFY, FaultKind.HTML)
    for words in ([], ["--json"], ["--assume-compromise"], ["--key-id", "ks/none"]):
        assert guard.run("rotate", "--leaked", *words, stdin=f"{stranger}\n{odd('ks_live')}").code in (1, 2)
    assert guard.run("rotate", "--leaked", "--dry-run", *EMERGENCY, stdin=value).code == 0
    assert guard.run("rotate", "--leaked", *EMERGENCY, "--reason", "public", stdin=f"{stranger}\n{value}").code == 3
    assert guard.run("rotate", "--leaked", "--assume-compromise", "--json", stdin=value).code == 0
    config = scene.config.read_text()
    scene.config.write_text("{")
    for words in (["find", "-"], ["rotate", "--leaked"]):
        assert guard.run(*words, stdin=value).code == 1  # a traceback
    scene.config.write_text(config)
    _looks(guard)
    _was_watched(guard, mints=1)
    assert guard.leaks() == []


@stand_in
def test_rotations_that_go_back_get_stuck_and_lose_answers(quiet: Guarded) -> None:
    guard = quiet
    guard.scene.policy(overlap="1h", max_overlap="2h")
    assert guard.run("rotate", NAME).code == 0
    assert guard.run("rollback", NAME).code == 0
    guard.scene.policy(overlap="0s")
    guard.run("rotate", "--due", "--wait")
    assert guard.phases() == {"rolled_back"}
    faults = guard.scene.keyserver
    faults.fail(Operation.MINT, FaultKind.LOSE_RESPONSE)
    faults.fail(Operation.DELETE, FaultKind.FORBIDDEN, calls=None)
    assert guard.run("rotate", NAME, "--wait").code == 3
    assert "stuck" in guard.phases()
    for words in (["status", NAME], ["why", NAME], ["history", NAME, "--json"], ["log", "export"]):
        guard.run(*words)
    assert guard.run("resume", NAME, "--reason", "again").code == 0
    faults.tell(faults=())
    assert guard.run("rotate", "--due", "--wait").code in (0, 1)
    guard.run("reconcile", "--revoke-orphans")
    _was_watched(guard, mints=2)
    assert guard.leaks() == []


@stand_in
def test_servers_that_answer_nonsense_and_documents_that_hold_it(guard: Guarded) -> None:
    scene = guard.scene
    for kind in (FaultKind.HTML, FaultKind.UNAUTHORIZED, FaultKind.LOSE_RESPONSE):
        scene.keyserver.fail(None, kind, calls=6)
        assert guard.run("rotate", NAME).code != 0
        scene.keyserver.tell(faults=())
    path = scene.folder / "store" / f"{NAME}.json"
    good = path.read_bytes()
    for bad in (good[:-9], good.replace(b'"API_KEY": ', b'"API_KEY": "#'), b"\xff" + good):
        path.write_bytes(bad)
        for words in (["adopt", NAME], ["rotate", NAME]):
            guard.run(*words)
    guard.run("check")
    guard.run("reconcile")
    path.write_bytes(good)
    wrong = guard.configured["another admin"] = odd("wrong")
    for text in (wrong, f"{wrong}\n{wrong}ü"):
        (scene.folder / "admin").write_text(text)
        assert guard.run("rotate", NAME).code == 2
    assert guard.leaks() == []


# -- secrets where they do not belong ---------------------------------------------------------------------------------


def _mistakes(secret: str) -> dict[str, dict[str, object]]:
    """Entries of a config that hold a secret where a careless person may have put it."""
    driver = {"driver": "keyserver", "admin": "file:admin", "base_url": "http://127.0.0.1:1"}
    place = {"store": "files", "ref": f"{NAME}.json", "fields": {"API_KEY": secret}}
    credential = {"provider": "ks", "principal": {"principal": NAME}, "publish": [place], "policy": "quick"}
    vault = {"driver": "vault", "address": "http://127.0.0.1:1", "mount": "kv"}
    return {
        "the admin": {"providers": {"ks": {**driver, "admin": secret}}},
        "the admin as a reference": {"providers": {"ks": {**driver, "admin": f"fiel:{secret}"}}},
        "the admin as a variable": {"providers": {"ks": {**driver, "admin": f"env:{secret}"}}},
        "the admin in a list": {"providers": {"ks": {**driver, "admin": [secret]}}},
        "an unknown setting": {"providers": {"ks": {**driver, "api_key": secret}}},
        "the address": {"providers": {"ks": {**driver, "base_url": f"http://u:{secret}@127.0.0.1:1"}}},
        "a number": {"providers": {"ks": {**driver, "cap": secret}}},
        "a duration": {"providers": {"ks": {**driver, "propagation": secret}}},
        "the rate": {"providers": {"ks": {**driver, "rate": secret}}},
        "the installation": {"installation": {"key": secret}},
        "the installation itself": {"installation": secret},
        "the journal": {"state": f"postgresql://rotator:{secret}@127.0.0.1:1/x"},
        "the journal's password": {"state": {"url": "postgresql://rotator@127.0.0.1:1/x", "password": secret}},
        "a store's token": {"stores": {"v": {**vault, "auth": {"method": "token", "token": secret}}}},
        "a store's login": {"stores": {"v": {**vault, "auth": secret}}},
        "a template": {"credentials": {NAME: credential}},
        "an entry of its own": {"secret": secret},
    }


ODD, USUAL = odd("misplaced"), secrets.token_hex(20)
# A misspelt word is repeated unless it looks like a secret, and an odd one does not.
MISTAKES = [(each, USUAL if each == "the rate" else ODD) for each in _mistakes("")]


@stand_in
@pytest.mark.parametrize(("mistake", "secret"), MISTAKES, ids=[each for each, _ in MISTAKES])
def test_a_secret_in_the_config_is_not_repeated(mistake: str, secret: str, guard: Guarded) -> None:
    guard.configured["misplaced"] = secret
    guard.scene.rewrite(**_mistakes(secret)[mistake])
    commands = (["check"], ["rotate", NAME], ["status"])
    codes = [_say(guard, *words) for words in commands]
    assert any(codes), "nobody minds the mistake"
    assert [leak for leak in guard.leaks() if leak.where.startswith("said")] == []


def _say(guard: Guarded, *words: str) -> int:
    """A command in this process, twice: as two lines, and with `--debug`; what it raises is looked into."""
    answer = guard.scene.say(*words)
    guard.watch.add(f"said to {words[:3]}", (answer.out + answer.err).encode())
    try:
        debugged = guard.scene.say(*words, "--debug")
        guard.watch.add(f"said to {words[:3]}", (debugged.out + debugged.err).encode())
    except Exception as error:  # noqa: BLE001 - the interpreter would print it too
        guard.watch.add(f"said in a traceback to {words[:3]}", traceback.format_exc().encode())
        guard.watch.add(f"said within an exception to {words[:3]}", "\n".join(held_by(error)).encode())
    return answer.code


@stand_in
def test_a_secret_typed_where_a_reference_belongs_is_not_repeated(guard: Guarded) -> None:
    secret = guard.configured["typed"] = odd("typed")
    url = f"postgresql://rotator:{secret}@127.0.0.1:1/x"
    for words in (
        ["rotate", NAME, "--admin", f"ks={secret}"],
        ["rotate", NAME, "--admin", str(secret)],
        ["rotate", NAME, "--admin", f"{secret}=file:admin"],
        ["rotate", NAME, "--state", url],
        ["status", "--state", url],
        ["log", "verify", "--state", url],
    ):
        assert _say(guard, *words) == 2, words[0]
    assert guard.leaks() == []


@stand_in
def test_an_admin_credential_from_standard_input_stays_there(guard: Guarded) -> None:
    admin = (guard.scene.folder / "admin").read_text()
    (guard.scene.folder / "admin").unlink()
    assert guard.run("rotate", NAME, "--wait", "--admin", "ks=-", stdin=f"{admin}\n").code == 0
    _was_watched(guard, mints=1)
    assert guard.leaks() == []


def test_init_shows_and_writes_no_value(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir(mode=0o700)
    found = {name: odd("x").encode().hex() for name in ("KS_KEY", "OPENAI_API_KEY", "password")}
    database = f"postgresql://app:{found['password']}@127.0.0.1:1/shop"
    lines = [f"KS_KEY=ks_{found['KS_KEY']}", f"OPENAI_API_KEY=sk-proj-{found['OPENAI_API_KEY']}", f"URL={database}"]
    (folder / ".env").touch(mode=0o600)
    ours = frozenset({folder / ".env", folder / "installation.key"})
    watch = Watch(folder=tmp_path, ours=ours, environment={"PATH": os.defpath, "HOME": str(tmp_path)})
    for end in (f'BROKEN="{found["KS_KEY"]}', "WHOLE=yes"):
        (folder / ".env").write_text("\n".join([*lines, end]))
        for words in (["init", "--from", ".env"], ["check"], ["status"]):
            watch.run([str(SCRIPTS / "rotator"), *words, "--debug"], cwd=folder)
    assert (folder / "rotator.yaml").exists()
    assert Hunt(found).search(watch.sinks) == []


# -- where everything goes wrong --------------------------------------------------------------------------------------

EFFECTS = range(9)
STEPS = [phase.value for phase in Phase if not phase.terminal]
MODES = ("scheduled", "rollback", "compromise", "contain_first")
EVERYTHING = [
    *itertools.product(MODES, ERRORS, ["effect"], EFFECTS, WHEN),
    *itertools.product(MODES, ERRORS, ["step"], STEPS, WHEN),
]


def _sabotage(folder: Path, plan: list[tuple[object, ...]], *, most: int) -> None:
    """Run so many rotations, each with its own error in its own place. Some are never reached: not on their road."""
    named = {f"app-{number}": each for number, each in enumerate(plan)}
    with guarded(folder, names=tuple(named)) as guard:
        guard.scene.lease(SHORT)  # an emergency waits for two of them
        answer = guard.module("tests.security.saboteur", stdin=json.dumps({"rotations": named}))
        assert answer.code == 0, answer.err[-2000:]
        fired = int(answer.out.rpartition("fired: ")[2])
        assert fired >= most, f"only {fired} of {len(plan)} errors happened"
        assert "exceptions.py" not in answer.err, "an error of who looks at errors, who then stops looking"
        assert "made up')" in answer.out, "the errors were looked into"
        if any(each[1] == "bug" for each in plan):
            assert "Traceback (most recent call last)" in answer.out
        assert '"kind": "intent"' in answer.err, "the log is at level debug"
        assert guard.phases() <= {"done", "rolled_back", "stuck", "superseded"}
        _was_watched(guard, mints=len(plan) // 2)
        assert guard.leaks() == []


@stand_in
def test_an_error_in_any_effect_and_step_shows_no_secret(tmp_path: Path) -> None:
    _sabotage(tmp_path, random.Random(20261123).sample(EVERYTHING, 40), most=20)


@stand_in
@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("mode", MODES)
def test_every_error_in_every_effect_and_step_shows_no_secret(mode: str, error: str, tmp_path: Path) -> None:
    plan = [each for each in EVERYTHING if each[:2] == (mode, error)]
    _sabotage(tmp_path, list(plan), most=10)


COMMANDS = (
    ["adopt", NAME],
    ["check"],
    ["rotate", NAME, "--dry-run"],
    ["why", NAME],
    ["reconcile"],
    ["prove", NAME],
    ["reconcile", "--rebuild"],
    ["find", "store"],
    ["rotate", "--key-id", "ks/…none", "--dry-run"],
    ["init", "--from", f"files:{NAME}.json#API_KEY,OTHER"],
    ["revoke", NAME, "--yes"],
)


@stand_in
@pytest.mark.parametrize(
    "error", [pytest.param(each, marks=[] if each == "bug" else [pytest.mark.slow]) for each in ERRORS]
)
def test_an_error_in_any_call_of_a_driver_shows_no_secret(error: str, guard: Guarded) -> None:
    assert guard.run("rotate", NAME, "--wait").code == 0
    plan = {"commands": COMMANDS, "errors": [error]}
    answer = guard.module("tests.security.saboteur", stdin=json.dumps(plan))
    assert answer.code == 0, answer.err[-2000:]
    assert int(answer.out.rpartition("fired: ")[2]) >= 10
    assert "exceptions.py" not in answer.err
    if error == "bug":
        assert "Traceback (most recent call last)" in answer.out
    assert guard.leaks() == []


# -- real servers -----------------------------------------------------------------------------------------------------


@pytest.fixture
def real(
    tmp_path: Path, postgres_server: PostgresServer, openbao_server: OpenBaoServer, openbao_mount: str
) -> Iterator[Real]:
    with arena(postgres_server) as database:
        yield make(tmp_path, database, openbao_server, openbao_mount)


EMERGENCIES = [EMERGENCY, (*EMERGENCY, "--contain-first")]


@pytest.mark.parametrize("options", [(), *(pytest.param(each, marks=pytest.mark.slow) for each in EMERGENCIES)])
def test_no_password_of_a_real_database_and_no_token_of_a_real_store(options: tuple[str, ...], real: Real) -> None:
    config = json.loads(real.config.read_text())
    with Tap(real.bao.host, real.bao.port) as tap:
        config["stores"]["bao"]["address"] = tap.url
        real.config.write_text(json.dumps(config))
        ours = frozenset(real.folder / name for name in ("pg-admin", "token", "installation.key"))
        watch = Watch(folder=real.folder, ours=ours, environment=real.environment)

        def run(*words: str) -> int:
            script = "rotate" if words[0] == "rotate" else "rotator"
            words = words[1:] if script == "rotate" else words
            command = [str(SCRIPTS / script), *words, "--debug", "--config", str(real.config)]
            return watch.run(command)[0]

        for words in (["adopt", DATABASE], ["check"]):
            assert run(*words) == 0
        if options:
            real.lease("2s")  # an emergency waits for two of them
        assert run("rotate", DATABASE, "--wait", *options) == 0
        run("log", "export")
        for name, text in {"pg-admin": "wrong", "token": "wrong"}.items():
            good = (real.folder / name).read_text()
            (real.folder / name).write_text(text + good)
            assert run("rotate", DATABASE) == 2
            (real.folder / name).write_text(good)
        heard = tap.heard
    assert FIRST in heard
    assert len(heard) >= 3, "two passwords and a token"
    shown = {f"heard {number}": secret for number, secret in enumerate(heard)}
    assert Hunt({**shown, "admin": ADMIN_PASSWORD}).search(watch.sinks) == []


# -- values that are shown or written ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        Minted(key_id="key-1", value=SECRET),
        MintRequest(mark="mark", chosen=SECRET),
        Stored(version="1", fields=SECRET.parts()),
        (Stored(version="1", fields=SECRET.parts()),),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_of_a_port_shows_its_secret_or_is_written_unless_asked(value: object) -> None:
    hunt = Hunt({"it": SECRET.reveal("secret")})
    with pytest.raises(TypeError) as refused:
        encode(value)
    for text in (repr(value), str(value), f"{value}", "\n".join(held_by(refused.value))):
        assert not hunt.look("shown", text.encode())
    assert hunt.look("written", json.dumps(encode(value, reveal=True)).encode())


def test_a_place_without_a_value_is_written_without_asking() -> None:
    assert encode(Stored(version="", fields=None)) == {"version": "", "fields": None}


@stand_in
def test_what_the_logs_own_net_caught_counts_as_a_leak(guard: Guarded) -> None:
    guard.watch.run([sys.executable, "-c", """print('{"action": "redacted", "subject": "mint"}')"""])
    assert {leak.form for leak in guard.leaks()} == {"redacted"}  # also seen as an argument, if it was quick enough
