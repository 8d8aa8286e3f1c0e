"""Every metric there is: its name, what it means, its labels. docs/metrics.md lists the same, and a test compares them.

No label is a key, or anything that a provider chose. A credential is a label only in families of a bounded number of
series (`MOST_CREDENTIALS`), the worst ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_CREDENTIALS = 20
"""Series of a family that has a credential as label."""
MOST_SERIES = 500
"""Series of any other family; what is beyond is counted together, as `OTHER`."""
OTHER = "other"
WHOSE = ("provider", "owner", "policy")
OF_ROTATION = ("provider", "owner", "mode")


class Kind(StrEnum):
    """What a value does: a gauge goes up and down, the others only grow while a process lives."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `buckets`: upper bounds of a histogram, in seconds."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a family, with its labels in the family's order."""

    name: str
    labels: tuple[str, ...]
    value: float


def _gauges(lines: Mapping[str, tuple[str, tuple[str, ...]]]) -> dict[str, Family]:
    return {name: Family(name, Kind.GAUGE, text, labels) for name, (text, labels) in lines.items()}


STATE: Mapping[str, Family] = _gauges(
    {
        "rotator_build_info": ("Which version runs; always 1.", ("version",)),
        "rotator_journal_up": ("Whether the journal answered the last look; 0: all other state is left out.", ()),
        "rotator_journal_look_duration_seconds": ("How long the last look at the journal took.", ()),
        "rotator_journal_older_than_world": ("Whether it was found older than the world: nothing runs.", ()),
        "rotator_paused": ("Whether an operator stopped all new work.", ()),
        "rotator_reconciled_timestamp_seconds": ("When the reconciler last went over all credentials.", ()),
        "rotator_events_unclosed": ("Events of the trail that no checkpoint covers yet.", ()),
        "rotator_checkpoint_number": ("Number of the newest checkpoint.", ()),
        "rotator_checkpoint_timestamp_seconds": ("When the newest checkpoint was made.", ()),
        "rotator_checkpoint_head_info": ("Its digest, for `rotator log verify --head`; always 1.", ("head",)),
        "rotator_credentials": ("Credentials in the config.", WHOSE),
        "rotator_credentials_unusable": ("Entries of the config that cannot be used as they stand.", ()),
        "rotator_credentials_not_adopted": ("In the config, and not yet in the journal.", WHOSE),
        "rotator_credentials_unconfigured": ("In the journal, and in no config any more.", ()),
        "rotator_credentials_keyless": ("Taken up, and without a current key.", WHOSE),
        "rotator_credentials_due": ("Whose time has come, and that are neither held nor rotating.", WHOSE),
        "rotator_credentials_overdue": ("Whose key is older than its policy allows.", WHOSE),
        "rotator_credentials_held": ("That an operator stopped.", WHOSE),
        "rotator_credentials_drifting": ("With a place that was left behind.", WHOSE),
        "rotator_credentials_in_outage": ("Whose consumers have no working key.", WHOSE),
        "rotator_credentials_aged": (
            "Whose key is at most so old, as a share of the allowed age; cumulative.",
            (*WHOSE, "up_to"),
        ),
        "rotator_allowed_age_seconds": ("How old a key may become.", ("policy",)),
        "rotator_oldest_key_age_seconds": ("Age of the oldest current key.", WHOSE),
        "rotator_next_due_timestamp_seconds": ("The nearest due time.", WHOSE),
        "rotator_credential_overdue_seconds": (
            f"By how much the current key is too old; the {MOST_CREDENTIALS} longest due.",
            ("credential", *WHOSE),
        ),
        "rotator_rotations_open": ("Rotations that are not over.", (*OF_ROTATION, "phase")),
        "rotator_rotation_phase_age_seconds": (
            "For how long the longest has been in its phase.",
            (*OF_ROTATION, "phase"),
        ),
        "rotator_rotations_waiting": ("Open rotations by what they wait for.", (*OF_ROTATION, "waiting_for")),
        "rotator_rotations_failing": ("Open rotations whose last attempts failed.", OF_ROTATION),
        "rotator_rotation_open_seconds": (
            f"For how long a rotation is open; the {MOST_CREDENTIALS} worst: stuck first, then the oldest.",
            ("credential", *OF_ROTATION, "phase"),
        ),
        "rotator_old_keys_living": ("Old keys of open rotations that are not known to be dead.", OF_ROTATION),
        "rotator_old_keys_overtime": ("Those that should be dead by now.", OF_ROTATION),
        "rotator_orphans": ("Keys that the reconciler takes for orphans.", ("provider", "owner")),
        "rotator_orphan_first_seen_timestamp_seconds": ("When it saw the first of them.", ("provider", "owner")),
        "rotator_foreign_keys": ("Keys that no credential has, as the last reconciling saw them.", ("provider",)),
        "rotator_incidents_open": ("Incidents that nobody closed.", ()),
        "rotator_incident_foreign_keys": (
            "Keys that may be a thief's and are not proven dead, of open incidents.",
            ("provider",),
        ),
        "rotator_unproven_deaths": ("Old keys whose death nobody can prove, since ever.", ("provider", "owner")),
        "rotator_unproven_death_timestamp_seconds": ("When the last of them died.", ("provider", "owner")),
        "rotator_provider_waiting": ("Calls that wait for their turn.", ("provider",)),
        "rotator_provider_paused_seconds": ("For how much longer a throttle keeps calls back.", ("provider",)),
    }
)
"""Read from journal, config and process when somebody asks."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
DURATIONS = (0.5, 2.0, 10.0, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY)


def _counters(lines: Mapping[str, tuple[str, tuple[str, ...]]]) -> dict[str, Family]:
    return {name: Family(name, Kind.COUNTER, text, labels) for name, (text, labels) in lines.items()}


EVENTS: Mapping[str, Family] = {
    "rotator_phase_duration_seconds": Family(
        "rotator_phase_duration_seconds",
        Kind.HISTOGRAM,
        "How long rotations were in a phase that they left.",
        ("mode", "phase"),
        DURATIONS,
    ),
    "rotator_rotation_duration_seconds": Family(
        "rotator_rotation_duration_seconds",
        Kind.HISTOGRAM,
        "How long rotations took that ended.",
        ("mode", "outcome"),
        DURATIONS,
    ),
    **_counters(
        {
            "rotator_rotations_ended_total": ("Rotations that ended.", ("provider", "mode", "outcome")),
            "rotator_rotations_parked_total": ("Rotations that got stuck.", ("provider", "mode")),
            "rotator_effects_total": ("Effects and how they went; ok, or the kind of failure.", ("action", "result")),
            "rotator_deaths_total": ("Old keys known to be dead, by proof.", ("provider", "proof")),
            "rotator_alerts_total": ("What a person was told to look at.", ("action",)),
            "rotator_provider_failures_total": ("Calls of a provider that failed.", ("provider", "reason")),
            "rotator_provider_throttled_total": (
                "Calls kept back by our own limit, or refused by the provider as too many.",
                ("provider", "by"),
            ),
            "rotator_store_failures_total": ("Calls of a store that failed.", ("store", "reason")),
            "rotator_driver_starts_total": ("Processes of drivers that were started.", ("kind", "driver")),
            "rotator_driver_losses_total": (
                "Processes of drivers that ended under a call, took too long, or did not start.",
                ("kind", "driver", "reason"),
            ),
        }
    ),
}
"""Counted by the process in which they happen, from its start on."""

FAMILIES: Mapping[str, Family] = {**STATE, **EVENTS}


_EARLIEST = frozenset({"rotator_next_due_timestamp_seconds", "rotator_orphan_first_seen_timestamp_seconds"})
"""Of which the smallest matters most."""


def bounded(samples: Sequence[Sample]) -> list[Sample]:
    """At most `MOST_SERIES` of these samples of one family: those that matter less as one, each label `OTHER`.

    Numbers of things are added up. Of times and ages, which have no sum, it is the one that matters most.
    """
    if len(samples) <= MOST_SERIES:
        return list(samples)
    earliest = samples[0].name in _EARLIEST
    kept = sorted(samples, key=lambda each: each.value, reverse=not earliest)
    rest = kept[MOST_SERIES - 1 :]
    labels = (OTHER,) * len(rest[0].labels)
    value = rest[0].value if rest[0].name.endswith("_seconds") else sum(each.value for each in rest)
    return [*kept[: MOST_SERIES - 1], Sample(rest[0].name, labels, value)]
