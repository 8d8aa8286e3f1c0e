"""All that a driver may import of the rotator: the ports, the values that cross them, and the failures.

A driver of a provider is a class listed in the entry-point group `rotator.providers` whose objects are `Provider`s:

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Provider: ...

`settings` are the driver's own words of the config (`Settings` reads them), `admin` is the admin credential in clear
text, and no request may take longer than `timeout`. It raises `SettingsError`, sends nothing, and is not called again
for the same entry. Objects are used by many threads at once. `rotator.sdk.http` has an HTTP client that keeps the
ports' promises; `rotator.testing.provider_contract` tests them.
"""

from rotator.domain.credential import Place, PlaceKind, Principal, Publication
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import (
    BY_HAND,
    DUAL,
    IN_PLACE,
    OVERLAP,
    STRATEGIES,
    TWO_SLOTS,
    UNMARKED,
    Capabilities,
    Disabling,
    Key,
    KeyState,
    Minted,
    Minter,
    MintRequest,
    Probe,
    Strategy,
    Verdict,
    slot_of,
)
from rotator.domain.secret import Secret
from rotator.domain.settings import Settings, SettingsError
from rotator.domain.times import UnreadableError, format_duration, format_time, parse_duration, parse_time, quoted
from rotator.ports import (
    ABSENT,
    Provider,
    Store,
    StoreCapabilities,
    Stored,
    TellsLeastPolicy,
    TellsWorthKnowing,
)

__all__ = [
    "ABSENT",
    "BY_HAND",
    "DUAL",
    "IN_PLACE",
    "OVERLAP",
    "STRATEGIES",
    "TWO_SLOTS",
    "UNMARKED",
    "Ambiguous",
    "CapFull",
    "Capabilities",
    "Conflict",
    "Denied",
    "Disabling",
    "Failure",
    "Key",
    "KeyState",
    "MintRequest",
    "Minted",
    "Minter",
    "Permanent",
    "Place",
    "PlaceKind",
    "Principal",
    "Probe",
    "Provider",
    "Publication",
    "Secret",
    "Settings",
    "SettingsError",
    "Store",
    "StoreCapabilities",
    "Stored",
    "Strategy",
    "TellsLeastPolicy",
    "TellsWorthKnowing",
    "Transient",
    "UnreadableError",
    "Verdict",
    "format_duration",
    "format_time",
    "parse_duration",
    "parse_time",
    "quoted",
    "slot_of",
]
