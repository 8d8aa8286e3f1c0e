"""A notice by Apprise (https://github.com/caronc/apprise, BSD-2-Clause), which knows chats, pagers and telephones.

Its URLs hold secrets, so they come by reference, one a line; they are shown to nobody. The library is imported when the
first notice is sent, writes nothing to disk here, and runs no command and no plug-in of anybody's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rotator.adapters.notifying.partly import Partly
from rotator.adapters.notifying.texts import plain, title
from rotator.domain.failures import Failure, Permanent, Transient
from rotator.domain.notices import Notice, Severity

MOST_URLS = 20
# What reads files, runs something or reaches this machine's desktop: none of it tells a person who is elsewhere.
_REFUSED = frozenset({"dbus", "glib", "gnome", "kde", "macosx", "qt", "rsyslog", "syslog", "windows"})
_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


class AppriseSender:
    """All URLs of one reference."""

    where = "apprise"

    def __init__(self, urls: Callable[[], str], timeout: timedelta) -> None:
        """`urls`: asked for each time."""
        self._urls = urls
        self._timeout = timeout.total_seconds()

    def remarks(self) -> tuple[str, ...]:
        """Nothing; raises a `Failure` where it cannot be used."""
        self._made()
        return ()

    def send(self, notice: Notice, dropped: int) -> None:
        """To every URL. Raises `Permanent`, `Transient` and `Partly`. Twice: told again."""
        services = self._made()
        kind = "success" if notice.over else _TYPES[notice.severity]
        told = 0
        for service in services:
            told += self._one(service, notice, kind, dropped)
        if told < len(services):
            words = f"{len(services) - told} of its {len(services)} services did not take it"
            raise Partly(words) if told else Transient(words)

    def _one(self, service: Any, notice: Notice, kind: str, dropped: int) -> bool:
        try:
            return bool(
                service.notify(
                    body=plain(notice, dropped),
                    title=title(notice),
                    notify_type=kind,
                    body_format="text",
                    timeout=self._timeout,
                )
            )
        except Exception:  # noqa: BLE001 - a library of a hundred services; its error may hold the URL
            return False

    def _made(self) -> list[Any]:
        try:
            import apprise
        except ImportError:
            raise Permanent("apprise is not installed", "pip install 'rotator[notify]'") from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it logs URLs that it does not understand
        lines = [line.strip() for line in self._urls().splitlines()]
        urls = [line for line in lines if line and not line.startswith("#")]
        if not 1 <= len(urls) <= MOST_URLS:
            raise Permanent(f"its reference holds {len(urls)} URLs", f"write 1 to {MOST_URLS}, one a line")
        asset = apprise.AppriseAsset(secure_logging=True, storage_mode="memory", service_timeout=self._timeout)
        asset.app_id = asset.app_desc = "rotator"
        asset.app_url = ""
        asset.http_redirects = False  # what is sent with a secret goes nowhere else
        asset.async_mode = False
        asset.pem_autogen = asset.pgp_autogen = False
        return [self._service(apprise, asset, number, url) for number, url in enumerate(urls, 1)]

    def _service(self, apprise: Any, asset: Any, number: int, url: str) -> Any:
        service, made = apprise.Apprise(asset=asset), False
        if url.partition(":")[0].lower() not in _REFUSED:
            try:
                made = bool(service.add(url))
            except Exception:  # noqa: BLE001 - the same
                made = False
        if not made:
            failure: Failure = Permanent(
                f"URL {number} of its reference is none that can be used here", "see https://appriseit.com/services/"
            )
            raise failure
        return service
