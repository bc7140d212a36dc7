"""Calls and voice messages through the API."""

from __future__ import annotations

import wave
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import provide
from ivr.directory.model import NOBODY
from ivr.store.engine import open_store
from ivr.tickets.intake import Notice, VoiceMessage
from ivr.tickets.messages import leave_message, open_for_call
from ivr.tickets.spool import Spool
from tests.beginning import begin_call
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.plain_http import NO_TLS

Away = Callable[[], AbstractContextManager[None]]


def begin(line: Line, call_id: str = "a", *, ani: str | None = "14185550101", after_s: float = 0) -> None:
    identity = line.services.directory.identify(ani, None)
    begin_call(line.services.calls, call_id, ani=ani, identity=identity, at=NOW + timedelta(seconds=after_s))


async def open_ticket(line: Line, call_id: str, ani: str = "14185550101") -> None:
    await open_for_call(
        line.services.store,
        Spool(line.services.messages.parent / "intake"),
        at=NOW,
        desk="omnivigil",
        department="support",
        language="fr",
        call_id=call_id,
        identity=line.services.directory.identify(ani, None),
        number=ani,
    )


class TestOne:
    async def test_ov3_a_call_in_progress_has_customer_partner_and_open_tickets(
        self, line: Line, client: httpx.AsyncClient
    ) -> None:
        calls = line.services.calls
        await open_ticket(line, "an-earlier-call")
        begin(line)
        await open_ticket(line, "a")
        calls.note("a", "pressed", NOW, key="2")
        calls.route("a", department="support", language="fr")
        calls.queued("a", NOW, queue="support")
        calls.answered("a", NOW, endpoint="7001")
        found = (await client.get("/v1/calls/a")).json()
        assert (found["state"], found["answered_by"]) == ("talking", "7001")
        assert found["identity"]["customer"]["name"] == "Clinique du Cap"
        assert found["identity"]["partner"]["tier"] == "elite"
        assert [ticket["number"] for ticket in found["open_tickets"]] == ["100002", "100001"]
        assert found["ticket"]["number"] == "100002"
        assert [entry["kind"] for entry in found["timeline"]] == ["started", "pressed", "queued", "answered"]

    async def test_a_call_that_is_over_is_the_same_from_the_database(
        self, line: Line, client: httpx.AsyncClient
    ) -> None:
        begin(line)
        line.services.calls.leg("a", "170.a", channel="PJSIP/trunk-a", role="caller", at=NOW)
        line.services.calls.hung_up("a", NOW + timedelta(seconds=3), cause=16)
        live = (await client.get("/v1/calls/a")).json()
        await line.services.calls.flush()
        assert line.services.calls.current("a") is None
        assert (await client.get("/v1/calls/a")).json() == live
        assert live["result"] == "hung-up-in-menu"

    async def test_an_unknown_caller(self, line: Line, client: httpx.AsyncClient) -> None:
        begin(line, ani=None)
        found = (await client.get("/v1/calls/a")).json()
        assert found["identity"]["customer"] is None
        assert found["open_tickets"] == []

    @pytest.mark.parametrize("call_id", ["nothing", "%00", "é", "'; --", "a b"])
    async def test_one_that_is_not_there(self, client: httpx.AsyncClient, call_id: str) -> None:
        refused(await client.get(f"/v1/calls/{call_id}"), 404)

    async def test_whoever_answers_reads_who_calls_while_the_database_is_away(self, line: Line) -> None:
        await line.services.tokens.bearer("reader")
        begin(line)
        away = open_store("sqlite+aiosqlite:////nonexistent/x.sqlite3")
        assert line.app is not None
        provide(line.app, replace(line.services, store=away))
        async with httpx.AsyncClient(
            base_url=line.url, headers={"Authorization": "Bearer reader"}, verify=NO_TLS
        ) as client:
            found = (await client.get("/v1/calls/a")).json()
            assert found["identity"]["customer"]["account"] == "C-1001"
            assert found["open_tickets"] is None
            assert len((await client.get("/v1/calls?open=true")).json()["items"]) == 1
            refused(await client.get("/v1/tickets"), 503)
        await away.close()


