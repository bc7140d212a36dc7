"""Accounts limited to one provider: on no page, file or stream is anything of another's, and nothing of it changes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select

from api import provider_scope
from api.app import provide
from api.console.board_stream import Boards, Listener
from api.console.guard import roles_of
from api.console.router import SECTIONS
from api.deps import Services
from api.provider_scope import IN_PATHS, NOBODYS
from ivr.access_log import store as listenings
from ivr.accounts import admin as account_admin
from ivr.accounts.api_tokens import keep_token
from ivr.accounts.passwords import hashed
from ivr.accounts.sign_in import create_account
from ivr.accounts.store import note
from ivr.calltrace.tables import call_traces
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.directory import service
from ivr.directory.entries import Kind, read_entry
from ivr.directory.model import Customer, Identity
from ivr.directory.tables import customers
from ivr.errors import BadInput
from ivr.incidents.model import Affected
from ivr.mail.tables import mails
from ivr.store.metadata import metadata
from ivr.tickets import store as tickets
from tests.beginning import begin_call
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browser, Browsers

ROUTES = [route for section in SECTIONS for route in section.router.routes if isinstance(route, APIRoute)]
PASSWORD = hashed("demo-zoe")
#: What the demo has of the main provider's.
DEMO = (
    "Clinique du Cap",
    "C-1001",
    "5550101",
    "555-0101",
    "Boréal",
    "Julie Tremblay",
    "julie@",
    "6001",
    "7001",
    "annie",
)


@dataclass(frozen=True)
class Side:
    """A provider, and what is entered for it: each text has the word in it, each number and name the digits."""

    desk: Desk
    word: str
    digits: str

    @property
    def provider(self) -> str:
        return self.desk.provider

    @property
    def account(self) -> str:
        """Its administrator's, whose name is on every page of theirs."""
        return f"zoe-{self.provider}"

    @property
    def queue(self) -> str:
        return next(iter(self.desk.queues))


@dataclass
class Ids:
    """What a side's things are called in addresses."""

    ticket: int
    message: int
    incident: int
    maintenance: int
    trace: str
    mail: int
    token: int
    person: int
    account: str


@dataclass
class Two:
    """A line of two providers, each with something of everything."""

    line: Line
    services: Services
    main: Side
    theirs: Side
    ids: dict[str, Ids]


@pytest.fixture
async def two(line: Line) -> Two:
    assert line.app is not None
    first, second = line.services.desks.values()
    theirs = Side(second.model_copy(update={"provider": "autre"}), "Quokka", "77123")
    main = Side(first, "Zircon", "88456")
    services = replace(line.services, desks=Desks([first, theirs.desk]))
    provide(line.app, services)
    ids = {side.provider: await _fill(services, side, line) for side in (main, theirs)}
    return Two(line=line, services=services, main=main, theirs=theirs, ids=ids)


