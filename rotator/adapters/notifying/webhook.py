"""A notice by webhook, signed as Standard Webhooks says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from rotator.adapters.clients.standard_webhooks import Endpoint, endpoint_url
from rotator.adapters.notifying.texts import as_json, identity
from rotator.domain.notices import Notice


class WebhookSender:
    """One URL. `where` is its host alone: the path may be a secret."""

    def __init__(
        self, url: str, secret: Callable[[], str] | None, timeout: timedelta, ca: str | None, setting: str
    ) -> None:
        """Raises `SettingsError`, with the name of the setting."""
        self._endpoint = Endpoint(endpoint_url(url, setting, "https://alerts.internal/rotator"), secret, timeout, ca)
        self.where = f"webhook at {urlsplit(url).hostname}"

    def send(self, notice: Notice, dropped: int) -> None:
        """One POST. Raises `Transient` and `Permanent`. Twice: posted again, by the same id."""
        self._endpoint.post(identity(notice), as_json(notice, dropped))

    def remarks(self) -> tuple[str, ...]:
        """That it is not signed; raises a `Failure` where its secret is none."""
        if not self._endpoint.signs:
            return ("its webhook is not signed, so anybody can tell it; give it a secret",)
        self._endpoint.check_secret()
        return ()
