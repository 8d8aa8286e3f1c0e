"""The API is as it describes itself, whatever is sent to it: no 500, and no answer that the description lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.generation import GenerationMode

from tests.api.conftest import MINE, Api

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
SLOW = {"/v1/commands": 10}
"""Examples of what starts a process for each."""


def prober(token: str, path: str, sent: Counter[str]) -> Callable[[Any], None]:
    """Sends one case and holds the answer against the description."""

    def probe(case: Any) -> None:
        response = case.call(headers={"Authorization": f"Bearer {token}"}, timeout=120)
        case.validate_response(response, checks=CHECKS)
        sent[path] += response.status_code != 401

    return probe


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_sent_no_answer_is_a_500_or_undescribed(api: Api, mode: GenerationMode) -> None:
    api.scene.say("adopt", MINE)
    described = api.get("/v1/openapi.json")
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=api.url)
    sent: Counter[str] = Counter()
    nothing_to_get_wrong = set()
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # the other kind is an error, and has no such thing
        token = api.tokens["web" if operation.path == "/v1/inventories" else "responder"]
        most = SLOW.get(operation.path, 40)
        tries = settings(max_examples=most, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        cases = given(case=operation.as_strategy(generation_mode=mode))
        try:
            tries(cases(prober(token, operation.path, sent)))()
        except Unsatisfiable:
            nothing_to_get_wrong.add(operation.path)
    assert set(sent) | nothing_to_get_wrong == set(described["paths"])
    assert len(sent) > len(nothing_to_get_wrong)
    assert mode is GenerationMode.NEGATIVE or not nothing_to_get_wrong


def test_the_description_says_which_token_and_what_a_problem_is(api: Api) -> None:
    described = api.get("/v1/openapi.json")
    assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert described["components"]["schemas"]["Problem"]["required"]
    for path, methods in described["paths"].items():
        assert path.startswith("/v1/")
        for operation in methods.values():
            assert operation["description"]
            assert operation["responses"]["422"]["content"].keys() == {"application/problem+json"}
