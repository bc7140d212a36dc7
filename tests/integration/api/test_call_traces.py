"""Call traces over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ivr.asterisk.hep import SIP, Packet
from ivr.evidence.legs import EndedLeg
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import Line

Away = Callable[[], AbstractContextManager[None]]

FIGURES = {
    "near": {
        "codec": "PCMU",
        "rtt_ms": 30,
        "up": {"packets": 940, "lost": 60, "jitter_ms": 4},
        "down": {"packets": 1000, "lost": 0},
    },
    "far": {"codec": "PCMU", "up": {"packets": 1000, "lost": 0}, "down": {"packets": 940, "lost": 60}},
    "trunk": "bell",
}
REPORT = {"call_id": "abc@switch", "device": "6001", "figures": FIGURES, "other": "15145550199", "direction": "out"}


async def made(client: httpx.AsyncClient, **change: Any) -> dict[str, Any]:
    answer = await client.post("/v1/call-traces", json=REPORT | change)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ended_call(
    line: Line, call_id: str = "sip-a", origin: str = "6001", linkedid: str = "1.1", phone: str = "6001"
) -> None:
    """A call of the line itself, of which there is evidence."""
    ring = line.services.traces.ring
    for what in (
        f"INVITE sip:6002@192.0.2.1 SIP/2.0\r\nFrom: <sip:{origin}@x>\r\nUser-Agent: <script>alert(1)</script>\r\n",
        "SIP/2.0 200 <b>OK</b>\r\n",
        "BYE sip:6002@192.0.2.1 SIP/2.0\r\n",
    ):
        payload = f"{what}CSeq: 1 INVITE\r\n\r\n".encode()
        ring.add(
            Packet(
                at=1.0,
                kind=SIP,
                src=("192.0.2.7", 5060),
                dst=("192.0.2.1", 5060),
                tcp=False,
                correlation=call_id,
                payload=payload,
            )
        )
    leg = EndedLeg(
        linkedid=linkedid,
        uniqueid=linkedid,
        name=phone,
        call_id=call_id,
        channel="",
        started=1795384710.0,
        answered=True,
        codec="ulaw",
        remote="192.0.2.7:4000",
        their_number=None,
        rx=900,
        lost=100,
        tx=1000,
        their_lost=0,
        rtt_ms=20.0,
        their_ssrc=1,
    )
    ring.ended(leg)


def _recordings(line: Line) -> Path:
    """Return the folder of the line's recordings, which is there."""
    folder = line.services.recordings.folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class TestRecording:
    """Only where the desk file wants it; here a recording simply lies in its folder."""

    async def test_it_can_be_heard_in_parts_and_every_listener_is_noted(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        trace = await made(client, call_id="ov-1795384710.1")
        address = f"/v1/call-traces/{trace['id']}"
        assert (await client.get(address)).json()["audio"] is None
        refused(await client.get(f"{address}/audio"), 404)
        assert (await client.get("/v1/listenings")).json() == {"items": [], "next": None}
        folder = _recordings(line)
        (folder / "ov-1795384710.1.wav").write_bytes(bytes(range(200)))
        assert (await client.get(address)).json()["audio"] == f"{address}/audio"
        for _ in range(3):
            part = await client.get(f"{address}/audio", headers={"Range": "bytes=10-19"})
            assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
        line.now += timedelta(minutes=6)
        whole = await client.get(f"{address}/audio", headers={"Authorization": "Bearer reader"})
        assert len(whole.content) == 200
        noted = (await client.get("/v1/listenings", params={"kind": "call-trace", "subject": trace["id"]})).json()
        assert [one["who"] for one in noted["items"]] == ["wallboard", "console"]
        first = (await client.get("/v1/listenings", params={"limit": 1})).json()
        second = (await client.get("/v1/listenings", params={"limit": 1, "cursor": first["next"]})).json()
        assert [one["who"] for one in (*first["items"], *second["items"])] == ["wallboard", "console"]
        assert second["next"] is None

    @pytest.mark.parametrize("call_id", ["../x", "ov-1795384710.1/../x", "x", "ov-1795384710.1.wav"])
    async def test_only_calls_of_our_own_have_one(self, client: httpx.AsyncClient, line: Line, call_id: str) -> None:
        folder = _recordings(line)
        for file in (folder.parent / "x.wav", folder / "x.wav", folder / "ov-1795384710.1.wav"):
            file.write_bytes(b"secret")
        trace = await made(client, call_id=call_id)
        refused(await client.get(f"/v1/call-traces/{trace['id']}/audio"), 404)

    async def test_nobody_listens_unnoted(self, line: Line, client: httpx.AsyncClient, database_away: Away) -> None:
        trace = await made(client, call_id="ov-1795384710.1")
        await line.services.traces.close()
        (_recordings(line) / "ov-1795384710.1.wav").write_bytes(b"voice")
        with database_away():
            refused(await client.get(f"/v1/call-traces/{trace['id']}/audio"), 503)


class TestReporting:
    async def test_another_switch_reports_with_its_own_figures(self, client: httpx.AsyncClient) -> None:
        receipt = await made(client)
        trace = (await client.get(f"/v1/call-traces/{receipt['id']}")).json()
        assert (trace["cause"], trace["trunk"], trace["account_number"]) == ("uplink", "bell", "C-1001")
        assert trace["verdict"]["en"].startswith("The customer's uplink")
        assert trace["scores"] == {"near-up": 3.8, "near-down": 4.4, "far-up": 4.41, "far-down": 3.82}
        ticket = (await client.get(f"/v1/tickets/{receipt['ticket']}")).json()
        assert (ticket["kind"], ticket["priority"]) == ("call-trace", "normale")

    async def test_again_is_the_same_ticket(self, client: httpx.AsyncClient) -> None:
        first = await made(client)
        answer = await client.post("/v1/call-traces", json=REPORT)
        assert (answer.status_code, answer.json()["ticket"], answer.json()["again"]) == (200, first["ticket"], True)

    async def test_a_call_of_our_own_needs_no_figures(self, client: httpx.AsyncClient, line: Line) -> None:
        ended_call(line)
        answer = await client.post("/v1/call-traces", json={"call_id": "sip-a", "device": "6001"})
        assert answer.status_code == 201
        trace = (await client.get(answer.headers["location"])).json()
        assert (trace["other"], trace["legs"]["near"]["up"]["lost"]) == ("6002", 100)

    async def test_without_figures_an_unknown_call_is_refused(self, client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/call-traces", json={"call_id": "nope", "device": "6001"})
        assert (answer.status_code, answer.json()["field"]) == (422, "call_id")

    @pytest.mark.parametrize(
        "near",
        [
            {"up": {"packets": -1, "lost": 0}},
            {"up": {"packets": 10**9, "lost": 0}},
            {"up": {"lost": 5}},
            {"rtt_ms": -1},
            {"rtt_ms": "NaN"},
            {"up": {"packets": 1, "lost": 0, "jitter_ms": 1e12}},
            {"remote": "<script>"},
            {"extra": 1},
        ],
    )
    async def test_absurd_figures_are_named(self, client: httpx.AsyncClient, near: dict[str, Any]) -> None:
        answer = await client.post("/v1/call-traces", json=REPORT | {"figures": {"near": near}})
        assert answer.status_code == 422
        assert answer.json()["field"]
        assert answer.json()["mend"]

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-09-01T00:00:00Z"])
    async def test_a_call_of_another_time_is_refused(self, client: httpx.AsyncClient, moment: str) -> None:
        answer = await client.post("/v1/call-traces", json=REPORT | {"started_at": moment})
        assert (answer.status_code, answer.json()["field"]) == (422, "started_at")

    async def test_too_many_from_one_device_are_told_so(self, client: httpx.AsyncClient) -> None:
        statuses = [(await client.post("/v1/call-traces", json=REPORT)).status_code for _ in range(12)]
        assert statuses[:2] == [201, 200]
        assert statuses[-1] == 429
        assert (await client.post("/v1/call-traces", json=REPORT | {"device": "6002"})).status_code == 201

    async def test_the_database_is_away(self, client: httpx.AsyncClient, line: Line, database_away: Any) -> None:
        await client.get("/v1/call-traces")  # the token is known from now on
        with database_away():
            answer = await client.post("/v1/call-traces", json=REPORT)
            assert (answer.status_code, answer.json()["ticket"]) == (202, None)
        assert await line.services.traces.drain() <= 1
        found = (await client.get("/v1/call-traces")).json()["items"]
        assert len(found) == 1


class TestReading:
    async def test_lists_by_page_and_filter(self, client: httpx.AsyncClient) -> None:
        for number in range(3):
            await made(client, call_id=f"call-{number}", device=f"600{number + 1}")
        first = (await client.get("/v1/call-traces", params={"limit": 2})).json()
        rest = (await client.get("/v1/call-traces", params={"limit": 2, "cursor": first["next"]})).json()
        assert len({one["id"] for one in first["items"] + rest["items"]}) == 3
        assert rest["next"] is None
        only = (await client.get("/v1/call-traces", params={"device": "6002"})).json()["items"]
        assert [one["account_number"] for one in only] == ["C-1002"]

    @pytest.mark.parametrize("part", ["", "/report", "/capture.pcap"])
    async def test_there_is_no_such_trace(self, client: httpx.AsyncClient, part: str) -> None:
        assert (await client.get(f"/v1/call-traces/{'0' * 32}{part}")).status_code == 404
        assert (await client.get(f"/v1/call-traces/x'--{part}")).status_code == 422

    async def test_not_for_strangers(self, client: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
        receipt = await made(client)
        for part in ("", "/report", "/capture.pcap"):
            assert (await stranger.get(f"/v1/call-traces/{receipt['id']}{part}")).status_code == 401


class TestReport:
    async def test_the_page_in_both_languages(self, client: httpx.AsyncClient, line: Line) -> None:
        ended_call(line)
        answer = await client.post("/v1/call-traces", json={"call_id": "sip-a", "device": "6001"})
        path = f"{answer.headers['location']}/report"
        french, english = await client.get(path), await client.get(path, params={"lang": "en"})
        assert 'lang="fr"' in french.text
        assert "10,0\u00a0%" in french.text
        assert "Uplink" not in french.text
        assert "uplink" in english.text
        assert "INVITE" in english.text
        assert french.headers["content-security-policy"].startswith("default-src 'none'")
        assert (await client.get(path, params={"lang": "xx"})).status_code == 422

    async def test_what_strangers_wrote_is_text(self, client: httpx.AsyncClient, line: Line) -> None:
        """A User-Agent, a number and a reason phrase come from whoever sent them."""
        ended_call(line)
        answer = await client.post("/v1/call-traces", json={"call_id": "sip-a", "device": "6001"})
        page = (await client.get(f"{answer.headers['location']}/report")).text
        assert "<script>" not in page
        assert "<b>" not in page
        assert "&lt;script&gt;" in page

    async def test_unknown_is_told_as_unknown(self, client: httpx.AsyncClient) -> None:
        receipt = await made(client, figures={"near": {}})
        page = (await client.get(f"/v1/call-traces/{receipt['id']}/report", params={"lang": "en"})).text
        assert "unknown" in page
        assert "Inconclusive" in page

    async def test_the_capture(self, client: httpx.AsyncClient, line: Line) -> None:
        ended_call(line)
        answer = await client.post("/v1/call-traces", json={"call_id": "sip-a", "device": "6001"})
        file = await client.get(f"{answer.headers['location']}/capture.pcap")
        assert file.content[:4] == b"\xd4\xc3\xb2\xa1"
        assert file.content.count(b"INVITE sip:6002") == 1
        assert "attachment" in file.headers["content-disposition"]


class TestStaff:
    async def test_ov22_a_technician_calls_back(self, client: httpx.AsyncClient, line: Line) -> None:
        receipt = await made(client)
        path = f"/v1/call-traces/{receipt['id']}/call-back"
        assert (await client.post(path, json={"technician": "7001"})).status_code == 202
        assert line.connected == [("7001", "6001")]
        ticket = (await client.get(f"/v1/tickets/{receipt['ticket']}")).json()
        assert ticket["history"][-1]["kind"] == "called-back"
        refused = await client.post(path, json={"technician": "6002"})
        assert (refused.status_code, refused.json()["field"]) == (422, "technician")

    async def test_nobody_calls_a_device_that_is_not_ours(self, client: httpx.AsyncClient, line: Line) -> None:
        receipt = await made(client, device="9999")
        answer = await client.post(f"/v1/call-traces/{receipt['id']}/call-back", json={"technician": "7001"})
        assert answer.status_code == 422
        assert line.connected == []

    async def test_ov25_staff_decide_and_note_answers(self, client: httpx.AsyncClient) -> None:
        first = await made(client)
        second = await made(client, call_id="second")
        trace = (await client.get(f"/v1/call-traces/{second['id']}")).json()
        assert trace["state"] == "unanswered"
        assert [one["answered_at"] for one in trace["recommendations"]] == [None]
        refused = await client.patch(f"/v1/call-traces/{first['id']}", json={"state": "ignored"})
        assert (refused.status_code, refused.json()["field"]) == (422, "state")
        kept = await client.patch(f"/v1/call-traces/{second['id']}", json={"state": "kept"})
        assert kept.json()["state"] == "kept"
        ticket = (await client.get(f"/v1/tickets/{second['ticket']}")).json()
        assert (ticket["status"], ticket["history"][-1]["kind"]) == ("documented", "documented")
        ignored = await made(client, call_id="ignored")
        assert (await client.patch(f"/v1/call-traces/{ignored['id']}", json={"state": "ignored"})).status_code == 200
        ticket = (await client.get(f"/v1/tickets/{ignored['ticket']}")).json()
        assert ticket["status"] == "closed"
        answered = await client.post(f"/v1/call-traces/{second['id']}/answer", json={"text": "Routeur remplacé."})
        assert answered.json() == {"answered": 1}
        third = await made(client, call_id="third")
        assert (await client.get(f"/v1/call-traces/{third['id']}")).json()["state"] == "new"

    async def test_proposals(self, client: httpx.AsyncClient, line: Line) -> None:
        for number in range(3):
            await made(client, call_id=f"call-{number}", device=f"600{number + 1}")
        await line.services.traces.close()
        found = (await client.get("/v1/incident-proposals")).json()
        assert {(one["shared"], one["value"]) for one in found} == {("trunk", "bell"), ("codec", "ulaw")}
        here = f"/v1/incident-proposals/{found[0]['id']}"
        assert (await client.patch(here, json={"state": "proposed"})).status_code == 422
        dismissed = (await client.patch(here, json={"state": "dismissed"})).json()
        assert (dismissed["state"], dismissed["dismissed_at"] is not None) == ("dismissed", True)
        assert (await client.get("/v1/incident-proposals")).json() == [dismissed, found[1]]
        assert (await client.patch("/v1/incident-proposals/99", json={"state": "dismissed"})).status_code == 404
