"""The whole way, on a keyserver that tells the last use: one acknowledges at once, one late, one is stubborn."""

from __future__ import annotations

import json
import re
import runpy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.adapters.machine import MachineClock
from rotator.app.adopting import adopt
from rotator.app.assembly import Assembly
from rotator.app.configs import load_config
from rotator.app.running import Run
from rotator.cli.demo.consumers import Caller
from rotator.domain.acknowledgement import acknowledgement
from rotator.domain.rotation import Mode, Phase, Rotation
from rotator.engine import starting
from rotator.engine.acknowledging import acknowledge
from rotator.testing.keyserver import Behaviour, Keyserver
from tests.cli.scene import NAME, Answer, Scene, make
from tests.consumers.receiver import Post, Receiver, Reply

pytestmark = pytest.mark.stand_in("API provider: keyserver")
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="
DOCS = Path(__file__).parents[2] / "docs" / "consumers.md"


@dataclass(frozen=True)
class Place:
    """A scene whose credential has three consumers, the first of them told by webhook."""

    scene: Scene
    receiver: Receiver

    def proof(self, consumer: str) -> str:
        """What a consumer computes, by the very lines of the documentation, from what it reads."""
        (snippet,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
        program = self.scene.folder / "snippet.py"
        program.write_text(snippet)
        given = {"key": self.scene.published(), "rotation": self.rotation, "consumer": consumer}
        return str(runpy.run_path(str(program), init_globals=given)["proof"])

    @property
    def rotation(self) -> str:
        with self.scene.journal() as journal:
            return journal.rotations(NAME)[0].id

    def phase(self) -> Phase:
        with self.scene.journal() as journal:
            return journal.rotations(NAME)[0].phase

    def acknowledges(self, consumer: str, proof: str | None = None) -> Answer:
        return self.scene.say("acknowledge", NAME, consumer, stdin=self.proof(consumer) if proof is None else proof)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Keyserver(Behaviour()) as keyserver, Receiver() as receiver:
        scene = make(tmp_path, keyserver)
        (tmp_path / "whsec").touch(mode=0o600)
        (tmp_path / "whsec").write_text(SECRET)
        scene.rewrite(
            consumers={
                "reader": {"owner": "team-a", "reload": {"webhook": receiver.url, "secret": "file:whsec"}},
                "cacher": {},
                "stubborn": {"owner": "team-b"},
            }
        )
        scene.credential(consumers=["reader", "cacher", "stubborn"])
        scene.policy(overlap="1h", max_overlap="2h", min_overlap="1s", quiet_for="0s")
        found = Place(scene, receiver)

        def reads(post: Post) -> Reply:
            proof = acknowledgement(scene.published(), post.json["data"]["rotation"], "reader")
            return Reply(status=200, body=json.dumps({"acknowledgement": proof}).encode())

        receiver.reply = reads
        yield found


def test_who_has_not_moved_is_named_and_when_all_have_the_old_key_dies_early(place: Place) -> None:
    scene = place.scene
    assert scene.say("rotate", NAME).code == 0
    (post,) = place.receiver.posts
    assert post.authentic(SECRET)
    shown = scene.say("status", NAME).out
    assert "not moved yet: cacher (reads by itself), stubborn (reads by itself)" in shown
    assert re.search(r"consumer reader: acknowledged \S+ s after it was there; picks up within", shown)
    assert "consumer stubborn: has not moved; reads by itself; its pick-up was never measured" in shown

    answer = place.acknowledges("cacher")
    assert answer.code == 0, answer.err
    assert answer.out == f"{NAME}: cacher has the new key of rotation {place.rotation}\n"
    assert scene.say("rotate", "--due").code == 0
    assert "not moved yet: stubborn (reads by itself)" in scene.say("status").out
    assert place.phase() is Phase.LIVE
    assert place.acknowledges("cacher").out.endswith("(it was known already)\n")

    assert place.acknowledges("stubborn").code == 0
    time.sleep(1.0)
    scene.say("rotate", "--due", "--wait")
    assert place.phase() is Phase.DONE
    assert len(scene.alive) == 1
    assert len(place.receiver.posts) == 1


def test_what_was_measured_is_what_the_emergency_s_plan_reckons_with(place: Place) -> None:
    scene = place.scene
    scene.say("rotate", NAME)
    time.sleep(1.1)
    place.acknowledges("cacher")
    scene.say("rotate", "--due")
    answer = scene.say("rotate", NAME, "--assume-compromise", "--contained", "--dry-run")
    assert answer.code == 0, answer.err
    assert re.search(r"reader: (nothing|no .* [\d.]+ s); it picks up within [\d.]+ s \(measured once\)", answer.out)
    assert re.search(r"cacher: no working key for about [1-9][\d.]* s", answer.out)
    assert "stubborn: its pick-up was never measured, so nobody can say for how long it fails" in answer.out
    scene.policy(compromise_grace="60s")
    answer = scene.say("rotate", NAME, "--assume-compromise", "--contained", "--dry-run")
    assert re.search(r"cacher: nothing; it picks up within", answer.out)


def test_what_proves_nothing_is_refused_in_two_lines_and_counted_nowhere(place: Place) -> None:
    scene = place.scene
    assert place.scene.say("adopt", NAME).code == 0
    refused = scene.say("acknowledge", NAME, "cacher", stdin="ack1_" + "0" * 64)
    assert (refused.code, refused.lines[0]) == (2, f"rotator: {NAME} has no new key to be acknowledged")
    scene.say("rotate", NAME)
    first = place.proof("cacher")
    before = _row(scene)
    for consumer, text in (
        ("cacher", ""),
        ("cacher", "ack1_" + "0" * 64),
        ("cacher", place.proof("stubborn")),
        ("cacher", acknowledgement("another key", place.rotation, "cacher")),
        ("cacher", acknowledgement(scene.published(), "another rotation", "cacher")),
        ("cacher", scene.published()),
        ("nobody", place.proof("nobody")),
    ):
        answer = place.acknowledges(consumer, text)
        assert (answer.code, len(answer.lines)) == (2, 2), answer.err
        assert answer.lines[1].startswith("hint: ")
        assert scene.published() not in answer.err
    assert _row(scene) == before
    typed = scene.say("acknowledge", NAME, "cacher", first)
    assert (typed.code, first in typed.err) == (2, False)
    place.acknowledges("cacher")
    place.acknowledges("stubborn")
    time.sleep(1.0)
    scene.say("rotate", "--due", "--wait")
    scene.say("rotate", NAME)
    answer = place.acknowledges("cacher", first)
    assert (answer.code, answer.lines[0]) == (
        2,
        "rotator: the acknowledgement does not prove that the new key was picked up",
    )


def _row(scene: Scene) -> Rotation:
    with scene.journal() as journal:
        return journal.rotations(NAME)[0]


def test_an_acknowledgement_is_in_no_file_of_ours(place: Place) -> None:
    scene = place.scene
    scene.say("rotate", NAME)
    place.acknowledges("cacher")
    scene.say("rotate", "--due")
    proofs = [place.proof(name)[5:] for name in ("reader", "cacher")]
    with scene.journal() as journal:
        states = journal.rotations(NAME)[0].consumers
        assert [each.acknowledged for each in states] == [True, True, False]
    for path in scene.folder.rglob("*"):
        if path.is_file():
            assert not any(proof.encode() in path.read_bytes() for proof in proofs), path


def test_a_config_that_cannot_tell_stops_a_rotation_and_no_emergency(place: Place) -> None:
    place.scene.rewrite(consumers={"reader": {"reload": {"webhok": "https://x"}}, "cacher": {}, "stubborn": {}})
    answer = place.scene.say("rotate", NAME)
    assert answer.code in (2, 3)
    assert "reload names no way to tell it" in answer.err
    assert "reload names no way to tell it" in place.scene.say("check").out
    answer = place.scene.say("rotate", NAME, "--assume-compromise", "--contained", "--yes")
    assert answer.code == 0, answer.err
    assert "reader was not told" in answer.err


def test_check_says_how_each_is_told(place: Place) -> None:
    out = place.scene.say("check").out
    assert re.search(r"reader:\s+told by webhook", out)
    (place.scene.folder / "whsec").write_text("hunter2-hunter2-hunter2")
    answer = place.scene.say("check")
    assert "not of the form of Standard Webhooks" in answer.out
    assert "hunter2" not in answer.out + answer.err


# -- a stranger -------------------------------------------------------------------------------------------------------


class Behind(MachineClock):
    """Half a minute behind the keyserver, so that a use now lies long enough after an acknowledgement."""

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=30)