class TestList:
    async def test_pages_newest_first_live_and_past(self, line: Line, client: httpx.AsyncClient) -> None:
        for n in range(7):
            # Two begin in the same instant.
            begin(line, f"c{n}", after_s=n // 2)
            if n % 2:
                line.services.calls.hung_up(f"c{n}", NOW + timedelta(seconds=60))
        for query, expected in (
            ({}, ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]),
            ({"open": "true"}, ["c6", "c4", "c2", "c0"]),
        ):
            seen: list[str] = []
            cursor: dict[str, str] = {}
            while True:
                page = (await client.get("/v1/calls", params={"limit": "2"} | query | cursor)).json()
                assert len(page["items"]) <= 2
                seen += [call["id"] for call in page["items"]]
                if page["next"] is None:
                    break
                cursor = {"cursor": page["next"]}
            assert seen == expected

    async def test_filters(self, line: Line, client: httpx.AsyncClient) -> None:
        begin(line, "known")
        begin(line, "stranger", ani="15145550100")
        for query, expected in (
            ({"ani": "15145550100"}, ["stranger"]),
            ({"customer_id": "1"}, ["known"]),
            ({"customer_id": "1", "open": "true"}, ["known"]),
            ({"linkedid": "170.known"}, ["known"]),
            ({"result": "answered"}, []),
            ({"desk": "hotline-2024"}, []),
        ):
            found = (await client.get("/v1/calls", params=query)).json()["items"]
            assert [call["id"] for call in found] == expected, query

    @pytest.mark.parametrize("cursor", ["x", "YWJj", "MjAyNi0xMS0xOHxh", "MjAyNi0xMS0xOFQwMDowMDowMHxh"])
    async def test_odd_cursors_are_refused(self, client: httpx.AsyncClient, cursor: str) -> None:
        refused(await client.get(f"/v1/calls?cursor={cursor}"), 422, field="cursor")


async def leave(line: Line, file: str = "m1.wav", *, urgent: bool = True) -> dict[str, Any]:
    receipt = await leave_message(
        line.services.store,
        Spool(line.services.messages.parent / "intake"),
        key=file,
        at=NOW,
        desk="omnivigil",
        department="support",
        language="fr",
        call_id="a",
        identity=NOBODY,
        message=VoiceMessage(file=file, seconds=1.0, urgent=urgent),
        notice=Notice(
            recipient="support@omnivigil.com",
            desk_name="OMNIVIGIL",
            department_name="Soutien technique",
            language="fr",
            timezone="America/Toronto",
        ),
    )
    return {"number": receipt.ticket_number}


def record(path: Path) -> bytes:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * 62)
    return path.read_bytes()


class TestMessages:
    async def test_ov7_a_ticket_leads_to_its_message_and_its_sound(self, line: Line, client: httpx.AsyncClient) -> None:
        sound = record(line.services.messages / "m1.wav")
        number = (await leave(line))["number"]
        ticket = (await client.get(f"/v1/tickets/{number}")).json()
        [message] = ticket["messages"]
        assert (message["ticket"], message["urgent"], message["seconds"]) == (number, True, 1.0)
        assert (await client.get(f"/v1/messages/{message['id']}")).json() == message
        response = await client.get(message["audio"])
        assert (response.status_code, response.headers["content-type"]) == (200, "audio/wav")
        assert response.content == sound
        [noted] = (await client.get("/v1/listenings", params={"kind": "message"})).json()["items"]
        assert (noted["subject"], noted["who"]) == (str(message["id"]), "console")

    async def test_parts_of_the_sound_may_be_asked_for(self, line: Line, client: httpx.AsyncClient) -> None:
        sound = record(line.services.messages / "m1.wav")
        await leave(line)
        part = await client.get("/v1/messages/1/audio", headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, sound[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(sound)}"
        last = await client.get("/v1/messages/1/audio", headers={"Range": "bytes=-10"})
        assert last.content == sound[-10:]
        beyond = await client.get("/v1/messages/1/audio", headers={"Range": f"bytes={len(sound)}-"})
        assert beyond.status_code == 416
        head = await client.head("/v1/messages/1/audio")
        assert (head.status_code, int(head.headers["content-length"])) == (200, len(sound))

    async def test_a_recording_that_is_gone(self, line: Line, client: httpx.AsyncClient) -> None:
        await leave(line)
        assert (await client.get("/v1/messages/1")).status_code == 200
        refused(await client.get("/v1/messages/1/audio"), 404)

    @pytest.mark.parametrize("file", ["../omnivigil.sqlite3", "/etc/hostname", "", ".", ".."])
    async def test_only_files_of_the_folder_are_given(self, line: Line, client: httpx.AsyncClient, file: str) -> None:
        await leave(line, file)
        refused(await client.get("/v1/messages/1/audio"), 404)

    @pytest.mark.parametrize(("message", "status"), [("1", 404), ("0", 422), ("x", 422), ("9" * 30, 422)])
    async def test_one_that_is_not_there(self, client: httpx.AsyncClient, message: str, status: int) -> None:
        refused(await client.get(f"/v1/messages/{message}"), status)
        refused(await client.get(f"/v1/messages/{message}/audio"), status)
