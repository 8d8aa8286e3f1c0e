"""The timeline of an incident as a picture (SVG): until when each old key lived, from when on the new one is read.

Colours are classes of the page's style. What a colour says is also said by form: a death is a dot, a cutover a diamond,
a key not proven dead is hatched and goes on to the edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import chain

from rotator.cli.terminal import clean
from rotator.domain.evidence import Evidence, Replaced

WIDTH, RIGHT, TOP, ROW = 1000, 24, 46, 22
LETTER, LEAST_LEFT = 7.2, 60
"""The width of a letter of a name, and of all names at least."""
BEFORE = 0.2
"""The share of the picture that shows what was before the first command, at a scale of its own."""
STEPS = tuple(
    timedelta(seconds=each) for each in (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400, 604800)
)
TICKS = 6
LONGEST = 28
"""Characters of a name."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where an instant is, from left to right: before `begin` at one scale, behind it at another."""

    start: datetime
    begin: datetime
    end: datetime
    left: float

    @property
    def broken(self) -> bool:
        """Whether there are two scales."""
        return self.start < self.begin

    def x(self, at: datetime) -> float:
        """In the picture's units; what is outside is at the edge."""
        inner = WIDTH - self.left - RIGHT
        split = BEFORE * inner if self.broken else 0.0
        if at < self.begin:
            share = _share(at, self.start, self.begin)
            return self.left + split * share
        return self.left + split + (inner - split) * _share(at, self.begin, self.end)

    def ticks(self) -> Iterator[datetime]:
        """Round instants behind `begin`, a handful."""
        span = max(self.end - self.begin, timedelta(seconds=1))
        step = next((each for each in STEPS if span / each <= TICKS), STEPS[-1])
        zero = datetime(2000, 1, 1, tzinfo=UTC)
        at = zero + step * -(-(self.begin - zero) // step)
        while at <= self.end:
            yield at
            at += step


def _share(at: datetime, start: datetime, end: datetime) -> float:
    if end <= start:
        return 0.0
    return min(max((at - start) / (end - start), 0.0), 1.0)


def scale_of(evidence: Evidence) -> Scale:
    """From the beginning of the window, or the first command, to the last thing that happened."""
    rows = evidence.replaced
    begin = evidence.detected_at or min((row.started_at for row in rows if row.started_at), default=evidence.made_at)
    ends = [
        at
        for row in rows
        for at in (row.live_at, row.ended_at, row.dead_at, *(old.dead_at for old in row.old_keys))
        if at is not None
    ]
    end = evidence.made_at if any(not row.proven for row in rows) or not ends else max(ends)
    start = evidence.window[0] if evidence.window is not None else begin
    left = max(LEAST_LEFT, 20 + LETTER * max((len(_name(row)) for row in rows), default=0))
    return Scale(min(start, begin), begin, max(end, begin + timedelta(seconds=1)), left)


def drawn(evidence: Evidence) -> str:
    """The picture, with a text for whoever cannot see it."""
    scale, rows = scale_of(evidence), _ordered(evidence.replaced)
    height = TOP + ROW * len(rows) + 30
    parts = chain(
        _axis(scale, height),
        chain.from_iterable(_row(row, scale, TOP + ROW * number) for number, row in enumerate(rows)),
    )
    told = f"{evidence.proven} of {len(rows)} credentials proven clean; the table below says the same in numbers"
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(told)}">'
    return "\n".join((head, _HATCH, *parts, "</svg>"))


def _ordered(rows: Sequence[Replaced]) -> list[Replaced]:
    """The first death first, what is not proven at the end."""
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(rows, key=lambda row: row.dead_at or (last if not row.proven else row.ended_at or last))


_HATCH = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" class="exposed"/><line x1="0" y1="0" x2="0" y2="6" class="hatch"/></pattern></defs>'
)


def _axis(scale: Scale, height: int) -> Iterator[str]:
    bottom = height - 24
    for at in scale.ticks():
        x = scale.x(at)
        yield f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" class="grid"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 16}" class="tick" text-anchor="middle">{_clock(at, scale)}</text>'
    x = scale.x(scale.begin)
    yield f'<line x1="{x:.1f}" y1="{TOP - 14}" x2="{x:.1f}" y2="{bottom}" class="begin"/>'
    yield f'<text x="{x + 4:.1f}" y="{TOP - 18}" class="label">first command {scale.begin:%Y-%m-%d %H:%M:%S} UTC</text>'
    if scale.broken:
        yield f'<text x="{scale.left:.0f}" y="{TOP - 18}" class="label">exposed since {scale.start:%m-%d %H:%M}</text>'
        yield f'<text x="{x - 8:.1f}" y="{bottom + 16}" class="tick" text-anchor="middle">//</text>'


def _clock(at: datetime, scale: Scale) -> str:
    return f"{at:%H:%M:%S}" if scale.end - scale.begin < timedelta(days=1) else f"{at:%m-%d %H:%M}"


def _row(row: Replaced, scale: Scale, y: int) -> Iterator[str]:
    middle = y + ROW / 2
    yield f"<g><title>{escape(_told(row))}</title>"
    yield f'<text x="{scale.left - 10:.0f}" y="{middle + 4}" class="name" text-anchor="end">{escape(_name(row))}</text>'
    if row.proven and row.dead_at is None:
        yield f'<text x="{scale.left + 6:.0f}" y="{middle + 4}" class="tick">it had no old key</text></g>'
        return
    left, end = scale.x(scale.start), row.dead_at or scale.end
    right = scale.x(end)
    fill = 'class="exposed"' if row.proven else 'fill="url(#hatch)"'
    yield f'<rect x="{left:.1f}" y="{middle - 6}" width="{max(right - left, 1):.1f}" height="6" rx="2" {fill}/>'
    if row.live_at is not None:
        x = scale.x(row.live_at)
        yield f'<rect x="{x:.1f}" y="{middle + 1}" width="{WIDTH - RIGHT - x:.1f}" height="5" rx="2" class="fresh"/>'
        yield f'<path d="M{x:.1f} {middle - 1}l5 5l-5 5l-5 -5z" class="cutover"/>'
    if row.proven:
        yield f'<circle cx="{right:.1f}" cy="{middle - 3}" r="5" class="death"/>'
    yield "</g>"


def _name(row: Replaced) -> str:
    name = clean(row.credential)
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _told(row: Replaced) -> str:
    live = f"new key live {row.live_at:%H:%M:%S}" if row.live_at else "no new key live"
    dead = f"old dead {row.dead_at:%H:%M:%S}" if row.dead_at else "old not proven dead"
    return (
        f"{clean(row.credential)}: {live}, {dead if not (row.proven and row.dead_at is None) else 'it had no old key'}"
    )
