"""The body of an answer, bounded in size and time: a server that never ends it, or drips, takes no more than a call."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from rotator.adapters.clients.deadline import Deadline
from rotator.domain.failures import Transient

MOST_BYTES = 16 * 1024 * 1024
CHUNK = 65_536


def content_of(response: Any, deadline: Deadline, where: str) -> bytes:
    """The whole body of a response of urllib3's that is not read yet; that gives its connection back.

    `where` names the server. Raises Transient for too much and too late, and urllib3's own errors.
    """
    content = bytearray()
    try:
        while chunk := response.read1(CHUNK, decode_content=True):  # what is there, and not a whole chunk
            content += chunk
            if len(content) > MOST_BYTES:
                raise Transient(f"{where} answered more than {MOST_BYTES} bytes", "look at what is in between")
            deadline.remaining(where)
    except BaseException:
        response.close()  # what is left of the answer must not meet the connection's next user
        raise
    return bytes(content)


@cache
def whole_answers() -> Any:
    """An adapter for sessions of requests, which would read an answer for ever; imports requests.

    A request's timeout is urllib3's, with a total, and goes for the whole exchange.
    """
    from requests import exceptions
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import HTTPError, ReadTimeoutError

    from rotator.exchanges import in_time

    class Whole(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **given: Any) -> None:
            super().init_poolmanager(*args, **given)
            in_time(self.poolmanager)

        def send(self, request: Any, **given: Any) -> Any:  # type: ignore[override] # a session gives names
            where = urlsplit(request.url).netloc
            deadline = Deadline(timedelta(seconds=given["timeout"].total))
            response: Any = super().send(request, **{**given, "stream": True})
            try:
                response._content = content_of(response.raw, deadline, where)
            except ReadTimeoutError as error:
                raise exceptions.ReadTimeout(error) from None
            except HTTPError as error:
                raise exceptions.ConnectionError(error) from None
            return response

    return Whole
