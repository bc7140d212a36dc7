"""What operations and technicians do from their pages."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

from api.app import provide
from api.console.workspace import _cards
from ivr.access_log import store as listenings
from ivr.directory import partner_contacts
from ivr.directory.entries import read_entry
from ivr.directory.model import Customer, Identity
from ivr.directory.service import put
from ivr.incidents import store as incidents
from ivr.mail import store as mails
from ivr.mail.archive import keep
from ivr.mail.parser import parse
from ivr.tickets import store
from tests.beginning import begin_call
from tests.integration.api.conftest import Line
from tests.integration.api.test_callbacks import RULES, request
from tests.integration.console.conftest import Browsers

_TEXTS = {"text_fr": "Une panne touche Québec.", "text_en": "An outage affects Quebec."}


async def test_an_incident_is_opened_told_and_resolved(browser: Browsers, line: Line) -> None:
    ops = await browser("ops")
    assert "Nous vérifions" in (await ops.get("/console/incidents")).text, "a draft is offered"
    opened = await ops.post(
        "/console/incidents", desk="omnivigil", impact="major", stage="confirmed", services="telephonie", **_TEXTS
    )
    assert opened.status_code == 303, opened.text
    here = opened.headers["location"]
    announced = line.services.announcer.in_force("omnivigil")
    assert announced is not None
    assert announced.texts["fr"] == _TEXTS["text_fr"]
    page = await ops.get(here)
    assert _TEXTS["text_fr"] in page.text
    said: dict[str, object] = {"text_fr": "Tout est rétabli.", "text_en": "All is well.", "stage": "resolved"}
    said["impact"], said["services"] = "minor", ["telephonie", "textos"]
    assert (await ops.post(f"{here}/updates", version=1, **said)).status_code == 303
    async with line.services.store.reading() as unit:
        [one] = await incidents.page(unit, desk=None, is_open=None, before=None, limit=5)
    assert (one.services, one.impact, one.stage) == (("telephonie", "textos"), "minor", "resolved"), "it grew"
    late = await ops.post(f"{here}/updates", version=1, **said)
    assert late.status_code == 409, "somebody else was quicker"
    assert "Dernier changement : ops, 18 nov., 10 h" in late.text.replace("\u00a0", " ")


async def test_the_report_is_written_and_published(browser: Browsers, line: Line) -> None:
    ops = await browser("ops")
    fields = {"desk": "omnivigil", "impact": "major", "stage": "confirmed", **_TEXTS}
    here = (await ops.post("/console/incidents", **fields)).headers["location"]
    said = {"text_fr": "Tout est rétabli.", "text_en": "All is well.", "stage": "resolved", "impact": "major"}
    assert (await ops.post(f"{here}/updates", version=1, **said)).status_code == 303
    assert f"{here}/report" in (await ops.get(here)).text
    page = await ops.get(f"{here}/report")
    assert "Mesures correctives" in page.text
    assert "Corrective actions" in page.text
    early = await ops.post(f"{here}/report/publish", version=0)
    assert early.status_code == 422, "a section is still to be written"
    written = {"fr.corrective": "Deux liens <b>.", "en.corrective": "Two links."}
    assert (await ops.post(f"{here}/report", version=0, **written)).status_code == 303
    assert (await ops.post(f"{here}/report", version=0, **written)).status_code == 409
    assert "Deux liens &lt;b&gt;." in (await ops.get(f"{here}/report")).text
    assert (await ops.post(f"{here}/report/publish", version=1)).status_code == 303
    assert "Publié" in (await ops.get(f"{here}/report")).text
    assert (await ops.get(f"{here}/report.pdf?language=fr")).content.startswith(b"%PDF-")


async def test_whom_it_affects_comes_from_a_spreadsheet_whole_or_not_at_all(browser: Browsers, line: Line) -> None:
    """OV-27: every wrong line is told at once; two that change it at the same time do not undo one another."""
    ops = await browser("ops")
    fields = {"desk": "omnivigil", "impact": "major", "stage": "confirmed", **_TEXTS}
    wrong = "Partenaire;Compte;Numéro\nRéseaux Boréal;C-1001;418 555-0101\nPersonne;;\n;C-9999;\n;;<b>12</b>\n"
    refused = await ops.post("/console/incidents", csv=wrong, **fields)
    assert refused.status_code == 422
    for line_told in ("ligne 3, partenaire", "ligne 4, compte", "ligne 5, numéro", "l’annuaire ne connaît pas"):
        assert line_told in refused.text, refused.text
    assert "<b>12" not in refused.text
    async with line.services.store.reading() as unit:
        assert await incidents.page(unit, desk=None, is_open=None, before=None, limit=5) == []
    here = (
        await ops.post("/console/incidents", accounts="C-1002", csv=wrong.partition("Personne")[0], **fields)
    ).headers["location"]
    assert (await ops.post(f"{here}/affected", version=1, csv=wrong)).status_code == 422
    again = {"version": 1, "csv": "number\n" + "\n".join(f"418 555-{n:04}" for n in range(5000))}
    assert (await ops.post(f"{here}/affected", **again)).status_code == 303
    assert (await ops.post(f"{here}/affected", **again)).status_code == 409
    async with line.services.store.reading() as unit:
        [one] = await incidents.page(unit, desk=None, is_open=None, before=None, limit=5)
    assert (len(one.affected.numbers), one.affected.customers) == (5000, ())
    assert "… (5000)" in (await ops.get(here)).text


async def test_what_is_wrong_with_an_update_is_said_in_french(browser: Browsers, line: Line) -> None:
    """An incident that was closed, a text with markup: refused, and what was announced stays."""
    ops = await browser("ops")
    here = (
        await ops.post("/console/incidents", desk="omnivigil", impact="major", stage="confirmed", **_TEXTS)
    ).headers["location"]
    said = {"stage": "confirmed", "impact": "major", "text_en": "It goes on."}
    marked = await ops.post(f"{here}/updates", version=1, text_fr="<b>Panne</b> majeure", **said)
    assert (marked.status_code, "contient des balises" in marked.text) == (422, True)
    assert "<b>Panne" not in marked.text
    over = said | {"stage": "resolved", "text_fr": "Tout va."}
    assert (await ops.post(f"{here}/updates", version=1, **over)).status_code == 303
    line.now += timedelta(days=7)
    ops = await browser("ops")
    late = await ops.post(f"{here}/updates", version=2, text_fr="Encore.", **said)
    assert (late.status_code, "cet incident est fermé" in late.text) == (422, True)
    one = await line.services.incidents.get(int(here.rsplit("/")[-1]))
    assert (one.stage, len(one.updates)) == ("resolved", 2)


async def test_maintenance_is_announced_moved_and_given_up(browser: Browsers, line: Line) -> None:
    """OV-29: by the desk's clocks, and never by who had not seen the last change."""
    ops = await browser("ops")
    assert "entretien planifié" in (await ops.get("/console/maintenances")).text, "a draft is offered"
    draft = await ops.get("/console/maintenances/draft?desk=omnivigil&kind=emergency&services=messagerie")
    assert "la messagerie vocale" in draft.text
    day = (line.now + timedelta(days=3)).strftime("%Y-%m-%d")
    window = {"starts_at": f"{day}T01:00", "ends_at": f"{day}T04:00"}
    fields = {"impact": "minor", "services": "messagerie", **_TEXTS, **window}
    backwards = fields | {"ends_at": f"{day}T00:30"}
    for wrong in (backwards, fields | {"ends_at": ""}, fields | {"starts_at": "soon"}):
        assert (await ops.post("/console/maintenances", desk="omnivigil", kind="planned", **wrong)).status_code == 422
    made = await ops.post("/console/maintenances", desk="omnivigil", kind="planned", sms="true", **fields)
    assert made.status_code == 303, made.text
    here = made.headers["location"]
    page = (await ops.get(here)).text
    assert f'value="{day}T01:00"' in page
    assert _TEXTS["text_fr"] in page
    moved = fields | {"ends_at": f"{day}T05:00"}
    assert (await ops.post(here, version=1, **moved)).status_code == 303
    assert (await ops.post(here, version=1, **moved)).status_code == 409
    one = await line.services.maintenances.get(int(here.rsplit("/")[-1]))
    assert (one.by, one.version, one.ends_at - one.starts_at) == ("ops", 2, timedelta(hours=4))
    reader = await browser("gestion")
    assert "<button" not in (await reader.get(here)).text.partition("<main")[2]
    assert (await reader.post(f"{here}/cancel", version=2)).status_code == 403
    assert (await ops.post(f"{here}/cancel", version=2)).status_code == 303
    assert "Entretien annulé" in (await ops.get(here)).text
    assert (await ops.post(here, version=3, **moved)).status_code == 422


