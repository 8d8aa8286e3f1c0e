"""What stands in for IAM's service-specific credentials, which moto lacks, and for Bedrock's list of models.

It speaks IAM's query API as botocore's model of 2010-05-08 describes it, checks signatures with botocore's signer, and
lets one access key do all but what `lacking` names. It cannot show: that IAM is eventually consistent, policies, how an
inactive key is refused by Bedrock (here: like one that is nobody's), or that a day is over.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from tests.servers.api import Asked, Reply
from tests.servers.ordering import Ordered, Ordering

NAME = "Amazon Bedrock keys"
KEY_ID, SECRET, USER = "AKIAADMINADMINADMIN2", "admin/secret+0123456789012345678901234567", "agents"
WORDS = "Please make sure your API Key is valid."


class BedrockServer(Ordering):
    """One user, its credentials for Bedrock by id, and the values that Bedrock knows."""

    def __init__(self) -> None:
        self.credentials: dict[str, dict[str, str]] = {}
        self.values: dict[str, str] = {}
        self.lacking: set[str] = set()
        self.service_allowed = True
        self.page = 100
        self.ordered: dict[str, Ordered] = {}
        super().__init__()

    @property
    def actions(self) -> list[str]:
        """What IAM was asked to do, in order."""
        return [each.body["Action"] for each in self.asked if each.method == "POST"]

    def serve(self, asked: Asked) -> Reply:
        """IAM's requests are POSTs; Bedrock's is a GET."""
        if asked.method == "GET" and asked.path == ("foundation-models",):
            return self._models(asked.headers.get("authorization", ""))
        form, action = asked.body, asked.body["Action"]
        ordered = self.ordered.get(action)
        if ordered is not None:
            if ordered.acted:
                self._act(asked, form, action)
            return Reply(ordered.status, headers=ordered.headers, content=ordered.body)
        return self._act(asked, form, action)

    def _act(self, asked: Asked, form: dict[str, str], action: str) -> Reply:
        if (refusal := self._refuses(asked)) is not None:
            return refusal
        if action in self.lacking:
            return error(403, "AccessDenied", f"User: rotator is not authorized to perform: iam:{action}")
        if form["UserName"] != USER:
            return error(404, "NoSuchEntity", "The user with name cannot be found.")
        name = action.removesuffix("s").removesuffix("ServiceSpecificCredential")
        return {"Create": self._create, "List": self._list, "Update": self._update, "Delete": self._delete}[name](form)

    def _refuses(self, asked: Asked) -> Reply | None:
        """As AWS judges a signature (version 4), by botocore."""
        given = asked.headers["authorization"]
        if f"Credential={KEY_ID}/" not in given:
            return error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        signed = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        # The host is the client's word for us: a proxy has another port. The form keeps its order.
        request = AWSRequest("POST", f"http://{asked.headers['host']}/", data=urlencode(asked.body).encode())
        for name in signed:
            request.headers[name] = asked.headers[name]
        request.context["timestamp"] = asked.headers["x-amz-date"]
        auth = SigV4Auth(ReadOnlyCredentials(KEY_ID, SECRET, None), "iam", "us-east-1")
        wanted = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        if not given.endswith(f"Signature={wanted}"):
            return error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        return None

    def _models(self, shown: str) -> Reply:
        key_id = self.values.get(shown.removeprefix("Bearer "), "")
        if self.credentials.get(key_id, {}).get("Status") != "Active":
            return Reply(403, {"Message": f"Authentication failed: {WORDS}"})
        if not self.service_allowed:
            return Reply(403, {"Message": "User is not authorized to perform: bedrock:ListFoundationModels"})
        return Reply(200, {"modelSummaries": []})

    def _create(self, form: dict[str, str]) -> Reply:
        if len(self.credentials) >= 2:
            return error(409, "LimitExceeded", "Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2")
        key_id, value = f"ACCA{secrets.token_hex(8).upper()}", f"ABSK{secrets.token_urlsafe(60)}"
        made = {"ServiceSpecificCredentialId": key_id, "ServiceName": form["ServiceName"], "Status": "Active"}
        made |= {"UserName": USER, "CreateDate": f"{self.now:%Y-%m-%dT%H:%M:%SZ}"}
        if days := form.get("CredentialAgeDays"):
            made["ExpirationDate"] = f"{self.now + timedelta(days=int(days)):%Y-%m-%dT%H:%M:%SZ}"
        self.credentials[key_id], self.values[value] = made, key_id
        shown = {**made, "ServiceCredentialAlias": f"{USER}-at-1", "ServiceCredentialSecret": value}
        return result(
            "CreateServiceSpecificCredential", f"<ServiceSpecificCredential>{_xml(shown)}</ServiceSpecificCredential>"
        )

    def _list(self, form: dict[str, str]) -> Reply:
        rows = [each for each in self.credentials.values() if each["ServiceName"] == form["ServiceName"]]
        start = int(form.get("Marker", "0"))
        members = "".join(f"<member>{_xml(each)}</member>" for each in rows[start : start + self.page])
        after = start + self.page
        more = f"<IsTruncated>true</IsTruncated><Marker>{after}</Marker>" if after < len(rows) else ""
        body = f"<ServiceSpecificCredentials>{members}</ServiceSpecificCredentials>{more}"
        return result("ListServiceSpecificCredentials", body)

    def _update(self, form: dict[str, str]) -> Reply:
        found = self.credentials.get(form["ServiceSpecificCredentialId"])
        if found is None:
            return error(404, "NoSuchEntity", "No such credential.")
        found["Status"] = form["Status"]
        return result("UpdateServiceSpecificCredential", "")

    def _delete(self, form: dict[str, str]) -> Reply:
        if self.credentials.pop(form["ServiceSpecificCredentialId"], None) is None:
            return error(404, "NoSuchEntity", "No such credential.")
        return result("DeleteServiceSpecificCredential", "")


def result(action: str, body: str) -> Reply:
    """A success as IAM writes it."""
    inner = f"<{action}Result>{body}</{action}Result>"
    return Reply(200, content=f'<{action}Response xmlns="urn:iam">{inner}</{action}Response>'.encode())


def error(status: int, code: str, message: str) -> Reply:
    """A refusal as IAM writes it."""
    inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Reply(status, content=f'<ErrorResponse xmlns="urn:iam">{inner}</ErrorResponse>'.encode())


def _xml(members: dict[str, Any]) -> str:
    return "".join(f"<{name}>{escape(str(text))}</{name}>" for name, text in members.items())
