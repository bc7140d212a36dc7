"""Partners see their own customers', and nothing of another's by any address (OV-27)."""

from __future__ import annotations

from sqlalchemy import select

from ivr.calltrace.tables import call_traces
from ivr.directory.model import Contact, Customer, Identity, Partner
from ivr.directory.tables import customers, partners
from ivr.incidents.model import Affected
from ivr.tickets import store
from ivr.tickets.tables import messages
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browsers

_MARKUP = "<img src=x onerror=alert(1)>"


async def _ticket(line: Line, account: str, **fields: object) -> int:
    values = {"kind": "problem", "desk": "omnivigil", "department": "support", "account_number": account, **fields}
    async with line.services.store.unit() as unit:
        made, _ = await line.services.tickets.create(unit, values, by="ops")
    return made.number


async def test_each_partner_sees_its_own_tickets_only(browser: Browsers, line: Line) -> None:
    tickets = {"boreal": await _ticket(line, "C-1001"), "estrie": await _ticket(line, "C-1002")}
    direct = await _ticket(line, "C-1003")
    for name, mine in tickets.items():
        someone = await browser(name)
        front = (await someone.get("/console/portal")).text
        assert f"/console/portal/tickets/{mine}" in front
        assert (await someone.get(f"/console/portal/tickets/{mine}")).status_code == 200
        for other in {*tickets.values(), direct} - {mine}:
            assert str(other) not in front
            for path in (f"/console/portal/tickets/{other}", f"/console/tickets/{other}"):
                assert (await someone.get(path)).status_code == 404


async def test_a_ticket_that_was_handed_to_a_partner_stays_its_customers(browser: Browsers, line: Line) -> None:
    async with line.services.store.reading() as unit:
        boreal = (await unit.execute(select(partners.c.id).where(partners.c.name == "Réseaux Boréal"))).scalar_one()
    number = await _ticket(line, "C-1002")
    async with line.services.store.unit() as unit:
        await store.change(unit, number, {"partner_id": boreal})
    assert (await (await browser("boreal")).get(f"/console/portal/tickets/{number}")).status_code == 404
    assert (await (await browser("estrie")).get(f"/console/portal/tickets/{number}")).status_code == 200


async def test_customers_and_numbers_are_the_partners_own(browser: Browsers) -> None:
    front = (await (await browser("boreal")).get("/console/portal")).text
    assert "Clinique du Cap" in front
    assert "418 555-0101" in front
    assert "Eastern Outfitters" not in front
    assert "418 555-0102" not in front


async def test_an_incident_names_only_ones_own_who_are_affected(browser: Browsers, line: Line) -> None:
    async with line.services.store.reading() as unit:
        ids = {row.account: row.id for row in await unit.execute(select(customers.c.account, customers.c.id))}
    await line.services.incidents.begin(
        line.services.desks["omnivigil"],
        title={},
        impact="major",
        stage="confirmed",
        texts={"fr": "Une panne touche Québec.", "en": "An outage affects Quebec."},
        services=(),
        components=(),
        affected=Affected(customers=(ids["C-1001"],)),
        started_at=None,
        who="ops",
    )
    boreal, estrie = await browser("boreal"), await browser("estrie")
    assert "Une panne touche Québec." in (await boreal.get("/console/portal")).text
    assert "Une panne touche Québec." not in (await estrie.get("/console/portal")).text


async def test_what_a_caller_or_requester_wrote_is_shown_as_text(browser: Browsers, line: Line) -> None:
    number = await _ticket(line, "C-1001", observed=_MARKUP, requester_name=_MARKUP, service=_MARKUP)
    partner, technician = await browser("boreal"), await browser("annie")
    for someone, path in (
        (partner, "/console/portal"),
        (partner, f"/console/portal/tickets/{number}"),
        (technician, f"/console/tickets/{number}"),
        (technician, "/console/tickets"),
        (technician, "/console/desk"),
        (technician, "/console/board"),
    ):
        page = await someone.get(path)
        assert page.status_code == 200, path
        assert "<img" not in page.text, path


async def test_no_field_that_a_caller_or_a_sip_header_fills_is_more_than_text(browser: Browsers, line: Line) -> None:
    """Numbers, display names, devices, extensions, transcripts: on every page that shows them, to every role."""
    identity = Identity(
        by="number",
        customer=Customer(id=1, account=_MARKUP, name=_MARKUP, partner_id=1),
        contact=Contact(id=1, customer_id=1, name=_MARKUP, kind="utilisateur"),
        partner=Partner(id=1, name=_MARKUP, tier="standard"),
        language=_MARKUP,
    )
    begun = {"linkedid": "7.1", "channel": _MARKUP, "desk": "omnivigil", "dialled": _MARKUP, "identity": identity}
    line.services.calls.begin("call-x", ani=_MARKUP, endpoint=_MARKUP, at=line.now, **begun)  # type: ignore[arg-type]
    line.services.calls.queued("call-x", line.now, queue="support")
    line.services.calls.leg("call-x", "7.2", channel=_MARKUP, role="member", at=line.now, endpoint="7001")
    for event in (
        {"event": "QueueCallerJoin", "queue": "support", "uniqueid": "7.1", "channel": _MARKUP, "position": "1"},
        {"event": "QueueMemberAdded", "queue": "support", "interface": "PJSIP/7001", "membername": _MARKUP},
    ):
        line.watch.enter(event)
    texts = ("requester_contact", "requester_address", "account_name", "account_address", "observed", "expected")
    examples = [{"extension": _MARKUP[:20], "number": _MARKUP[:20]}]
    number = await _ticket(line, "C-1001", attempted=_MARKUP, examples=examples, **dict.fromkeys(texts, _MARKUP))
    made = {"desk": "omnivigil", "department": "support", "language": "fr", "ticket_number": number}
    message = {
        "key": "m",
        "number": _MARKUP[:15],
        "file": "m.wav",
        "seconds": 1.0,
        "urgent": True,
        "transcript": _MARKUP,
    }
    trace = {"source": "phone", "device": _MARKUP, "other": _MARKUP, "customer_id": 1, "language": "fr", "legs": {}}
    trace |= {"linkedid": _MARKUP, "report_ids": [], "cause": _MARKUP[:20], "confidence": 0.0, "reasons": []}
    trace |= {"route": "none", "state": "open", "codec": _MARKUP[:20], "site": _MARKUP, "trunk": _MARKUP}
    async with line.services.store.unit() as unit:
        columns = {one.name for one in messages.columns}
        await store.add_message(
            unit, {n: v for n, v in (made | message | {"created_at": line.now}).items() if n in columns}
        )
        row = {"id": "0" * 32, "key": "k", "ticket_number": number, "reported_at": line.now}
        await unit.execute(unit.insert(call_traces).values(row | trace))
    for name, paths in {
        "annie": ("desk", "board", "tickets", f"tickets/{number}", "traces"),
        "boreal": ("portal", f"portal/tickets/{number}"),
        "gestion": ("reports",),
        "admin": ("audit",),
    }.items():
        someone = await browser(name)
        for path in paths:
            page = await someone.get(f"/console/{path}")
            assert page.status_code == 200, path
            assert "<img" not in page.text, path
    seen = (await (await browser("annie")).get("/console/board")).text
    assert seen.count("&lt;img src=x") >= 2
