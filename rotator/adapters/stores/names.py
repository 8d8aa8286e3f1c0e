"""References, names of what is kept beside them, and values: what every store refuses before it asks anybody."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote

from rotator.domain.failures import Permanent
from rotator.domain.times import quoted

LONGEST_REF = 1024
LONGEST_NAME = 200
"""Bytes of a quoted name: file systems take 255, and a temporary file's name is made of it."""

LARGEST_VALUES = 128 * 1024
"""Bytes of all values of a place: what an environment variable can have, and any storage of Vault takes as an entry

(https://developer.hashicorp.com/vault/docs/internals/limits).
"""


def components(ref: str, private: str) -> tuple[str, ...]:
    """The parts of a reference between its slashes; `private` is the prefix that is the rotator's own.

    Raises Permanent for a reference that is empty, absolute, hidden in dots, unprintable or the rotator's own.
    """
    parts = tuple(ref.split("/"))
    hint = "a reference is a relative path like team/service, without empty parts or dots alone"
    if not ref.isprintable() or len(ref) > LONGEST_REF or any(part in ("", ".", "..") for part in parts):
        raise Permanent(f"{quoted(ref)} is no reference", hint)
    own = tuple(private.split("/"))
    if parts[: len(own)] == own:
        raise Permanent(f"{quoted(ref)} lies where the rotator keeps its own values", "publish to another reference")
    return parts


def name_of(text: str) -> str:
    """Any text as one name of a file or of a part of a path, reversibly; it never begins with a dot.

    Raises Permanent when it is empty or too long.
    """
    name = quote(text, safe="@+=,")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if not 0 < len(name) <= LONGEST_NAME:
        raise Permanent(f"{quoted(text)} is too long to be a name, or empty", f"at most {LONGEST_NAME} bytes fit")
    return name


def text_of(name: str) -> str:
    """What `name_of` was given."""
    return unquote(name)


def check_values(fields: Mapping[str, str]) -> None:
    """Raise Permanent unless every value is text that UTF-8 can hold, and all together are not too large."""
    size = 0
    for name, value in fields.items():
        try:
            size += len(value.encode())
        except UnicodeEncodeError:
            message = f"the value of {quoted(name)} is no text"
            raise Permanent(message, "a store holds UTF-8 text; encode the value") from None
    if size > LARGEST_VALUES:
        raise Permanent(f"the fields have {size} bytes, and a store takes {LARGEST_VALUES}", "a key is never as large")
