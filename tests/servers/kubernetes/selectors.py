"""Label selectors, as far as anybody here writes them, and the one field selector that kubectl sends."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.servers.kubernetes.objects import Object

_TERM = re.compile(r"(!?)([^=!,() ]+)\s*(?:(==|=|!=)\s*([^,()]*)|\s(in|notin)\s*\(([^)]*)\))?")


def chosen(stored: Object, query: Mapping[str, str]) -> bool:
    """Whether a list with this query contains the object."""
    name = query.get("fieldSelector", "").removeprefix("metadata.name=")
    labels = stored["metadata"].get("labels") or {}
    return name in ("", stored["metadata"]["name"]) and all(
        _holds(term, labels) for term in _TERM.finditer(query.get("labelSelector", ""))
    )


def _holds(term: re.Match[str], labels: Mapping[str, str]) -> bool:
    without, key, operator, text, among, texts = term.groups()
    if operator is not None:
        return (labels.get(key) == text) == (operator != "!=")
    if among is not None:
        return (labels.get(key) in [each.strip() for each in texts.split(",")]) == (among == "in")
    return (key in labels) != bool(without)
