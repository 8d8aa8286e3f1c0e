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


def make_consumers(
    configs: Iterable[ConsumerConfig], resolve: Callable[[str], str], timeout: timedelta, *, lenient: bool = False
) -> Telling:
    """The port for these. Raises `ConfigError`, but lenient."""
    tellers: dict[str, Teller] = {}
    for config in configs:
        try:
            teller = make_teller(config, resolve, timeout)
        except ConfigError as why:
            if not lenient:
                raise
            teller = Teller(kind="nothing", spread=timedelta(0), by=Untellable(why))
        if teller is not None:
            tellers[config.name] = teller
    return Telling(tellers, timeout)


def make_teller(config: ConsumerConfig, resolve: Callable[[str], str], timeout: timedelta) -> Teller | None:
    """How this one is told; None for one that reads by itself. Raises `ConfigError`."""

    def resolved(reference: str) -> str:
        try:
            return resolve(reference)
        except ConfigError as error:
            message, hint = error.message, error.hint
        raise Transient(f"its secret: {message}", hint)

    try:
        return kinds.make_teller(config.reload, Tools(resolve=resolved, timeout=timeout))
    except SettingsError as error:
        message, hint = error.message, error.hint
    raise ConfigError(f"{config.where}: {config.name}: {message}", hint)
