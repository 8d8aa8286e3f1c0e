"""Holds what reaches a stand-in, and what it answers, against the vendor's own OpenAPI description.

It takes the place of Prism: what Prism checks is checked here, by openapi-core, in the stand-in itself. So every
request that a driver sends in any test is held against the description, and not only those of a run of their own; and
beyond Prism a member or a query's name that the description does not know is refused, as a misspelt one must be.

    class AcmeStandIn(DescribedStandIn):
        description = Description("acme.json", base="/v1")      # a file of `shared/specs` beside the project's folder

        def respond(self, asked: Asked) -> Reply: ...           # instead of `answer`

What is not accepted is answered with 400, and `close` fails the test. Faults that a test injects are not held against
anything. Where the description is not there (`$ROTATOR_SPECS` may say where it is) the stand-in works without, and a
test that is about it calls `required()`, which raises `Unavailable`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.finders import APICallPathFinder
from openapi_core.templating.responses.exceptions import ResponseFinderError
from openapi_core.testing import MockResponse
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.servers import Unavailable
from tests.servers.api import Asked, Reply, StandIn

SPECS = "ROTATOR_SPECS"
HOST = "http://stand-in"
ENOUGH = 20
"""Answers to one line that are held against the description: the 21st page of a list costs 50 ms and tells nothing."""


@dataclass(slots=True)
class Arrived:
    """A request in the form that openapi-core takes, which writes into it what it found out."""

    asked: Asked
    parameters: RequestParameters
    host_url: str = HOST

    @property
    def path(self) -> str:
        """With each segment quoted, as it was on the wire."""
        return "/" + "/".join(quote(each, safe="") for each in self.asked.path)

    @property
    def method(self) -> str:
        return self.asked.method.lower()

    @property
    def body(self) -> bytes | None:
        return None if self.asked.body is None else json.dumps(self.asked.body).encode()

    @property
    def content_type(self) -> str:
        return self.asked.headers.get("content-type", "").lower()

    @classmethod
    def of(cls, asked: Asked) -> Arrived:
        """The same."""
        return cls(asked, RequestParameters(query=ImmutableMultiDict(asked.query), header=Headers(dict(asked.headers))))


@dataclass(frozen=True)
class Description:
    """One vendor's description.

    base: the path before all of the description's paths.
    additions: what the vendor documents elsewhere and the description does not have yet, merged into it; say beside it
    where it stands. What the description has by now is refused, so that no addition outlives its reason.
    """

    file: str
    base: str = "/"
    additions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it is, or would be."""
        beside = Path(__file__).resolve().parents[3] / "shared" / "specs"
        return Path(os.environ.get(SPECS) or beside) / self.file

    def required(self) -> None:
        """Raises `Unavailable` where it is not there."""
        if not self.path.is_file():
            raise Unavailable(f"the vendor's description {self.file} is not there: requests are held against nothing")

    def load(self) -> None:
        """Read it, if it is there, and hold a request against it: the first is the dearest. May be called again."""
        if self._requests is not None and self._answers is not None:
            self.refuses(Asked(method="GET", path=(), query={}, headers={}, body=None))

    def refuses(self, asked: Asked) -> str | None:
        """Why the vendor would not take this request; None if it would, or where there is no description."""
        if self._requests is None:
            return None
        arrived = Arrived.of(asked)
        try:
            self._requests.validate_request(arrived)
            unknown = set(asked.query) - set(self._names_in_query(arrived))
        except OpenAPIError as error:
            return _why(error)
        return f"the description knows no {sorted(unknown)} in the query" if unknown else None

    def contradicts(self, asked: Asked, reply: Reply) -> str | None:
        """Why the vendor would not answer so; None if it would. Of a status that it does not list: None."""
        if self._answers is None or reply.content is not None:
            return None
        response = MockResponse(data=reply.encoded(), status_code=reply.status)
        try:
            self._answers.validate_response(Arrived.of(asked), response)
        except ResponseFinderError:
            return None
        except OpenAPIError as error:
            return _why(error)
        return None

    @cached_property
    def _text(self) -> dict[str, Any] | None:
        if not self.path.is_file():
            return None
        text: dict[str, Any] = json.loads(self.path.read_text())
        _merge(text, self.additions, self.file)
        text["servers"] = [{"url": self.base}]
        _make_plain(text["paths"])
        return text

    @cached_property
    def _requests(self) -> OpenAPI | None:
        # the vendors' descriptions are no models of correctness, and checking one of 300 kB takes seconds
        strict = Config(spec_validator_cls=None, additional_properties_default_policy="forbid")
        return None if self._text is None else OpenAPI.from_dict(self._text, config=strict)

    @cached_property
    def _answers(self) -> OpenAPI | None:
        # not as strict: it would take the two halves of an `allOf` for strangers to each other
        return None if self._text is None else OpenAPI.from_dict(self._text, config=Config(spec_validator_cls=None))

    def _names_in_query(self, arrived: Arrived) -> Iterator[str]:
        assert self._requests is not None
        found = APICallPathFinder(self._requests.spec).find(arrived.method, HOST + arrived.path)
        for parameter in (*found.path.get("parameters", ()), *found.operation.get("parameters", ())):
            if parameter["in"] == "query":
                yield parameter["name"]