@dataclass
class Listening:
    """Remembers the alerts."""

    alerts: list[tuple[str, str]] = field(default_factory=list)

    def committed(self, row: Rotation, events: object) -> None:
        """Nothing."""

    def alert(self, action: str, subject: str, message: str) -> None:
        self.alerts.append((action, message))


def test_the_old_key_used_after_all_have_acknowledged_is_reported_as_a_strangers_use(place: Place) -> None:
    scene, observer = place.scene, Listening()
    scene.policy(overlap="1h", min_overlap="0s", quiet_for="10m")
    assembly = Assembly(config=load_config(scene.config), clock=Behind(), observer=observer)
    spec = assembly.config.credentials[NAME]
    adopt(assembly, spec)
    old = scene.published()
    row = starting.start(spec, assembly.journal, assembly.ids, assembly.clock, mode=Mode.MANUAL, reason="a test")
    assert row is not None
    run = Run(assembly=assembly, owner="test", parallel=2)
    wake = assembly.journal.next_wake
    run.until(lambda: (at := wake()) is None or at > assembly.clock.now())
    for name in ("cacher", "stubborn"):
        acknowledge(spec, assembly.world_of(spec), name, place.proof(name))
    thief = Caller(name="somebody", url=scene.keyserver.url, key=lambda: old)
    assert thief.call()
    run.until(lambda: (at := wake()) is None or at > assembly.clock.now())
    found = assembly.journal.rotation(row.id)
    assert found is not None
    assert found.phase is Phase.LIVE, "although the overlap was shortened to nothing"
    assert found.waiting is not None
    assert "a stranger's use" in found.waiting.note
    ((action, message),) = [each for each in observer.alerts if "stranger" in each[0]]
    assert action == "stranger's use"
    assert "was used by somebody after every consumer had acknowledged" in message
    assert len(scene.alive) == 2
    assembly.journal.close()  # type: ignore[attr-defined]