async def _fill(has: Services, side: Side, line: Line) -> Ids:
    word, digits, desk, now = side.word, side.digits, side.desk, line.now
    number = f"+1418{digits}01"
    entries: tuple[tuple[Kind, str, dict[str, Any]], ...] = (
        ("partners", word.lower(), {"name": f"{word} partner", "people": [_person(side)]}),
        ("accounts", f"C-{digits}", {"name": f"{word} inc.", "partner": word.lower(), "address": word}),
        ("contacts", f"{word.lower()}-1", {"name": f"{word} contact", "account": f"C-{digits}"}),
        ("numbers", number, {"account": f"C-{digits}"}),
        ("phones", f"{digits}6", {"account": f"C-{digits}", "display": word}),
        ("phones", f"{digits}7", {"kind": "technician"}),
        ("staff", f"{word.lower()}-2", {"name": f"{word} tech", "phone": f"{digits}7", "queues": [side.queue]}),
    )
    async with has.store.unit() as unit:
        for kind, key, values in entries:
            if kind == "contacts":
                values["kind"] = "administrateur"
            entry = read_entry(kind, values)
            await service.put(unit, side.provider, kind, key, entry, by="x", at=now, known=has.known(side.provider))
        (customer,) = (await unit.execute(select(customers.c.id).where(customers.c.account == f"C-{digits}"))).scalars()
        await create_account(
            unit, name=side.account, role="administrator", password_hash=PASSWORD, at=now,
            endpoint=f"{digits}7", limited_to=side.provider,
        )  # fmt: skip
        await keep_token(unit, f"t-{word}", f"{word} token", ["directory:write"], now, provider=side.provider)
        await note(unit, at=now, who=side.account, source="::1", action="look", subject=word, fields=())
        await listenings.note(unit, kind="message", subject=word, who=side.account, at=now)
    await has.directory.reload()
    about = {"desk": desk.id, "department": desk.menu.operator, "kind": "problem", "account_number": f"C-{digits}"}
    said = dict.fromkeys(("requester_name", "observed", "account_name", "service"), f"{word} words")
    identity = Identity(by="number", customer=Customer(id=customer, account=f"C-{digits}", name=f"{word} inc."))
    async with has.store.unit() as unit:
        made, _ = await has.tickets.create(unit, about | said, by="x")
        message = await tickets.add_message(unit, _message(side, made.number, line))
        await unit.execute(unit.insert(call_traces).values(_trace(side, made.number, customer, line)))
        await unit.execute(unit.insert(mails).values(_mail(side, made.number, line)))
    texts = dict.fromkeys(desk.languages, f"{word} panne")
    incident = await has.incidents.begin(
        desk, title=texts, impact="major", stage="confirmed", texts=texts, services=(), components=(),
        affected=Affected(customers=(customer,)), started_at=None, who="x",
    )  # fmt: skip
    work = await has.maintenances.plan(
        desk, kind="planned", title=texts, texts=texts, impact="minor", services=(), components=(),
        starts_at=None, ends_at=now + timedelta(hours=1), sms=False, who="x",
    )  # fmt: skip
    _call(has, side, identity, line)
    await has.calls.flush()
    async with has.store.reading() as unit:
        ids = {
            name: (await unit.execute(select(table.c.id).order_by(table.c.id.desc()).limit(1))).scalar_one()
            for name, table in (
                ("token", metadata.tables["api_tokens"]),
                ("person", metadata.tables["partner_contacts"]),
                ("mail", mails),
            )
        }
    assert message is not None
    return Ids(
        ticket=made.number, message=message, incident=incident.id, maintenance=work.id, trace=digits * 6,
        account=side.account, **ids,
    )  # fmt: skip


def _person(side: Side) -> dict[str, str]:
    return {"name": f"{side.word} warned", "role": "administrateur", "mobile": f"+1438{side.digits}02"}


def _message(side: Side, ticket: int, line: Line) -> dict[str, Any]:
    said = {"key": side.word, "number": f"1418{side.digits}01", "file": "m.wav", "seconds": 1.0, "urgent": True}
    where = {"desk": side.desk.id, "department": side.desk.menu.operator, "language": "fr"}
    return {**said, **where, "ticket_number": ticket, "transcript": side.word, "created_at": line.now}


def _trace(side: Side, ticket: int, customer: int, line: Line) -> dict[str, Any]:
    found = {"id": side.digits * 6, "key": side.word, "ticket_number": ticket, "reported_at": line.now}
    whose = {"source": "phone", "device": f"{side.digits}6", "other": side.word, "customer_id": customer}
    what = {"cause": "loss", "confidence": 0.5, "reasons": [], "route": "level-2", "state": "new", "legs": {}}
    return found | whose | what | {"linkedid": side.word, "language": "fr", "report_ids": [], "mos": 2.0}


def _mail(side: Side, ticket: int, line: Line) -> dict[str, Any]:
    said = {"sender": f"{side.word.lower()}@example.org", "recipient": "soutien@example.org", "subject": side.word}
    kept = {"key": side.word, "message_id": side.word, "body": side.word, "attachments": [], "size": 1}
    return {**said, **kept, "at": line.now, "outcome": "opened", "ticket_number": ticket}


