"""Templates of fields: what is written must be readable backwards, or nobody knows which key a store holds."""

from __future__ import annotations

import re
from itertools import pairwise

_PART = re.compile(r"\{([a-z_]+)\}")
_LIKE_A_PART = re.compile(r"\{\s*[A-Za-z_][\w.!:-]*\s*\}")
_SEPARATES = re.compile(r"[^A-Za-z0-9_-]")

Complaint = tuple[str, str]


def complaint(template: str) -> Complaint | None:
    """What is wrong with a template and what to write instead; None when nothing is.

    The template is not repeated: somebody may have written the secret itself there.
    """
    parts = list(_PART.finditer(template))
    misspelt = next((each[0] for each in _LIKE_A_PART.finditer(template) if not _PART.fullmatch(each[0])), None)
    if misspelt is not None:
        return "mentions a part that no key has", 'parts are lower-case words without spaces, like "{secret}"'
    if not parts:
        return "mentions no part of a key", 'write "{secret}", or as in "postgresql://{user}:{password}@db/app"'
    for left, right in pairwise(parts):
        between = template[left.end() : right.start()]
        if not _SEPARATES.search(between):
            what = f"cannot be read backwards between {left[0]} and {right[0]}"
            return what, "put something between them that neither contains, like : or @ or /"
    return None
