"""The body of an answer, bounded: what is too much is given up as soon as it is."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from urllib3 import PoolManager

from rotator.adapters.clients.content import CHUNK, MOST_BYTES, content_of
from rotator.adapters.clients.deadline import Deadline
from rotator.domain.failures import Transient


def test_an_answer_that_floods_is_given_up_and_its_connection_with_it() -> None:
    sent = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def flood() -> None:
            nonlocal sent
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(CHUNK)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while sent < 10 * MOST_BYTES:
                    connection.sendall(bytes(CHUNK))
                    sent += CHUNK

        thread = threading.Thread(target=flood)
        thread.start()
        pool = PoolManager(retries=False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        response = pool.request("GET", url, preload_content=False)
        with pytest.raises(Transient, match=f"the server answered more than {MOST_BYTES} bytes"):
            content_of(response, Deadline(timedelta(minutes=1)), "the server")
        thread.join(30)
        assert not thread.is_alive(), "the connection is closed"
        assert sent < 2 * MOST_BYTES
        pool.clear()