def _call(has: Services, side: Side, identity: Identity, line: Line) -> None:
    """Somebody waits for a technician, who is logged in."""
    begin_call(
        has.calls, f"call-{side.word}", linkedid=f"{side.digits}.1", desk=side.desk.id, at=line.now,
        ani=f"1418{side.digits}01", identity=identity,
    )  # fmt: skip
    has.calls.queued(f"call-{side.word}", line.now, queue=side.queue)
    at, who = {"queue": side.queue}, {"interface": f"PJSIP/{side.digits}7", "membername": f"{side.word} tech"}
    line.watch.enter(
        {"event": "QueueCallerJoin", "uniqueid": f"{side.digits}.1", "channel": "x", "position": "1", **at}
    )
    line.watch.enter({"event": "QueueMemberAdded", **at, **who})


def _addresses(route: APIRoute, ids: Ids, side: Side) -> Iterator[str]:
    """A route's address with one side's things in it, and with each question that it takes."""
    keys = {
        "partners": side.word.lower(), "accounts": f"C-{side.digits}", "contacts": f"{side.word.lower()}-1",
        "numbers": f"+1418{side.digits}01", "phones": f"{side.digits}6", "staff": f"{side.word.lower()}-2",
    }  # fmt: skip
    named = {
        "token_id": ids.token, "incident_id": ids.incident, "maintenance_id": ids.maintenance, "person_id": ids.person,
        "trace_id": ids.trace, "message_id": ids.message, "desk": side.desk.id, "name": ids.account, "language": "fr",
        "number": ids.ticket, "proposal_id": 1, "mail_id": ids.mail, "nth": 0, "part": "hours",
    }  # fmt: skip
    taken = {one.name for one in route.dependant.query_params}
    what = [{"what": one} for one in ("levels", "promise", "funnel", "traces")] if "{what}" in route.path else [{}]
    for word in [{"kind": one} for one in keys] if "{kind}" in route.path else what:
        address = route.path.format(**named, **word)
        yield address
        own = {
            "desk": side.desk.id,
            "provider": side.provider,
            "q": side.word,
            "key": keys.get(word.get("kind", ""), ""),
        }
        asked = {name: value for name, value in own.items() if name in taken}
        for query in (asked, {name: value for name, value in asked.items() if name != "provider"}):
            if query:
                yield f"{address}?{urlencode(query)}"


def _reads(role: str) -> list[APIRoute]:
    """Pages that a role opens, but those that never end."""
    return [
        route
        for route in ROUTES
        if "GET" in (route.methods or ()) and role in roles_of(route.endpoint) and not route.path.endswith("/stream")
    ]


async def _signed_in(browser: Browsers, two: Two, side: Side) -> Browser:
    someone = await browser()
    answer = await someone.sign_in(two.ids[side.provider].account, "demo-zoe")
    assert answer.status_code == 303, answer.text
    return someone


async def _walk(someone: Browser, ids: Ids, side: Side, *, but: Collection[str] = ()) -> dict[str, str]:
    """What every page says that is asked for one side's things, by its address; what there is none of is left out."""
    found: dict[str, str] = {}
    for route in _reads("administrator"):
        for address in set(_addresses(route, ids, side)) - set(but):
            answer = await someone.get(address)
            assert answer.status_code < 500, (address, answer.text)
            if answer.status_code in (200, 204):
                found[address] = answer.content.decode(errors="replace")
    return found


def _shows(pages: dict[str, str], side: Side) -> set[str]:
    """Routes whose pages, without what was asked for, say anything of a side's."""
    told = set()
    for address, page in pages.items():
        path, _, query = address.partition("?")
        text = page
        for _, one in parse_qsl(query):
            text = text.replace(one, "")
        if side.word.lower() in text.lower() or side.digits in text:
            told.add(path)
    return told


async def test_no_page_tells_a_limited_account_of_another_provider(browser: Browsers, two: Two) -> None:
    someone = await _signed_in(browser, two, two.theirs)
    own = await _walk(someone, two.ids["autre"], two.theirs)
    others = await _walk(someone, two.ids["main"], two.main, but=own)
    for address, page in (own | others).items():
        assert not _shows({address: page}, two.main), address
        assert not [one for one in (*DEMO, two.main.account) if one in page], address
        assert 'value="omnivigil"' not in page, address
        assert "/omnivigil/" not in page, address
    # No less than the same pages tell whoever sees the whole line.
    whole = await _walk(await browser("admin"), two.ids["autre"], two.theirs)
    assert _shows(own, two.theirs) >= _shows(whole, two.theirs)
    assert len(_shows(own, two.theirs)) > 30


