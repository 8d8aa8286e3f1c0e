"""The news that the tests tell, and what tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from rotator.adapters.consumers import Telling
from rotator.adapters.consumers.kinds import Tools, make_teller
from rotator.domain.consumers import Happened, Heard, News, Published
from rotator.domain.failures import Failure

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
NEWS = News(
    what=Happened.ROTATED,
    credential="openai-prod",
    rotation="r1",
    at=NOW,
    places=(Published(store="vault", ref="ai/openai", version="7"), Published(store="aws", ref="prod/openai")),
)


def telling(timeout: float = 5.0, resolve: Callable[[str], str] = str, **reload: Mapping[str, object]) -> Telling:
    """The consumers port for these consumers, each with what stands beneath its `reload:`."""
    tools = Tools(resolve=resolve, timeout=timedelta(seconds=timeout))
    tellers = {name: make_teller(each, tools) for name, each in reload.items()}
    return Telling({name: each for name, each in tellers.items() if each is not None}, tools.timeout)


def tell(
    reload: Mapping[str, object], news: News = NEWS, timeout: float = 30.0, resolve: Callable[[str], str] = str
) -> Heard | Failure:
    """Tell one consumer, `web`."""
    return telling(timeout, resolve, web=reload).tell(["web"], news)["web"]
