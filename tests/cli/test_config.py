"""A daemon's config while its file changes: what is in force, what waits, and whose word ends the waiting."""

from __future__ import annotations

import json
import os
import pty
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rotator.app import approving, reloading, standing
from rotator.app.approving import ChangedMeanwhile
from rotator.app.assembly import Assembly
from rotator.app.reloading import Applied, Bad, Outcome, Reloading, Unchanged, Waiting
from rotator.config import watching
from rotator.config.approved import Approved, sealed, unsealed
from rotator.config.errors import ConfigError
from rotator.config.installation import new_installation
from rotator.config.reading import Config, Whole
from rotator.domain.records import Event
from rotator.domain.rotation import Rotation
from tests.cli.scene import NAME, SCRIPTS, Scene
from tests.config.folder import assert_two_lines
from tests.repository.making import Made, on
from tests.repository.signing import Signer

EVIL = "http://127.0.0.1:9"


@dataclass
class Heard:
    """What a person is told."""

    alerts: list[tuple[str, str, str]] = field(default_factory=list)

    def committed(self, row: Rotation, events: Sequence[Event]) -> None: ...

    def alert(self, action: str, subject: str, message: str) -> None:
        self.alerts.append((action, subject, message))

    def since(self) -> list[str]:
        """The words since the last time."""
        found = [action for action, _, _ in self.alerts]
        self.alerts.clear()
        return found


@dataclass
class Serving:
    """What a daemon does with its config."""

    scene: Scene
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.start()

    def put_together(self, config: Config) -> Assembly:
        return Assembly(config=config, observer=self.heard)

    def start(self) -> None:
        self.reloading = Reloading(self.scene.config)
        self.config = self.reloading.begin(self.put_together)

    def look(self) -> Outcome:
        assembly = self.put_together(self.config)
        try:
            outcome = self.reloading.look(assembly)
        finally:
            assembly.close()
        if isinstance(outcome, Applied):
            self.config = outcome.config
        return outcome

    @property
    def url(self) -> Any:
        return self.config.providers["ks"].settings["base_url"]

    def journal(self, do: Callable[[Assembly], Any]) -> Any:
        assembly = self.put_together(self.config)
        try:
            return do(assembly)
        finally:
            assembly.close()


