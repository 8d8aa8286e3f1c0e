"""Requests to AWS: botocore writes, signs and reads them, and one pool of connections of ours carries them.

botocore's own sender knows one timeout for all requests of a client and takes proxies and authorities from the
environment; ours takes what is left of a call's time, and heeds no variable. Nothing is sent twice here.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from rotator.adapters.clients.content import content_of
from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.aws.answers import Answer
from rotator.domain.failures import Permanent, Transient

CONNECTIONS = 64
"""As many as the engine has threads."""


class Wire:
    """Safe for many threads. botocore and urllib3 are imported with the first client."""

    def __init__(self, region: str, ca: Path | None) -> None:
        self.region = region
        self._ca = ca
        self._now = threading.local()
        self._lock = threading.Lock()
        self._pool: Any = None

    def client(self, service: str, endpoint: str | None, credentials: Any) -> Any:
        """A client of a service with the credentials of an `Access`; None: requests without a signature."""
        from botocore import UNSIGNED
        from botocore.config import Config

        # Its debug messages hold whole requests: what is written with them, and the session's token.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        with self._lock:
            if self._pool is None:
                self._pool = _pool(self._ca)
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            ignore_configured_endpoint_urls=True,
            parameter_validation=False,  # our parameters have one form
            proxies={},
            signature_version=UNSIGNED if credentials is None else "v4",
        )
        session = _bare_session(credentials)
        made = session.create_client(
            service, region_name=self.region, endpoint_url=endpoint, verify=True, config=config
        )
        made.meta.events.register_first("before-send", self._send)
        return made

    def ask(self, client: Any, operation: str, parameters: Mapping[str, Any], deadline: Deadline, where: str) -> Answer:
        """Send one request. Raises Transient when no answer came in time; `where` is whom that names."""
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        self._now.deadline, self._now.where = deadline, where
        try:
            body = getattr(client, xform_name(operation))(**parameters)
            return Answer(200, body=body)
        except ClientError as error:
            return _refusal(error.response)
        except (
            BotoCoreError,
            ValueError,
            TypeError,
            AttributeError,
            LookupError,
        ) as error:  # of any body, by its parser
            message = f"something that is not AWS answered for {where} ({type(error).__name__})"
            failure = Transient(message, "look at what is in between")
        # Outside of the handler, because those errors may carry what was sent.
        raise failure

    def _send(self, request: Any, **_: Any) -> Any:
        """What botocore calls instead of its own sender."""
        from botocore.awsrequest import AWSResponse
        from urllib3 import Timeout, exceptions

        where: str = self._now.where
        deadline: Deadline = self._now.deadline
        timeout = Timeout(total=deadline.remaining(where))
        try:
            answer = self._pool.urlopen(
                request.method,
                request.url,
                body=request.body,
                headers=dict(request.headers.items()),
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            body = content_of(answer, deadline, where)
            return AWSResponse(request.url, answer.status, answer.headers, _Content(body))
        except exceptions.SSLError:
            failure = Transient(f"{where} has a certificate that is not trusted", "set `ca` to its authority's file")
        except exceptions.NewConnectionError:
            failure = _unreachable(where)
        except exceptions.ConnectTimeoutError:
            failure = Transient(f"{where} does not answer", "look at `region`, `endpoint_url` and the network")
        except exceptions.TimeoutError:
            failure = Transient(f"{where} did not answer in time", "it is tried again")
        except (exceptions.HTTPError, OSError):
            failure = _unreachable(where)
        raise failure

    def __repr__(self) -> str:
        return f"Wire({self.region!r})"


class _Content:
    """A body that was read already, as botocore wants it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._data


def _unreachable(where: str) -> Transient:
    hint = "look at `region`, `endpoint_url` and the network"
    return Transient(f"{where} cannot be reached, or broke the connection", hint)


def _refusal(response: Mapping[str, Any]) -> Answer:
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    after = str(metadata.get("HTTPHeaders", {}).get("retry-after", ""))
    return Answer(
        int(metadata.get("HTTPStatusCode", 0)),
        str(error.get("Code", "")) or "0",
        str(error.get("Message", "")),
        retry_after=timedelta(seconds=int(after)) if after.isdecimal() and len(after) < 6 else None,
    )


def _bare_session(credentials: Any) -> Any:
    """A session that reads no variable, no file and no model of the user's: all that it knows is what it is told."""
    from botocore.session import Session

    session = Session()
    for name, (_, _, default, convert) in session.SESSION_VARIABLES.items():
        session.session_var_map[name] = (None, None, default, convert)
    for name in ("config_file", "credentials_file"):
        session.session_var_map[name] = (None, None, os.devnull, None)
    session.register_component("data_loader", _models())
    session.register_component("credential_provider", _Only(credentials))
    return session


@cache
def _models() -> Any:
    """What botocore knows of services, as it came with it: none of a user's. Read once, because it takes 0.1 s."""
    from botocore.loaders import Loader

    return Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)


class _Only:
    """The whole chain of providers."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Any:
        return self._credentials


def _pool(ca: Path | None) -> Any:
    from urllib3 import PoolManager

    from rotator.exchanges import in_time

    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise Permanent(f"{ca} holds no certificate that can be read", "set `ca` to a file in PEM form") from None
    return in_time(PoolManager(num_pools=8, maxsize=CONNECTIONS, ssl_context=context))
