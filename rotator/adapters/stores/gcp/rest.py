"""HTTP as the gcp store speaks it: no proxy, `.netrc` or certificate of the environment, no redirect, no second try."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.adapters.clients.content import whole_answers
from rotator.adapters.clients.deadline import Deadline
from rotator.adapters.stores.gcp.answers import Refusal
from rotator.domain.failures import Failure, Transient

CONNECTIONS = 64
"""As many as the engine has threads."""


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What a server answered that gives out tokens."""

    status: int
    headers: Mapping[str, str]
    content: bytes


Ask = Callable[[str, str, Mapping[str, str], bytes | None], Reply]
"""Send (method, url, headers, body) once, within the time that a call has left. Raises Transient."""


class RefusedError(Exception):
    """The API answered, but not with a result."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def new_session() -> Any:
    """A session for the SDK's REST transport; imports requests."""
    import requests
    from urllib3 import Timeout

    class Session(requests.Session):
        """Judges statuses itself: the SDK's errors carry the request, and so the token and the value."""

        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            given: dict[str, Any] = {**kwargs, "timeout": Timeout(total=kwargs["timeout"]), "allow_redirects": False}
            response = super().request(method, url, *args, **given)
            if response.status_code != 200:
                retry_after = response.headers.get("Retry-After")
                raise RefusedError(Refusal.of_http(response.status_code, response.content, retry_after))
            return response

        def plain(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float) -> Reply:
            total: Any = Timeout(total=timeout)
            response = super().request(method, url, data=body, headers=headers, timeout=total, allow_redirects=False)
            return Reply(response.status_code, response.headers, response.content)

    session = Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, whole_answers()(pool_connections=4, pool_maxsize=CONNECTIONS, max_retries=0))
    return session


def asking(session: Any, deadline: Deadline) -> Ask:
    """Ask through that session within that time."""

    def ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        timeout = deadline.remaining(url)
        try:
            reply: Reply = session.plain(method, url, headers, body, timeout)
        except (OSError, ValueError) as error:
            failure = lost(error, url)
        else:
            return reply
        raise failure  # out here, because those errors carry the request

    return ask


def lost(error: BaseException, url: str) -> Failure:
    """What it means that a request over HTTP got no answer."""
    from requests import exceptions

    if isinstance(error, exceptions.SSLError):
        return Transient(f"{url} has a certificate that is not trusted", "look at what is in between")
    if isinstance(error, exceptions.Timeout):
        return Transient(f"{url} did not answer in time", "it is tried again")
    if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError)):
        return Transient(f"{url} cannot be reached, or broke the connection", "look at the network; it is tried again")
    return Transient(f"the request to {url} failed ({type(error).__name__})", "look at what is in between")
