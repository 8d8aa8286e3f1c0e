"""What an identity provider is asked leaves nothing open, however it answers."""

from __future__ import annotations

import socket
import threading

import pytest

from rotator.api.fetching import fetched
from tests.sdk.canned_server import Canned


def test_an_answer_that_is_too_long_is_hung_up_on_though_somebody_still_holds_the_error() -> None:
    hung_up = threading.Event()

    def pour(connection: socket.socket) -> None:
        try:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while True:
                connection.sendall(bytes(65_536))
        except OSError:
            hung_up.set()
            raise

    with Canned([pour]) as server:
        with pytest.raises(ValueError, match="more than there may be") as held:
            fetched("GET", server.url, 5.0)
        assert hung_up.wait(10)
    assert held.type is ValueError
