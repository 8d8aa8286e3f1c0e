"""From what the config says of a target to what delivers to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.adapters.notifying.by_apprise import AppriseSender
from rotator.adapters.notifying.mail import MailSender, Server
from rotator.adapters.notifying.target import Sender
from rotator.adapters.notifying.webhook import WebhookSender
from rotator.config.errors import ConfigError
from rotator.config.references import Reference
from rotator.config.values import NotificationConfig
from rotator.domain.failures import Transient
from rotator.domain.settings import SettingsError

if TYPE_CHECKING:
    from rotator.app.assembly import Assembly

TIMEOUT = timedelta(seconds=15)
"""Of one attempt."""


def make_sender(config: NotificationConfig, assembly: Callable[[], Assembly], timeout: timedelta = TIMEOUT) -> Sender:
    """What delivers to a target; secrets are read when they are needed. Raises `ConfigError`."""
    if config.smtp is not None:
        smtp = config.smtp
        server = Server(
            host=smtp.host,
            port=smtp.port,
            tls=smtp.tls,
            user=smtp.user,
            password=_secret(smtp.password, assembly),
            ca=_path(smtp.ca, assembly),
        )
        return MailSender(server, smtp.sender, smtp.to, timeout)
    if config.apprise is not None:
        urls = _secret(config.apprise, assembly)
        assert urls is not None
        return AppriseSender(urls, timeout)
    assert config.webhook is not None
    setting = f"notifications.{config.name}.webhook"
    try:
        secret = _secret(config.secret, assembly)
        return WebhookSender(config.webhook, secret, timeout, _path(config.ca, assembly), setting)
    except SettingsError as error:
        message, hint = error.message, error.hint
    raise ConfigError(f"{config.where}: {message}", hint)


def _secret(reference: Reference | None, assembly: Callable[[], Assembly]) -> Callable[[], str] | None:
    if reference is None:
        return None

    def read() -> str:
        try:
            return assembly().resolver(reference)
        except ConfigError as error:
            message, hint = error.message, error.hint
        raise Transient(f"its secret: {message}", hint)

    return read


def _path(path: str | None, assembly: Callable[[], Assembly]) -> str | None:
    """Relative paths are relative to the config file."""
    return None if path is None else str(assembly().config.base / path)