def test_the_shown_lines_compute_what_ours_does(place: Place) -> None:
    place.scene.say("rotate", NAME)
    ours = acknowledgement(place.scene.published(), place.rotation, "cacher")
    assert place.proof("cacher") == ours
    program = DOCS.parents[1] / "rotator" / "domain" / "acknowledgement.py"
    copied = runpy.run_path(str(program))["acknowledgement"]
    assert copied(place.scene.published(), place.rotation, "cacher") == ours
    assert not any(line.startswith(("from rotator", "import rotator")) for line in program.read_text().splitlines())


def test_standard_input_is_bounded(place: Place) -> None:
    place.scene.say("rotate", NAME)
    proof = place.proof("cacher")
    assert place.acknowledges("cacher", "x" * 70_000 + proof).code == 2
    assert place.acknowledges("cacher", "x" * 60_000 + " " + proof).code == 0


def test_a_command_comes_back_when_those_whose_turn_is_soon_were_told(place: Place) -> None:
    reload = {"webhook": place.receiver.url, "spread": "6s"}
    place.scene.rewrite(consumers={"reader": {"reload": reload}, "cacher": {}, "stubborn": {}})
    began = time.time()
    assert place.scene.say("rotate", NAME).code == 0
    (post,) = place.receiver.posts
    assert post.at - began > 0.5, "the share of this name"


@pytest.mark.slow  # it waits for three attempts
def test_one_that_nobody_can_tell_does_not_keep_a_command(place: Place) -> None:
    place.receiver.reply = lambda _: Reply(status=503)
    began = time.monotonic()
    answer = place.scene.say("rotate", NAME)
    assert answer.code == 0, answer.err
    assert time.monotonic() - began < 50
    assert "reader was not told by webhook: its webhook answers with status 503" in answer.err
    shown = place.scene.say("status", NAME).out
    assert re.search(
        r"consumer reader: has not moved; not told by webhook: its webhook answers with status 503, again", shown
    )