async def test_what_is_anothers_is_not_found(browser: Browsers, two: Two) -> None:
    someone = await _signed_in(browser, two, two.theirs)
    named = [one for one in ROUTES if set(one.param_convertors) - NOBODYS and "administrator" in roles_of(one.endpoint)]
    assert len(named) > 30
    for route in named:
        (method,) = set(route.methods or ()) - {"HEAD"}
        address = next(_addresses(route, two.ids["main"], two.main))
        answer = await someone.http.request(method, address, headers={"X-CSRF-Token": someone.csrf})
        assert answer.status_code == 404, (method, address)


def test_whatever_a_path_names_is_looked_for() -> None:
    for route in ROUTES:
        assert set(route.param_convertors) <= {*IN_PATHS, *NOBODYS, "desk"}, route.path


async def test_forms_change_nothing_of_anothers(browser: Browsers, two: Two) -> None:
    someone, main = await _signed_in(browser, two, two.theirs), two.main
    phone, account = f"{main.digits}6", f"C-{main.digits}"
    for path, fields in (
        ("directory/accounts/save", {"key": account, "name": "x", "provider": "main"}),
        ("directory/accounts/remove", {"key": account, "provider": "main"}),
        ("directory/phones/secret", {"key": phone, "provider": "main"}),
        ("directory/phones/secret", {"key": phone}),
        ("directory/phones/configuration", {"key": phone, "provider": "main"}),
        ("directory/phones/save", {"key": phone, "kind": "technician", "new": "1"}),
        ("directory/phones/save", {"key": f"{two.theirs.digits}8", "account": account, "new": "1"}),
        ("duty", {"name": "x", "provider": "main"}),
        ("warned", {"partner": f"{main.word} partner", "name": "x", "role": "administrateur", "mobile": "4185550199"}),
        ("incidents", {"desk": main.desk.id, "impact": "major", "stage": "confirmed", "text_fr": "x", "text_en": "x"}),
        ("maintenances", {"desk": main.desk.id, "kind": "planned", "impact": "minor", "ends_at": "2030-01-01T01:00"}),
        ("accounts", {"name": "autre-2", "role": "partner", "partner": f"{main.word} partner"}),
        ("accounts", {"name": "autre-2", "role": "ops", "provider": "main"}),
        ("accounts", {"name": "autre-2", "role": "technician", "endpoint": f"{main.digits}7"}),
        ("tokens", {"name": "x", "scopes": "directory:read", "provider": "main"}),
        ("tokens", {"name": "x", "scopes": "read"}),
        ("menu/reload", {}),
    ):
        before = await _rows(two)
        answer = await someone.post(f"/console/{path}", **fields)
        assert answer.status_code in (404, 409, 422), (path, fields, answer.status_code)
        assert await _rows(two) == before, path


async def _rows(two: Two) -> dict[str, list[Any]]:
    """Everything in the database, but what says who asked for it."""
    async with two.line.services.store.reading() as unit:
        return {
            name: list(await unit.execute(select(table).order_by(*table.primary_key)))
            for name, table in metadata.tables.items()
            if name not in ("audit", "account_sessions", "account_tries")
        }


