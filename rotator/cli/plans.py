"""The plan in words: what is minted, published and retired, what consumers feel, both lower bounds, what cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rotator.app.bounds import bounds_of
from rotator.app.planning import Planned
from rotator.cli import consuming, words
from rotator.cli.terminal import Terminal, clean, count
from rotator.domain.rotation import RULES, Mode


def show_plan(plans: Sequence[Planned], mode: Mode, left_out: Sequence[str], parallel: int, out: Terminal) -> None:
    """Print it."""
    for line in describe(plans, mode):
        out.line(line)
    for each in plans:
        if each.problem is None:
            out.line()
            for line in _steps(each, mode, out):
                out.line(line)
    cannot = list(_cannot(plans, out))
    if cannot:
        out.line()
    for line in cannot:
        out.line(line)
    if left_out:
        out.line()
        out.line("left out by --tag or --owner: " + ", ".join(left_out))
    out.line()
    for line in bounds(plans, parallel):
        out.line(line)
    out.line("nothing was changed")


def describe(plans: Sequence[Planned], mode: Mode) -> list[str]:
    """n credentials at m providers, k keys that die, and who feels it."""
    good = [each for each in plans if each.problem is None]
    if not good:
        return []
    providers = len({each.provider for each in good})
    dying = sum(len(each.old_keys) for each in good)
    deaths = _deaths(dying, mode) if all(each.looked for each in good) else "every key that is theirs dies at once"
    lines = [f"{count(len(good), 'credential')} at {count(providers, 'provider')}; {deaths}"]
    broken = sorted({name for each in good if each.outage for name in _readers(each)})
    if broken:
        longest = max(each.outage for each in good if each.outage)
        lines.append(f"without a working key for about {words.span(longest)}: {', '.join(broken)}")
    kept = [each for each in good if not each.outage]
    if kept:
        lines.append(_spared(min(each.overlap for each in kept)))
    held = [each.credential for each in good if each.held is not None]
    if held:
        ignored = "held, and rotated all the same" if RULES[mode].emergency else "held, so it waits for a release"
        lines.append(f"{ignored}: {', '.join(held)}")
    return lines


def _deaths(number: int, mode: Mode) -> str:
    if not number:
        return "no old key"
    dies = f"{count(number, 'old key')} {'dies' if number == 1 else 'die'}"
    return f"{dies} at once" if RULES[mode].emergency else f"{dies} when {'it is' if number == 1 else 'they are'} quiet"


def _spared(overlap: timedelta) -> str:
    if not overlap:
        return "consumers that read the store every time feel nothing; who keeps a value fails until it reads again"
    return f"consumers that read the store at least every {words.span(overlap)} feel nothing"


def _readers(each: Planned) -> tuple[str, ...]:
    return each.consumers or (f"readers of {each.credential}",)


def _steps(each: Planned, mode: Mode, out: Terminal) -> Iterator[str]:
    """One credential's plan, in the order in which it happens."""
    yield out.style(each.credential, "bold") + f"  {each.takes}"
    mint = clean(f"wait      for a person: {each.by_hand}") if each.by_hand else f"mint      a key at {each.provider}"
    steps = [mint, f"verify    it, then publish it to {', '.join(each.places)}"]
    keys = ", ".join(clean(key) for key in each.old_keys)
    if not each.old_keys:
        steps.append("retire    nothing: there is no old key")
    elif RULES[mode].contains and each.outage:
        steps.insert(0, f"disable   {keys}")
        steps.append(f"retire    {keys}: delete, then prove dead")
    elif not each.deletes:
        steps.append(f"retire    {keys}{_when(each)}: wait for a person to delete, then prove dead")
    else:
        steps.append(f"retire    {keys}{_when(each)}: disable where that exists, delete, prove dead")
    for number, step in enumerate(steps, 1):
        yield f"  {number}. {step}"
    yield f"     feel      {_felt(each)}"
    if RULES[mode].emergency:
        for name in each.consumers:
            yield clean(f"               {name}: {consuming.predicted(each, name)}")


def _when(each: Planned) -> str:
    after = f", {words.span(each.overlap)} later" if each.overlap else ""
    return after + (f" and once unused for {words.span(each.quiet_for)}" if each.quiet_for else "")


def _felt(each: Planned) -> str:
    readers = ", ".join(_readers(each))
    if each.outage:
        return f"{readers}: no working key for about {words.span(each.outage)}"
    if each.overlap:
        return f"{readers}: nothing, if they read the store at least every {words.span(each.overlap)}"
    return f"{readers}: nothing, if they read the store every time"


def _cannot(plans: Sequence[Planned], out: Terminal) -> Iterator[str]:
    for each in plans:
        if each.problem is not None:
            message, hint = each.problem
            line = out.style(clean(f"cannot: {each.credential}: {message}"), "red")
            yield line + (f" — {clean(hint)}" if hint else "")
        for cannot in each.cannot:
            yield f"note: {each.credential}: {cannot}"


def bounds(plans: Sequence[Planned], parallel: int) -> Iterator[str]:
    """Both lower bounds without overlap and quiet: the longest path at 300 ms a request, and the providers' limits."""
    found = bounds_of(plans, parallel)
    if found is None:
        yield "nothing can be done"
        return
    yield f"work, without waiting: not faster than {words.span(found.path)}, the longest path, at 300 ms a request"
    if found.waves > found.path:
        yield f"  nor than {words.span(found.waves)}: {parallel} at a time"
    for provider, limit in sorted(found.limits.items()):
        yield f"  nor than {words.span(limit)}: what {provider} allows"
