"""What an answer means: by its status, or by the code within it, of APIs that say in the body what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rotator.sdk import CapFull, Conflict, Denied, Failure, Permanent, SettingsError, Transient
from rotator.sdk.http import Answer

from .pointers import pointed, spelled

SUCCESS, GONE = "success", "gone"
ADMINS = (SUCCESS, "cap", "conflict", "denied", "later", "never")
"""What an answer to the admin credential can be said to mean. The rest is as `rotator.sdk.http` says."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Statuses and codes that mean the same."""

    statuses: frozenset[int]
    codes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What answers mean, in words. `code`: a pointer to where a body says what went wrong, None where none does."""

    words: Mapping[str, Meaning]
    code: str | None

    def of(self, answer: Answer) -> str | None:
        """The word for an answer; None for one that says nothing we know.

        A code decides before a status. One that is not known is never taken for a success.
        """
        code = spelled(pointed(answer.body, self.code)) if self.code is not None else None
        for word, meaning in self.words.items():
            if code is not None and code in meaning.codes:
                return word
        if code is not None and 200 <= answer.status < 300:
            return None
        return next((word for word, meaning in self.words.items() if answer.status in meaning.statuses), None)

    def known(self, answer: Answer) -> bool:
        """Whether there is a word for it."""
        return self.of(answer) is not None


def read_meaning(given: Any, where: str, code: str | None, *, needed: bool) -> Meaning:
    """A list of statuses, as numbers, and codes, as texts. Raises `SettingsError`, for an empty one if `needed`."""
    if not isinstance(given, list | tuple) or (needed and not given):
        raise SettingsError(f"{where} is no list", "write statuses as numbers and codes in quotes: [409, 'quota']")
    numbers = [each for each in given if isinstance(each, int) and not isinstance(each, bool)]
    codes = [each for each in given if isinstance(each, str | bool)]
    if len(numbers) + len(codes) < len(given) or not all(100 <= each <= 599 for each in numbers):
        raise SettingsError(f"{where} holds what is neither status nor code", "statuses are numbers from 100 to 599")
    if codes and code is None:
        raise SettingsError(f"{where} holds a code", "say by error_code: /error/code where answers have it")
    return Meaning(frozenset(numbers), frozenset(str(spelled(each)) for each in codes))


def refusal(word: str, host: str, permission: str) -> Failure:
    """The failure that a word means."""
    match word:
        case "cap":
            return CapFull(f"{host} has no room for another key", "delete a key that is not needed")
        case "conflict":
            return Conflict(f"{host} has such a key already")
        case "denied":
            hint = f"the admin credential needs {permission}" if permission else "give it the permission"
            return Denied(f"{host} does not let the admin credential do this", hint, permission=permission)
        case "later":
            return Transient(f"{host} wants to be asked later", throttled=True)
    return Permanent(f"{host} refuses this for good", "see what its documentation says of the answer")
