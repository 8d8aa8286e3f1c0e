"""A real Chromium without a window: the system's, else Debian's (`tests.servers.debian`), driven by Playwright.

Playwright's own browsers are never fetched: what is driven is what people have.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import Unavailable, started
from tests.servers.debian import find, home, surroundings
from tests.servers.thread_of_its_own import OwnThread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAME = "Chromium"
PROGRAMS = ("chromium-headless-shell", "chromium")
"""The one without a window is smaller and needs fewer libraries."""
UNPACKED = "usr/lib/chromium"
"""Where the program itself is: what Debian has in its path is a script with that place written down."""
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions")
"""Without its sandbox, because tests may be root's; what it loads are our own pages."""
NARROW, WIDE = (360, 740), (1280, 900)
PATIENCE = 120_000.0
"""Milliseconds for whatever is waited for."""


class Chromium:
    """One browser for many tests; each has a context, with cookies of its own. Stopping it twice is harmless."""

    def __init__(self) -> None:
        """Raises `Unavailable`."""
        from playwright.sync_api import sync_playwright  # most test processes need no browser

        program = _program()
        self._ending = ExitStack()
        self._own = own = OwnThread(lambda value: type(value).__module__.startswith("playwright."))
        self._ending.callback(own.end)
        environment: dict[str, str | float | bool] = {
            **surroundings(program),
            "HOME": "/nonexistent",
            **_fonts(program),
        }
        try:
            driver = own.run(sync_playwright().start)
            self._ending.callback(driver.stop)
            self.browser: Browser = driver.chromium.launch(
                executable_path=str(program), args=list(OPTIONS), env=environment, headless=True
            )
        except BaseException:
            self._ending.close()
            raise
        self._ending.callback(self.browser.close)
        started[NAME] = self.browser.version

    def context(
        self,
        *,
        size: tuple[int, int] = WIDE,
        dark: bool = False,
        script: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> BrowserContext:
        """A browser of its own, to be closed."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            extra_http_headers=dict(headers or {}),
            reduced_motion="reduce",
            service_workers="block",
            timezone_id="Europe/Berlin",
            locale="en-GB",
        )
        context.set_default_timeout(PATIENCE)
        return context

    def stop(self) -> None:
        """End it."""
        self._ending.close()


def start() -> Chromium:
    """Takes a second. Raises `Unavailable`."""
    return Chromium()


def _program() -> Path:
    for name in PROGRAMS:
        try:
            found = find(name)
        except Unavailable:
            continue
        itself = home(found) / UNPACKED / name
        return itself if itself.exists() else found
    raise Unavailable("no chromium: neither the system's nor, by `make dev` with apt and a network, Debian's")


def _fonts(program: Path) -> dict[str, str]:
    """An unpacked one finds the fonts that came with it, where the system has none."""
    root = home(program)
    unpacked = root != Path("/") and (root / "etc/fonts/fonts.conf").exists()
    return {"FONTCONFIG_SYSROOT": str(root)} if unpacked else {}
