"""Keys of a role's session, from STS: with other keys, or with the token of a pod's service account.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html and …/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.aws.access import Access, Keys, Source
from rotator.adapters.stores.aws.answers import EXPIRED, UNKNOWN_KEY, Answer, Need, failure_of, refused_keys
from rotator.adapters.stores.aws.sessions import session_keys
from rotator.adapters.stores.aws.wire import Wire
from rotator.domain.failures import Denied, Failure, Transient
from rotator.domain.reach import Reach

ROLE_VARIABLE, TOKEN_VARIABLE = "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"
BAD_TOKEN = frozenset({"InvalidIdentityToken", "IDPRejectedClaim", *EXPIRED})


class Sts:
    """The Security Token Service of our region, or at an address of the settings."""

    def __init__(self, wire: Wire, url: str | None, access: Access | None) -> None:
        """`access`: the keys that sign; None: nobody does."""
        self._wire = wire
        self._url = url
        self._access = access
        self._lock = threading.Lock()
        self._client: Any = None
        self.where = f"STS at {url}" if url else f"STS in {wire.region}"

    def ask(self, operation: str, parameters: dict[str, str], deadline: Deadline) -> Answer:
        """One request. Raises Transient."""
        with self._lock:
            if self._client is None:
                signing = self._access.signing() if self._access is not None else None
                self._client = self._wire.client("sts", self._url, signing)
        return self._wire.ask(self._client, operation, parameters, deadline, self.where)

    def keys_in(self, answer: Answer) -> Keys:
        """The session's keys. Raises Transient when it gave none."""
        try:
            return session_keys(answer.body["Credentials"])
        except (KeyError, TypeError, ValueError):
            pass  # raised below: beneath this handler the error would carry what was read as its context
        raise Transient(f"{self.where} gave no keys", "look at what is in between")


class AssumedRole:
    """A role that other keys may assume; opens their source and STS."""

    def __init__(
        self, wire: Wire, source: Source, role_arn: str, external_id: str | None, session: str, url: str | None
    ) -> None:
        self._access = Access(source)
        self._sts = Sts(wire, url, self._access)
        self._parameters = {"RoleArn": role_arn, "RoleSessionName": session}
        if external_id is not None:
            self._parameters["ExternalId"] = external_id
        self._need = Need("sts:AssumeRole", role_arn)

    def fetch(self, deadline: Deadline) -> Keys:
        """One request, or a second one with new keys of the source. Raises Denied naming what is missing."""
        keys, fresh = self._access.get(deadline)
        answer = self._sts.ask("AssumeRole", self._parameters, deadline)
        unknown = answer.code in UNKNOWN_KEY | EXPIRED and not answer.skewed
        if unknown and not fresh and self._access.another(keys, deadline):
            answer = self._sts.ask("AssumeRole", self._parameters, deadline)
        if answer.ok:
            return self._sts.keys_in(answer)
        if answer.code in UNKNOWN_KEY | EXPIRED and not answer.skewed:
            raise self._access.source.refused(self._need, self._sts.where)
        raise failure_of(answer, self._need, self._sts.where)

    def refused(self, need: Need, where: str) -> Failure:
        """The session was revoked, or the role is gone."""
        return refused_keys(need, where, f"look at {self._need.resource}: its sessions may have been revoked")


def web_identity_reach(token_file: Path | None, environment: Mapping[str, str]) -> Reach:
    """The token's file, and the variables that EKS sets. Where they name the file only who has them can say which."""
    file = str(token_file) if token_file is not None else environment.get(TOKEN_VARIABLE, "")
    return Reach(paths=(file,) if file.startswith("/") else (), variables=(ROLE_VARIABLE, TOKEN_VARIABLE))


class WebIdentity:
    """IAM roles for service accounts: opens a token's file and STS; the variables that EKS sets name what is not given.

    https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html
    """

    def __init__(
        self, wire: Wire, role_arn: str | None, token_file: Path | None, session: str, url: str | None
    ) -> None:
        self._sts = Sts(wire, url, None)
        self._role_arn = role_arn
        self._token_file = token_file
        self._session = session

    def fetch(self, deadline: Deadline) -> Keys:
        """One request without a signature. Raises Denied where the token or the trust in it is missing."""
        role_arn = self._role_arn or self._variable(ROLE_VARIABLE)
        file = self._token_file or Path(self._variable(TOKEN_VARIABLE))
        parameters = {"RoleArn": role_arn, "RoleSessionName": self._session, "WebIdentityToken": self._token(file)}
        answer = self._sts.ask("AssumeRoleWithWebIdentity", parameters, deadline)
        if answer.ok:
            return self._sts.keys_in(answer)
        need = Need("sts:AssumeRoleWithWebIdentity", role_arn)
        if answer.code in EXPIRED:
            raise Transient(f"the token in {file} has expired", "the kubelet writes a new one; it is tried again")
        if answer.code in BAD_TOKEN:
            hint = "look at the role's trust policy and the cluster's identity provider"
            raise Denied(f"{self._sts.where} does not believe the token in {file}", hint, permission=str(need))
        raise failure_of(answer, need, self._sts.where)

    def refused(self, need: Need, where: str) -> Failure:
        """The session was revoked, or the role is gone."""
        return refused_keys(need, where, "look at the service account's role: its sessions may have been revoked")

    @staticmethod
    def _variable(name: str) -> str:
        text = os.environ.get(name, "")
        if text:
            return text
        hint = "annotate the pod's service account with its role, or set `role_arn` and `token_file`"
        raise Denied(f"{name} is not set here", hint, permission="sts:AssumeRoleWithWebIdentity")

    @staticmethod
    def _token(file: Path) -> str:
        try:
            text = file.read_text().strip()
        except (OSError, ValueError):
            text = ""
        if text:
            return text
        raise Denied(f"there is no token in {file}", "look at the pod's volumes", permission=f"read {file}")
