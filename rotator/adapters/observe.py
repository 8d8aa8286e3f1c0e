"""Observers: one that says nothing, one that passes on to several, and the log, which is structlog's."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Literal

from rotator.domain.defects import told, where
from rotator.domain.records import Checkpoint, Event, EventKind
from rotator.domain.rotation import Phase, Rotation
from rotator.ports import Observer

Level = Literal["debug", "info", "warning", "error"]
LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_PHASES: dict[str, Level] = {Phase.STUCK: "error", Phase.ROLLING_BACK: "warning", Phase.ROLLED_BACK: "warning"}


class Quiet:
    """Hears everything and says nothing."""

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Nothing."""

    def alert(self, action: str, subject: str, message: str) -> None:
        """Nothing."""


class Several:
    """Passes on what it hears, in this order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """To each."""
        for each in self._observers:
            each.committed(row, events)

    def alert(self, action: str, subject: str, message: str) -> None:
        """To each."""
        for each in self._observers:
            each.alert(action, subject, message)


class Log:
    """JSON, one object a line: every committed event, every alert, the head of every checkpoint.

    `action` is a word of `rotator.domain.vocabulary`. Intents are of level debug, because an outcome follows; what went
    wrong is a warning, what needs a person an error. Any thread may call it. structlog is imported when a log is made.

    Events come from the journal (`rotator.adapters.logged`), which every command writes and not only the engine; of
    what an observer hears, only alerts are new.
    """

    def __init__(
        self,
        level: Level = "info",
        write: Callable[[str], None] | None = None,
        net: Callable[[str], str] = lambda text: text,
        caught: Callable[[str, str, str], None] = lambda action, subject, message: None,
    ) -> None:
        """`write` gets a line without its end; None: standard error. It must not raise.

        `net`: the last one; returns a text without the values of keys in it. What it caught is an alert of its own, in
        the log and to `caught`.
        """
        import structlog

        self.write = write or _to_standard_error
        self._net = net
        self._caught = caught
        self._lock = threading.Lock()
        self._log = structlog.wrap_logger(
            _Lines(self._say),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.EventRenamer("action"),
                self._through_the_net,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        )

    def wrote(self, credential: str, fence: int, events: Sequence[Event], rotation: str = "") -> None:
        """A line per event of one commit. `rotation` is empty for what happens with none open."""
        whose = {"credential": credential, "fence": fence, **({"rotation": rotation} if rotation else {})}
        for event in events:
            say = getattr(self._log, _level(event))
            say(event.action, kind=event.kind.value, subject=event.subject, **_detail(event), **whose)

    def closed(self, checkpoint: Checkpoint) -> None:
        """A checkpoint's head, outside the journal: what shows later that the trail's end was cut off."""
        self._log.info("checkpoint", subject=str(checkpoint.number), head=checkpoint.digest)

    def service(self, action: str, message: str) -> None:
        """What becomes of the service itself."""
        self._log.info(action, kind="service", subject="the daemon", message=message)

    def committed(self, row: Rotation, events: Sequence[Event]) -> None:
        """Nothing: the journal told already."""

    def alert(self, action: str, subject: str, message: str) -> None:
        """A warning."""
        self._log.warning(action, kind="alert", subject=subject, message=message)

    def defect(self, subject: str, error: BaseException) -> None:
        """An error: where it was, of it and of what it came of; no text and no variable of any."""
        self._log.error("defect", kind="alert", subject=subject, message=where(error), exceptions=told(error))

    def _through_the_net(self, logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The same line if nothing is caught; else without what was, and an alert before it."""
        before = "\n".join(_texts(line))
        if self._net(before) == before:  # nearly always, and asked once is cheaper
            return line
        cut = {name: _mapped(self._net, value) for name, value in line.items()}
        if cut == line:
            return line
        subject, message = str(cut["action"]), "a value of a key stood in the next line of the log and was cut out"
        self.alert("redacted", subject, message)
        self._caught("redacted", subject, message)
        return cut

    def _say(self, line: str) -> None:
        with self._lock:
            self.write(line)


class _Lines:
    """What structlog hands finished lines to."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = write


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in _texts(each))
    elif isinstance(value, list | tuple):
        yield from (text for each in value for text in _texts(each))


def _mapped(change: Callable[[str], str], value: Any) -> Any:
    """The value with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _mapped(change, each) for name, each in value.items()}
    return [_mapped(change, each) for each in value] if isinstance(value, list | tuple) else value


def _level(event: Event) -> Level:
    if event.kind is EventKind.INTENT:
        return "debug"
    if event.kind is EventKind.PHASE and event.action == "phase":
        return _PHASES.get(event.subject, "info")
    return "info" if event.detail.get("result", "ok") == "ok" else "warning"


def _detail(event: Event) -> dict[str, str]:
    """The event's own fields, none of which takes the place of ours; a reason is a word and what was said with it."""
    detail = {f"detail_{name}": text for name, text in event.detail.items() if name != "reason"}
    if "reason" in event.detail:
        word, _, because = event.detail["reason"].partition(": ")
        detail |= {"reason": word, "because": because}
    return detail


def _to_standard_error(line: str) -> None:
    """One write a line. A log that cannot be written stops no rotation."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
