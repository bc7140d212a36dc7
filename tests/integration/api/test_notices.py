"""Notices, opt-outs, endpoints and e-mails on the API, and what Twilio tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from api.app import provide
from ivr.mail import store as mail_statements
from ivr.mail.archive import keep
from ivr.notify import store as statements
from ivr.notify.config import Endpoint, NoticeConfig, Twilio
from ivr.notify.outbox import Email, Sms, put_email, put_sms
from ivr.notify.store import Notice
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.plain_http import NO_TLS

TOKEN = "not-a-secret"
PUBLIC = "https://line.example"
CONFIG = NoticeConfig(
    twilio=Twilio(account_sid="AC" + "0" * 32, auth_token=SecretStr(TOKEN), sender="332211"),
    public_url=PUBLIC,
    endpoints=(
        Endpoint(name="crm", url="https://crm.example/hook", secret=SecretStr("whsec_x"), events=("ticket.*",)),
    ),
)


@pytest.fixture
async def served(line: Line) -> AsyncIterator[httpx.AsyncClient]:
    """The API of a line that has Twilio and an endpoint."""
    services = replace(line.services, notices=CONFIG, mails=line.services.messages.parent / "mails")
    line.services = services
    assert line.app is not None
    provide(line.app, services)
    async with httpx.AsyncClient(
        base_url=line.url, headers={"Authorization": "Bearer writer"}, timeout=30, verify=NO_TLS
    ) as client:
        yield client


async def put(line: Line, *, state: str = "pending", kind: str = "sms", **more: Any) -> Notice:
    async with line.services.store.unit() as unit:
        if kind == "sms":
            await put_sms(unit, Sms(to="14185550101", body="Panne", language="fr"), at=NOW)
        else:
            await put_email(
                unit, Email(to="julie@clinique.example", subject="Billet", body="Reçu", language="fr"), at=NOW
            )
        (notice,) = await statements.page(unit, filters={}, before=None, limit=1)
        await statements.change(unit, notice.id, {"state": state} | more)
    return await now_of(line, notice.id)


async def now_of(line: Line, notice_id: int) -> Notice:
    async with line.services.store.reading() as unit:
        found = await statements.get(unit, notice_id)
    assert found is not None
    return found


class TestNotices:
    async def test_what_was_given_up_is_seen(self, line: Line, served: httpx.AsyncClient) -> None:
        await put(line)
        dead = await put(line, state="dead", kind="email", error="the mail server says 550", attempts=3)
        page = (await served.get("/v1/notices", params={"state": "dead"})).json()
        (shown,) = page["items"]
        assert page["next"] is None
        assert (shown["id"], shown["kind"], shown["error"]) == (dead.id, "email", "the mail server says 550")
        assert "body" not in shown
        assert (await served.get(f"/v1/notices/{dead.id}")).json()["body"] == "Reçu"

    async def test_pages(self, line: Line, served: httpx.AsyncClient) -> None:
        ids = [(await put(line)).id for _ in range(5)]
        seen: list[int] = []
        cursor = None
        while True:
            given = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = (await served.get("/v1/notices", params=given)).json()
            seen += [one["id"] for one in page["items"]]
            if (cursor := page["next"]) is None:
                break
        assert seen == ids[::-1]

    @pytest.mark.parametrize(
        ("params", "field"),
        [
            ({"state": "lost"}, "state"),
            ({"kind": "fax"}, "kind"),
            ({"ticket": "0"}, "ticket"),
            ({"cursor": "OTk5OTk5OTk5OTk5OTk5"}, "cursor"),
        ],
    )
    async def test_bad_filters(self, served: httpx.AsyncClient, params: dict[str, str], field: str) -> None:
        refused(await served.get("/v1/notices", params=params), 422, field=field)

    @pytest.mark.parametrize("state", ["dead", "refused"])
    async def test_what_was_given_up_is_sent_again(self, line: Line, served: httpx.AsyncClient, state: str) -> None:
        notice = await put(line, state=state, attempts=9, error="x", expires_at=NOW - timedelta(days=1))
        shown = (await served.post(f"/v1/notices/{notice.id}/retry", json={})).json()
        assert (shown["state"], shown["attempts"], shown["error"]) == ("pending", 0, None)
        after = await now_of(line, notice.id)
        assert after.expires_at == NOW + timedelta(hours=4)
        assert after.key != notice.key

    async def test_what_may_have_left_needs_a_word_more(self, line: Line, served: httpx.AsyncClient) -> None:
        notice = await put(line, state="unknown", unknown_since=NOW, begun_at=NOW)
        refused(await served.post(f"/v1/notices/{notice.id}/retry", json={}), 422, field="even_if_sent")
        assert (await now_of(line, notice.id)).state == "unknown"
        await served.post(f"/v1/notices/{notice.id}/retry", json={"even_if_sent": True})
        after = await now_of(line, notice.id)
        assert (after.state, after.begun_at, after.unknown_since) == ("pending", None, None)

    @pytest.mark.parametrize("state", ["pending", "sending", "sent", "delivered"])
    async def test_what_is_on_its_way_or_there_is_not(self, line: Line, served: httpx.AsyncClient, state: str) -> None:
        notice = await put(line, state=state)
        refused(
            await served.post(f"/v1/notices/{notice.id}/retry", json={"even_if_sent": True}), 422, field="notice_id"
        )

    async def test_unknown_ones(self, served: httpx.AsyncClient) -> None:
        refused(await served.get("/v1/notices/4711"), 404)
        refused(await served.post("/v1/notices/4711/retry", json={}), 404)
        refused(await served.get("/v1/mails/4711"), 404)
        refused(await served.delete("/v1/opt-outs/14185550101"), 404)
        refused(await served.post("/v1/webhooks/nobody/enable", json={}), 404)


class TestOptOuts:
    async def test_they_are_seen_and_taken_back(self, line: Line, served: httpx.AsyncClient) -> None:
        async with line.services.store.unit() as unit:
            await statements.opt_out(unit, "14185550101", at=NOW, row_id=None)
        (shown,) = (await served.get("/v1/opt-outs")).json()
        assert shown["number"] == "14185550101"
        assert (await served.delete("/v1/opt-outs/14185550101")).status_code == 204
        assert (await served.get("/v1/opt-outs")).json() == []


class TestEndpoints:
    async def test_a_disabled_one_is_seen_and_enabled_and_no_secret_is_shown(
        self, line: Line, served: httpx.AsyncClient
    ) -> None:
        async with line.services.store.unit() as unit:
            await statements.add_endpoint(unit, "crm", 0)
            await statements.disable_endpoint(unit, "crm", at=NOW, reason="gone (410)")
        response = await served.get("/v1/webhooks")
        (shown,) = response.json()
        assert (shown["name"], shown["disabled_reason"]) == ("crm", "gone (410)")
        assert "whsec" not in response.text
        assert (await served.post("/v1/webhooks/crm/enable", json={})).status_code == 204
        assert (await served.get("/v1/webhooks")).json()[0]["disabled_at"] is None


class TestTwilioTells:
    async def tell(
        self,
        client: httpx.AsyncClient,
        notice: Notice,
        *,
        sid: str = "SM1",
        token: str = TOKEN,
        status: str = "delivered",
        **more: str,
    ) -> httpx.Response:
        query = urlencode({"notice": notice.key})
        form = {"MessageSid": sid, "MessageStatus": status, "To": "+14185550101", "Empty": ""} | more
        signature = RequestValidator(token).compute_signature(f"{PUBLIC}/v1/twilio/status?{query}", form)
        return await client.post(
            f"/v1/twilio/status?{query}",
            content=urlencode(form),
            headers={
                "Authorization": "",
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "X-Twilio-Signature": signature,
            },
        )

    async def test_delivered(self, line: Line, served: httpx.AsyncClient) -> None:
        notice = await put(line, state="sent", provider_id="SM1", sent_at=NOW)
        assert (await self.tell(served, notice)).status_code == 204
        after = await now_of(line, notice.id)
        assert (after.state, after.provider_status) == ("delivered", "delivered")
        with line.services.bus.listen(after=0) as listener:
            assert (await anext(listener)).kind == "notice.delivered"

    async def test_undelivered_is_given_up_and_says_why(self, line: Line, served: httpx.AsyncClient) -> None:
        notice = await put(line, state="sent", provider_id="SM1")
        await self.tell(served, notice, status="undelivered", ErrorCode="30005")
        after = await now_of(line, notice.id)
        assert (after.state, after.error) == ("dead", "Twilio says undelivered (30005)")

    async def test_an_opt_out_that_is_told_late_holds(self, line: Line, served: httpx.AsyncClient) -> None:
        notice = await put(line, state="sent", provider_id="SM1")
        await self.tell(served, notice, status="failed", ErrorCode="21610")
        assert [one["number"] for one in (await served.get("/v1/opt-outs")).json()] == ["14185550101"]

    @pytest.mark.parametrize("state", ["unknown", "sending", "reconciling", "pending"])
    async def test_it_settles_what_was_never_answered(self, line: Line, served: httpx.AsyncClient, state: str) -> None:
        notice = await put(line, state=state, lease="x", leased_until=NOW, unknown_since=NOW)
        await self.tell(served, notice, status="sent")
        after = await now_of(line, notice.id)
        assert (after.state, after.provider_id, after.next_at) == ("sent", "SM1", None)
        async with line.services.store.unit() as unit:
            assert await statements.lost(unit, "sms", NOW + timedelta(days=1)) == []

    async def test_words_about_another_message_change_nothing(self, line: Line, served: httpx.AsyncClient) -> None:
        notice = await put(line, state="sent", provider_id="SM1")
        assert (await self.tell(served, notice, sid="SM2", status="failed")).status_code == 204
        assert (await now_of(line, notice.id)).state == "sent"
        assert (await self.tell(served, replace(notice, key="unknown"))).status_code == 204

    async def test_without_twilios_signature_nothing_is_believed(self, line: Line, served: httpx.AsyncClient) -> None:
        notice = await put(line, state="sent", provider_id="SM1")
        refused(await self.tell(served, notice, token="another"), 403, field="X-Twilio-Signature")
        for content in (b"", b"\xff\xfe", b"a=b&" * 1000, b"MessageSid=SM1&MessageStatus=failed"):
            response = await served.post(
                f"/v1/twilio/status?notice={notice.key}", content=content, headers={"X-Twilio-Signature": "x" * 28}
            )
            refused(response, 403)
        assert (await now_of(line, notice.id)).state == "sent"

    async def test_a_body_that_is_too_large_is_refused(self, served: httpx.AsyncClient) -> None:
        refused(await served.post("/v1/twilio/status", content=b"x" * (2**20 + 1)), 413)

    async def test_where_twilio_is_not_configured_nothing_is_believed(
        self, client: httpx.AsyncClient, line: Line
    ) -> None:
        notice = await put(line, state="sent")
        refused(await self.tell(client, notice), 403)


async def test_e_mails_are_seen_with_what_became_of_them_and_as_they_came(
    line: Line, served: httpx.AsyncClient
) -> None:
    values = {
        "key": "a" * 64,
        "at": NOW,
        "sender": "julie@clinique.example",
        "recipient": "support@omnivigil.com",
        "subject": "Écho",
        "message_id": "<1@x>",
        "body": "La ligne grésille.",
        "attachments": [{"name": "écran.png", "type": "image/png", "size": 4}],
        "size": 100,
        "outcome": "ignored",
        "reason": "it comes by a mailing list (List-Id)",
        "ticket_number": None,
    }
    async with line.services.store.unit() as unit:
        mail_id = await mail_statements.add(unit, values)
        await mail_statements.add(unit, values | {"key": "b" * 64, "outcome": "opened"})
    (shown,) = (await served.get("/v1/mails", params={"outcome": "ignored"})).json()["items"]
    assert shown["reason"] == "it comes by a mailing list (List-Id)"
    assert (await served.get(f"/v1/mails/{mail_id}")).json()["body"] == "La ligne grésille."
    refused(await served.get(f"/v1/mails/{mail_id}/original"), 404)
    keep(line.services.mails, "a" * 64, b"From: x\r\n\r\n<script>alert(1)</script>")
    original = await served.get(f"/v1/mails/{mail_id}/original")
    assert original.headers["content-type"] == "message/rfc822"
    assert original.headers["content-disposition"].startswith("attachment")
    assert original.headers["content-security-policy"] == "sandbox"
    assert original.content.startswith(b"From: x")
    refused(await served.get(f"/v1/mails/{mail_id}/attachments/1"), 404)
    picture = b"Content-Type: image/svg+xml; name=\"../<b>\xe2\x80\xaegnp.svg\"\r\n\r\n<svg onload='alert(1)'/>"
    keep(line.services.mails, "a" * 64, b"From: x@y.example\r\n" + picture)
    attached = await served.get(f"/v1/mails/{mail_id}/attachments/1")
    assert attached.content == b"<svg onload='alert(1)'/>"
    assert attached.headers["content-type"] == "application/octet-stream"
    assert attached.headers["content-disposition"] == "attachment; filename*=utf-8''__b_gnp.svg"
    assert attached.headers["content-security-policy"] == "sandbox"
    assert attached.headers["x-content-type-options"] == "nosniff"
    noted = (await served.get("/v1/listenings", params={"kind": "mail"})).json()["items"]
    assert [one["subject"] for one in noted] == [str(mail_id)]


class TestTextsComeIn:
    async def tell(
        self, client: httpx.AsyncClient, *, sid: str = "SM1", token: str = TOKEN, **more: str
    ) -> httpx.Response:
        form = {"MessageSid": sid, "From": "+14185550161", "To": "+15815550100", "Body": "", "NumMedia": "0"} | more
        signature = RequestValidator(token).compute_signature(f"{PUBLIC}/v1/twilio/messages", form)
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        headers = {"Authorization": "", "Content-Type": kind, "X-Twilio-Signature": signature}
        return await client.post("/v1/twilio/messages", content=urlencode(form), headers=headers)

    async def test_they_are_answered_and_listed(self, served: httpx.AsyncClient) -> None:
        told = await self.tell(served, Body="Bonjour 👋 <b>&", NumMedia="2")
        assert (told.status_code, told.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert "<Message>Personne ne lit les textos" in told.text
        again = await self.tell(served, Body="Bonjour 👋 <b>&", NumMedia="2")
        assert again.text == told.text, "Twilio asks twice when it has not heard the answer"
        assert (await self.tell(served, sid="SM2", Body="STOP")).text.endswith("<Response></Response>")
        second, first = (await served.get("/v1/texts")).json()["items"]
        assert (first["sender"], first["body"], first["media"]) == ("14185550161", "Bonjour 👋 <b>&", 2)
        assert [first["outcome"], second["outcome"]] == ["answered", "stopped"]
        assert (await served.get("/v1/texts", params={"sender": "14185550199"})).json()["items"] == []

    async def test_without_twilios_signature_nothing_is_taken(self, served: httpx.AsyncClient) -> None:
        refused(await self.tell(served, token="another", Body="STOP"), 403, field="X-Twilio-Signature")
        for content in (b"", b"\xff\xfe", b"a=b&" * 1000, b"MessageSid=SM1&From=%2B14185550161&Body=STOP"):
            headers = {"X-Twilio-Signature": "x" * 28}
            refused(await served.post("/v1/twilio/messages", content=content, headers=headers), 403)
        assert (await served.get("/v1/texts")).json()["items"] == []
        assert (await served.get("/v1/opt-outs")).json() == []

    async def test_what_is_odd_breaks_nothing(self, served: httpx.AsyncClient) -> None:
        odd: list[dict[str, str]] = [
            {"NumMedia": "-1"},
            {"NumMedia": "99999999999"},
            {"From": "BANQUE"},
            {"From": ""},
            {"Body": "x" * 1700 + "\x00"},
            {"MessageSid": ""},
            {"MessageSid": "S" * 65},
        ]
        for number, one in enumerate(odd):
            assert (await self.tell(served, sid=f"SM{number}", **one)).status_code == 200
        kept = (await served.get("/v1/texts")).json()["items"]
        assert [len(one["body"]) for one in kept] == [1600, 0, 0, 0]