@pytest.fixture(autouse=True)
def _at_home(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered on the machine is the scene's, as for the commands."""
    monkeypatch.setenv("HOME", str(scene.folder))
    for name in ("XDG_STATE_HOME", "STATE_DIRECTORY", "ROTATOR_STATE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serving(scene: Scene) -> Serving:
    found = Serving(scene)
    assert found.heard.since() == ["config approved"]
    return found


def provider(scene: Scene, **changes: Any) -> None:
    entry = json.loads(scene.config.read_text())["providers"]["ks"]
    scene.rewrite(providers={"ks": {**entry, **changes}})


def defaults(scene: Scene, **changes: Any) -> None:
    entry = json.loads(scene.config.read_text())["defaults"]
    scene.rewrite(defaults={**entry, **changes})


def test_nothing_changes_where_no_file_does(serving: Serving) -> None:
    assert serving.look() == Unchanged()
    serving.scene.config.touch()
    assert serving.look() == Unchanged()
    assert serving.heard.since() == []


def test_a_plain_change_is_in_force_at_the_next_look(serving: Serving) -> None:
    defaults(serving.scene, parallel=5)
    assert isinstance(serving.look(), Applied)
    assert serving.config.parallel == 5
    assert serving.look() == Unchanged()
    assert serving.heard.since() == []
    assert serving.scene.say("config", "diff").code == 0


def test_a_change_that_comes_while_another_one_is_read_is_in_force_too(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SETTLED", 0)

    def read_then_changed(path: Path) -> Whole:
        whole = approving.load_whole(path)
        defaults(serving.scene, parallel=7)
        return whole

    defaults(serving.scene, parallel=3)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(reloading, "load_whole", read_then_changed)
        assert isinstance(serving.look(), Applied)
    assert serving.config.parallel == 3
    with closing(serving.put_together(serving.config)) as assembly:
        assert not serving.reloading.quiet(assembly)
    assert isinstance(serving.look(), Applied)
    assert serving.config.parallel == 7
    with closing(serving.put_together(serving.config)) as assembly:
        assert serving.reloading.quiet(assembly)


def test_a_sensitive_one_waits_is_told_once_and_counts_once_it_is_approved(serving: Serving) -> None:
    good = serving.url
    provider(serving.scene, base_url=EVIL)
    defaults(serving.scene, parallel=5)
    outcome = serving.look()
    assert isinstance(outcome, Applied)
    assert [each.path for each in outcome.waiting] == [("providers", "ks", "base_url")]
    assert (serving.url, serving.config.parallel) == (good, 5)
    assert [serving.look() for _ in range(3)] == [Unchanged()] * 3
    ((action, _, message),) = serving.heard.alerts
    assert action == "config waits"
    assert message == (
        "providers.ks.base_url; `rotator config diff` shows it, `rotator config approve` puts it in force"
    )
    shown = serving.scene.say("config", "diff")
    assert shown.code == 1
    assert f'- "{good}"' in shown.out
    assert f'+ "{EVIL}"' in shown.out
    digest = shown.out.split()[-1]
    assert serving.scene.say("config", "approve", "--yes", digest).code == 0
    assert isinstance(serving.look(), Applied)
    assert serving.url == EVIL
    assert serving.look() == Unchanged()
    assert serving.scene.say("config", "diff").code == 0


def test_what_waits_and_what_is_bad_is_kept_for_whoever_looks_later(serving: Serving) -> None:
    def kept(kind: str) -> list[str]:
        return [each.words for each in serving.journal(lambda assembly: standing.recall(assembly.journal, kind))]

    good = serving.url
    provider(serving.scene, base_url=EVIL)
    serving.look()
    assert kept("config waits") == ["providers.ks.base_url"]
    text = serving.scene.config.read_text()
    serving.scene.config.write_text("{")
    serving.look()
    assert str(serving.scene.config) in kept("bad config")[0]
    serving.scene.config.write_text(text)
    serving.look()
    assert kept("bad config") == []
    provider(serving.scene, base_url=good)
    serving.look()
    assert kept("config waits") == []


def test_it_waits_also_where_it_came_while_nobody_ran(serving: Serving) -> None:
    good = serving.url
    provider(serving.scene, base_url=EVIL)
    defaults(serving.scene, parallel=7)
    serving.start()
    assert (serving.url, serving.config.parallel) == (good, 7)
    assert serving.heard.since() == ["config waits"]


def test_what_was_plain_and_in_force_stays_when_the_rest_of_its_entry_waits(serving: Serving) -> None:
    provider(serving.scene, rate="5/s")
    serving.look()
    provider(serving.scene, base_url=EVIL)
    assert isinstance(serving.look(), Waiting)
    serving.start()
    assert serving.config.providers["ks"].rate == 5


def test_a_one_shot_command_goes_by_the_file(serving: Serving) -> None:
    provider(serving.scene, base_url=EVIL)
    serving.look()
    answer = serving.scene.say("rotate", NAME)
    assert answer.code != 0
    assert "127.0.0.1:9" in answer.err


def write(scene: Scene, data: bytes) -> None:
    scene.config.write_bytes(data)


def instead(scene: Scene, make: Callable[[Path], None]) -> None:
    scene.config.unlink()
    make(scene.config)


BAD: dict[str, Callable[[Scene], object]] = {
    "rubbish": lambda scene: write(scene, os.urandom(64)),
    "half written": lambda scene: write(scene, scene.config.read_bytes()[:300]),
    "empty": lambda scene: write(scene, b""),
    "of words": lambda scene: write(scene, b"nothing to see here"),
    "deleted": lambda scene: scene.config.unlink(),
    "world-writable": lambda scene: scene.config.chmod(0o666),
    "of 100 MB": lambda scene: os.truncate(scene.config, 100 * 2**20),
    "a folder": lambda scene: instead(scene, Path.mkdir),
    "a pipe": lambda scene: instead(scene, os.mkfifo),
    "a link to itself": lambda scene: instead(scene, lambda path: path.symlink_to(path.name)),
    "a link to nowhere": lambda scene: instead(scene, lambda path: path.symlink_to("/nowhere")),
    "in everybody's folder": lambda scene: scene.folder.chmod(0o777),
    "without what it needs": lambda scene: scene.rewrite(stores={}),
}


@pytest.mark.parametrize("spoil", BAD.values(), ids=BAD)
def test_a_bad_file_changes_nothing_and_is_told_once(serving: Serving, spoil: Callable[[Scene], object]) -> None:
    before, text = serving.config, serving.scene.config.read_text()
    spoil(serving.scene)
    outcome = serving.look()
    assert isinstance(outcome, Bad)
    assert_two_lines(ConfigError(outcome.message, outcome.hint))
    assert serving.config is before
    assert serving.look() == Unchanged()
    assert serving.heard.since() == ["bad config"]
    serving.scene.folder.chmod(0o700)
    if serving.scene.config.is_dir():
        serving.scene.config.rmdir()
    serving.scene.config.unlink(missing_ok=True)
    serving.scene.config.touch(mode=0o600)
    serving.scene.config.write_text(text)
    assert serving.look() == Unchanged()
    defaults(serving.scene, parallel=3)
    assert isinstance(serving.look(), Applied)


def test_a_link_that_leads_elsewhere_now_is_another_file(serving: Serving) -> None:
    config, good = serving.scene.config, serving.url
    first = config.rename(serving.scene.folder / "first.yaml")
    config.symlink_to(first)
    assert serving.look() == Unchanged()
    second = serving.scene.folder / "second.yaml"
    second.touch(mode=0o600)
    second.write_text(first.read_text().replace(good, EVIL))
    fresh = serving.scene.folder / "fresh"
    fresh.symlink_to(second)
    fresh.replace(config)
    assert isinstance(serving.look(), Waiting)
    assert serving.url == good


def test_an_include_that_gains_a_file_is_noticed_and_its_credential_waits(serving: Serving) -> None:
    (serving.scene.folder / "more").mkdir(mode=0o700)
    serving.scene.rewrite(include="more/*.yaml")
    serving.look()
    entry = json.loads(serving.scene.config.read_text())["credentials"][NAME]
    fresh = {**entry, "publish": [{**entry["publish"][0], "ref": "new.json"}], "principal": {"principal": "new"}}
    file = serving.scene.folder / "more" / "new.yaml"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"credentials": {"new": fresh}}))
    outcome = serving.look()
    assert isinstance(outcome, Waiting)
    assert {each.path[:2] for each in outcome.waiting} == {("credentials", "new")}
    assert set(serving.config.credentials) == {NAME}
    file.chmod(0o666)
    assert isinstance(serving.look(), Bad)


