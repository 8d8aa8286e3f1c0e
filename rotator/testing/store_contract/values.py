"""Texts, names and references that are hard on a store."""

from __future__ import annotations

from collections.abc import Mapping

from rotator.ports import Store

VALUES: Mapping[str, str] = {
    "plain": "sk-proj-0123456789abcdefABCDEF",
    "empty": "",
    "url": "postgresql://app_a:s3cr3t%40x@db:5432/app?sslmode=verify-full#x",
    "base64": "aGVsbG8+/+8=",
    "spaces": "  two words and a blank at the end ",
    "single quote": "it's",
    "double quote": 'say "please"',
    "both quotes": """it's "both" of them""",
    "dollar": "pa$$word$HOME",
    "backtick": "a`id`b",
    "expansion": "a${HOME}b",
    "backslash": r"C:\new\table",
    "two backslashes": r"\\server\share" + "\\",
    "number sign": "before # not a comment",
    "equals": "=a=b=",
    "json": '{"api_key": "x", "n": [1, null]}',
    "newline": "first\nINJECTED=second",
    "ends in a newline": "-----BEGIN KEY-----\nMIIB\n-----END KEY-----\n",
    "carriage return": "first\r\nsecond\r",
    "tab": "a\tb",
    "null": "a\0b",
    "escape": "a\x1b[31mb",
    "line separator": "a\u2028INJECTED=b",
    "unicode": "pässwörd-ключ-鍵-🔑",
    "null as text": "null",
    "number": "0123",
    "long": "x" * 100_000,
    "half of a character": "\ud83d",
    "too long": "x" * 200_000,
}
NOWHERE = frozenset({"half of a character", "too long"})
"""What no store takes."""

ODD_NAMES = ("app_a@51c9", "projects/p/keys/1", "..", ".", "a%2Fb", "ключ 1", "UPPER+lower=,", "key", "~")
"""Ids of keys as providers make them, and worse."""

BAD_REFS = ("", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\nb", "a\0b")


def both(text: str) -> dict[str, str]:
    """The two fields of the `current` place with the same text in both, so that a torn reading shows."""
    return {"API_KEY": text, "USER": text}


def too_long_for(store: Store) -> frozenset[str]:
    """The names of the values that the store says it has no room for."""
    room = store.capabilities().max_bytes
    return frozenset(name for name, text in VALUES.items() if room is not None and len(text) > room)
