"""One of three stores is not as it should be: two lines with store, reference and permission, and nothing is torn."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rotator.config.installation import new_installation
from tests.cli.scene import NAME, Scene
from tests.cli.spoilt_stores import CALLED, CASES, MISSING, Case, in_mid_promotion
from tests.cli.three_stores import REFS, Three, let_in, published_to_three
from tests.servers import aws, kubernetes, secret_manager
from tests.servers.aws import AwsServer
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.objects import Call, Object
from tests.stores.gcp_access import Gcp, serving
from tests.testing.keyserver_client import call_as

pytestmark = [
    pytest.mark.stand_in(each) for each in ("API provider: keyserver", aws.NAME, secret_manager.NAME, kubernetes.NAME)
]


@pytest.fixture
def gcp() -> Iterator[Gcp]:
    with serving("rest") as gcp:
        yield gcp


@pytest.fixture
def three(scene: Scene, aws_server: AwsServer, gcp: Gcp, kubernetes_server: KubernetesServer) -> Three:
    return published_to_three(scene, aws_server, gcp, kubernetes_server)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_said_with_a_hint_and_no_reader_is_left_without_a_key(three: Three, case: Case) -> None:
    store, before = case.store, three.documents()[case.store]
    case.spoil(three)
    spoilt = three.raw(store)
    answer = three.scene.say("rotate", NAME, "--wait")
    said = answer.out + answer.err
    assert answer.code in (1, 2, 3), said
    assert all(word in said for word in case.says), said
    assert any(name in said for name in CALLED[store]), said
    assert f"{store}:{REFS[store]}" in said or f"{store}: " in said, said
    assert "\nhint: " in said or " — " in said
    assert three.raw(store) == spoilt
    assert three.works(*(each for each in REFS if each != store))
    (case.mend or (lambda three: three.put(store, before)))(three)
    goes_on(three)
    ended(three, before["API_KEY"])


def goes_on(three: Three) -> None:
    """As a person does who has mended what was wrong: what was being put back is put back, and then it is rotated."""
    answers = []
    for words in (("resume", NAME), ("rotate", NAME, "--wait")) * 2:
        answers.append(three.scene.say(*words))
        if answers[-1].code == 0 and words[0] == "rotate":
            return
    raise AssertionError(answers)


def ended(three: Three, old: str) -> None:
    """One new key, in all stores beside what others have there; nothing else is left."""
    documents = three.documents()
    (key,) = {document["API_KEY"] for document in documents.values()}
    assert key != old
    assert three.works()
    assert {document["OTHER"] for document in documents.values()} == {"theirs"}
    assert len(three.scene.alive) == 1
    assert three.hidden() == []


@pytest.mark.parametrize("store", REFS)
def test_a_secret_that_is_missing_is_made_and_holds_our_field_alone(three: Three, store: str) -> None:
    old = three.documents()[store]["API_KEY"]
    MISSING[store](three)
    answer = three.scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    assert set(three.documents()[store]) == {"API_KEY"}
    assert {document["API_KEY"] == old for document in three.documents().values()} == {False}
    assert three.works()
    assert three.hidden() == []


@pytest.mark.parametrize("store", REFS)
def test_a_field_that_is_missing_is_written_beside_the_others(three: Three, store: str) -> None:
    old = three.documents()[store]["API_KEY"]
    three.put(store, {"OTHER": "theirs"})
    answer = three.scene.say("rotate", NAME, "--wait")
    assert answer.code == 0, answer.err
    ended(three, old)


@pytest.mark.parametrize("store", REFS)
def test_a_login_that_expires_in_mid_promotion_is_named_and_leaves_no_reader_without_a_key(
    three: Three, store: str
) -> None:
    old, expired = three.documents()[store]["API_KEY"], []

    def expire() -> None:
        three.expire(store)
        expired.append(store)

    in_mid_promotion(three, store, expire)
    answer = three.scene.say("rotate", NAME, "--wait")
    assert expired == [store]
    assert answer.code == 3
    named = {"aws": "file:aws-secret", "gcp": "file:gcp-token", "kubernetes": "file:token"}
    assert named[store] in answer.out, answer.out
    assert three.works()
    assert len(three.scene.alive) == 2
    let_in(three.scene, three.aws, three.gcp, three.cluster)
    goes_on(three)
    ended(three, old)


@pytest.mark.parametrize("store", REFS)
def test_what_a_stranger_writes_in_our_field_stays_and_the_other_stores_get_the_old_value_back(
    three: Three, store: str
) -> None:
    old, strangers = three.documents()[store]["API_KEY"], {"API_KEY": "sk-of-a-stranger", "OTHER": "theirs"}
    # The last store's pending value is staged before any store is promoted.
    written = list[str]()

    def staged(call: Call, _: Object | None) -> None:
        if (call.verb, call.namespace) == ("create", "rotator") and not written:
            written.append(store)
            three.put(store, strangers)

    three.cluster.storage.hooks.append(staged)
    answer = three.scene.say("rotate", NAME, "--wait")
    assert written == [store]
    assert answer.code in (1, 3), answer.out
    assert f"{store}:{REFS[store]}" in answer.out + answer.err
    found = three.documents()
    assert found.pop(store) == strangers
    assert {document["API_KEY"] for document in found.values()} == {old}
    assert three.works(*found)
    assert f"left behind: {store}:{REFS[store]};" in three.scene.say("status", NAME).out
    drift = three.scene.say("reconcile")
    assert f"{store}:{REFS[store]}" in drift.out + drift.err, drift


@pytest.mark.parametrize("store", REFS)
def test_two_credentials_in_the_same_documents_rotate_at_the_same_time_while_a_colleague_edits(
    three: Three, store: str
) -> None:
    three.share("other-prod", "OTHER_KEY")
    old = {text for name, text in three.documents()["aws"].items() if name != "OTHER"}

    def edit() -> None:
        three.put(store, {**three.documents()[store], "OTHER": "theirs, changed"})

    in_mid_promotion(three, store, edit, credentials=2)
    answer = three.scene.say("rotate", NAME, "other-prod", "--wait")
    assert answer.code == 0, answer.err
    documents = three.documents()
    assert documents[store].get("OTHER") == "theirs, changed"
    assert {name: found["OTHER"] for name, found in documents.items() if name != store} == {
        name: "theirs" for name in REFS if name != store
    }
    for field, principal in (("API_KEY", NAME), ("OTHER_KEY", "other-prod")):
        (key,) = {found[field] for found in documents.values()}
        assert key not in old
        assert call_as(three.scene.keyserver.url, key) == 200
        assert len(three.scene.keyserver.live(principal)) == 1
    assert three.hidden() == []


@pytest.fixture
def second(three: Three, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Another installation with the same config."""
    folder = tmp_path_factory.mktemp("second") / "folder"
    shutil.copytree(three.scene.folder, folder)
    (folder / "installation.key").write_text(new_installation().text())
    return Scene(folder=folder, keyserver=three.scene.keyserver)


def test_two_installations_on_one_place_at_the_same_time_tear_nothing(three: Three, second: Scene) -> None:
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(each.run, NAME, "--wait", script="rotate") for each in (three.scene, second)]
        answers = [each.result() for each in running]
    assert any(answer.code != 0 for answer in answers)
    for answer in answers:
        said = answer.out + answer.err
        assert answer.code == 0 or any(f"{store}:{ref}" in said for store, ref in REFS.items()), said
        assert "--rebuild" not in said
    documents = three.documents()
    assert len({document["API_KEY"] for document in documents.values()}) == 1
    assert {document["OTHER"] for document in documents.values()} == {"theirs"}
    assert three.works()


def test_of_two_installations_on_one_place_the_second_is_told_where_and_changes_nothing(
    three: Three, second: Scene
) -> None:
    old = three.documents()["aws"]["API_KEY"]
    assert second.say("adopt", NAME).code == 0
    assert three.scene.say("rotate", NAME, "--wait").code == 0
    answer = second.say("rotate", NAME, "--wait")
    assert answer.code == 1
    assert "aws:prod/llm holds a value that the rotator did not write" in answer.out
    assert f"`rotator adopt {NAME}`" in answer.out
    ended(three, old)
