"""Telling by webhook, signed as Standard Webhooks says (`rotator.adapters.clients.standard_webhooks`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from rotator.adapters.clients.standard_webhooks import Endpoint, endpoint_url
from rotator.adapters.consumers.news import body, identity
from rotator.adapters.consumers.settings import Settings
from rotator.domain.consumers import Heard, News


class Webhook:
    """One consumer's endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    @classmethod
    def from_settings(cls, settings: Settings, resolve: Callable[[str], str], timeout: timedelta) -> Webhook:
        """`webhook`: the URL; `secret`, `timeout`, `ca`. Raises `SettingsError`."""
        settings.only("webhook", "secret", "timeout", "ca", "spread")
        reference = settings.reference("secret") if "secret" in settings else None
        endpoint = Endpoint(
            endpoint_url(settings.text("webhook"), "reload.webhook", "https://agents.internal/rotated"),
            None if reference is None else lambda: resolve(reference),
            settings.duration("timeout", timeout, timeout),
            str(settings.path("ca")) if "ca" in settings else None,
        )
        return cls(endpoint)

    def remarks(self) -> tuple[str, ...]:
        """That it is not signed, or what is wrong with the secret."""
        if not self._endpoint.signs:
            return ("its webhook is not signed, so anybody can tell it; give it a secret",)
        self._endpoint.check_secret()
        return ()

    def tell(self, consumer: str, news: News) -> Heard:
        """One POST; no redirect is followed and nothing is retried. Any status of the two hundreds means heard."""
        return Heard(self._endpoint.post(identity(consumer, news), body(consumer, news)))
