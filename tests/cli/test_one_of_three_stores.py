"""One of three stores is not as it should be: two lines with store, reference and permission, and nothing is torn."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from rotator.config.installation import new_installation
from tests.cli.scene import NAME, Scene
from tests.cli.three_stores import GCP_SECRET, REFS, Three, let_in, published_to_three
from tests.servers import aws, kubernetes, secret_manager
from tests.servers.aws import AwsServer
from tests.servers.kubernetes import KubernetesServer
from tests.servers.kubernetes.objects import SECRETS, Call, Object, Refusal
from tests.servers.secret_manager.service import Moment, RefusedError
from tests.stores.gcp_access import Gcp, serving

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


Change = Callable[[Three], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How a store is spoilt, and what is said of it; `mend` None: its document is put back as it was."""

    store: str
    spoil: Change
    says: tuple[str, ...]
    mend: Change | None = None


def of_gcp(code: str, text: str, method: str = "AddSecretVersion") -> Change:
    """Refuse every such request for the published secret."""

    def hook(moment: Moment, asked: str, request: object) -> None:
        if (moment, asked) == ("before", method) and getattr(request, "parent", "") == GCP_SECRET:
            raise RefusedError(code, text)

    return lambda three: three.gcp.service.hooks.append(hook)


def of_kubernetes(verb: str) -> Change:
    """Refuse this verb for the published Secret."""

    def hook(call: Call, _: Object | None) -> None:
        if (call.verb, call.name) == (verb, "app"):
            raise Refusal(403, "Forbidden", f'secrets "app" is forbidden: User "r" cannot {verb} resource "secrets"')

    return lambda three: three.cluster.storage.hooks.append(hook)


def of_aws(operation: str, code: str, message: str) -> Change:
    """Refuse all of these but the first, which is that of our own pending value."""
    return lambda three: three.aws.refuse(operation, code, message, times=1000, skip=1)


def put_binary_on_aws(three: Three) -> None:
    three.aws.client().put_secret_value(SecretId=REFS["aws"], SecretBinary=b"\xff\xfe")


def make_again(three: Three) -> None:
    """As the hint says: delete the Secret and make it again."""
    document = three.on_cluster()
    remove_secret(three)
    three.cluster.put_secret("team", "app", stringData=document)


def remove_secret(three: Three) -> None:
    """As `kubectl delete` does."""
    call = Call(verb="delete", resource=SECRETS, namespace="team", name="app", user="test")
    three.cluster.storage.delete(call, {})


def fill(store: str, size: int) -> Change:
    """Leave no room for a field of ours, which is not there yet."""
    return lambda three: three.put(store, {"OTHER": "x" * size})


CALLED = {
    "aws": ("prod/llm",),
    "gcp": ("prod/llm", "prod--llm"),
    "kubernetes": ("team/app", "secrets/app in namespace team"),
}
"""What a reference is called in the words of its store."""

CASES = {
    "aws: scheduled for deletion": Case(
        store="aws",
        spoil=lambda three: three.aws.client().delete_secret(SecretId=REFS["aws"], RecoveryWindowInDays=7),
        says=("scheduled for deletion", "restore-secret"),
        mend=lambda three: three.aws.client().restore_secret(SecretId=REFS["aws"]),
    ),
    "aws: another type": Case(
        store="aws",
        spoil=lambda three: three.aws.client().put_secret_value(SecretId=REFS["aws"], SecretString="[1]"),
        says=("JSON",),
    ),
    "aws: binary": Case(store="aws", spoil=put_binary_on_aws, says=("binary",)),
    "aws: permission": Case(
        store="aws",
        spoil=of_aws("PutSecretValue", "AccessDeniedException", "User: x is not authorized"),
        says=("secretsmanager:PutSecretValue",),
        mend=lambda three: three.aws.obey(),
    ),
    "aws: KMS": Case(
        store="aws",
        spoil=of_aws("PutSecretValue", "EncryptionFailure", "the key is disabled"),
        says=("KMS",),
        mend=lambda three: three.aws.obey(),
    ),
    "aws: too large": Case(store="aws", spoil=fill("aws", 65_500), says=("bytes",)),
    "gcp: another type": Case(store="gcp", spoil=lambda three: three.gcp.add(b"[1]", GCP_SECRET), says=("JSON",)),
    "gcp: binary": Case(store="gcp", spoil=lambda three: three.gcp.add(b"\xff\xfe\x00", GCP_SECRET), says=("JSON",)),
    "gcp: permission": Case(
        store="gcp",
        spoil=of_gcp("PERMISSION_DENIED", "Permission 'secretmanager.versions.add' denied"),
        says=("secretmanager.versions.add",),
        mend=lambda three: three.gcp.service.hooks.clear(),
    ),
    "gcp: KMS": Case(
        store="gcp",
        spoil=of_gcp("FAILED_PRECONDITION", "Cloud KMS key projects/p/cryptoKeys/k is disabled"),
        says=("KMS",),
        mend=lambda three: three.gcp.service.hooks.clear(),
    ),
    "gcp: too large": Case(store="gcp", spoil=fill("gcp", 65_500), says=("bytes",)),
    "kubernetes: permission": Case(
        store="kubernetes",
        spoil=of_kubernetes("patch"),
        says=("patch",),
        mend=lambda three: three.cluster.storage.hooks.clear(),
    ),
    "kubernetes: immutable": Case(
        store="kubernetes",
        spoil=lambda three: three.cluster.put_secret("team", "app", immutable=True),
        says=("immutable",),
        mend=make_again,
    ),
    "kubernetes: binary": Case(
        store="kubernetes",
        spoil=lambda three: three.cluster.put_secret(
            "team", "app", data={"API_KEY": base64.b64encode(b"\xff\xfe").decode()}
        ),
        says=("text",),
    ),
    "kubernetes: too large": Case(store="kubernetes", spoil=fill("kubernetes", 1_048_550), says=("1 MiB",)),
}


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


MISSING: dict[str, Change] = {
    "aws": lambda three: three.aws.client().delete_secret(SecretId=REFS["aws"], ForceDeleteWithoutRecovery=True),
    "gcp": lambda three: three.gcp.ask("DeleteSecret", name=GCP_SECRET),
    "kubernetes": remove_secret,
}


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


def in_mid_promotion(three: Three, store: str, act: Callable[[], object]) -> None:
    """Act once, as soon as the rotator begins to write what consumers of this store read."""
    left = [act]

    def once() -> None:
        for each in left:
            left.clear()
            each()

    def at_gcp(moment: Moment, asked: str, request: object) -> None:
        if (moment, asked, getattr(request, "parent", "")) == ("before", "AddSecretVersion", GCP_SECRET):
            once()

    def at_kubernetes(call: Call, _: Object | None) -> None:
        if (call.verb, call.name) == ("patch", "app"):
            once()

    if store == "aws":  # its first is our own pending value's
        three.aws.interrupt("PutSecretValue", lambda: three.aws.interrupt("PutSecretValue", once))
    elif store == "gcp":
        three.gcp.service.hooks.append(at_gcp)
    else:
        three.cluster.storage.hooks.append(at_kubernetes)


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
    drift = three.scene.say("reconcile")
    assert f"{store}:{REFS[store]}" in drift.out + drift.err, drift


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
