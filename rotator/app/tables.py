"""Tables as CSV for people's spreadsheets: what stands in a cell is text there, and no formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import chain

FORMULA = frozenset("=+-@\t\r\n|%＝＋－＠")
"""What begins a formula in some spreadsheet, full-width forms among it."""
LONGEST = 2000
"""Characters of a cell; a spreadsheet takes 32,767."""


def cell(text: object) -> str:
    """Bounded, one line, without control characters or surrogates, and with an apostrophe before what could be run."""
    plain = "" if text is None else str(text)
    plain = plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
    starts = plain.lstrip().startswith(tuple(FORMULA)) or plain[:1] in FORMULA
    clean = "".join(each if each.isprintable() else "·" for each in plain)
    return f"'{clean}" if starts else clean


def lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Each line of the file, by RFC 4180."""
    for each in chain([header], rows):
        text = StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerow([cell(one) for one in each])
        yield text.getvalue()
