"""What a form sent: a few fields, each once, each bounded, and where to go afterwards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote

from rotator.api.problems import Problem
from rotator.app.spoken import one_line, spoken

MOST: Final = 20
LONGEST: Final = 500
"""Characters of what a person says."""
LONGEST_PATH: Final = 1000
_SLASHED = re.compile(r"[/\\]{2}")


@dataclass(frozen=True, slots=True)
class Form:
    """Its fields. They may hold a token, so nobody sees them by printing this."""

    fields: Mapping[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        """What stands there; empty: nothing."""
        return self.fields.get(name, "")

    def only(self, *names: str) -> None:
        """Raises `Problem` for a field that is none of these."""
        if not self.fields.keys() <= {"csrf", "once", "back", *names}:
            raise Problem(
                422, "the form has a field that is not known here", "load the page again, and send it from there"
            )

    @property
    def why(self) -> str:
        """What a person gave as reason, on one line and without what is secret.

        Raises `Problem` where it is missing or too long.
        """
        text = one_line(self.get("why"))
        if not text:
            raise Problem(422, "why? nothing is done without a reason", "go back, and write one for the trail")
        if len(text) > LONGEST:
            raise Problem(422, f"the reason is longer than {LONGEST} characters", "go back, and say it in fewer")
        return spoken(self.get("why"))

    def back(self, otherwise: str) -> str:
        """Where to go afterwards, which is never another site."""
        return local(self.get("back")) or otherwise


def read_form(data: bytes) -> Form:
    """Raises `Problem` for what is no form, for too many fields, and for a field that is there twice."""
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(data),
            max_num_fields=MOST,
            errors="strict",
        )
    except ValueError:
        raise Problem(422, "what came is no form", "send it from our own page") from None
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Problem(422, "the form has a field twice", "send it from our own page")
    return Form(dict(pairs))


def local(path: str) -> str:
    """A path on this server, as a header may hold it; empty for everything that a browser could take for more."""
    plain = unquote(path, errors="replace")
    if not path.startswith("/") or len(path) > LONGEST_PATH:
        return ""
    if any(_SLASHED.search(each.partition("?")[0]) or "\\" in each or not each.isprintable() for each in (path, plain)):
        return ""
    return quote(path, safe="/?&=%:;,.+~!*'()@$-_#")


def page_of(kind: str, name: str) -> str:
    """The path of a page about something, whatever its name is."""
    return f"/{kind}/{quote(name, safe='')}"
