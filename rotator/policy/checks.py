"""What a policy must promise before it is believed: that its times come, and that they do not come too fast."""

from datetime import datetime, time, timedelta
from itertools import pairwise

from rotator.domain.policy import Policy, PolicyError
from rotator.domain.wallclock import first_reading
from rotator.policy.due import Calendar
from rotator.policy.windows import next_open

_LONGEST_CLOSURE = timedelta(days=366)
_TIMES_TO_COMPARE = 9


def check(policy: Policy, *, now: datetime, calendar: Calendar) -> None:
    """Raise `PolicyError` for a policy whose times never come, or come so fast that no rotation ends in between."""
    if policy.cron is not None:
        _check_cron(policy, policy.cron, now, calendar)
    _check_openings(policy)


def _check_cron(policy: Policy, cron: str, now: datetime, calendar: Calendar) -> None:
    times = [calendar.next_cron(cron, now, policy.tz)]
    while len(times) < _TIMES_TO_COMPARE and times[-1] is not None:
        times.append(calendar.next_cron(cron, times[-1], policy.tz))
    known = [each for each in times if each is not None]
    if not known:
        raise PolicyError(f'the cron "{cron}" never fires', "name a day that exists, or write every: 30d")
    if len(known) > 1 and max(later - earlier for earlier, later in pairwise(known)) <= policy.overlap:
        raise PolicyError(f'the cron "{cron}" fires again within overlap', "fire less often or shorten overlap")


def _check_openings(policy: Policy) -> None:
    for blackout in policy.blackouts:
        begins = first_reading(datetime.combine(blackout.first, time()), policy.tz)
        if next_open(policy, begins) - begins > _LONGEST_CLOSURE:
            what = f"the window {policy.window}" if policy.window else "the policy"
            raise PolicyError(
                f"{what} stays closed for more than a year from {blackout.first} on",
                "shorten the blackouts, or use hold for a credential that nobody may rotate",
            )
