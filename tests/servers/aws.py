"""moto in this process on a real socket, with authentication on: it stands in for AWS Secrets Manager, IAM and STS.

What is corrected here, because a cutover test needs it, stands in `aws_corrections`. Where it differs from AWS still:

- everything is consistent at once; `freeze_list` alone lets ListSecrets be as old as AWS's may be
- no version is ever removed, there is no limit on versions, labels or rates, and a deleted secret is gone at once
- KMS, throttling and outages are answers that a test orders by `refuse`, in the words that AWS's documentation has
- a role's trust policy is looked at for AssumeRole only; of a web identity's token only the text is compared
- policies are judged by action and ARN; conditions, resource policies and the boundaries of roles are not
- a wrong region, account or endpoint is not noticed, and requests are served one after another
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from tests.servers import started

NAME = "AWS Secrets Manager"
IAM = "AWS IAM"
REGION = "eu-west-1"
ACCOUNT = "123456789012"
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


@dataclass(frozen=True, slots=True)
class Login:
    """An access key."""

    key_id: str
    secret: str


@dataclass(slots=True)
class Refusal:
    """What the server answers to the next requests of one operation, in place of what it would.

    With `acted` the request has its effect all the same.
    """

    operation: str
    code: str
    message: str = ""
    status: int = 400
    times: int = 1
    skip: int = 0  # so many requests of the operation are served as ever before
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    acted: bool = False

    def content(self, target: str) -> tuple[str, bytes]:
        """Its type and its bytes, as a client of the JSON protocol or of the older one of queries expects them."""
        if self.body is not None:
            return "text/html", self.body
        if target:
            document = json.dumps({"__type": self.code, "Message": self.message})
            return "application/x-amz-json-1.1", document.encode()
        error = f"<Error><Type>Sender</Type><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        return "text/xml", f'<ErrorResponse xmlns="urn:aws">{error}<RequestId>r</RequestId></ErrorResponse>'.encode()


class AwsServer:
    """A running server. `reset` empties it; `stop` ends it."""

    def __init__(self) -> None:
        import boto3
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        from tests.servers import aws_corrections

        class KeepsConnections(MotoRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else an answer's body waits 40 ms for its head's acknowledgement

            def log(self, *_: Any, **__: Any) -> None:
                """Stay quiet."""

        aws_corrections.apply()
        self.world = aws_corrections.WORLD
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._served = threading.Condition(self._lock)
        self._in_hand = 0
        self._boto3 = boto3.Session()
        self._refusals: list[Refusal] = []
        self._interruptions: dict[str, Callable[[], object]] = {}
        self.requests: list[str] = []
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=KeepsConnections)
        self._server.daemon_threads = True  # type: ignore[attr-defined, unused-ignore] # idle connections end with us
        self.host, self.port = "127.0.0.1", int(self._server.port)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        started[NAME] = started[IAM] = f"moto {version('moto')}"
        self.reset()

    @property
    def address(self) -> str:
        """As a client wants it."""
        return f"http://{self.host}:{self.port}"

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reset(self) -> None:
        """No secrets, no users but `admin`, nothing ordered; what somebody asked and gave up is over before."""
        from moto.secretsmanager.models import secretsmanager_backends
        from moto.sts.models import sts_backends

        iam = self._iam()
        with self._lock:
            assert self._served.wait_for(lambda: self._in_hand == 0, timeout=60)
            # Its own reset makes a thousand managed policies anew, which takes 0.1 s.
            for known in (iam.users, iam.roles, iam.access_keys):
                known.clear()
            secretsmanager_backends.reset()
            sts_backends.reset()
            self.world.reset()
            self._refusals.clear()
            self._interruptions.clear()
            self.requests.clear()
        self.admin = self.user(EVERYTHING)

    def user(self, policy: str) -> Login:
        """A new IAM user with that policy, and its access key."""
        iam = self._iam()
        with self._lock:
            name = f"user{len(iam.users)}"
            iam.create_user(REGION, name)
            iam.put_user_policy(name, "inline", policy)
            key = iam.create_access_key(name)
        return Login(str(key.access_key_id), str(key.secret_access_key))

    def bare_user(self, name: str, path: str = "/") -> None:
        """A new IAM user without policies and keys."""
        with self._lock:
            self._iam().create_user(REGION, name, path=path)

    def keys_of(self, name: str) -> dict[str, str]:
        """The state of each access key of a user, by its id."""
        with self._lock:
            return {str(each.access_key_id): str(each.status) for each in self._iam().get_user(name).access_keys}

    def deactivate(self, login: Login) -> None:
        """Switch an access key off."""
        iam = self._iam()
        with self._lock:
            (name,) = [user.name for user in iam.users.values() if login.key_id in str(vars(user.access_keys[0]))]
            iam.update_access_key(name, login.key_id, "Inactive")

    def role(self, name: str, policy: str, trusts: str = "*") -> str:
        """A role with that policy that the principal may assume; returns its ARN."""
        trust = {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": trusts}},
        }
        iam = self._iam()
        with self._lock:
            role = iam.create_role(name, json.dumps(trust), "/", None, "", [], "3600")
            iam.put_role_policy(name, "inline", policy)
        return str(role.arn)

    def session(self, role: str) -> tuple[str, str, str]:
        """A new session of a role: id, secret and token."""
        from moto.sts.models import sts_backends

        with self._lock:
            made = sts_backends[ACCOUNT]["aws"].assume_role(REGION, "session", role, "", 3600, "")
        return str(made.access_key_id), str(made.secret_access_key), str(made.session_token)

    def end_sessions(self) -> None:
        """From now on the sessions that there are have expired."""
        from moto.sts.models import sts_backends

        with self._lock:
            sessions = sts_backends[ACCOUNT]["aws"].assumed_roles
            self.world.ended |= {str(each.access_key_id) for each in sessions}

    def refuse(self, operation: str, code: str, message: str = "", **how: Any) -> None:
        """Answer the next requests of an operation so."""
        with self._lock:
            self._refusals.append(Refusal(operation, code, message, **how))

    def interrupt(self, operation: str, act: Callable[[], object]) -> None:
        """Do something before the next request of an operation is served."""
        with self._lock:
            self._interruptions[operation] = act

    @contextmanager
    def freeze_list(self) -> Iterator[None]:
        """ListSecrets answers what is true now for as long as the block lasts."""
        with self._lock:
            self.world.freeze()
        yield
        with self._lock:
            self.world.thaw()

    def client(self, login: Login | None = None, service: str = "secretsmanager") -> Any:
        """boto3's client, as a colleague has it; admin's if nobody is named."""
        login = login or self.admin
        return self._boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.address,
            aws_access_key_id=login.key_id,
            aws_secret_access_key=login.secret,
        )

    def stages(self, name: str) -> dict[str, list[str]]:
        """The labels by version, of versions that have none as well."""
        from moto.secretsmanager.models import secretsmanager_backends

        with self._lock:
            secret = secretsmanager_backends[ACCOUNT][REGION].secrets[name]
            return {version: list(found["version_stages"]) for version, found in secret.versions.items()}

    def held(self, name: str) -> tuple[str | None, bytes | None]:
        """The text or the bytes labelled AWSCURRENT, also of a secret that waits for its deletion."""
        from moto.secretsmanager.models import secretsmanager_backends

        with self._lock:
            versions = secretsmanager_backends[ACCOUNT][REGION].secrets[name].versions.values()
            (found,) = [version for version in versions if "AWSCURRENT" in version["version_stages"]]
            return found.get("secret_string"), found.get("secret_binary")

    def obey(self) -> None:
        """Answer everything as ever again, whatever was ordered."""
        with self._lock:
            self._refusals.clear()

    def names(self) -> list[str]:
        """All secrets, those that wait for their deletion as well."""
        from moto.secretsmanager.models import secretsmanager_backends

        with self._lock:
            return sorted(secret.name for secret in secretsmanager_backends[ACCOUNT][REGION].secrets.values())

    def _iam(self) -> Any:
        from moto.iam.models import iam_backends

        return iam_backends[ACCOUNT]["aws"]

    def _serve(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """One request after another: moto's own threads lose updates."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(content)
        operation = target.partition(".")[2] or _action(content)
        with self._lock:
            interruption = self._interruptions.pop(operation, None)
            self._in_hand += 1
        try:
            if interruption is not None:
                interruption()
            return self._answer(environ, start, target, operation)
        finally:
            with self._lock:
                self._in_hand -= 1
                self._served.notify_all()

    def _answer(
        self, environ: dict[str, Any], start: Callable[..., Any], target: str, operation: str
    ) -> Iterable[bytes]:
        with self._lock:
            self.requests.append(operation or environ["PATH_INFO"])
            refusal = self._ordered(operation)
            if refusal is None:
                return list(self._moto(environ, start))
            if refusal.acted:
                list(self._moto(environ, lambda *_: None))
        kind, body = refusal.content(target)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **refusal.headers}
        start(f"{refusal.status} Ordered", list(headers.items()))
        return [body]

    def _ordered(self, operation: str) -> Refusal | None:
        for refusal in self._refusals:
            if refusal.operation != operation:
                continue
            if refusal.skip:
                refusal.skip -= 1
                return None
            refusal.times -= 1
            if not refusal.times:
                self._refusals.remove(refusal)
            return refusal
        return None


def _action(content: bytes) -> str:
    """The operation of a request of the query protocol, which is a form."""
    return parse_qs(content.decode("latin-1")).get("Action", [""])[0]


def start() -> AwsServer:
    """Start one: about two seconds, most of them imports."""
    return AwsServer()
