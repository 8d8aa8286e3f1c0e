"""The keys of an EC2 instance's role, from its metadata service: IMDSv2 alone, because version 1 gives them to anybody
who can make a program of this machine fetch a URL.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.aws.access import Keys
from rotator.adapters.stores.aws.answers import Need, refused_keys
from rotator.adapters.stores.aws.sessions import session_keys
from rotator.domain.failures import Denied, Failure, Transient

ADDRESS = "http://169.254.169.254"
ROLES = "/latest/meta-data/iam/security-credentials/"
LARGEST = 65536


class Imds:
    """An instance's role; opens the metadata service, past any proxy."""

    def __init__(self, address: str) -> None:
        self._address = address

    def fetch(self, deadline: Deadline) -> Keys:
        """Three requests. Raises Denied where the instance has no role, Transient where there is no such service."""
        token = self._ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, deadline)
        header = {"X-aws-ec2-metadata-token": token}
        role = self._ask("GET", ROLES, header, deadline).partition("\n")[0].strip()
        text = self._ask("GET", ROLES + role, header, deadline) if role else ""
        try:
            found = json.loads(text)
            return session_keys(found, "Token")
        except (ValueError, KeyError, TypeError):
            pass  # raised below: beneath this handler the error would carry what was read as its context
        hint = "look at the instance's profile and its role's trust policy"
        raise Denied("the instance metadata service gave no keys", hint, permission="an instance profile with a role")

    def refused(self, need: Need, where: str) -> Failure:
        """The role's session was revoked, or the role is gone."""
        return refused_keys(need, where, "look at the instance's role: its sessions may have been revoked")

    def _ask(self, method: str, path: str, headers: dict[str, str], deadline: Deadline) -> str:
        from http.client import HTTPException

        from urllib3.exceptions import HTTPError

        from rotator.exchanges import Connection, TlsConnection

        where = f"the instance metadata service at {self._address}"
        parts = urlsplit(self._address)
        kind = TlsConnection if parts.scheme == "https" else Connection
        connection = kind(parts.hostname or "", parts.port, timeout=deadline.remaining(where))
        try:
            connection.request(method, path, headers=headers, preload_content=False)
            answer = connection.getresponse()
            status, text = answer.status, answer.read(LARGEST).decode(errors="replace")
        except (OSError, HTTPError, HTTPException):
            status, text = 0, ""
        finally:
            connection.close()
        if status == 200:
            return text
        if status == 404:
            return ""
        if status in (401, 403):
            hint = "enable it with `aws ec2 modify-instance-metadata-options --http-endpoint enabled`"
            raise Denied(f"{where} refuses to answer ({status})", hint, permission="the instance metadata service")
        hint = "use it on an EC2 instance; in a container its hop limit must be 2"
        raise Transient(f"{where} {f'answered {status}' if status else 'cannot be reached'}", hint)
