"""The least that IAM must allow."""

from __future__ import annotations

import json
from collections.abc import Collection

from rotator.adapters.stores.aws.secret_names import arn, private_arns

WRITING = ("CreateSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")


def least_policy(refs: Collection[str], private: str, region: str, kms_key: str | None) -> str:
    """The policy document that suffices for publishing to these references. CreateSecret makes what is not there yet.

    ListSecrets knows no resources (https://docs.aws.amazon.com/service-authorization/latest/reference/
    list_awssecretsmanager.html). Secrets under a KMS key of their own need `kms:Decrypt` and `kms:GenerateDataKey` on
    it, which stands here for `kms_key` alone.
    """
    published = [arn(ref, region) for ref in sorted(refs)]
    statements = [
        _allow([f"secretsmanager:{each}" for each in WRITING], published),
        _allow([f"secretsmanager:{each}" for each in (*WRITING, "DeleteSecret")], [private_arns(private, region)]),
        _allow(["secretsmanager:ListSecrets"], ["*"]),
    ]
    if kms_key is not None:
        statements.append(_allow(["kms:Decrypt", "kms:GenerateDataKey"], [kms_key]))
    document = {"Version": "2012-10-17", "Statement": [each for each in statements if each["Resource"]]}
    return json.dumps(document, indent=2) + "\n"


def _allow(actions: list[str], resources: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resources}
