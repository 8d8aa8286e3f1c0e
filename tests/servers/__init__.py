"""Real servers for tests, the benchmark and the kill tests: started here, on loopback, and gone when their starter is.

Nothing in this package needs pytest. `started` says what was started in this process: the table at the end of a test
run takes the versions from it.
"""

from __future__ import annotations

started: dict[str, str] = {}
"""Version by name of server, of the last one started, as it told us itself: `{"PostgreSQL": "17.10"}`."""


class Unavailable(Exception):
    """There is no binary of this server on this machine."""


class StartFailed(Exception):
    """The server ended, or did not answer in time; the text is the end of its log."""
