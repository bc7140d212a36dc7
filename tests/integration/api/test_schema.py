"""The API against its own description: whatever is sent, no 5xx, and nothing is answered that is not described."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.conftest import Line
from tests.integration.databases import Database
from tests.thorough import examples

#: Requests for each operation.
_EXAMPLES = {"sqlite": examples(10, 50), "postgresql": examples(4, 20)}
#: Left out, each for its reason; a name that is not in the description fails the test.
_LEFT_OUT = {
    ("GET", "/v1/events"): "its answer never ends; tests/integration/api/test_events.py",
}
_CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
_PARTS = frozenset({"method", "url", "headers", "params", "cookies", "data", "json", "files"})


def operations(schema: Any) -> Iterator[Any]:
    """Every operation of the description but those left out."""
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) not in _LEFT_OUT:
            yield operation


@pytest.mark.timeout(300)
async def test_whatever_is_sent_is_answered_as_described(line: Line, database: Database) -> None:
    assert line.app is not None
    schema = schemathesis.openapi.from_dict(line.app.openapi())
    described = {(name.upper(), path) for path, names in line.app.openapi()["paths"].items() for name in names}
    assert _LEFT_OUT.keys() <= described
    examples = _EXAMPLES[database.kind]
    loop = asyncio.get_running_loop()
    problems: list[str] = []
    # In process, without a socket; in this loop, in which the database's connections are.
    transport = httpx.ASGITransport(line.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://line.example") as client:
        known = await _known(client)
        answered: Counter[int] = Counter()

        def ask(case: Any) -> None:
            if answered.total() % 2:
                # What is made up names nothing that there is: every other request is about something.
                case.path_parameters |= {name: known[name] for name in known.keys() & case.path_parameters.keys()}
            asked = asyncio.run_coroutine_threadsafe(_send(client, case), loop)
            answer = asked.result(20)
            answered[answer.status_code // 100] += 1
            case.validate_response(answer, checks=_CHECKS)

        for operation in operations(schema):
            try:
                await asyncio.to_thread(_try, operation, examples, ask)
            except (Exception, FailureGroup) as error:
                problems.append(f"{operation.method.upper()} {operation.path}: {_told(error)}")
    assert not problems, "\n\n".join(problems)
    assert answered[2] > answered.total() / 10, f"hardly anything was done: {answered}"


async def _known(client: httpx.AsyncClient) -> dict[str, Any]:
    """Path parameters that name something."""
    bearer = {"Authorization": "Bearer writer"}
    ticket = {"requester_name": "Julie Tremblay", "requester_email": "julie@clinique.example", "observed": "Silence."}
    incident = {
        "desk": "omnivigil",
        "title": {"fr": "Téléphonie", "en": "Telephony"},
        "impact": "major",
        "stage": "investigating",
        "texts": {"fr": "Nous vérifions.", "en": "We are looking."},
    }
    made = [
        await client.post(path, json=body, headers=bearer)
        for path, body in (("/v1/tickets", ticket), ("/v1/incidents", incident))
    ]
    assert [one.status_code for one in made] == [201, 201]
    number, incident_id = made[0].json()["number"], made[1].json()["id"]
    entry = {"kind": "accounts", "key": "C-1003", "name": "6003"}
    known = {"number": number, "incident_id": incident_id, "desk": "omnivigil", "queue": "support", "endpoint": "7001"}
    return known | entry


def _try(operation: Any, examples: int, ask: Any) -> None:
    @seeded(20261124)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        ask(case)

    run()


async def _send(client: httpx.AsyncClient, case: Any) -> httpx.Response:
    given = case.as_transport_kwargs(base_url="http://line.example")
    made = requests.Request(**{name: given[name] for name in _PARTS & given.keys()}).prepare()
    # Who is let in is another test's question; here everything is asked as somebody who may.
    token = "operator" if "/v1/directory/" in (made.url or "") else "writer"
    made.headers["Authorization"] = f"Bearer {token}"
    headers = {
        name: value if isinstance(value, str) else value.decode("latin-1") for name, value in made.headers.items()
    }
    body = made.body if isinstance(made.body, str | bytes) else None
    return await client.request(made.method or "GET", made.url or "", headers=headers, content=body)


def _told(error: BaseException) -> str:
    several = getattr(error, "exceptions", None)
    return " | ".join(map(_told, several)) if several else str(error)[:1200]
