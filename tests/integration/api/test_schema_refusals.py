"""What the OpenAPI document forbids is refused as it says, and never with a 5xx. What it allows: test_schema.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.conftest import Line
from tests.integration.databases import KINDS
from tests.thorough import THOROUGH, examples

Operation = APIOperation[Any, Any, Any, Any]

#: Examples of each operation.
EXAMPLES = examples(6, 40)
#: What is refused is refused above the database, by the same code: the second kind is for the thorough run.
REFUSING = KINDS if THOROUGH else KINDS[:1]
#: Tests that the operations are shared out among, which run side by side.
SHARES = 4
#: The stream of events has no end.
ENDLESS = {("GET", "/v1/events")}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("database", REFUSING, indirect=True)
async def test_what_is_forbidden_is_refused_as_described(line: Line, share: int) -> None:
    """With a problem (RFC 9457) of a described status."""
    assert line.app is not None
    schema = schemathesis.openapi.from_dict(line.app.openapi())
    described = list(schema.get_all_operations())
    operations = [one.ok() for one in described if isinstance(one, Ok)]
    assert len(operations) == len(described)
    mine = [one for one in operations if (one.method.upper(), one.path) not in ENDLESS][share::SHARES]
    failures: list[str] = []
    for operation in mine:
        told = await asyncio.to_thread(_first_failure, operation, line.url, EXAMPLES)
        if told is not None:
            failures.append(f"{operation.label}: {told}")
    assert not failures, "\n\n".join(failures)


def _first_failure(operation: Operation, url: str, count: int) -> str | None:
    """What is wrong with the first example that is answered wrongly."""
    try:
        _examples(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), url, count)()
    except Unsatisfiable:
        # Whoever can give nothing can give nothing wrong.
        return None
    except FailureGroup as group:
        return "\n".join(str(one) for one in group.exceptions)
    return None


def _examples(cases: st.SearchStrategy[Case[Any]], url: str, count: int) -> Callable[[], None]:
    @settings(
        max_examples=count,
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def run(case: Case[Any]) -> None:
        with requests.Session() as session:
            headers = {"Authorization": "Bearer writer"}
            case.call_and_validate(base_url=url, session=session, headers=headers, checks=CHECKS)

    return run
