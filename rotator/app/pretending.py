"""What drivers offer, asked of the real drivers without any credential: they are given an invented one, and told to
send nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from rotator.app.drivers import make_provider
from rotator.app.isolating import Isolation
from rotator.config.errors import ConfigError
from rotator.config.reading import DriverConfig
from rotator.domain.credential import Principal
from rotator.domain.failures import Failure
from rotator.domain.keys import Capabilities
from rotator.ports import Provider

INVENTED = (
    "invented",
    "INVENTED0123456789:invented",
    '{"tenant": "invented", "client_id": "invented", "client_secret": "invented"}',
)
"""Forms that admin credentials have: a token, an id with its secret, an object. Nobody's."""
ADMIN = "admin credential"
TIMEOUT = timedelta(seconds=15)

Offers = Mapping[Principal, Capabilities | ConfigError | Failure]


def offers_of(config: DriverConfig, principals: Collection[Principal], isolation: Isolation) -> Offers:
    """What a provider's driver offers for each principal, or why it does not. Sends nothing, reads no secret.

    Raises `ConfigError` where the driver cannot be had.
    """
    driver = _made(config, isolation)
    found: dict[Principal, Capabilities | ConfigError | Failure] = {}
    for principal in principals:
        try:
            found[principal] = driver.capabilities(principal)
        except (ConfigError, Failure) as error:
            found[principal] = error
    return found


def _made(config: DriverConfig, isolation: Isolation) -> Provider:
    """The driver with the first invented credential whose form it takes."""
    problem: ConfigError | None = None
    for admin in INVENTED if config.admin is not None else ("",):
        try:
            return make_provider(config, admin, TIMEOUT, isolation)
        except ConfigError as error:
            if ADMIN not in error.message:
                raise
            problem = error
    assert problem is not None
    message = f"{config.name}: its driver says nothing without its real admin credential"
    raise ConfigError(message, "`rotate --dry-run` shows its plan")