def test_an_include_folder_that_vanishes_takes_no_credential_with_it(serving: Serving) -> None:
    folder = serving.scene.folder / "more"
    folder.mkdir(mode=0o700)
    (folder / "all.yaml").touch(mode=0o600)
    credentials = json.loads(serving.scene.config.read_text())["credentials"]
    (folder / "all.yaml").write_text(json.dumps({"credentials": credentials}))
    serving.scene.rewrite(include="more/*.yaml", credentials={})
    serving.look()
    assert serving.heard.since() == []
    folder.rename(serving.scene.folder / "elsewhere")
    assert isinstance(serving.look(), Bad)
    assert set(serving.config.credentials) == {NAME}
    assert serving.heard.since() == ["bad config"]
    assert isinstance(serving.look(), Unchanged)
    answer = serving.scene.say("check")
    assert (answer.code, len(answer.err.splitlines())) == (2, 2)
    (serving.scene.folder / "elsewhere").rename(folder)
    assert isinstance(serving.look(), Unchanged)
    assert serving.heard.since() == []


def test_a_credential_that_is_gone_is_rotated_no_more_which_is_said(serving: Serving) -> None:
    serving.scene.rewrite(credentials={})
    assert isinstance(serving.look(), Applied)
    assert not serving.config.credentials
    assert serving.heard.since() == ["no longer rotated"]