class DescribedStandIn(StandIn):
    """A stand-in whose every request is held against the vendor's description; a subclass says what it answers."""

    description: ClassVar[Description]

    def __init__(self) -> None:
        self.unaccepted: list[str] = []
        self._answered: Counter[str] = Counter()
        self.description.load()  # a driver's first request does not wait for it
        super().__init__()

    def respond(self, asked: Asked) -> Reply:
        """What it answers; a subclass's."""
        raise NotImplementedError

    def answer(self, asked: Asked) -> Reply:
        """As `respond` says, which must be as the vendor would."""
        reply = self.respond(asked)
        self._answered[asked.line] += 1
        if self._answered[asked.line] <= ENOUGH:
            self._note(asked, f"answered {reply.status}, but", self.description.contradicts(asked, reply))
        return reply

    def close(self) -> None:
        """Stop to listen, and fail if the vendor would not have accepted something."""
        super().close()
        unaccepted, self.unaccepted = self.unaccepted, []
        assert not unaccepted, "\n".join(["against the vendor's description:", *unaccepted])

    def _respond(self, asked: Asked) -> Reply:
        refused = self.description.refuses(asked)
        if refused is None:
            return super()._respond(asked)
        with self._lock:
            self.asked.append(asked)
            self._note(asked, "refused:", refused)
        return Reply(400, {"error": {"message": refused}})

    def _note(self, asked: Asked, what: str, problem: str | None) -> None:
        if problem is not None:
            self.unaccepted.append(f"{asked.line} {what} {problem}")


def _merge(into: dict[str, Any], more: Mapping[str, Any], at: str) -> None:
    for name, value in more.items():
        if name in into and isinstance(value, Mapping) and isinstance(into[name], dict):
            _merge(into[name], value, f"{at}: {name}")
        else:
            assert name not in into, f"{at} has {name} by now: take the addition out"
            into[name] = value


def _make_plain(paths: Mapping[str, Any]) -> None:
    """openapi-core reads no parameter of two types; the second is always null, which no query can say."""
    operations = [operation for path in paths.values() for operation in path.values() if isinstance(operation, dict)]
    for parameter in (each for operation in operations for each in operation.get("parameters", ())):
        kind = parameter.get("schema", {}).get("type")
        if isinstance(kind, list):
            (parameter["schema"]["type"],) = [each for each in kind if each != "null"]


def _why(error: Exception) -> str:
    """With the cause, where the member that is wrong has its name."""
    inner = error.__cause__ or error.__context__
    return f"{error}: {inner}" if inner is not None and str(inner) not in str(error) else str(error)
