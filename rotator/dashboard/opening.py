"""How the daemon comes to its API and its pages, where the config wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rotator.app.assembly import Assembly
from rotator.config.api_listening import Listening
from rotator.config.errors import ConfigError

if TYPE_CHECKING:
    from rotator.api.server import Server


def server_of(assembly_of: Callable[[], Assembly], listening: Listening) -> Server:
    """A server that is to be started and stopped.

    Raises `ConfigError` where it would be open to a network in clear text, or is not installed.
    """
    try:
        from rotator.api.server import Server
        from rotator.dashboard.app import routes
        from rotator.dashboard.refusing import answer
    except ImportError as error:
        hint = "pip install 'rotator[daemon]', or leave out listen: and api:"
        raise ConfigError(f"the API is not installed: {error.name} is missing", hint) from None
    return Server(assembly_of, listening, routes_of=routes, answering=answer)
