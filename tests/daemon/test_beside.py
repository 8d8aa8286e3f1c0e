"""What stands beside the rotations when what it needs is not there, or changes."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import urllib3

from rotator.adapters.calendar import CronCalendar
from rotator.adapters.observe import Log
from rotator.app.assembly import Assembly
from rotator.config.errors import ConfigError
from rotator.config.reading import read_config
from rotator.daemon.beside import Beside
from rotator.testing.keyserver import Keyserver
from tests.cli.scene import Scene, environment, make
from tests.daemon.running import eventually
from tests.servers.certificate import self_signed
from tests.servers.process import reserved_port


class Standing:
    """A scene's config in force, and what stands beside it. `said`: the lines of the log."""

    def __init__(self, scene: Scene, opened: ExitStack) -> None:
        self.scene = scene
        self.said: list[str] = []
        self._opened = opened
        self.assembly: Assembly
        self.beside = opened.enter_context(closing(Beside(lambda: self.assembly, look=0.05)))

    def follow(self, **changes: Any) -> None:
        """Change the file, and put it in force."""
        self.scene.rewrite(**changes)
        with environment(self.scene.environment()):
            config = read_config(self.scene.config, calendar=CronCalendar())
        self.assembly = self._opened.enter_context(closing(Assembly(config=config)))
        self.assembly.log = Log(write=self.said.append)
        self.beside.follow()

    def alerts(self, action: str) -> list[str]:
        """What was told of this."""
        found = [json.loads(line) for line in list(self.said)]
        return [str(each["message"]) for each in found if each["action"] == action]


@pytest.fixture
def standing(tmp_path: Path, keyserver: Keyserver) -> Iterator[Standing]:
    with ExitStack() as opened:
        yield Standing(make(tmp_path, keyserver), opened)


def answers(port: int) -> bool:
    """Whether an API is there."""
    try:
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/v1/alive", retries=False, timeout=60)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200


def shown(port: int) -> bytes:
    """The certificate that is shown there to whoever gives no name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain, context.wrap_socket(plain) as wrapped:
        found = wrapped.getpeercert(binary_form=True)
    assert found is not None
    return found


def der(file: Path) -> bytes:
    """A certificate in PEM, as it is sent."""
    return ssl.PEM_cert_to_DER_cert(file.read_text())


def test_where_a_new_address_cannot_be_had_the_old_one_goes_on_and_it_is_told_once(
    standing: Standing, port: int
) -> None:
    standing.follow(listen=f"127.0.0.1:{port}")
    assert answers(port)
    with reserved_port() as taken:
        with socket.create_server(("127.0.0.1", taken)):
            standing.follow(listen=f"127.0.0.1:{taken}")
            assert answers(port)
        (said,) = standing.alerts("cannot listen")
        assert said.startswith(f"the API cannot listen on 127.0.0.1:{taken}")
        standing.follow(listen=f"127.0.0.1:{taken}")
        assert answers(taken)
    assert not answers(port)


def test_an_api_that_ended_is_begun_again_and_again_until_it_is_there(standing: Standing, port: int) -> None:
    standing.follow(listen=f"127.0.0.1:{port}")
    server = standing.beside._server
    assert server is not None
    with standing.beside._lock:
        server.stop()
        held = socket.create_server(("127.0.0.1", port))
    with held:
        eventually(lambda: bool(standing.alerts("cannot listen")))
    eventually(lambda: answers(port))
    assert len(standing.alerts("cannot listen")) == 1


def test_the_first_address_must_be_had(standing: Standing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held, pytest.raises(ConfigError, match="cannot listen on"):
        standing.follow(listen=f"127.0.0.1:{held.getsockname()[1]}")


def test_a_renewed_certificate_is_shown_and_a_bad_one_is_told_once_and_not_used(
    standing: Standing, port: int, tmp_path: Path
) -> None:
    cert, key = self_signed(tmp_path, "api", "127.0.0.1")
    standing.follow(api={"listen": f"127.0.0.1:{port}", "tls": {"cert": str(cert), "key": str(key)}})
    first = der(cert)
    assert shown(port) == first

    cert.write_bytes(cert.read_bytes()[:100])
    eventually(lambda: bool(standing.alerts("cannot listen")))
    assert shown(port) == first

    self_signed(tmp_path, "api", "127.0.0.1")
    assert der(cert) != first
    eventually(lambda: shown(port) == der(cert))
    (said,) = standing.alerts("cannot listen")
    assert said.startswith("the API's certificate cannot be used: it is no certificate with its key, in PEM")
