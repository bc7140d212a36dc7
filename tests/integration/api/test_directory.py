"""The directory over the API: by tokens that may, by keys, with entity tags, and with what is wrong by its field."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.app import provide
from ivr.desk.load import Desks
from ivr.directory.lookup import Directory
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import Line
from tests.plain_http import NO_TLS

DIRECTORY = "/v1/directory"


@pytest.fixture
async def operator(line: Line) -> AsyncIterator[httpx.AsyncClient]:
    """Who keeps the directory. A second provider has a desk on the line."""
    assert line.app is not None
    first, *others = line.services.desks.values()
    theirs = others[0].model_copy(update={"provider": "autre"})
    provide(line.app, replace(line.services, desks=Desks([first, theirs])))
    async with httpx.AsyncClient(
        base_url=line.url, headers={"Authorization": "Bearer operator"}, timeout=30, verify=NO_TLS
    ) as made:
        yield made


def as_(client: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {token}"
    return client


async def put(client: httpx.AsyncClient, path: str, **values: Any) -> httpx.Response:
    return await client.put(f"{DIRECTORY}/{path}", json=values)


async def test_the_contract_account_phone_number_and_technician(operator: httpx.AsyncClient, line: Line) -> None:
    listener = line.services.bus.listen()
    account = await put(operator, "accounts/C-9", name="Essai inc.", language="fr")
    assert account.status_code == 201, account.text
    assert (await put(operator, "accounts/C-9", name="Essai inc.", language="fr")).status_code == 200
    phone = await put(operator, "phones/6900", account="C-9")
    assert (phone.status_code, len(phone.json()["secret"])) == (201, 20)
    assert (phone.json()["name"], phone.json()["kind"]) == ("6900", "customer")
    again = await put(operator, "phones/6900", account="C-9")
    assert (again.status_code, "secret" in again.json(), again.headers["etag"]) == (200, False, phone.headers["etag"])
    assert (await put(operator, "numbers/+14185550188", account="C-9")).status_code == 201
    assert (await put(operator, "phones/7900", kind="technician")).status_code == 201
    assert (await put(operator, "staff/nadia", name="Nadia", phone="7900", queues=["support"])).status_code == 201
    book = await Directory(line.services.store).reload()
    known = book.identify("14185550188", None)
    assert known.customer is not None
    assert (known.customer.account, known.language) == ("C-9", "fr")
    assert book.endpoints["6900"].customer_id == known.customer.id
    renewed = await operator.post(f"{DIRECTORY}/phones/6900/secret")
    assert renewed.json()["secret"] != phone.json()["secret"]
    told = [one.data["key"] for one in listener.more() if one.kind == "directory.changed"]
    assert told == ["C-9", "6900", "+14185550188", "7900", "nadia", "6900"]
    listener.close()


async def test_an_answer_can_be_put_back_as_it_is(operator: httpx.AsyncClient) -> None:
    for kind in ("partners", "accounts", "contacts", "numbers", "phones", "staff"):
        page = (await operator.get(f"{DIRECTORY}/{kind}", params={"limit": 200})).json()
        assert page["items"], kind
        for one in page["items"]:
            key = one.get("key") or one.get("e164") or one["name"]
            address = f"{DIRECTORY}/{kind}/{quote(key, safe='')}"
            found = await operator.get(address)
            assert found.json() == one
            done = await operator.put(address, json=one)
            assert (done.status_code, done.json(), done.headers["etag"]) == (200, one, found.headers["etag"])


async def test_who_may_and_who_may_not(operator: httpx.AsyncClient) -> None:
    await put(operator, "accounts/C-9", name="Essai inc.")
    address = f"{DIRECTORY}/accounts/C-9"
    for token in ("reader", "writer", "officer"):
        refused(await as_(operator, token).get(address), 403, field="Authorization")
        refused(await put(operator, "accounts/C-9", name="x"), 403, field="Authorization")
    assert (await as_(operator, "looker").get(address)).status_code == 200
    for attempt in (
        put(operator, "accounts/C-9", name="x"),
        operator.patch(address, json={}),
        operator.delete(address),
        operator.post(f"{DIRECTORY}/phones/6001/secret"),
    ):
        refused(await attempt, 403, field="Authorization")
    refused(await operator.get("/v1/tickets"), 403, field="Authorization")
    refused(await as_(operator, "nobody").get(address), 401, field="Authorization")


async def test_a_token_of_one_provider_sees_and_changes_that_ones_only(operator: httpx.AsyncClient) -> None:
    await put(operator, "accounts/C-9", name="Chez nous")
    as_(operator, "theirs")
    for attempt in (
        operator.get(f"{DIRECTORY}/accounts/C-9"),
        operator.get(f"{DIRECTORY}/accounts/C-9?provider=main"),
        operator.get(f"{DIRECTORY}/accounts?provider=main"),
        operator.put(f"{DIRECTORY}/accounts/C-9?provider=main", json={"name": "x"}),
        operator.delete(f"{DIRECTORY}/accounts/C-9?provider=main"),
        operator.post(f"{DIRECTORY}/phones/6001/secret"),
        operator.get(f"{DIRECTORY}/accounts?provider=nowhere"),
    ):
        refused(await attempt, 404)
    assert (await operator.get(f"{DIRECTORY}/accounts")).json()["items"] == []
    assert (await put(operator, "accounts/C-9", name="Chez eux")).status_code == 201
    as_(operator, "operator")
    assert (await operator.get(f"{DIRECTORY}/accounts/C-9")).json()["name"] == "Chez nous"
    assert (await operator.get(f"{DIRECTORY}/accounts/C-9?provider=autre")).json()["name"] == "Chez eux"


async def test_rfc9110_conditions(operator: httpx.AsyncClient) -> None:
    address = f"{DIRECTORY}/accounts/C-9"
    first = await operator.put(address, json={"name": "Un"}, headers={"If-None-Match": "*"})
    assert first.status_code == 201
    refused(await operator.put(address, json={"name": "x"}, headers={"If-None-Match": "*"}), 412, field="If-None-Match")
    tag = first.headers["etag"]
    assert (await operator.get(address, headers={"If-None-Match": tag})).status_code == 304
    second = await operator.put(address, json={"name": "Deux"}, headers={"If-Match": f'"other", {tag}'})
    assert second.status_code == 200
    for header in (tag, f"W/{second.headers['etag']}", '"x"', ""):
        condition = {"If-Match": header}
        refused(await operator.put(address, json={"name": "x"}, headers=condition), 412, field="If-Match")
        refused(await operator.patch(address, json={"name": "x"}, headers=condition), 412, field="If-Match")
        refused(await operator.delete(address, headers=condition), 412, field="If-Match")
    missing = await operator.put(f"{DIRECTORY}/accounts/C-10", json={"name": "x"}, headers={"If-Match": "*"})
    refused(missing, 412, field="If-Match")
    merge = {"If-Match": second.headers["etag"], "Content-Type": "application/merge-patch+json"}
    patched = await operator.patch(address, json={"address": "1, rue A"}, headers=merge)
    assert (patched.json()["name"], patched.json()["address"]) == ("Deux", "1, rue A")
    assert (await operator.delete(address, headers={"If-Match": "*"})).status_code == 204
    refused(await operator.get(address), 404)
    refused(await operator.delete(address), 404)


async def test_two_who_change_the_same_at_once_one_is_told(operator: httpx.AsyncClient) -> None:
    tag = (await put(operator, "accounts/C-9", name="Un")).headers["etag"]
    attempts = [
        operator.put(f"{DIRECTORY}/accounts/C-9", json={"name": name}, headers={"If-Match": tag})
        for name in ("Deux", "Trois", "Quatre")
    ]
    done = await asyncio.gather(*attempts)
    assert sorted(one.status_code for one in done) == [200, 412, 412]


async def test_what_still_uses_it_is_named(operator: httpx.AsyncClient) -> None:
    answer = await operator.delete(f"{DIRECTORY}/accounts/C-1001")
    refused(answer, 409, field="used_by")
    assert [one["problem"] for one in answer.json()["errors"]] == ["number +14185550101", "phone 6001"]
    refused(await operator.delete(f"{DIRECTORY}/accounts/C-1001", headers={"If-Match": "*"}), 409, field="used_by")
    last = await operator.delete(f"{DIRECTORY}/contacts/c-1001-julie-tremblay")
    assert "number +14185550101" in last.text
    await put(operator, "accounts/C-9", name="x")
    await put(operator, "contacts/eva", account="C-9", name="Eva", kind="administrateur")
    refused(await operator.delete(f"{DIRECTORY}/contacts/eva"), 409, field="used_by")
    refused(await operator.patch(f"{DIRECTORY}/contacts/eva", json={"kind": "facturation"}), 409, field="used_by")


async def test_every_wrong_field_is_told_at_once(operator: httpx.AsyncClient) -> None:
    answer = await put(
        operator, "staff/nadia", name="a\nb", phone="7900", queues=["x y"], colour="red", languages=["de"]
    )
    refused(answer, 422, field="name")
    assert {one["field"] for one in answer.json()["errors"]} == {
        "name",
        "queues.0.queue",
        "colour",
        "languages.0.language",
    }
    assert all(one["mend"] for one in answer.json()["errors"])
    refused(await put(operator, "staff/nadia", key="omar", name="x", external_number="4185550199"), 422, field="key")
    refused(await put(operator, "phones/911", kind="technician"), 422, field="name")
    refused(await put(operator, "numbers/611", account="C-1001"), 422, field="e164")
    for body in (b"[]", b'"x"', b"null", b"5"):
        answer = await operator.put(
            f"{DIRECTORY}/accounts/C-9", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("key", ["a/b", "..", "%00", "é", "x" * 300, "a\r\nb", "${x}", "‮", " "])
async def test_keys_that_are_none_are_not_there_and_cannot_be_made(operator: httpx.AsyncClient, key: str) -> None:
    for kind in ("accounts", "phones", "partners", "numbers"):
        address = f"{DIRECTORY}/{kind}/{quote(key, safe='')}"
        assert (await operator.get(address)).status_code in (404, 422)
        assert (await operator.put(address, json={"name": "x"})).status_code in (404, 405, 422)
        assert (await operator.delete(address)).status_code in (404, 405, 422)


async def test_lists_go_on_where_they_ended_whatever_the_names(operator: httpx.AsyncClient) -> None:
    names = ['A|B, "c"', "É" * 200, "${x}", "=1+1", "'; --", "😀"]
    for number, name in enumerate(names):
        assert (await put(operator, f"accounts/Z-{number}", name=name)).status_code == 201
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (
            await operator.get(f"{DIRECTORY}/accounts", params={"q": "Z-", "sort": "name", "limit": "1", **cursor})
        ).json()
        seen += [one["name"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert sorted(seen) == sorted(names)
    refused(await operator.get(f"{DIRECTORY}/accounts", params=cursor | {"sort": "-name"}), 422, field="cursor")
    refused(await operator.get(f"{DIRECTORY}/accounts", params={"tier": "elite"}), 422, field="tier")
    refused(await operator.get(f"{DIRECTORY}/accounts", params={"sort": "colour"}), 422, field="sort")
