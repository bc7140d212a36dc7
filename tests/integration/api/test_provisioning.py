"""A device fetches its configuration: once, within a day, and nobody else does."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
import structlog
from sqlalchemy import select

from ivr.directory.sip_passwords import ha1
from ivr.directory.tables import endpoints
from tests.integration.api.conftest import Line

PHONE = "/v1/directory/phones/6900"
MAC = "001565aabbcc"


@pytest.fixture
async def phone(client: httpx.AsyncClient) -> str:
    """A phone whose device is known, and the path where it finds its files."""
    client.headers["Authorization"] = "Bearer operator"
    made = await client.put(PHONE, json={"kind": "technician", "display": "Nadia", "mac": "00:15:65:AA:BB:CC"})
    assert made.status_code == 201, made.text
    return await offered(client)


async def offered(client: httpx.AsyncClient) -> str:
    answer = await client.post(f"{PHONE}/provisioning")
    assert answer.status_code == 201, answer.text
    assert answer.json()["urls"]["cisco"] == answer.json()["url"] + "$MA.xml"
    return str(urlsplit(answer.json()["url"]).path)


async def kept(line: Line) -> str:
    async with line.services.store.reading() as unit:
        return str((await unit.execute(select(endpoints.c.ha1).where(endpoints.c.name == "6900"))).scalar_one())


async def test_a_device_gets_its_account_with_a_new_secret_and_only_once(
    line: Line, stranger: httpx.AsyncClient, phone: str
) -> None:
    before = await kept(line)
    # What devices ask for besides is not there, and costs nothing.
    assert (await stranger.get(f"{phone}y000000000028.cfg")).status_code == 404
    # Whoever only looks whether it is there uses nothing up.
    head = await stranger.head(f"{phone}{MAC}.cfg")
    assert (head.status_code, head.content, await kept(line)) == (200, b"", before)
    answer = await stranger.get(f"{phone}{MAC}.cfg")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == head.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == head.headers["content-type"]
    values = dict(one.split(" = ", 1) for one in answer.text.splitlines() if " = " in one)
    assert values["account.1.user_name"] == "6900"
    assert values["account.1.label"] == "Nadia"
    assert await kept(line) == ha1("6900", values["account.1.password"]) != before
    assert (await stranger.get(f"{phone}{MAC}.cfg")).status_code == 404


async def test_polycom_first_asks_for_a_list(stranger: httpx.AsyncClient, phone: str) -> None:
    agent = {"User-Agent": "FileTransport PolycomVVX-VVX_410-UA/6.3"}
    listed = await stranger.get(f"{phone}{MAC}.cfg", headers=agent)
    assert f"polycom-{MAC}.cfg" in listed.text
    assert "6900" in (await stranger.get(f"{phone}polycom-{MAC}.cfg", headers=agent)).text


async def test_nobody_else_gets_it(
    line: Line, client: httpx.AsyncClient, stranger: httpx.AsyncClient, phone: str
) -> None:
    before = await kept(line)
    with structlog.testing.capture_logs() as told:
        assert (await stranger.get(f"{phone}001565aabbcd.cfg")).status_code == 404
        assert (await stranger.get(f"/provision/{'x' * 32}/{MAC}.cfg")).status_code == 404
        assert (await stranger.get(f"/provision/{'x' * 300}/{MAC}.cfg")).status_code == 404
        # Somebody for whom a proxy asks, that did not say how it was asked itself.
        plain = await stranger.get(f"{phone}{MAC}.cfg", headers={"X-Forwarded-For": "203.0.113.9"})
        assert plain.status_code == 422
        assert "https" in plain.json()["mend"]
    assert {one["reason"] for one in told if "reason" in one} == {
        "provisioning-other-device",
        "provisioning-unknown",
        "provisioning-not-encrypted",
    }
    assert not any(phone.split("/")[2] in str(one) or "x" * 32 in str(one) for one in told)
    later = await offered(client)
    assert (await stranger.get(f"{phone}{MAC}.cfg")).status_code == 404, "the earlier address is worthless"
    line.now += timedelta(days=1)
    assert (await stranger.get(f"{later}{MAC}.cfg")).status_code == 404
    assert await kept(line) == before


async def test_whoever_asks_too_often_waits(stranger: httpx.AsyncClient) -> None:
    answers = [(await stranger.get(f"/provision/x/{MAC}.cfg")).status_code for _ in range(61)]
    assert answers[:60] == [404] * 60
    assert answers[60] == 429


async def test_who_may_make_addresses_and_for_what(client: httpx.AsyncClient) -> None:
    assert (await client.post(f"{PHONE}/provisioning")).status_code == 403
    client.headers["Authorization"] = "Bearer operator"
    assert (await client.post(f"{PHONE}/provisioning")).status_code == 404


async def test_a_device_is_one_phones_only(client: httpx.AsyncClient, phone: str) -> None:
    assert phone
    other = await client.put("/v1/directory/phones/6901", json={"kind": "technician", "mac": "0015.65AA.BBCC"})
    assert (other.status_code, other.json()["field"]) == (422, "mac")
    wrong = await client.put("/v1/directory/phones/6901", json={"kind": "technician", "mac": "01:00:5e:00:00:01"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "mac")
