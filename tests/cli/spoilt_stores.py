"""How each of three stores is spoilt, by strangers, vendors or time, and how it is mended."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from tests.cli.three_stores import GCP_SECRET, REFS, Three
from tests.servers.kubernetes.objects import SECRETS, Call, Object, Refusal
from tests.servers.secret_manager.service import Moment, RefusedError

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


MISSING: dict[str, Change] = {
    "aws": lambda three: three.aws.client().delete_secret(SecretId=REFS["aws"], ForceDeleteWithoutRecovery=True),
    "gcp": lambda three: three.gcp.ask("DeleteSecret", name=GCP_SECRET),
    "kubernetes": remove_secret,
}


def in_mid_promotion(three: Three, store: str, act: Callable[[], object], credentials: int = 1) -> None:
    """Act once, as soon as the rotator begins to write what consumers of this store read."""
    left = [act]

    def once() -> None:
        for each in left[:]:
            left.clear()
            each()

    BEGINNING[store](three, once, credentials)


def beginning_on_aws(three: Three, act: Callable[[], None], credentials: int) -> None:
    """The first requests of this kind are those of our own pending values."""

    def put(before: int) -> None:
        if before == 0:
            act()
        else:
            three.aws.interrupt("PutSecretValue", lambda: put(before - 1))

    three.aws.interrupt("PutSecretValue", lambda: put(credentials))


def beginning_on_gcp(three: Three, act: Callable[[], None], _: int) -> None:
    """Before the version is added."""

    def hook(moment: Moment, asked: str, request: object) -> None:
        if (moment, asked, getattr(request, "parent", "")) == ("before", "AddSecretVersion", GCP_SECRET):
            act()

    three.gcp.service.hooks.append(hook)


def beginning_on_kubernetes(three: Three, act: Callable[[], None], _: int) -> None:
    """Before the Secret is looked up for the patch: within, it would be as if nothing had happened."""
    check = three.cluster.access.check

    def checked(call: Call) -> None:
        check(call)
        if (call.verb, call.name) == ("patch", "app"):
            act()

    three.cluster.access.check = checked  # type: ignore[method-assign]


BEGINNING = {"aws": beginning_on_aws, "gcp": beginning_on_gcp, "kubernetes": beginning_on_kubernetes}
