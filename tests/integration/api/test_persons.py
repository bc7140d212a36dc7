"""One person's data over the API: for tokens that may, and never in an address (Law 25)."""

from __future__ import annotations

import io
import json
import zipfile

import httpx
import pytest

from ivr.accounts import store as audit
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import Line

JULIE = {"numbers": ["+1 418 555-0199"], "emails": ["julie@clinique.example"]}


@pytest.fixture
def officer(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Who answers for personal data."""
    client.headers["Authorization"] = "Bearer officer"
    return client


async def test_others_may_not_ask(client: httpx.AsyncClient, line: Line) -> None:
    """A token that may write may not; nothing is done, and the field and the mend are told."""
    for action in ("search", "export", "erase"):
        refused(await client.post(f"/v1/persons/{action}", json=JULIE), 403, field="Authorization")
    async with line.services.store.reading() as unit:
        assert not [row for row in await audit.page(unit, before=None, limit=10) if "person" in row["action"]]


async def test_found_handed_over_erased(officer: httpx.AsyncClient, line: Line) -> None:
    """A closed ticket of hers; the audit says who asked, and shows the ends of whom."""
    ticket = {"kind": "request", "desk": "omnivigil", "department": "support", "requester_phone": "14185550199"}
    made = await officer.post("/v1/tickets", json=ticket | {"observed": "Mon poste ne sonne pas."})
    assert made.status_code == 201, made.text
    found = (await officer.post("/v1/persons/search", json=JULIE)).json()
    assert found["tables"]["tickets"] == {"own": 1, "mentions": 0}
    exported = await officer.post("/v1/persons/export", json=JULIE)
    assert (exported.headers["content-type"], exported.headers["cache-control"]) == ("application/zip", "no-store")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        told = json.loads(archive.read("person.json"))
    assert told["own"]["tickets"][0]["observed"] == "Mon poste ne sonne pas."
    # Open: it stays, and that is told.
    erased = (await officer.post("/v1/persons/erase", json=JULIE)).json()
    assert "tickets" not in erased["rows"]
    assert any(line.startswith("tickets: 1 are open") for line in erased["left"])
    async with line.services.store.reading() as unit:
        rows = await audit.page(unit, before=None, limit=3)
    assert [(row["who"], row["action"], row["subject"]) for row in reversed(rows)] == [
        ("token privacy", f"person.{action}", "…0199 …mple") for action in ("search", "export", "erase")
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "numbers"), ({"numbers": ["611"]}, "numbers"), ({"emails": ["x"]}, "emails"), ({"names": ["Al"]}, "names")],
)
async def test_nobody_in_particular_is_refused(officer: httpx.AsyncClient, body: object, field: str) -> None:
    """What would be everybody."""
    refused(await officer.post("/v1/persons/erase", json=body), 422, field=field)