def test_whoever_may_write_the_database_alone_cannot_approve(serving: Serving) -> None:
    good = serving.url
    provider(serving.scene, base_url=EVIL)
    serving.look()
    serving.heard.since()
    whole = approving.load_whole(serving.scene.config)
    theirs = new_installation().approvals_key()

    def forge(assembly: Assembly) -> str:
        text = assembly.journal.recall(approving.REMEMBERED) or ""
        known = unsealed(text, assembly.installation.approvals_key())
        forged = sealed(Approved(number=9, at=known.at, how="me", tree=whole.tree), theirs)
        assembly.journal.remember(approving.REMEMBERED, forged)
        return text

    kept = serving.journal(forge)
    assert not isinstance(serving.look(), Applied)
    assert serving.url == good
    assert serving.heard.since() == ["approved config not believed"]
    with pytest.raises(ConfigError, match="was not written with this installation's key"):
        Reloading(serving.scene.config).begin(serving.put_together)
    assert serving.scene.say("config", "diff").code == 1
    # nor by taking it away, so that it looks like the first start
    serving.journal(lambda assembly: assembly.journal.remember(approving.REMEMBERED, None))
    assert not isinstance(serving.look(), Applied)
    with pytest.raises(ConfigError, match="is gone from the journal"):
        Reloading(serving.scene.config).begin(serving.put_together)
    # nor by putting an older one back
    serving.journal(lambda assembly: assembly.journal.remember(approving.REMEMBERED, kept))
    digest = serving.scene.say("config", "diff").out.split()[-1]
    assert serving.scene.say("config", "approve", "--yes", digest).code == 0
    assert isinstance(serving.look(), Applied)
    serving.journal(lambda assembly: assembly.journal.remember(approving.REMEMBERED, kept))
    assert not isinstance(serving.look(), Applied)
    assert serving.url == EVIL
    with pytest.raises(ConfigError, match="is older than its trail"):
        Reloading(serving.scene.config).begin(serving.put_together)


def test_two_replicas_share_what_is_approved(serving: Serving) -> None:
    other = Serving(serving.scene)
    provider(serving.scene, base_url=EVIL)
    assert isinstance(serving.look(), Waiting)
    assert isinstance(other.look(), Waiting)
    digest = serving.scene.json("config", "diff")["digest"]
    serving.scene.say("config", "approve", "--yes", digest)
    assert isinstance(serving.look(), Applied)
    assert isinstance(other.look(), Applied)
    assert other.url == serving.url == EVIL


@pytest.mark.parametrize("read_anew", [True, False])
def test_an_approval_that_comes_while_a_plain_change_is_followed_is_not_lost(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, *, read_anew: bool
) -> None:
    provider(serving.scene, base_url=EVIL)
    assert not isinstance(serving.look(), Applied)
    defaults(serving.scene, parallel=9)
    digest = serving.scene.json("config", "diff")["digest"]

    def followed_late(*words: Any, **named: Any) -> Approved:
        meanwhile.undo()
        assert serving.scene.say("config", "approve", "--yes", digest).code == 0
        return approving.follow(*words, **named)

    with pytest.MonkeyPatch.context() as meanwhile:
        meanwhile.setattr(approving, "follow", followed_late)
        if not read_anew:
            monkeypatch.setattr(reloading, "ATTEMPTS", 1)
            with pytest.raises(ChangedMeanwhile):
                serving.look()
        assert isinstance(serving.look(), Applied)
    assert (serving.url, serving.config.parallel) == (EVIL, 9)
    assert serving.look() == Unchanged()
    assert serving.scene.say("config", "diff").code == 0
    assert serving.reloading.waiting == ()


def test_only_what_was_shown_is_approved(serving: Serving) -> None:
    provider(serving.scene, base_url="http://127.0.0.1:8")
    digest = serving.scene.json("config", "diff")["digest"]
    provider(serving.scene, base_url=EVIL)
    answer = serving.scene.say("config", "approve", "--yes", digest)
    assert answer.code == 2
    assert "that is not what waits now" in answer.err
    assert not isinstance(serving.look(), Applied)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("config", "approve"), "nobody is there to be asked"),
        (("config", "approve", "--yes", "yes"), "--yes is no digest"),
        (("config", "approve", "--yes", "0" * 32), "that is not what waits now"),
        (("config",), "config: which verb?"),
        (("config", "dif"), "'dif' is nothing that is done with a config"),
    ],
)
def test_bad_words_approve_nothing(serving: Serving, words: tuple[str, ...], message: str) -> None:
    provider(serving.scene, base_url=EVIL)
    answer = serving.scene.say(*words)
    assert (answer.code, len(answer.lines)) == (2, 2)
    assert message in answer.err
    assert not isinstance(serving.look(), Applied)


def test_on_a_terminal_it_is_asked_and_only_yes_is_yes(serving: Serving) -> None:
    provider(serving.scene, base_url=EVIL)
    codes = []
    for typed in ("y\n", "yes\n"):
        ours, theirs = pty.openpty()
        os.write(ours, typed.encode())
        done = subprocess.run(
            [str(SCRIPTS / "rotator"), *serving.scene.with_config(("config", "approve"))],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=200,
            env=serving.scene.environment(),
            check=False,
        )
        os.close(ours)
        os.close(theirs)
        assert EVIL in done.stdout
        codes.append(done.returncode)
    assert codes == [2, 0]
    assert isinstance(serving.look(), Applied)


