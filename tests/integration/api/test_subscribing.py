"""Subscribing to the status page by its forms, as a browser without script does (OV-27)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from ivr.incidents import mailing
from ivr.notify.compose import compose
from ivr.notify.config import NoticeConfig, Smtp, Twilio
from ivr.notify.store import page as notices_page
from ivr.notify.tables import outbox
from ivr.subscriptions import rules
from ivr.subscriptions.service import Subscribers, erase
from ivr.subscriptions.tables import status_subscribers
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_incidents import FIRST, NEXT, opened, updated

PAGE = "/status/omnivigil/fr"
PUBLIC = "https://etat.example"


@pytest.fixture(autouse=True)
async def configured(line: Line) -> None:
    """A line that can send both, and is reached from outside."""
    await line.services.announcer.load()
    configure(
        line,
        NoticeConfig(
            smtp=Smtp(host="127.0.0.1", port=9, security="none", sender="etat@example.com", sender_name="OMNIVIGIL"),
            twilio=Twilio(account_sid="AC" + "0" * 32, auth_token=SecretStr("x"), sender="332211"),
            public_url=PUBLIC,
        ),
    )


def configure(line: Line, notices: NoticeConfig) -> None:
    line.services = replace(line.services, notices=notices)
    assert line.app is not None
    line.app.state.services = line.services


async def post(client: httpx.AsyncClient, what: str, **more: Any) -> httpx.Response:
    """As a form of the page's own."""
    return await client.post(f"{PAGE}/{what}", **more)


async def sent(line: Line, kind: str) -> list[Any]:
    async with line.services.store.reading() as unit:
        query = select(outbox).where(outbox.c.kind == kind).order_by(outbox.c.id)
        return list((await unit.execute(query)).mappings())


async def by_text(client: httpx.AsyncClient, number: str, token: str) -> httpx.Response:
    """As the form that is shown to whoever has confirmed an e-mail address with this token."""
    return await post(client, "subscribe", data={"kind": "sms", "address": number, "token": token})


async def subscribed(client: httpx.AsyncClient, line: Line, address: str = "nom@exemple.ca", **more: Any) -> str:
    """By e-mail; the token that confirmed it."""
    answer = await post(client, "subscribe", data={"kind": "email", "address": address} | more)
    assert answer.status_code == 200, answer.text
    found = re.search(r"token=([\w-]+)", (await sent(line, "email"))[-1]["body"])
    assert found
    answer = await post(client, "confirm", data={"token": found[1]})
    assert "C’est fait" in answer.text
    return found[1]


