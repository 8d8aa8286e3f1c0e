"""A call of a port through a driver's process: encoded, answered, decoded; and what it means when that goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rotator.adapters.isolation.keeping import NOT_STARTED, Driver
from rotator.adapters.isolation.processes import Gone, Overdue, Unsent
from rotator.adapters.isolation.redaction import without
from rotator.domain.codec import CodecError, decode, encode
from rotator.domain.failures import Ambiguous, Failure, JournalOlder, Permanent, Transient
from rotator.domain.scalars import line

T = TypeVar("T")
DEFECT = "report it to who wrote the driver; who that is sees more with `isolation: off` and --debug"


class Calls:
    """The calls of one driver. `lost` makes the failure of a call whose outcome is unknown."""

    def __init__(self, label: str, driver: Driver, seconds: float) -> None:
        self._label = label
        self.driver = driver
        self._seconds = seconds

    def call(
        self,
        name: str,
        kind: Any,
        *arguments: object,
        requests: int = 1,
        lost: Callable[[str, str], Failure] = Transient,
        secrets: Sequence[str] = (),
    ) -> Any:
        """The result, of that kind. `requests`: how many it may take, each with the driver's timeout.

        Raises the driver's failure, without any of these secrets in it; `lost` where nobody knows what was done, and
        `Transient` where nothing was.
        """
        given = self._encoded(arguments)
        with self._explained(lost):
            told = self.driver.call(name, given, self._seconds * requests)
        if "failed" in told:
            raise self._failure(told["failed"], lost, secrets)
        if "returned" not in told:
            broke = line(str(told.get("broke", "an answer of another form"))[:100], "a name")
            raise lost(f"the {self._label} broke: {broke}", DEFECT)
        try:
            return decode(kind, told["returned"])
        except CodecError as error:
            unreadable = f"the {self._label} gave an unreadable answer: {error}"
        raise lost(unreadable, "report it to who wrote the driver")

    def _encoded(self, arguments: Sequence[object]) -> list[Any]:
        try:
            return [encode(each, reveal=True) for each in arguments]
        except CodecError as error:
            unsendable = f"the {self._label} cannot be given this: {error}"
        raise Permanent(unsendable, "publish less to it, and text alone")

    @contextmanager
    def _explained(self, lost: Callable[[str, str], Failure]) -> Iterator[None]:
        try:
            yield
        except NOT_STARTED as error:
            failure: Failure = Transient(f"the {self._label} does not start: {error.message}", error.hint)
        except Unsent:
            failure = Transient(f"the process of the {self._label} ended before it was asked", "")
        except Gone:
            failure = lost(f"the process of the {self._label} ended before it answered", "")
        except Overdue:
            failure = lost(f"the {self._label} did not answer in time", "")
        else:
            return
        raise failure

    def _failure(self, told: Any, lost: Callable[[str, str], Failure], secrets: Sequence[str]) -> Failure:
        try:
            failure: Failure = decode(Failure, told)
        except CodecError:
            return lost(f"the {self._label} failed in an unreadable way", "report it to who wrote the driver")
        if isinstance(failure, Ambiguous) and lost is not Ambiguous:
            failure = Transient(failure.message, failure.hint)  # only a mint may say that nobody knows
        if isinstance(failure, JournalOlder):  # a driver does not stop the engine
            return lost(
                f"the {self._label} failed in a way that is not a driver's", "report it to who wrote the driver"
            )
        if isinstance(failure, Transient):
            failure.hint = failure.hint or self.driver.refused
        known = (*secrets, *self.driver.secrets)
        for name, text in list(vars(failure).items()):
            if isinstance(text, str):
                setattr(failure, name, without(text, known))
        failure.args = (failure.message,)
        return failure