def test_a_letter_that_looks_like_another_and_a_secret_are_shown_as_what_they_are(serving: Serving) -> None:
    provider(serving.scene, base_url="http://v\u0430ult.internal", note="Xk29fLq8Zr41Vt77Ab")
    answer = serving.scene.say("config", "diff")
    assert "v\\u0430ult" in answer.out
    assert "Xk29fLq8Zr41Vt77Ab" not in answer.out
    assert '+ "…" (sha256 ' in answer.out


@pytest.fixture
def in_git(scene: Scene) -> tuple[Scene, Made, Signer]:
    ops = Signer.at(scene.folder.parent / f"keys-{scene.folder.name}", "ops")
    signers = scene.folder / "signers"
    signers.touch(mode=0o600)
    signers.write_text(f"# who may\n{ops.line}\n")
    scene.rewrite(approvals={"signers": "signers"})
    made = Made.at(scene.folder)
    made.commit(on(1), {".gitignore": "*\n!rotator.yaml\n!signers\n"})
    return scene, made, ops


def test_a_signed_commit_approves_and_an_unsigned_one_does_not(in_git: tuple[Scene, Made, Signer]) -> None:
    scene, made, ops = in_git
    serving = Serving(scene)
    provider(scene, base_url=EVIL)
    assert isinstance(serving.look(), Waiting)
    made.commit(on(2), {})
    assert not isinstance(serving.look(), Applied)
    waits = [message for action, _, message in serving.heard.alerts if action == "config waits"]
    whys = [message.partition("; no commit approves it: ")[2] for message in waits]
    unsigned = f"commit {made.git('rev-parse', 'HEAD')[:12]} is not signed by one of approvals.signers — git commit -S"
    assert whys == ["rotator.yaml is not as it is committed — commit it, signed", unsigned]
    commit = ops.commit(made, 3)
    assert isinstance(serving.look(), Applied)
    assert serving.url == EVIL
    assert commit in scene.say("log", "export").out
    assert serving.look() == Unchanged()


def test_who_may_sign_is_itself_sensitive(in_git: tuple[Scene, Made, Signer]) -> None:
    scene, made, _ = in_git
    serving = Serving(scene)
    thief = Signer.at(scene.folder.parent / f"keys-{scene.folder.name}", "thief")
    (scene.folder / "signers").write_text(f"{thief.line}\n")
    outcome = serving.look()
    assert isinstance(outcome, Waiting)
    assert {each.path for each in outcome.waiting} == {("approvals", "signers")}
    thief.commit(made, 2)
    assert not isinstance(serving.look(), Applied)


@pytest.mark.parametrize("text", ["", "nobody\n", "ops@example.org ssh-ed25519\n", "\x1b[31m\n"])
def test_a_file_of_signers_that_is_none_is_refused(scene: Scene, text: str) -> None:
    signers = scene.folder / "signers"
    signers.touch(mode=0o600)
    signers.write_text(text)
    scene.rewrite(approvals={"signers": "signers"})
    answer = scene.say("config", "diff")
    assert (answer.code, len(answer.lines)) == (2, 2)
    assert "is no list of signers" in answer.err
    signers.unlink()
    assert "cannot be read" in scene.say("config", "diff").err


def test_a_config_that_names_an_empty_journal_is_no_first_start(serving: Serving) -> None:
    provider(serving.scene, base_url=EVIL)
    serving.scene.rewrite(state="sqlite:///empty.db")
    with pytest.raises(ConfigError, match=r"nobody approved that: state\.url"):
        Reloading(serving.scene.config).begin(serving.put_together)
    opening = serving.scene.json("config", "diff")["digest"]
    assert serving.scene.say("config", "approve", "--yes", opening).code == 0
    with pytest.raises(ConfigError, match="names another journal than when it was in force last"):
        Reloading(serving.scene.config).begin(serving.put_together)
    assert serving.scene.say("config", "diff").code == 0
    digest = serving.scene.json("config", "diff")["digest"]
    assert serving.scene.say("config", "approve", "--yes", digest).code == 0
    serving.start()
    assert serving.url == EVIL


