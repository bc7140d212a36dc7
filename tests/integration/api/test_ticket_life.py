"""A ticket's life through the API: documented, routed, answered, resolved; and who may ask."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from ivr.callbacks import store as callback_statements
from ivr.calls.tables import calls
from ivr.directory import service
from ivr.directory.entries import read_entry
from ivr.directory.lookup import Directory
from ivr.notify.tables import outbox
from ivr.tickets import tables as t
from tests.integration.api.asserting import refused
from tests.integration.api.conftest import NOW, Line
from tests.integration.api.test_callbacks import request as callback
from tests.integration.api.test_tickets import FULL, make

#: The demo's account without a partner, one with a standard partner, and the one of an Élite partner.
ALONE, STANDARD, ELITE = "C-1003", "C-1002", "C-1001"
CALL = "c" * 32


async def change(client: httpx.AsyncClient, number: str, **fields: Any) -> dict[str, Any]:
    response = await client.patch(f"/v1/tickets/{number}", json=fields)
    assert response.status_code == 200, response.text
    changed: dict[str, Any] = response.json()
    return changed


async def read(client: httpx.AsyncClient, number: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/v1/tickets/{number}")).json()
    return found


async def mails(line: Line) -> list[tuple[str, str, str]]:
    async with line.services.store.reading() as unit:
        rows = await unit.execute(select(outbox).order_by(outbox.c.id))
        return [(row.recipient, row.subject, row.body) for row in rows]


class TestDocumented:
    async def test_ov12_what_is_missing_is_told_and_when_nothing_is_it_is_documented(
        self, client: httpx.AsyncClient
    ) -> None:
        number = (await make(client, kind="problem", account_number=ALONE))["number"]
        found = await read(client, number)
        assert [one["field"] for one in found["missing"]][:2] == ["requester_name", "requester_phone"]
        assert found["missing"][1]["instead"] == ["requester_email"]
        assert all(one["mend"] for one in found["missing"])
        assert found["clocks"] == {}
        fields = {name: value for name, value in FULL.items() if name != "account_number"}
        changed = await change(client, number, **fields)
        assert (changed["status"], changed["version"], changed["level"]) == ("documented", 2, 1)
        assert datetime.fromisoformat(changed["documented_at"]) == NOW
        found = await read(client, number)
        assert found["missing"] == []
        assert [(one["kind"], one["who"]) for one in found["history"]] == [
            ("created", "console"),
            ("changed", "console"),
            ("documented", "rules"),
            ("routed", "rules"),
        ]
        assert {one["version"] for one in found["history"][1:]} == {2}

    async def test_ov14_tmr_runs_from_then_on(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, **FULL | {"account_number": ALONE}))["number"]
        clock = (await read(client, number))["clocks"]["tmr"]
        # 10:00 on a Wednesday: level 1, one hour and two, and over lunch.
        assert clock == {
            "running": True,
            "level": 1,
            "elapsed_s": 0,
            "warning_at": "2026-11-18T16:00:00Z",
            "limit_at": "2026-11-18T18:00:00Z",
            "breached": False,
        }

    async def test_ov14_whoever_answered_the_call_has_answered_the_ticket(
        self, line: Line, client: httpx.AsyncClient
    ) -> None:
        async with line.services.store.unit() as unit:
            values = {
                "id": CALL,
                "linkedid": "1.1",
                "channel": "PJSIP/trunk-1",
                "desk": "omnivigil",
                "dialled": "611",
                "identity": {},
                "started_at": NOW - timedelta(minutes=5),
                "answered_at": NOW - timedelta(minutes=4),
            }
            await unit.execute(unit.insert(calls).values(values))
        made = await make(client, **FULL | {"account_number": ALONE, "call_id": CALL})
        assert datetime.fromisoformat(made["answered_at"]) == NOW - timedelta(minutes=4)
        assert list((await read(client, made["number"]))["clocks"]) == ["tr"]

    @pytest.mark.parametrize(
        ("mode", "state", "spoke"),
        [
            ("technician_first", "connected", True),
            ("customer_first", "done", True),
            ("customer_first", "connected", False),
            ("technician_first", "pending", False),
        ],
    )
    async def test_ov9_ov14_whoever_called_back_has_answered_the_ticket(
        self, line: Line, client: httpx.AsyncClient, mode: Any, state: Any, spoke: bool
    ) -> None:
        answered = NOW - timedelta(minutes=2)
        async with line.services.store.unit() as unit:
            values = {
                "id": CALL,
                "linkedid": "1.1",
                "channel": "PJSIP/trunk-1",
                "desk": "omnivigil",
                "dialled": "611",
                "identity": {},
                "started_at": NOW - timedelta(minutes=25),
            }
            await unit.execute(unit.insert(calls).values(values))
            asked = callback(
                1,
                call_id=CALL,
                mode=mode,
                state=state,
                requested_at=NOW - timedelta(minutes=20),
                answered_at=answered if state != "pending" else None,
            )
            await callback_statements.add(unit, asked)
        made = await make(client, **FULL | {"account_number": ALONE, "call_id": CALL})
        if spoke:
            assert datetime.fromisoformat(made["answered_at"]) == answered
        assert list((await read(client, made["number"]))["clocks"]) == ["tr" if spoke else "tmr"]

    async def test_it_stays_documented(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, **FULL))["number"]
        changed = await change(client, number, observed=None)
        assert changed["status"] == "documented"
        assert changed["documented_at"] is not None

    async def test_ov12_saying_so_is_not_enough(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, kind="device"))["number"]
        problem = refused(
            await client.patch(f"/v1/tickets/{number}", json={"status": "documented"}), 422, field="status"
        )
        assert "requester_name" in str(problem["detail"])
        assert (await read(client, number))["version"] == 1


class TestRouting:
    @pytest.mark.parametrize(
        ("account", "fields", "partner", "level"),
        [
            (ALONE, {}, None, 1),
            (STANDARD, {}, None, 1),
            (ELITE, {}, "Réseaux Boréal", 1),  # OV-17
            (STANDARD, {"on_site": True}, "Télécom Estrie", 1),  # OV-16
            (ALONE, {"on_site": True}, None, 2),
            (STANDARD, {"kind": "new-service"}, "Télécom Estrie", 1),
            (ALONE, {"programming_min": 45}, None, 2),
            (ALONE, {"on_site": True, "level": 3}, None, 3),
        ],
    )
    async def test_ov16_ov17(
        self,
        line: Line,
        client: httpx.AsyncClient,
        account: str,
        fields: dict[str, Any],
        partner: str | None,
        level: int,
    ) -> None:
        made = await make(client, **FULL | {"account_number": account} | fields)
        book = line.services.directory.book
        assert made["level"] == level
        assert (book.partners[made["partner_id"]].name if made["partner_id"] else None) == partner
        told = [mail for mail in await mails(line) if "confié" in mail[2]]
        assert len(told) == (1 if partner else 0)

    async def test_ov16_what_turns_out_later_counts_too(self, line: Line, client: httpx.AsyncClient) -> None:
        number = (await make(client, **FULL | {"account_number": STANDARD}))["number"]
        changed = await change(client, number, programming_min=31)
        assert changed["partner_id"] is not None
        assert (await read(client, number))["history"][-1]["changes"]["why"] == "31 minutes of programming"
        # Once told is enough.
        await change(client, number, programming_min=32)
        assert len([mail for mail in await mails(line) if "confié" in mail[2]]) == 1

    async def test_a_desk_without_rules_keeps_it(self, client: httpx.AsyncClient) -> None:
        made = await make(client, **FULL | {"desk": "hotline-2024", "account_number": ELITE})
        assert (made["status"], made["partner_id"], made["level"]) == ("documented", None, 1)
        clock = (await read(client, made["number"]))["clocks"]["tmr"]
        assert (clock["warning_at"], clock["limit_at"]) == (None, None)

    @pytest.mark.parametrize(("field", "value"), [("partner_id", 999), ("contact_id", 999), ("contact_id", 2)])
    async def test_people_who_are_not_there_are_refused(
        self, client: httpx.AsyncClient, field: str, value: int
    ) -> None:
        refused(await client.post("/v1/tickets", json={"account_number": ELITE, field: value}), 422, field=field)
        number = (await make(client, account_number=ELITE))["number"]
        refused(await client.patch(f"/v1/tickets/{number}", json={field: value}), 422, field=field)


class TestSteps:
    async def test_ov14_ov15_answering_ends_tmr_and_waiting_stops_tr(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, **FULL | {"account_number": ALONE}))["number"]
        await change(client, number, status="in-progress")
        clocks = (await read(client, number))["clocks"]
        assert (clocks["tmr"]["running"], clocks["tr"]["running"]) == (False, True)
        assert clocks["tmr"]["limit_at"] is None
        for state in ("waiting-requester", "waiting-partner", "waiting-supplier"):
            await change(client, number, status=state)
            assert (await read(client, number))["clocks"]["tr"]["running"] is False
        await change(client, number, status="in-progress")
        assert (await read(client, number))["clocks"]["tr"]["running"] is True

    async def test_ov14_an_answer_by_email_ends_tmr_and_leaves(self, line: Line, client: httpx.AsyncClient) -> None:
        number = (await make(client, **FULL | {"account_number": ALONE}))["number"]
        response = await client.post(f"/v1/tickets/{number}/answers", json={"text": "Bonjour,\nje m’en occupe."})
        assert response.status_code == 200
        assert response.json()["version"] == 2
        assert list((await read(client, number))["clocks"]) == ["tmr", "tr"]
        assert (await mails(line))[-1][2] == "Bonjour,\nje m’en occupe.\n"
        entry = (await read(client, number))["history"][-1]
        assert (entry["kind"], entry["changes"]["text"]) == ("answered", "Bonjour,\nje m’en occupe.")

    async def test_an_answer_needs_somebody_and_an_open_ticket(self, client: httpx.AsyncClient) -> None:
        number = (await make(client))["number"]
        path = f"/v1/tickets/{number}/answers"
        refused(await client.post(path, json={"text": "Bonjour."}), 422, field="requester_email")
        refused(await client.post(path, json={"text": ""}), 422, field="text")
        refused(await client.post(path, json={"text": "a", "version": 7}), 409, field="version")
        refused(await client.post("/v1/tickets/999999/answers", json={"text": "a"}), 404)
        await change(client, number, status="closed", reason="Doublon.", requester_email="a@b.example")
        problem = refused(await client.post(path, json={"text": "a"}), 422, field="text")
        assert "open it again" in str(problem["mend"])

    async def test_what_cannot_follow_is_refused_with_what_can(self, client: httpx.AsyncClient) -> None:
        number = (await make(client))["number"]
        assert (await read(client, number))["next"][:2] == ["documented", "in-progress"]
        await change(client, number, status="closed", reason="Doublon.")
        path = f"/v1/tickets/{number}"
        problem = refused(await client.patch(path, json={"status": "in-progress"}), 422, field="status")
        assert problem["mend"] == "give one of reopened"
        refused(await client.patch(path, json={"status": "waiting"}), 422, field="status")
        refused(await client.patch(path, json={"status": "reopened"}), 422, field="reason")
        changed = await change(client, number, status="reopened", reason="Le problème revient.")
        assert changed["status"] == "reopened"
        assert (await read(client, number))["history"][-1]["changes"]["reason"] == "Le problème revient."

    async def test_ov18_the_requester_reads_of_every_step_in_their_language(
        self, line: Line, client: httpx.AsyncClient
    ) -> None:
        number = (await make(client, requester_email="julie@clinique.example", service="Fax\u00a02", language="fr"))[
            "number"
        ]
        await change(client, number, status="in-progress")
        await change(client, number, observed="x")
        await change(client, number, status="resolved", solution="Redémarrer.", language="en")
        sent = await mails(line)
        assert {mail[0] for mail in sent} == {"julie@clinique.example"}
        assert sent[0][1] == f"Billet {number} : Fax\u00a02"
        assert "– votre nom" in sent[0][2]
        assert sent[1][2] == "Un technicien travaille à votre demande.\n"
        assert sent[2][2] == "Your request is resolved.\n\nSolution: Redémarrer.\n"
        assert len(sent) == 3

    async def test_ov18_outside_the_demarcation_no_clock_runs(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, **FULL | {"account_number": ALONE}))["number"]
        await change(client, number, outside=True)
        assert (await read(client, number))["clocks"]["tmr"]["running"] is False
        await change(client, number, outside=False)
        assert (await read(client, number))["clocks"]["tmr"]["running"] is True

    async def test_priority_and_level_changes_keep_the_ledger(self, line: Line, client: httpx.AsyncClient) -> None:
        number = (await make(client, **FULL | {"account_number": ALONE}))["number"]
        await change(client, number, priority="urgente")
        await change(client, number, level=2)
        await change(client, number, priority="haute", level=1)
        async with line.services.store.reading() as unit:
            spans = (await unit.execute(select(t.ticket_spans).order_by(t.ticket_spans.c.id))).all()
        assert [(span.level, span.pace) for span in spans] == [
            (1, "working"),
            (1, "always"),
            (2, "always"),
            (1, "working"),
        ]
        assert [span.ended_at is None for span in spans] == [False, False, False, True]


class TestRights:
    async def test_ov20_who_may_not_ask_is_told_who_may(self, line: Line, client: httpx.AsyncClient) -> None:
        number = (await make(client, kind="contacts", account_number=ELITE))["number"]
        path = f"/v1/tickets/{number}"
        problem = refused(await client.patch(path, json={"status": "in-progress"}), 422, field="contact_id")
        assert "administrateur or partenaire" in str(problem["detail"])
        assert "1 (Julie Tremblay)" in str(problem["mend"])
        # Asking them back, and closing, are always possible.
        await change(client, number, status="waiting-requester")
        await change(client, number, contact_id=1, status="in-progress")

    async def test_ov20_a_user_may_ask_for_what_the_directory_says(self, line: Line, client: httpx.AsyncClient) -> None:
        values = {"account": ELITE, "name": "Omar", "kind": "utilisateur"}
        for rights, status in ((["transfer"], 422), (["transfer", "contacts"], 200)):
            async with line.services.store.unit() as unit:
                entry = read_entry("contacts", values | {"rights": rights})
                await service.put(unit, "main", "contacts", "omar", entry, by="ana", at=line.now)
            book = await Directory(line.services.store).reload()
            (omar,) = [one.id for one in book.contacts.values() if one.key == "omar"]
            number = (await make(client, kind="contacts", account_number=ELITE, contact_id=omar))["number"]
            answer = await client.patch(f"/v1/tickets/{number}", json={"status": "in-progress"})
            assert answer.status_code == status, answer.text

    async def test_ov20_the_partner_may_ask_too(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, kind="contacts", account_number=ELITE, requester_email="soutien@boreal.example"))[
            "number"
        ]
        await change(client, number, status="in-progress")


class TestKnowledge:
    async def solve(self, client: httpx.AsyncClient, solution: str, **fields: Any) -> str:
        number: str = (await make(client, **fields))["number"]
        await change(client, number, status="resolved", solution=solution)
        return number

    async def find(self, client: httpx.AsyncClient, **query: Any) -> list[str]:
        response = await client.get("/v1/solutions", params=query)
        assert response.status_code == 200, response.text
        return [one["solution"] for one in response.json()["items"]]

    async def test_ov19_resolving_asks_for_a_solution_which_is_then_found(self, client: httpx.AsyncClient) -> None:
        number = (await make(client, service="Messagerie vocale", observed="Le voyant reste éteint."))["number"]
        path = f"/v1/tickets/{number}"
        refused(await client.patch(path, json={"status": "resolved"}), 422, field="solution")
        await change(client, number, status="resolved", solution="Réinitialiser le téléphone.")
        [found] = (await client.get("/v1/solutions", params={"q": "reinitialiser VOYANT"})).json()["items"]
        assert (found["ticket"], found["problem"], found["who"]) == (number, "Le voyant reste éteint.", "console")
        assert (await read(client, number))["history"][-1]["changes"]["solution"] == found["id"]

    async def test_words_beginnings_and_filters(self, client: httpx.AsyncClient) -> None:
        await self.solve(client, "Redémarrer le commutateur.", kind="problem")
        await self.solve(client, "Redémarrer deux fois, puis redémarrer encore.", kind="device")
        assert await self.find(client, q="redemarrer commut") == ["Redémarrer le commutateur."]
        assert len(await self.find(client, q="redém")) == 2
        assert await self.find(client, q="redémarrer", kind="problem") == ["Redémarrer le commutateur."]
        assert await self.find(client, q="absent") == []
        assert len(await self.find(client)) == 2

    @pytest.mark.parametrize(
        "words", ['"', "*", "a OR b", "NEAR(a b)", "solution:x", "- ^ ( )", "'; DROP TABLE solutions", "l’été", "\\"]
    )
    async def test_no_word_is_an_operator(self, client: httpx.AsyncClient, words: str) -> None:
        await self.solve(client, "Autre chose.")
        assert await self.find(client, q=words) == []

    async def test_pages(self, client: httpx.AsyncClient) -> None:
        for n in range(5):
            await self.solve(client, f"Solution {n}.")
        first = (await client.get("/v1/solutions", params={"q": "solution", "limit": 3})).json()
        rest = (await client.get("/v1/solutions", params={"q": "solution", "limit": 3, "cursor": first["next"]})).json()
        assert len({one["id"] for one in first["items"] + rest["items"]}) == 5
        assert rest["next"] is None
        for query in ("cursor=!!", "limit=0", "colour=red", "q="):
            refused(await client.get(f"/v1/solutions?{query}"), 422, field=query.split("=")[0])


class TestQuotes:
    async def test_ov32_to_the_cent_with_reasons(self, client: httpx.AsyncClient) -> None:
        details = {"price": "199.99", "received_on": "2026-11-10", "returned_on": "2026-11-12"}
        response = await client.post("/v1/desks/omnivigil/quotes", json={"kind": "return", "details": details})
        quote = response.json()
        assert (quote["total"], quote["currency"]) == ("-159.99", "CAD")
        assert [fee["amount"] for fee in quote["fees"]] == ["-199.99", "40.00"]
        assert quote["deadlines"][0]["at"] == "2026-11-20"
        assert quote["refused"] is None

    async def test_ov30_too_late_is_refused_with_what_is_possible(self, client: httpx.AsyncClient) -> None:
        details = {"start": "2026-11-19T18:00-05:00", "end": "2026-11-19T19:00-05:00"}
        response = await client.post(
            "/v1/desks/omnivigil/quotes", json={"kind": "planned-intervention", "details": details}
        )
        assert "2026-11-26 10:00" in response.json()["refused"]["fr"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "kind"),
            ({"kind": "problem"}, "kind"),
            ({"kind": "return"}, "details.price"),
            ({"kind": "return", "details": {"price": [1]}}, "details.price"),
            ({"kind": "return", "details": []}, "details"),
            ({"kind": "return", "details": {"colour": "red"}}, "details.colour"),
        ],
    )
    async def test_what_is_wrong_is_named(self, client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
        refused(await client.post("/v1/desks/omnivigil/quotes", json=body), 422, field=field)

    async def test_other_desks_offer_nothing(self, client: httpx.AsyncClient) -> None:
        refused(await client.post("/v1/desks/hotline-2024/quotes", json={"kind": "return"}), 422, field="kind")
        refused(await client.post("/v1/desks/nowhere/quotes", json={"kind": "return"}), 404)

    async def test_every_kind_is_described(self, client: httpx.AsyncClient) -> None:
        kinds = {one["kind"]: one for one in (await client.get("/v1/kinds")).json()}
        assert ["requester_phone", "requester_email"] in kinds["problem"]["needed"]
        assert "price" in kinds["return"]["details"]["properties"]


class TestDetails:
    async def test_ov30_details_make_it_documented_and_choose_the_department(self, client: httpx.AsyncClient) -> None:
        who = {name: FULL[name] for name in FULL if name.startswith(("requester", "account"))}
        made = await make(client, kind="planned-intervention", **who)
        assert (made["department"], made["status"]) == ("service", "new")
        details = {
            "start": "2026-12-05T09:00:00-05:00",
            "work": "move",
            "description": "Déménagement",
            "help": "Un technicien",
        }
        changed = await change(client, made["number"], details=details)
        assert changed["status"] == "documented"
        assert changed["details"] == details

    async def test_ov30_what_it_costs_and_why_is_on_the_ticket_and_in_the_mail(
        self, line: Line, client: httpx.AsyncClient
    ) -> None:
        who = {name: FULL[name] for name in FULL if name.startswith(("requester", "account"))}
        details = {"start": "2026-12-05T09:00-05:00", "work": "move", "description": "Déménagement", "help": "Tout"}
        made = await make(client, kind="planned-intervention", details=details, **who | {"language": "fr"})
        quote = (await read(client, made["number"]))["quote"]
        assert [(fee["amount"], fee["reason"]["fr"]) for fee in quote["fees"]] == [
            ("45.00", "30 min hors des heures ouvrables à 90 $/h")
        ]
        assert quote["refused"] is None
        body = (await mails(line))[-1][2]
        assert "– 30 min hors des heures ouvrables à 90 $/h : 45,00\u00a0$" in body
        assert "– Demande au plus tard : 2026-11-27 08:00" in body
        assert "durée réelle" in body
        # What was asked for in time stays so, however late it is looked at.
        changed = await change(client, made["number"], details=details | {"end": "2026-12-05T11:00-05:00"})
        assert (await read(client, changed["number"]))["quote"]["total"] == "180.00"

    async def test_ov32_a_credit_and_its_fee_in_english(self, line: Line, client: httpx.AsyncClient) -> None:
        who = {name: FULL[name] for name in FULL if name.startswith(("requester", "account"))}
        made = await make(client, kind="return", details={"item": "T46U"}, **who | {"language": "en"})
        assert (await read(client, made["number"]))["quote"] is None
        bought = {"item": "T46U", "price": "1234.56", "received_on": "2026-11-10", "returned_on": "2026-11-12"}
        await change(client, made["number"], details=bought)
        body = (await mails(line))[-1][2]
        for line_ in ("– Refund of the purchase: −$1,234.56", "– Return fee of 20%: $246.91", "– total: −$987.65"):
            assert line_ in body

    async def test_what_is_no_service_has_no_quote(self, client: httpx.AsyncClient) -> None:
        assert (await read(client, (await make(client, **FULL))["number"]))["quote"] is None

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"kind": "problem", "details": {"a": 1}}, "details"),
            ({"kind": "return", "details": {"a": 1}}, "details.a"),
            ({"kind": "return", "details": {"price": "x"}}, "details.price"),
            ({"kind": "return", "details": {"item": "a\x00b"}}, "details.item"),
            ({"kind": "return", "details": {"item": "\ud800"}}, "details.item"),
            ({"kind": "return", "details": {"\ud800": "x"}}, None),
            ({"programming_min": -1}, "programming_min"),
            ({"on_site": "perhaps"}, "on_site"),
            ({"partner_id": 0}, "partner_id"),
        ],
    )
    async def test_what_does_not_fit_is_named(
        self, client: httpx.AsyncClient, fields: dict[str, Any], field: str | None
    ) -> None:
        # As others would send it: half a character too, which no well-made client can.
        sent = await client.post(
            "/v1/tickets", content=json.dumps(fields), headers={"Content-Type": "application/json"}
        )
        refused(sent, 422, field=field)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"solution": "Redémarrer."}, "solution"),
        ({"solution": "Redémarrer.", "status": "in-progress"}, "solution"),
        ({"reason": "Parce que."}, "reason"),
        ({"reason": "Parce que.", "service": "Messagerie vocale"}, "reason"),
    ],
)
async def test_what_would_be_lost_is_refused(client: httpx.AsyncClient, fields: dict[str, Any], field: str) -> None:
    """A solution that solves nothing, a reason for nothing."""
    number = (await make(client, service="Messagerie vocale"))["number"]
    refused(await client.patch(f"/v1/tickets/{number}", json=fields), 422, field=field)
    # Saying again what was said is no mistake.
    for _ in range(2):
        assert (await change(client, number, status="closed", reason="En double."))["status"] == "closed"


async def test_all_of_it_or_nothing(line: Line, client: httpx.AsyncClient) -> None:
    """A step that is refused leaves neither event nor e-mail nor span."""
    made = await make(client, **FULL | {"account_number": ALONE})
    before, sent = await read(client, made["number"]), await mails(line)
    refused(
        await client.patch(f"/v1/tickets/{made['number']}", json={"status": "resolved", "on_site": True}),
        422,
        field="solution",
    )
    assert await read(client, made["number"]) == before
    assert await mails(line) == sent
    assert before["created_at"] == NOW.astimezone(UTC).isoformat().replace("+00:00", "Z")