class TestByEmail:
    async def test_from_the_page_to_the_first_news(self, client: httpx.AsyncClient, line: Line) -> None:
        assert f"{PAGE}/subscribe" in (await client.get(PAGE)).text
        form = await client.get(f"{PAGE}/subscribe")
        assert "Adresse courriel" in form.text
        assert "La téléphonie" in form.text
        answer = await post(client, "subscribe", data={"kind": "email", "address": "Nom@Exemple.ca"})
        assert "un courriel vient de lui être envoyé" in answer.text
        [asked] = await sent(line, "email")
        assert (asked["recipient"], asked["language"]) == ("nom@exemple.ca", "fr")
        found = re.search(rf"{PUBLIC}{PAGE}/confirm\?token=([\w-]+)", asked["body"])
        assert found
        # Mail programs look at links: that confirms nothing.
        shown = await client.get(f"{PAGE}/confirm", params={"token": found[1]})
        assert f'value="{found[1]}"' in shown.text
        assert shown.headers["referrer-policy"] == "no-referrer"
        await opened(client)
        assert await mailing.go_on(line.services.store, line.services.desks, line.now, public_url=PUBLIC) == 0
        assert "C’est fait" in (await post(client, "confirm", data={"token": found[1]})).text
        one = await opened(client, services=["telephonie"])
        assert await mailing.go_on(line.services.store, line.services.desks, line.now, public_url=PUBLIC) == 1
        news = (await sent(line, "email"))[-1]
        assert news["subject"] == f"[OMNIVIGIL] Investigation : {FIRST['fr']}"
        assert FIRST["fr"] in news["body"]
        assert f"{PUBLIC}{PAGE}/incidents/{one['id']}" in news["body"]

    async def test_one_click_in_a_mail_program_ends_it(self, client: httpx.AsyncClient, line: Line) -> None:
        """RFC 8058: the mail program posts to the header's address."""
        await subscribed(client, line)
        await opened(client)
        await mailing.go_on(line.services.store, line.services.desks, line.now, public_url=PUBLIC)
        async with line.services.store.reading() as unit:
            [notice, *_] = await notices_page(unit, filters={}, before=None, limit=5)
        smtp = line.services.notices.smtp
        assert smtp is not None
        email = compose(notice, sender=smtp.sender, sender_name=smtp.sender_name, domain=smtp.domain, replies=False)
        assert email["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        url = str(email["List-Unsubscribe"]).strip("<>")
        assert url.startswith(PUBLIC)
        path = url.removeprefix(PUBLIC)
        assert "Me désabonner" in (await client.get(path)).text
        answer = await client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert "vous n’êtes plus abonné" in answer.text
        # And once more, or with anything else: nobody learns what is known.
        assert (await client.post(path, data={"List-Unsubscribe": "One-Click"})).text == answer.text
        await opened(client, texts=NEXT)
        assert await mailing.go_on(line.services.store, line.services.desks, line.now, public_url=PUBLIC) == 0

    async def test_only_what_they_want_to_hear_of(self, client: httpx.AsyncClient, line: Line) -> None:
        services = list(line.services.desks["omnivigil"].services)
        await subscribed(client, line, services=services[0])
        before = len(await sent(line, "email"))
        await opened(client, services=[services[1]])
        await mailing.go_on(line.services.store, line.services.desks, line.now, public_url=PUBLIC)
        assert len(await sent(line, "email")) == before
        one = await opened(client, services=services[:2], texts=NEXT)
        await updated(client, one["id"], "confirmed", NEXT)
        for _ in range(3):
            await mailing.go_on(line.services.store, line.services.desks, line.now, public_url=PUBLIC)
        assert len(await sent(line, "email")) == before + 2


class TestByText:
    """Who wants text messages has confirmed an e-mail address first, and has few numbers sent a code."""

    async def test_not_before_an_address_is_confirmed(self, client: httpx.AsyncClient, line: Line) -> None:
        assert 'name="kind" value="sms"' not in (await client.get(f"{PAGE}/subscribe")).text
        for token in ("", "wrong", "x" * 64):
            answer = await by_text(client, "418 555-0123", token)
            assert (answer.status_code, "Confirmez d’abord" in answer.text) == (422, True)
        await post(client, "subscribe", data={"kind": "email", "address": "nom@exemple.ca"})
        found = re.search(r"token=([\w-]+)", (await sent(line, "email"))[-1]["body"])
        assert found
        assert (await by_text(client, "418 555-0123", found[1])).status_code == 422
        assert await sent(line, "sms") == []
        # Then the page offers it.
        assert 'name="kind" value="sms"' in (await post(client, "confirm", data={"token": found[1]})).text
        assert (await by_text(client, "418 555-0123", found[1])).status_code == 200
        assert len(await sent(line, "sms")) == 1

    async def test_a_wrong_number_may_be_written_again(self, client: httpx.AsyncClient, line: Line) -> None:
        token = await subscribed(client, line)
        answer = await by_text(client, "12", token)
        assert (answer.status_code, f'value="{token}"' in answer.text) == (422, True)
        assert "418 555-0123" in answer.text

    async def test_one_reader_has_few_numbers_a_day(self, client: httpx.AsyncClient, line: Line) -> None:
        token = await subscribed(client, line)
        codes = [(await by_text(client, f"418 555-012{n}", token)).status_code for n in range(5)]
        assert codes == [200] * rules.SMS_OF_ONE.most + [429] * 2
        assert len(await sent(line, "sms")) == rules.SMS_OF_ONE.most
        line.now = NOW + timedelta(days=1)
        assert (await by_text(client, "418 555-0129", token)).status_code == 200

    async def test_all_together_are_a_few_an_hour_and_e_mail_goes_on(
        self, client: httpx.AsyncClient, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rules, "SMS_AN_HOUR", replace(rules.SMS_AN_HOUR, most=2))
        tokens = [await subscribed(client, line, f"nom{n}@exemple.ca") for n in range(3)]
        codes = [(await by_text(client, f"418 555-012{n}", token)).status_code for n, token in enumerate(tokens)]
        assert codes == [200, 200, 429]
        assert (await post(client, "subscribe", data={"kind": "email", "address": "a@exemple.ca"})).status_code == 200
        # A restart fills no budget anew.
        line.services = replace(line.services, subscribers=Subscribers(line.services.store, lambda: line.now))
        assert line.app is not None
        line.app.state.services = line.services
        assert (await by_text(client, "418 555-0127", tokens[2])).status_code == 429
        line.now = NOW + timedelta(hours=1)
        assert (await by_text(client, "418 555-0127", tokens[2])).status_code == 200

    async def test_wrong_codes_use_up_nobodys_subscriptions(self, client: httpx.AsyncClient, line: Line) -> None:
        codes = [
            (await post(client, "code", data={"number": "14185550999", "code": "000000"})).status_code
            for _ in range(rules.MOST_TRIED_FROM_ONE + 1)
        ]
        assert codes == [422] * rules.MOST_TRIED_FROM_ONE + [429]
        assert (await post(client, "subscribe", data={"kind": "email", "address": "a@exemple.ca"})).status_code == 200

    async def test_with_a_code(self, client: httpx.AsyncClient, line: Line) -> None:
        answer = await by_text(client, "418 555-0123", await subscribed(client, line))
        assert 'value="14185550123"' in answer.text
        [text] = await sent(line, "sms")
        code = re.search(r"\b(\d{6})\b", text["body"])
        assert code
        assert "abonné" in (await post(client, "code", data={"number": "14185550123", "code": code[1]})).text
        await opened(client)
        assert await mailing.go_on(line.services.store, line.services.desks, line.now) == 2
        assert (await sent(line, "sms"))[-1]["body"].startswith("OMNIVIGIL : Nous vérifions")

    async def test_a_code_cannot_be_guessed(self, client: httpx.AsyncClient, line: Line) -> None:
        await by_text(client, "418 555-0123", await subscribed(client, line))
        code = re.search(r"\b(\d{6})\b", (await sent(line, "sms"))[0]["body"])
        assert code
        wrong = "000000" if code[1] != "000000" else "111111"
        for _ in range(rules.MOST_TRIES):
            answer = await post(client, "code", data={"number": "14185550123", "code": wrong})
            assert (answer.status_code, "n’est pas le bon" in answer.text) == (422, True)
        assert (await post(client, "code", data={"number": "14185550123", "code": code[1]})).status_code == 422
        # Of a number that nobody asked for, the answer is the same.
        unknown = await post(client, "code", data={"number": "14185550999", "code": wrong})
        assert unknown.text.replace("14185550999", "14185550123") == answer.text


class TestNobodyIsBombed:
    async def test_an_address_is_written_to_once_in_a_while(self, client: httpx.AsyncClient, line: Line) -> None:
        answers = set()
        for _ in range(4):
            answers.add((await post(client, "subscribe", data={"kind": "email", "address": "nom@exemple.ca"})).text)
        assert len(await sent(line, "email")) == 1
        assert len(answers) == 1
        for n in range(1, 6):
            line.now = NOW + timedelta(minutes=11 * n)
            await post(client, "subscribe", data={"kind": "email", "address": "nom@exemple.ca"})
        assert len(await sent(line, "email")) == rules.MOST_ASKED

    async def test_who_is_subscribed_is_not_told_so(self, client: httpx.AsyncClient, line: Line) -> None:
        await subscribed(client, line)
        known = await post(client, "subscribe", data={"kind": "email", "address": "nom@exemple.ca"})
        other = await post(client, "subscribe", data={"kind": "email", "address": "autre@exemple.ca"})
        assert known.text == other.text
        assert [row["recipient"] for row in await sent(line, "email")] == ["nom@exemple.ca", "autre@exemple.ca"]

    async def test_one_network_may_ask_for_few(self, client: httpx.AsyncClient, line: Line) -> None:
        codes = []
        for n in range(rules.MOST_FROM_ONE + 2):
            answer = await post(client, "subscribe", data={"kind": "email", "address": f"nom{n}@exemple.ca"})
            codes.append(answer.status_code)
        assert codes == [200] * rules.MOST_FROM_ONE + [429, 429]
        assert "Réessayez dans quelques minutes" in answer.text
        assert len(await sent(line, "email")) == rules.MOST_FROM_ONE

    async def test_what_was_not_confirmed_is_forgotten(self, client: httpx.AsyncClient, line: Line) -> None:
        await post(client, "subscribe", data={"kind": "email", "address": "nom@exemple.ca"})
        found = re.search(r"token=([\w-]+)", (await sent(line, "email"))[0]["body"])
        assert found
        line.now = NOW + rules.CONFIRM_WITHIN
        assert (await post(client, "confirm", data={"token": found[1]})).status_code == 422
        async with line.services.store.unit() as unit:
            assert await erase(unit, line.now) == 0
            assert await erase(unit, line.now + timedelta(hours=1)) == 1

    async def test_another_site_cannot_send_the_form(self, client: httpx.AsyncClient, line: Line) -> None:
        answer = await post(
            client,
            "subscribe",
            data={"kind": "email", "address": "nom@exemple.ca"},
            headers={"Sec-Fetch-Site": "cross-site"},
        )
        assert answer.status_code == 403
        assert await sent(line, "email") == []

    @pytest.mark.parametrize("address", ["<script>alert(1)</script>", '"onfocus=alert(1) x="', "a@b", "a" * 300])
    async def test_what_is_no_address_is_shown_and_does_nothing(
        self, client: httpx.AsyncClient, line: Line, address: str
    ) -> None:
        answer = await post(client, "subscribe", data={"kind": "email", "address": address})
        assert answer.status_code == 422
        assert "<script" not in answer.text
        assert '"onfocus' not in answer.text
        assert "pas une adresse courriel" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


class TestWhatIsNotConfigured:
    async def test_is_not_offered(self, client: httpx.AsyncClient, line: Line) -> None:
        configure(line, NoticeConfig(public_url=PUBLIC))
        form = await client.get(f"{PAGE}/subscribe")
        assert "<form" not in form.text
        assert "feed.atom" in form.text
        answer = await post(client, "subscribe", data={"kind": "email", "address": "nom@exemple.ca"})
        assert answer.status_code == 422
        assert await sent(line, "email") == []


class TestOperations:
    async def test_list_and_forget(self, client: httpx.AsyncClient, line: Line) -> None:
        """Law 25: what we keep of somebody, and no more of it when they ask."""
        await by_text(client, "418 555-0123", await subscribed(client, line))
        first = (await client.get("/v1/status-subscribers", params={"limit": 1})).json()
        assert [one["address"] for one in first["items"]] == ["nom@exemple.ca"]
        rest = (await client.get("/v1/status-subscribers", params={"cursor": first["next"]})).json()
        assert [(one["address"], one["confirmed_at"]) for one in rest["items"]] == [("14185550123", None)]
        url = f"/v1/status-subscribers/{first['items'][0]['id']}"
        assert (await client.delete(url)).status_code == 204
        assert (await client.delete(url)).status_code == 404
        async with line.services.store.reading() as unit:
            left = (await unit.execute(select(status_subscribers.c.address))).scalars().all()
        assert left == ["14185550123"]
