"""What of a config may be repeated on a screen, and which of its settings must be references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rotator.config.recognise import contains_key, hidden
from rotator.domain.times import quoted

Steps = tuple[str | int, ...]

_RUN = re.compile(r"[A-Za-z0-9+/=_!$%^&*-]{12,}")
_HUMP = re.compile(r"[a-z][A-Z]")
_NAME = re.compile(
    r"(?:.*[_-])?(?:admin|token|password|passwd|passphrase|secret|secret_id|secret_key|api_?key|private_key|"
    r"secret_access_key|credentials?)",
    re.IGNORECASE,
)
_OBJECTS = frozenset({"external_secret"})
"""What is called a secret and is the name of one, which is none."""


def masked(text: str) -> str:
    """The text without what could be a secret: known forms, and long runs that mix cases, or letters with digits."""
    return _RUN.sub(lambda run: "…" if _random(run[0]) else run[0], hidden(text))


def shown(word: object) -> str:
    """A word of the config as it may be repeated, in quotes."""
    text = str(word)
    return quoted("…" if contains_key(text) else masked(text))


def dotted(path: tuple[object, ...]) -> str:
    """A path as it may be shown: `credentials.openai.publish.0`."""
    steps = (masked(str(step)) for step in path)
    return ".".join(f"'{step}'" if "." in step else step for step in steps)


def must_refer(name: str) -> bool:
    """Whether a setting of this name holds a reference, because what it refers to is a secret."""
    return name not in _OBJECTS and _NAME.fullmatch(name) is not None


def secret_settings(value: Any, path: Steps, *, named: bool = False) -> Iterator[tuple[Steps, Any]]:
    """What stands in settings whose name says that it is a secret, at any depth."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from secret_settings(each, (*path, key), named=named or must_refer(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from secret_settings(each, (*path, index), named=named)
    elif named and value is not None and not isinstance(value, bool):
        yield path, value


def _random(run: str) -> bool:
    if len(_HUMP.findall(run)) >= 5:
        return True
    return sum(each.isdigit() for each in run) >= 3 and sum(each.isalpha() for each in run) >= 3
