"""The plan in words: what is minted, published and retired, what consumers feel, both lower bounds, what cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import ceil

from rotator.app.planning import Planned
from rotator.cli import words
from rotator.cli.terminal import Terminal, clean, table
from rotator.domain.rotation import RULES, Mode


def show_plan(plans: Sequence[Planned], mode: Mode, left_out: Sequence[str], parallel: int, out: Terminal) -> None:
    """Print it."""
    for line in describe(plans, mode):
        out.line(line)
    rows = [
        [each.credential, each.provider, ", ".join(each.places), _dying(each), _felt(each), each.takes]
        for each in plans
        if each.problem is None
    ]
    if rows:
        out.line()
        head = ["credential", "mint at", "publish to, then promote", "then retire", "consumers feel", "as"]
        for line in table(head, rows, out):
            out.line(line)
    for each in plans:
        if each.problem is not None:
            message, hint = each.problem
            out.line(out.style(f"cannot: {each.credential}: {message}", "red") + (f" — {hint}" if hint else ""))
        for cannot in each.cannot:
            out.line(f"note: {each.credential}: {cannot}")
        for key in each.foreign:
            out.line(f"foreign key, not touched: {clean(key.id)} at {each.provider}, beside {each.credential}")
    if left_out:
        out.line("left out by --tag or --owner: " + ", ".join(left_out))
    out.line()
    out.line(bounds(plans, parallel))


def describe(plans: Sequence[Planned], mode: Mode) -> list[str]:
    """n credentials at m providers, k keys that die, and who feels it."""
    good = [each for each in plans if each.problem is None]
    providers = {each.provider for each in good}
    dying = sum(len(each.old_keys) for each in good)
    first = f"{len(good)} credentials at {len(providers)} providers; {dying} old keys die"
    lines = [first + (" at once" if RULES[mode].emergency else " when they are quiet")]
    broken = sorted(
        {name for each in good if each.outage for name in each.consumers or (f"readers of {each.credential}",)}
    )
    if broken:
        longest = max(each.outage for each in good if each.outage)
        lines.append(f"consumers without a working key for about {words.span(longest)}: {', '.join(broken)}")
    elif good:
        overlap = min(each.overlap for each in good)
        lines.append(f"consumers that read the store at least every {words.span(overlap)} feel nothing")
    return lines


def bounds(plans: Sequence[Planned], parallel: int) -> str:
    """Both lower bounds. The critical path reckons a request with 300 ms."""
    good = [each for each in plans if each.problem is None]
    if not good:
        return "nothing can be done"
    path = max(each.critical_path for each in good)
    waves = ceil(len(good) / parallel)
    each = sum((one.critical_path for one in good), timedelta(0)) / len(good)
    return (
        f"not faster than {words.span(path)} (the longest path) and {words.span(each * waves)} ({parallel} at a time)"
    )


def _dying(each: Planned) -> str:
    return ", ".join(clean(key) for key in each.old_keys) or "no old key"


def _felt(each: Planned) -> str:
    if each.outage:
        return f"no working key for about {words.span(each.outage)}"
    return f"nothing for {words.span(each.overlap)}" if each.overlap else "nothing, if they read every time"
