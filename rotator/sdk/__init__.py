"""All that a driver may import of the rotator: the ports, the values that cross them, and the failures.

A driver of a provider is a class listed in the entry-point group `rotator.providers` whose objects are `Provider`s:

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], admin: str, timeout: timedelta) -> Provider: ...

    @classmethod
    def reach(cls, settings: Mapping[str, Any]) -> Reach: ...       # left out: the host of `base_url` or `address`

`settings` are the driver's own words of the config (`Settings` reads them), `admin` is the admin credential in clear
text, and no request may take longer than `timeout`. It raises `SettingsError`, sends nothing, and is not called again
for the same entry. Objects are used by many threads at once.

A driver may work in a process that cannot open sockets: there `socket.create_connection`, which the HTTP client and
most pure-Python libraries use, is the one way to a host, and only to those of `reach` or of the config's `hosts:`; no
name is looked up, and no file outside its own code is read. `rotator.sdk.http` has an HTTP client that keeps the
ports' promises, `rotator.sdk.answers` reads what came back; `rotator.testing.provider_contract` tests both.
"""

from rotator.domain.credential import Place, PlaceKind, Principal, Publication
from rotator.domain.failures import Ambiguous, CapFull, Conflict, Denied, Failure, Permanent, Transient
from rotator.domain.keys import (
    BY_HAND,
    CHOSEN_VALUE,
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
from rotator.domain.made import Made, MadeKind
from rotator.domain.reach import Reach
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
    TellsTrail,
    TellsWorthKnowing,
)

__all__ = [
    "ABSENT",
    "BY_HAND",
    "CHOSEN_VALUE",
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
    "Made",
    "MadeKind",
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
    "Reach",
    "Secret",
    "Settings",
    "SettingsError",
    "Store",
    "StoreCapabilities",
    "Stored",
    "Strategy",
    "TellsLeastPolicy",
    "TellsTrail",
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