def test_nor_is_one_that_names_another_installation(serving: Serving) -> None:
    key = serving.scene.folder / "theirs.key"
    key.touch(mode=0o600)
    key.write_text(new_installation().text())
    serving.scene.rewrite(state="sqlite:///theirs.db", installation={"key": "file:theirs.key"})
    opening = serving.scene.json("config", "diff")["digest"]
    assert serving.scene.say("config", "approve", "--yes", opening).code == 0
    digest = serving.scene.json("config", "diff")["digest"]
    assert serving.scene.say("config", "approve", "--yes", digest).code == 0
    with pytest.raises(ConfigError, match="names another installation key"):
        Reloading(serving.scene.config).begin(serving.put_together)


class Attacker(socketserver.ThreadingTCPServer):
    """Whom an unapproved file names; counts who came, and hangs up."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.came = 0

    def verify_request(self, request: Any, client_address: Any) -> bool:
        self.came += 1
        return False


@pytest.fixture
def attacker() -> Iterator[Attacker]:
    with Attacker() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.mark.parametrize("stated", [False, True], ids=["", "with ROTATOR_STATE"])
def test_an_unapproved_file_gets_no_secret_at_the_next_start(
    serving: Serving, attacker: Attacker, stated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = serving.scene
    if stated:
        monkeypatch.setenv("ROTATOR_STATE", f"sqlite:///{scene.folder}/rotator.db")
    before = json.loads(scene.config.read_text())
    address = f"127.0.0.1:{attacker.server_address[1]}"
    auth = {"method": "approle", "role_id": "r", "secret_id": "file:admin"}
    theirs = {"driver": "vault", "address": f"http://{address}", "mount": "kv", "auth": auth}
    stores = {**before["stores"], "v": theirs}
    for name, changes in {
        "state.password": {"state": {"url": f"postgresql://x@{address}/y", "password": "file:admin"}},
        "stores.v.": {"state": {"url": f"postgresql://x@{address}/y", "password": "v:a/b#c"}, "stores": stores},
        "installation.key": {"installation": {"key": "v:a/b#c"}, "stores": stores},
    }.items():
        scene.config.write_text(json.dumps({**before, **changes}))
        with pytest.raises(ConfigError, match="opens its journal otherwise") as refused:
            Reloading(scene.config).begin(serving.put_together)
        assert_two_lines(refused.value)
        assert name in refused.value.message
        shown = scene.say("config", "diff")
        assert shown.code == 1
        assert name in shown.out
        assert scene.say("config", "approve", "--yes", "0" * 32).code == 2
    assert attacker.came == 0


def test_what_opens_the_journal_counts_once_a_person_approved_it(serving: Serving) -> None:
    scene = serving.scene
    moved = scene.folder / "moved.key"
    (scene.folder / "installation.key").rename(moved)
    scene.rewrite(installation={"key": "file:moved.key"})
    with pytest.raises(ConfigError, match=r"nobody approved that: installation\.key"):
        Reloading(scene.config).begin(serving.put_together)
    shown = scene.json("config", "diff")
    assert [each["key"] for each in shown["changes"]] == ["installation.key"]
    said = scene.say("config", "approve", "--yes", shown["digest"])
    assert said.code == 0
    assert "`rotator config diff`" in said.out
    serving.start()
    assert serving.heard.since() == ["config waits"]
    digest = scene.json("config", "diff")["digest"]
    assert scene.say("config", "approve", "--yes", digest).code == 0
    serving.start()
    assert serving.heard.since() == []


def test_a_config_that_is_mounted_by_links_stays_the_same_config(scene: Scene) -> None:
    for name in ("one", "two"):
        (scene.folder / name).mkdir(mode=0o700)
    text = json.loads(scene.config.read_text())
    text["installation"] = {"key": f"file:{scene.folder}/installation.key"}
    for name, state in (("one", "rotator.db"), ("two", "other.db")):
        file = scene.folder / name / "rotator.yaml"
        file.touch(mode=0o600)
        file.write_text(json.dumps({**text, "state": f"sqlite:///{scene.folder}/{state}"}))
    scene.config.unlink()
    (scene.folder / "data").symlink_to("one")
    scene.config.symlink_to("data/rotator.yaml")
    serving = Serving(scene)
    (scene.folder / "data").unlink()
    (scene.folder / "data").symlink_to("two")
    with pytest.raises(ConfigError, match=r"opens its journal otherwise .* state\.url"):
        serving.start()
