"""From what the config says of consumers to the port that tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from rotator.adapters.consumers import SettingsError, Telling, kinds
from rotator.adapters.consumers.kinds import Teller, Tools
from rotator.config.errors import ConfigError
from rotator.config.values import ConsumerConfig
from rotator.domain.consumers import Heard, News
from rotator.domain.failures import Permanent, Transient


class Untellable:
    """A consumer whose `reload:` cannot be used: in an emergency that is said when it should be told."""

    def __init__(self, why: ConfigError) -> None:
        self._why = why

    def tell(self, consumer: str, news: News) -> Heard:
        """Raises `Permanent`, always."""
        raise Permanent(self._why.message, self._why.hint)

    def remarks(self) -> tuple[str, ...]:
        """Why."""
        return (self._why.message,)


def make_consumers(configs: Iterable[ConsumerConfig], tools: Tools, *, lenient: bool = False) -> Telling:
    """The port for these. Raises `ConfigError`, but lenient."""
    tellers: dict[str, Teller] = {}
    for config in configs:
        try:
            teller = make_teller(config, tools)
        except ConfigError as why:
            if not lenient:
                raise
            teller = Teller(kind="nothing", spread=timedelta(0), by=Untellable(why))
        if teller is not None:
            tellers[config.name] = teller
    return Telling(tellers, tools.timeout)


def tools_of(resolve: Callable[[str], str], timeout: timedelta) -> Tools:
    """What telling is given. `resolve` may raise `ConfigError`."""

    def resolved(reference: str) -> str:
        try:
            return resolve(reference)
        except ConfigError as error:
            message, hint = error.message, error.hint
        raise Transient(f"its secret: {message}", hint)

    return Tools(resolve=resolved, timeout=timeout)


def make_teller(config: ConsumerConfig, tools: Tools) -> Teller | None:
    """How this one is told; None for one that reads by itself. Raises `ConfigError`."""
    try:
        return kinds.make_teller(config.reload, tools)
    except SettingsError as error:
        message, hint = error.message, error.hint
    raise ConfigError(f"{config.where}: {config.name}: {message}", hint)