async def test_a_language_that_is_missing_is_refused_with_a_draft_and_nothing_is_opened(
    browser: Browsers, line: Line
) -> None:
    ops = await browser("ops")
    fields = {"desk": "omnivigil", "impact": "major", "stage": "confirmed", "text_fr": "Une panne."}
    answer = await ops.http.post(
        "/console/incidents", data={"csrf": ops.csrf, **fields}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 422
    assert answer.headers["hx-retarget"] == "#problem"
    assert "Texte (anglais)" in answer.text
    assert "An outage affects" in answer.text
    assert "dites-le aussi dans cette langue" in answer.text
    async with line.services.store.reading() as unit:
        assert await incidents.page(unit, desk=None, is_open=None, before=None, limit=5) == []


async def test_an_announcement_is_heard_before_anybody_else_hears_it(browser: Browsers, line: Line) -> None:
    ops = await browser("ops")
    heard = await ops.post("/console/announcements/omnivigil/hear", language="fr", text="Une panne.")
    assert heard.status_code == 200
    with wave.open(io.BytesIO(heard.content)) as file:
        assert file.getnframes() > 0
    assert line.services.announcer.in_force("omnivigil") is None
    assert (await ops.post("/console/announcements/omnivigil", **_TEXTS)).status_code == 303
    assert line.services.announcer.in_force("omnivigil") is not None
    assert (await ops.post("/console/announcements/omnivigil/end")).status_code == 303
    assert line.services.announcer.in_force("omnivigil") is None


async def test_recordings_made_in_the_browser_are_told(browser: Browsers, line: Line) -> None:
    ops = await browser("ops")
    made = (await ops.post("/console/announcements/omnivigil/hear", language="fr", text="Une panne.")).content
    files = {name: (f"{name}.wav", made, "audio/wav") for name in ("fr", "en")}
    answer = await ops.http.post(
        "/console/announcements/omnivigil/recordings", files=files, headers={"X-CSRF-Token": ops.csrf}
    )
    assert answer.status_code == 303, answer.text
    told = line.services.announcer.in_force("omnivigil")
    assert told is not None
    assert told.source == "wav"


async def _ticket(line: Line) -> int:
    values = {"kind": "request", "desk": "omnivigil", "department": "support", "account_number": "C-1001"}
    async with line.services.store.unit() as unit:
        made, _ = await line.services.tickets.create(unit, values, by="ops")
    return made.number


async def test_a_ticket_says_what_is_missing_until_it_is_documented(browser: Browsers, line: Line) -> None:
    number = await _ticket(line)
    annie = await browser("annie")
    here = f"/console/tickets/{number}"
    assert "Il manque" in (await annie.get(here)).text
    fields = {
        "version": 1,
        "kind": "request",
        "status": "new",
        "requester_name": "Julie Tremblay",
        "requester_phone": "418 555-0101",
        "account_number": "C-1001",
        "service": "Téléphonie",
        "observed": "Rien ne sonne.\r\nDepuis ce matin.",
    }
    assert (await annie.post(here, **fields)).status_code == 303
    assert "Il manque" not in (await annie.get(here)).text
    async with line.services.store.reading() as unit:
        ticket = await store.get(unit, number)
        history = await store.events(unit, number)
    assert ticket is not None
    assert ticket.documented_at is not None
    assert ticket.observed == "Rien ne sonne.\nDepuis ce matin."
    assert "annie" in {one["who"] for one in history}
    assert (await annie.post(here, **(fields | {"service": "Autre"}))).status_code == 409


async def test_what_a_kind_asks_for_beyond_is_in_its_form(browser: Browsers, line: Line) -> None:
    number = await _ticket(line)
    annie = await browser("annie")
    here = f"/console/tickets/{number}"
    assert (await annie.post(here, version=1, kind="transfer")).status_code == 303
    page = (await annie.get(here)).text
    assert 'name="details_numbers"' in page
    wrong = await annie.post(here, version=2, kind="transfer", details_numbers="not a number")
    assert wrong.status_code == 422
    fields = {"details_numbers": "418 555-0101\r\n418 555-0102", "details_transfer_to": "Autre Télécom"}
    assert (await annie.post(here, version=2, kind="transfer", **fields)).status_code == 303
    async with line.services.store.reading() as unit:
        ticket = await store.get(unit, number)
    assert ticket is not None
    assert ticket.details == {"numbers": ["418 555-0101", "418 555-0102"], "transfer_to": "Autre Télécom"}
    assert (await annie.post(here, version=3, kind="planned-intervention")).status_code == 303
    start = {"details_start": "2026-12-01T18:00", "details_work": "move"}
    assert (await annie.post(here, version=4, kind="planned-intervention", **start)).status_code == 303
    assert 'value="2026-12-01T18:00"' in (await annie.get(here)).text


async def test_who_listens_to_a_message_is_noted_and_managers_and_partners_do_not(
    browser: Browsers, line: Line
) -> None:
    number = await _ticket(line)
    made = await (await browser("ops")).post("/console/announcements/omnivigil/hear", language="fr", text="Allô ?")
    (line.services.messages / "message-1.wav").write_bytes(made.content)
    values = {
        "key": "message-1",
        "ticket_number": number,
        "desk": "omnivigil",
        "department": "support",
        "language": "fr",
        "number": "14185550101",
        "file": "message-1.wav",
        "seconds": 1.0,
        "urgent": True,
        "created_at": line.now,
    }
    async with line.services.store.unit() as unit:
        message = await store.add_message(unit, values)
    here = f"/console/tickets/messages/{message}.wav"
    annie = await browser("annie")
    assert here in (await annie.get(f"/console/tickets/{number}")).text
    heard = await annie.http.get(here)
    assert (heard.status_code, heard.content) == (200, made.content)
    assert (await (await browser("gestion")).get(here)).status_code == 403
    assert (await (await browser("boreal")).get(here)).status_code == 404
    async with line.services.store.reading() as unit:
        rows = await listenings.page(unit, kind=None, subject=None, before=None, limit=10)
    assert [(row["who"], row["subject"]) for row in rows] == [("annie", str(message))]
    assert "annie" in (await (await browser("admin")).get("/console/audit")).text


async def test_a_tickets_e_mails_are_read_folded_and_their_attachments_saved(browser: Browsers, line: Line) -> None:
    number = await _ticket(line)
    content = (
        b"From: Julie <julie@clinique.example>\r\nSubject: Modem\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\n\r\nVoici.\r\n\r\n> Ancien\r\n--x\r\nContent-Type: text/html; name=page.html\r\n\r\n"
        b"<script>alert(1)</script>\r\n--x--\r\n"
    )
    found = parse(content)
    values = {
        "key": found.key,
        "at": line.now,
        "sender": found.sender,
        "recipient": "support@omnivigil.com",
        "subject": "<b>Modem</b>",
        "message_id": None,
        "body": found.body,
        "attachments": [vars(one) for one in found.attachments],
        "size": len(content),
        "outcome": "continued",
        "reason": None,
        "ticket_number": number,
    }
    untaken = {"key": "b" * 64, "outcome": "unreadable", "ticket_number": None, "subject": "Illisible"}
    untaken["reason"] = "it has no single From address"
    async with line.services.store.unit() as unit:
        mail = await mails.add(unit, values)
        await mails.add(unit, values | untaken)
    keep(line.services.mails, found.key, content)
    annie = await browser("annie")
    shown = (await annie.get(f"/console/tickets/{number}")).text
    assert "&lt;b&gt;Modem&lt;/b&gt;" in shown
    assert '<details><summary>Historique et signature</summary><p class="texts">' in shown
    here = f"/console/mails/{mail}/attachments/1"
    assert here in shown
    saved = await annie.http.get(here)
    assert (saved.status_code, saved.content) == (200, b"<script>alert(1)</script>")
    assert saved.headers["content-disposition"] == "attachment; filename*=utf-8''page.html"
    assert (saved.headers["content-security-policy"], saved.headers["x-content-type-options"]) == ("sandbox", "nosniff")
    assert (await annie.http.get(f"/console/mails/{mail}/original")).content == content
    manager = await browser("gestion")
    assert (await manager.get(here)).status_code == 403
    listed = (await manager.get("/console/mails")).text
    assert "Illisible" in listed
    assert "il n’a pas une seule adresse d’expéditeur" in listed
    assert "Modem" not in listed
    assert "Modem" in (await manager.get("/console/mails?every=true")).text
    assert "Voici." in (await annie.get(f"/console/mails/{mail}")).text
    async with line.services.store.reading() as unit:
        rows = await listenings.page(unit, kind="mail", subject=None, before=None, limit=10)
    assert [(row["who"], row["subject"]) for row in rows] == [("annie", str(mail))]


async def test_one_click_rings_the_technician_and_then_the_customer(browser: Browsers, line: Line) -> None:
    number = await _ticket(line)
    annie = await browser("annie")
    assert (await annie.post(f"/console/tickets/{number}/call-back", phone="6001")).status_code == 303
    assert line.connected == [("7001", "6001")]
    assert (await annie.post(f"/console/tickets/{number}/call-back", phone="6002")).status_code == 422
    assert line.connected == [("7001", "6001")]


async def _next_card(cards: AsyncIterator[bytes]) -> str:
    """Pulses come between, when the machine is slow."""
    async with asyncio.timeout(30):
        async for part in cards:
            if part.startswith(b"event: card"):
                return part.decode()
    raise AssertionError("there are no more")


async def test_the_card_is_there_while_the_phone_rings_and_only_there(browser: Browsers, line: Line) -> None:
    calls, customer = line.services.calls, Customer(id=1, account="C-1001", name="Clinique du Cap")
    who = Identity(by="number", customer=customer)
    before = {"linkedid": "0.1", "channel": "PJSIP/6001-0", "dialled": "611", "endpoint": "6001", "identity": who}
    begin_call(calls, "call-0", at=line.now - timedelta(hours=1), **before)
    calls.leg_scored("0.1", "0.1", 2.34)
    calls.hung_up("call-0", line.now)
    await calls.flush()

    async def still() -> bool:
        return True

    cards = _cards(line.services, "7001", "fr", still)
    assert "Aucun appel" in await _next_card(cards)
    begin_call(calls, "call-1", linkedid="1.1", identity=who, at=line.now)
    calls.queued("call-1", line.now, queue="support")
    calls.leg("call-1", "1.2", channel="PJSIP/7001-1", role="member", at=line.now, endpoint="7001")
    line.services.bus.publish("member.changed", line.now, {})
    card = await _next_card(cards)
    assert "Clinique du Cap" in card
    assert "<dd>2,3</dd>" in card, "how their last call sounded"
    assert "Votre téléphone sonne" in card
    annie, luc = await browser("annie"), await browser("luc")
    assert "Clinique du Cap" in (await annie.get("/console/desk")).text
    assert "Clinique du Cap" not in (await luc.get("/console/desk")).text
    calls.leg_ended("call-1", "1.2", line.now)
    line.services.bus.publish("member.changed", line.now, {})
    assert "Aucun appel" in await _next_card(cards)
    await cards.aclose()


async def test_whoever_asked_to_be_called_back_has_a_card_too(browser: Browsers, line: Line) -> None:
    identity = Identity(by="number", customer=Customer(id=1, account="C-1001", name="Clinique du Cap"))
    one = request(1, identity=identity.facts())
    await line.keeper.accept(one, RULES)
    channel = f"Local/{one.id}@callback-queue-0000001f;2"
    line.watch.enter(
        {"event": "QueueCallerJoin", "queue": "support", "uniqueid": "9.1", "channel": channel, "position": "1"}
    )
    annie = await browser("annie")
    for status, told in (("1", False), ("6", True)):
        line.watch.enter(
            {"event": "QueueMemberStatus", "queue": "support", "interface": "PJSIP/7001", "status": status}
        )
        page = (await annie.get("/console/desk")).text
        assert ("Clinique du Cap" in page) is told
        assert ("place gardée" in page) is told


async def test_what_a_caller_would_hear_is_told_for_a_moment(browser: Browsers) -> None:
    ops = await browser("ops")
    page = await ops.get("/console/menu", params={"at": "2026-12-25T10:00", "caller": "4185550100", "press": "2"})
    assert page.status_code == 200
    assert "Soutien technique" in page.text
    assert "«" in page.text
    wrong = await ops.get("/console/menu", params={"at": "soon"})
    assert wrong.status_code == 422


async def test_reports_come_as_csv(browser: Browsers) -> None:
    manager = await browser("gestion")
    assert (await manager.get("/console/reports")).status_code == 200
    answer = await manager.get("/console/reports/levels.csv", params={"month": "2026-11"})
    assert answer.text.startswith("\ufeffNiveau,Horloge,Tenues,Manquées")


async def test_an_administrator_adds_and_closes_accounts(browser: Browsers) -> None:
    admin = await browser("admin")
    new = {"name": "nathalie", "role": "partner", "partner": "Télécom Estrie", "password": "une phrase assez longue"}
    assert (await admin.post("/console/accounts", **new)).status_code == 303
    assert (await admin.post("/console/accounts", **new)).status_code == 422, "the name is taken"
    nathalie = await browser()
    assert (await nathalie.sign_in("nathalie", new["password"])).status_code == 303
    assert (await admin.post("/console/accounts/nathalie/disable")).status_code == 303
    assert (await nathalie.get("/console/portal")).status_code == 303
    assert (await nathalie.sign_in("nathalie", new["password"])).status_code == 422
    log = (await admin.get("/console/audit")).text
    assert "fermer un compte" in log
    assert "Nom du compte, Partenaire, Mot de passe, Rôle" in log
    assert (await admin.post("/console/accounts/admin/disable")).status_code == 422


async def test_an_administrator_says_who_at_the_partners_is_warned(browser: Browsers, line: Line) -> None:
    """OV-27: with a number that takes messages, once each."""
    admin = await browser("admin")
    here = "/console/warned"
    assert "Sylvie Gagné" in (await admin.get(here)).text
    new = {
        "partner": "Télécom Estrie",
        "name": "<b>Léa</b> Roy",
        "role": "telephonie-niveau-3",
        "mobile": "819 555-0177",
        "language": "en",
    }
    for field, value, told in (
        ("partner", "Personne", "ce partenaire n’existe pas"),
        ("role", "facturation", "is not a role"),
        ("mobile", "332211", "n’est pas un numéro de téléphone"),
        ("mobile", "beaucoup", "dix chiffres, ou un plus et l’indicatif du pays"),
        ("mobile", "+1 418 555 0161", "est déjà dans la liste"),
        ("language", "de", "ce bureau ne parle pas cette langue"),
        ("name", "", "name"),
    ):
        answer = await admin.post(here, **(new | {field: value}))
        assert answer.status_code == 422, (field, value)
        assert told in answer.text, (field, value)
    assert (await admin.post(here, **new)).status_code == 303
    assert (await admin.post(here, **new)).status_code == 422, "nobody is warned twice"
    page = (await admin.get(here)).text
    assert "&lt;b&gt;Léa" in page
    async with line.services.store.reading() as unit:
        people = {one.name: one for one in await partner_contacts.every(unit)}
    lea = people[new["name"]]
    assert (lea.partner, lea.role, lea.mobile, lea.language) == (new["partner"], new["role"], "18195550177", "en")
    assert (await admin.post(f"{here}/{lea.id}/remove")).status_code == 303
    assert (await admin.post(f"{here}/{lea.id}/remove")).status_code == 404
    assert "Léa" not in (await admin.get(here)).text
    log = (await admin.get("/console/audit")).text
    assert "ajouter une personne à aviser" in log
    assert "retirer une personne à aviser" in log


async def test_a_reason_or_a_solution_that_goes_with_nothing_is_not_dropped(browser: Browsers, line: Line) -> None:
    """The form has a status always; the one that is there is no change."""
    number = await _ticket(line)
    annie = await browser("annie")
    here = f"/console/tickets/{number}"
    same = {"version": 1, "kind": "request", "status": "new", "account_number": "C-1001"}
    reason = await annie.post(here, **same, reason="Le client a rappelé.")
    assert reason.status_code == 422
    assert "choisissez un autre statut, modifiez un champ, ou répondez au demandeur" in reason.text
    solution = await annie.post(here, **same, solution="Redémarré.")
    assert solution.status_code == 422
    assert "choisissez aussi le statut «\u00a0résolu\u00a0»" in solution.text
    assert (await annie.post(here, **same, service="Télécopie", reason="Le client a rappelé.")).status_code == 303
    async with line.services.store.reading() as unit:
        [*_, last] = await store.events(unit, number)
    assert last["changes"]["reason"] == "Le client a rappelé."


async def test_who_answers_outside_comes_on_duty_by_a_button(browser: Browsers, line: Line) -> None:
    """On their own desk, as their account is in their entry; and an administrator does it for them."""
    assert line.app is not None
    provide(line.app, replace(line.services, trunk=True))
    async with line.services.store.unit() as unit:
        entry = read_entry(
            "staff", {"name": "Omar", "external_number": "+15145559104", "queues": ["support"], "account": "ops"}
        )
        await put(unit, "main", "staff", "omar", entry, by="test", at=line.now)
    await line.services.directory.reload()
    person = line.services.directory.book.staff("main", "omar")
    assert person is not None
    ops, admin = await browser("ops"), await browser("admin")
    await ops.post("/console/desk/state", state="in")
    assert [one.endpoint for one in line.members.values()] == [person.outside]
    await ops.post("/console/desk/state", state="out")
    assert line.members == {}
    page = (await admin.get("/console/directory/staff/entry?key=omar")).text
    assert "Mettre en service" in page
    await admin.post("/console/duty/state", key="omar", state="in")
    assert [one.endpoint for one in line.members.values()] == [person.outside]
    await admin.post("/console/duty/state", key="omar", state="out")
    assert line.members == {}