async def test_who_is_limited_limits_whom_they_add(browser: Browsers, two: Two) -> None:
    someone = await _signed_in(browser, two, two.theirs)
    await someone.post("/console/accounts", name="autre-ops", role="ops")
    await someone.post("/console/accounts", name="autre-part", role="partner", partner="Quokka partner")
    await someone.post("/console/tokens", name="theirs", scopes="directory:read")
    duty = {"name": "Zoé", "phone": "7888", "login": "autre-tech", "queues": two.theirs.queue}
    assert (await someone.post("/console/duty", **duty)).status_code == 200
    async with two.line.services.store.reading() as unit:
        table, tokens = metadata.tables["accounts"], metadata.tables["api_tokens"]
        limits = select(table.c.limited_to).where(table.c.name.in_(["autre-ops", "autre-part", "autre-tech"]))
        assert list((await unit.execute(limits)).scalars()) == ["autre", "autre", "autre"]
        made = select(tokens.c.provider).where(tokens.c.name == "theirs")
        assert list((await unit.execute(made)).scalars()) == ["autre"]
    assert (await someone.post("/console/accounts/autre-ops", role="administrator")).status_code == 303
    page = (await someone.get("/console/accounts/autre-ops")).text
    assert "<dd>autre</dd>" in page
    assert 'name="provider"' not in page


async def test_the_limit_is_set_in_the_form_and_ends_sessions(browser: Browsers, two: Two) -> None:
    admin, ops = await browser("admin"), await browser("ops")
    assert (await ops.get(f"/console/tickets/{two.ids['main'].ticket}")).status_code == 200
    assert (await admin.post("/console/accounts/ops", role="ops", provider="autre")).status_code == 303
    assert "sign-in" in (await ops.get("/console/tickets")).headers["location"]
    ops = await browser("ops")
    assert (await ops.get(f"/console/tickets/{two.ids['main'].ticket}")).status_code == 404
    assert (await ops.get(f"/console/tickets/{two.ids['autre'].ticket}")).status_code == 200
    assert "selected>autre<" in (await admin.get("/console/accounts/ops")).text
    # Whoever may see the whole line is there to stay; a limited administrator does not do.
    refused = await admin.post("/console/accounts/admin", role="administrator", provider="autre")
    assert refused.status_code == 422
    async with two.line.services.store.unit() as unit:
        with pytest.raises(BadInput, match="last administrator"):
            await account_admin.change(unit, "admin", role="administrator", endpoint=None, limited_to="autre")
        with pytest.raises(BadInput, match="last administrator"):
            await account_admin.close(unit, "admin", two.line.now)


async def test_a_provider_without_a_desk_has_no_pages(browser: Browsers, two: Two) -> None:
    assert two.line.app is not None
    someone = await _signed_in(browser, two, two.theirs)
    provide(two.line.app, replace(two.services, desks=Desks([two.main.desk])))
    for path in ("/console/tickets", "/console/directory", "/console/board"):
        assert (await someone.get(path)).status_code == 404, path


async def test_streams_tell_a_limited_account_of_its_own_line(browser: Browsers, two: Two) -> None:
    async def still() -> bool:
        return True

    boards = Boards(provider_scope.only(two.services, "autre"))
    listener, told = Listener(still), ""
    with boards.listening(listener, "fr"):
        async with asyncio.timeout(30):
            async for parts in listener:
                told += b"".join(parts.values()).decode()
                if "places" in parts and two.theirs.word in told:
                    break
    assert two.main.word not in told
    await asyncio.sleep(0)


async def test_no_answer_of_the_api_tells_a_limited_token_of_another_provider(line: Line, two: Two) -> None:
    assert line.app is not None
    theirs = {"Authorization": f"Bearer t-{two.theirs.word}"}
    transport = httpx.ASGITransport(app=line.app)
    seen = 0
    async with httpx.AsyncClient(transport=transport, base_url="http://line.test", headers=theirs) as client:
        for named in [path for path, how in line.app.openapi()["paths"].items() if "get" in how and "/v1/" in path]:
            for key in (f"C-{two.main.digits}", f"C-{two.theirs.digits}"):
                path = named.replace("{kind}", "accounts").replace("{key}", key)
                path = re.sub(r"{[^}]+}", "1", path)
                for address in (path, f"{path}?provider=main", f"{path}?provider=autre"):
                    answer = await client.get(address)
                    assert answer.status_code in (200, 403, 404), (address, answer.text)
                    assert answer.status_code == 403 or address.startswith("/v1/directory"), address
                    assert two.main.word not in answer.text, address
                    seen += two.theirs.word in answer.text
    assert seen >= 4
