"""Several consumers at the same time, and what may stand beneath `reload:`."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from rotator.adapters.consumers import SettingsError
from rotator.domain.consumers import Heard
from rotator.domain.failures import Permanent, Transient
from rotator.ports import Way
from tests.consumers.news import NEWS, telling
from tests.consumers.receiver import Receiver, Reply


def test_all_are_told_at_the_same_time_and_who_hangs_holds_nobody_up() -> None:
    with Receiver() as quick, Receiver(lambda _: Reply(status=200, body=b"x" * 1000, drip=0.3)) as slow:
        names = {f"app-{number}": {"webhook": quick.url} for number in range(16)}
        names |= {f"app-{number}": {"webhook": slow.url, "timeout": "3s"} for number in range(8)}
        began = time.monotonic()
        answers = telling(60.0, **names).tell(list(names), NEWS)  # type: ignore[arg-type]
        took = time.monotonic() - began
    assert [isinstance(answers[name], Heard) for name in names] == [number >= 8 for number in range(16)]
    assert all(isinstance(answers[f"app-{number}"], Transient) for number in range(8))
    assert took < 7 * 3.0, "those who hang were told one after the other"


def test_one_that_breaks_in_an_unexpected_way_breaks_alone() -> None:
    def breaks(_: str) -> str:
        raise ZeroDivisionError("hunter2")

    with Receiver() as receiver:
        port = telling(5.0, breaks, web={"webhook": receiver.url}, cron={"webhook": receiver.url, "secret": "file:x"})
        answers = port.tell(["web", "cron"], NEWS)
    assert answers["web"] == Heard("")
    broken = answers["cron"]
    assert isinstance(broken, Transient)
    assert broken.message == "telling it went wrong (ZeroDivisionError)"


def test_one_that_is_not_configured_reads_by_itself() -> None:
    port = telling(web={})
    assert port.way("web") is None
    assert isinstance(port.tell(["web"], NEWS)["web"], Permanent)


def test_how_it_is_told_and_over_how_long() -> None:
    port = telling(web={"webhook": "https://x.internal/", "spread": "30s"}, cron={"signal": "/run/cron.pid"})
    assert port.way("web") == Way(kind="webhook", spread=timedelta(seconds=30))
    assert port.way("cron") == Way(kind="signal")


@pytest.mark.parametrize(
    ("reload", "message"),
    [
        ({"hook": "https://x/"}, "reload names no way to tell it"),
        ({"webhook": "https://x/", "signal": "/x"}, "reload names more than one way to tell it"),
        ({"webhook": ["https://x/"]}, "reload.webhook is not text"),
        ({"webhook": "https://x/", "secrte": "file:x"}, "reload.'secrte' is not known"),
        ({"webhook": "https://x/", "secret": "whsec_hunter2"}, "reload.secret is not a reference"),
        ({"webhook": "https://x/", "spread": "2h"}, "reload.spread is no duration"),
        ({"webhook": "https://x/", "spread": 30}, "reload.spread is not text"),
        ({"webhook": "https://x/", "timeout": "6s"}, "reload.timeout is no duration"),
        ({"webhook": "https://x/", "ca": "ca.pem"}, "reload.ca is not an absolute path"),
        ({"signal": "app.pid"}, "reload.signal is not an absolute path"),
        ({"signal": "/x", "send": "SIGKILL"}, "reload.send is none of the known ones"),
        ({"command": "/bin/true"}, "reload.command is not a list of texts"),
        ({"command": []}, "reload.command is not a list of texts"),
        ({"command": ["true"]}, "reload.command begins with no absolute path"),
        ({"command": ["/bin/true", 7]}, "reload.command is not a list of texts"),
        ({"command": ["/bin/true", "a\0b"]}, "reload.command is not a list of texts"),
    ],
)
def test_what_is_wrong_is_said_without_what_stands_there(reload: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        telling(web=reload)
    assert caught.value.message.startswith(message)
    assert caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint
