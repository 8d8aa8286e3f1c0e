"""What a keyserver saw: an append-only list of calls, from which tests, demo and benchmarks read their figures."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from rotator.testing.keyserver.behaviour import FaultKind, Operation

ADMIN = "admin"
NOBODY = "nobody"
OK = "ok"
NOT_DONE = "not_done"
INVALID_KEY = "invalid_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One call, with no secret in it. Instants are epoch seconds of the keyserver's clock.

    seq: from 1, in the order in which calls ended.
    done_at: when it was carried out or turned down; None if a fault kept it from that.
    answered_at: None if the connection was closed without an answer, by a fault or by the caller.
    key_id: the key made, changed or presented; None if there is none.
    outcome: what became of the effect: `ok`, an error's word, or `not_done` (a fault came first).
    status: of the answer sent; may differ from what the outcome would have been. None: no answer.
    fault: what was made to go wrong, if anything.
    caller: `admin`, the id of the key presented (a dead one's too), or `nobody`.
    consumer: what the caller's X-Consumer header says.
    """

    seq: int
    received_at: float
    done_at: float | None
    answered_at: float | None
    operation: Operation
    principal: str | None
    key_id: str | None
    mark: str | None
    outcome: str
    status: int | None
    fault: FaultKind | None
    caller: str
    consumer: str | None


class Log:
    """Records, oldest first. One thread appends; any may read, and what was read never changes."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records = list(records)

    def append(self, record: Record) -> None:
        self._records.append(record)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._records))

    @property
    def next_seq(self) -> int:
        return self._records[-1].seq + 1 if self._records else 1

    def since(self, seq: int, *, most: int | None = None) -> "Log":
        """Take the calls that ended after that of number `seq` (0: all), at most so many of them."""
        start = bisect_right(self._records, seq, key=lambda record: record.seq)
        return Log(self._records[start : None if most is None else start + most])

    def of(self, *operations: Operation) -> "Log":
        return Log(record for record in self if record.operation in operations)

    # -- figures ------------------------------------------------------------------------------------------------------

    def calls(self) -> Counter[Operation]:
        """Count the calls of each operation, failed and lost ones too."""
        return Counter(record.operation for record in self)

    def mint_requests(self) -> Counter[str | None]:
        """Count the mint requests that came with each mark; None: without one."""
        return Counter(record.mark for record in self.of(Operation.MINT))

    def failed_resource_calls(self) -> Counter[str | None]:
        """Count the calls of the resource that got no 200, by consumer; one without any is absent."""
        return Counter(record.consumer for record in self.of(Operation.RESOURCE) if record.status != HTTPStatus.OK)

    def first_refusal(self, key_id: str, *, since: float = 0.0) -> float | None:
        """Find when the key was first refused as invalid from `since` on, not merely by a fault; None: never."""
        refused = [r.done_at for r in self._presented(key_id) if r.outcome == INVALID_KEY and r.done_at is not None]
        return min((at for at in refused if at >= since), default=None)

    def last_use(self, key_id: str) -> float | None:
        """Find when the key was last accepted by the resource; None: never."""
        used = [r.done_at for r in self._presented(key_id) if r.outcome == OK and r.done_at is not None]
        return max(used, default=None)

    def _presented(self, key_id: str) -> Iterator[Record]:
        return (record for record in self.of(Operation.RESOURCE) if record.caller == key_id)
