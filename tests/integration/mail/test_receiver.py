"""E-mails to the departments become tickets, over real SMTP: 250 only for what is committed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest
from sqlalchemy import select

from ivr.desk.load import load_desks
from ivr.directory.demo import load_demo
from ivr.directory.lookup import Directory
from ivr.errors import BadInput
from ivr.events import EventBus
from ivr.mail import ingest
from ivr.mail import store as mail_statements
from ivr.mail.archive import file_of
from ivr.mail.ingest import MailRoom
from ivr.mail.smtp_server import listen, run
from ivr.notify.tables import outbox
from ivr.settings import Address
from ivr.store.engine import Store
from ivr.tickets import store as ticket_statements
from ivr.tickets.model import Ticket
from ivr.tickets.service import Tickets

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
DOMAIN = "omnivigil.com"
SUPPORT = "support@omnivigil.com"
JULIE = "julie@clinique.example"
#: Whom our e-mails are from.
OWN = "nouvelles@omnivigil.com"


@dataclass
class Line:
    """The receiver, and what it wrote."""

    store: Store
    port: int
    folder: Path
    bus: EventBus
    room: MailRoom
    now: datetime = NOW

    async def give(self, message: EmailMessage | bytes, *, sender: str = JULIE, to: str | list[str] = SUPPORT) -> str:
        """What the server says to it."""
        content = message if isinstance(message, bytes) else message.as_bytes()
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False, timeout=10)
        async with client:
            _, said = await client.sendmail(sender, to, content)
        return said

    async def tickets(self) -> list[Ticket]:
        """The oldest first."""
        async with self.store.reading() as unit:
            return (await ticket_statements.page(unit, filters={}, only_open=False, before=None, limit=50))[::-1]

    async def mails(self) -> list[dict[str, Any]]:
        async with self.store.reading() as unit:
            return (await mail_statements.page(unit, filters={}, before=None, limit=50))[::-1]

    async def history(self, number: int) -> list[str]:
        async with self.store.reading() as unit:
            return [event["kind"] for event in await ticket_statements.events(unit, number)]

    async def told(self, to: str) -> list[dict[str, Any]]:
        """E-mails to this address that wait, the oldest first."""
        async with self.store.reading() as unit:
            query = select(outbox).where(outbox.c.kind == "email", outbox.c.recipient == to).order_by(outbox.c.id)
            return [dict(row) for row in (await unit.execute(query)).mappings()]

    async def set_status(self, number: int, status: str) -> None:
        async with self.store.unit() as unit:
            await ticket_statements.change(unit, number, {"status": status})


@pytest.fixture
async def line(store: Store, tmp_path: Path) -> AsyncIterator[Line]:
    async with store.unit() as unit:
        await load_demo(unit)
    directory = Directory(store)
    await directory.reload()
    bus = EventBus()
    folder = tmp_path / "mails"

    def clock() -> datetime:
        return given.now

    room = MailRoom(store, directory, load_desks(), folder=folder, domain=DOMAIN, clock=clock, bus=bus, sender=OWN)
    # Port 0 is none that a configuration may name, and gives a free one here.
    server = await listen(room, Address(host="127.0.0.1", port=0))
    given = Line(store, server.sockets[0].getsockname()[1], folder, bus, room)
    yield given
    server.close()


def letter(
    body: str = "La ligne grésille.",
    *,
    sender: str = f"Julie Tremblay <{JULIE}>",
    subject: str = "Écho",
    name: str = "<1@clinique.example>",
    **headers: str,
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = SUPPORT
    message["Subject"] = subject
    message["Message-ID"] = name
    for header, value in headers.items():
        message[header.replace("_", "-")] = value
    message.set_content(body)
    return message


async def test_it_opens_a_ticket_of_whom_it_is_from(line: Line) -> None:
    """OV-11, OV-12."""
    said = await line.give(letter())
    (ticket,) = await line.tickets()
    assert f"ticket {ticket.number}" in said
    assert (ticket.desk, ticket.department, ticket.language) == ("omnivigil", "support", "fr")
    assert (ticket.requester_name, ticket.requester_email) == ("Julie Tremblay", JULIE)
    assert (ticket.account_number, ticket.account_name) == ("C-1001", "Clinique du Cap")
    assert ticket.observed == "Écho\n\nLa ligne grésille."
    assert (await line.history(ticket.number))[0] == "created"
    assert (await line.history(ticket.number))[-1] == "mail"
    (mail,) = await line.mails()
    assert (mail["outcome"], mail["ticket_number"]) == ("opened", ticket.number)
    with line.bus.listen(after=0) as listener:
        assert (await anext(listener)).kind == "ticket.created"


async def test_an_unknown_sender_is_served_too(line: Line) -> None:
    """OV-3."""
    await line.give(letter(sender="Zoé <zoe@inconnu.example>"), sender="zoe@inconnu.example")
    (ticket,) = await line.tickets()
    assert (ticket.requester_name, ticket.requester_email, ticket.customer_id) == ("Zoé", "zoe@inconnu.example", None)


async def test_each_department_has_its_own_address(line: Line) -> None:
    """OV-1."""
    await line.give(letter(), to="Ventes@omnivigil.com")
    (ticket,) = await line.tickets()
    assert ticket.department == "ventes"


async def test_an_answer_continues_its_ticket(line: Line) -> None:
    await line.give(letter())
    (ticket,) = await line.tickets()
    await line.give(
        letter("Encore.", subject="Re: Écho", name="<2@x>", References=f"<ticket.{ticket.number}@{DOMAIN}>")
    )
    await line.give(letter("Toujours.", subject=f"Re: Billet {ticket.number} : reçu", name="<3@x>"))
    assert len(await line.tickets()) == 1
    assert [mail["outcome"] for mail in await line.mails()] == ["opened", "continued", "continued"]
    assert (await line.history(ticket.number)).count("mail") == 3
    async with line.store.reading() as unit:
        assert await mail_statements.last_from(unit, ticket.number, JULIE.upper()) == "<3@x>"


async def test_others_of_the_account_and_its_partner_may_continue_it(line: Line) -> None:
    """OV-20."""
    async with line.store.unit() as unit:
        fields = {"kind": "request", "desk": "omnivigil", "department": "support", "account_number": "C-1001"}
        ticket, _ = await Tickets(desks={}, bus=line.bus, clock=lambda: NOW).create(unit, fields, by="x")
    for number, sender in enumerate((JULIE.upper(), "soutien@boreal.example")):
        message = letter(sender=sender, subject=f"Billet {ticket.number}", name=f"<{number}@x>")
        await line.give(message, sender=sender)
    assert [mail["outcome"] for mail in await line.mails()] == ["continued", "continued"]


@pytest.mark.parametrize("stranger", ["marc@boulangerie.example", "zoe@inconnu.example"])
async def test_a_stranger_who_knows_the_number_gets_a_ticket_of_their_own(line: Line, stranger: str) -> None:
    await line.give(letter())
    (ticket,) = await line.tickets()
    message = letter(
        sender=stranger,
        subject=f"Billet {ticket.number}",
        name="<2@x>",
        References=f"<ticket.{ticket.number}@{DOMAIN}>",
    )
    said = await line.give(message, sender=stranger)
    first, second = await line.tickets()
    assert second.requester_email == stranger
    assert str(first.number) not in said
    assert (await line.history(first.number)).count("mail") == 1
    assert (await line.mails())[1]["reason"] == f"its sender may not write to ticket {first.number}"


@pytest.mark.parametrize(
    ("status", "tickets", "after"),
    [("resolved", 1, "reopened"), ("waiting-requester", 1, "in-progress"), ("closed", 2, "closed")],
)
async def test_an_answer_reopens_what_is_resolved_and_follows_what_is_closed(
    line: Line, status: str, tickets: int, after: str
) -> None:
    await line.give(letter())
    (ticket,) = await line.tickets()
    await line.set_status(ticket.number, status)
    await line.give(letter("Encore !", subject=f"Re: Billet {ticket.number}", name="<2@x>"))
    found = await line.tickets()
    assert len(found) == tickets
    assert found[0].status == after


async def test_ov20_an_answer_is_taken_in_whatever_its_requester_may_ask_for(line: Line) -> None:
    """That is asked once somebody works on it: the mail server must not be asked to come again for ever."""
    await line.give(letter())
    (ticket,) = await line.tickets()
    async with line.store.unit() as unit:
        values = {"kind": "contacts", "status": "waiting-requester", "contact_id": None, "desk": "no-more"}
        await ticket_statements.change(unit, ticket.number, values)
    assert (await line.give(letter("Oui.", subject=f"Re: Billet {ticket.number}", name="<2@x>"))).startswith("2.0.0 OK")
    (after,) = await line.tickets()
    assert after.status == "in-progress"
    async with line.store.unit() as unit:
        held = Tickets(desks={"no-more": load_desks()["omnivigil"]}, bus=line.bus, clock=lambda: NOW)
        with pytest.raises(BadInput, match="administrateur"):
            await held.change(unit, ticket.number, {"status": "resolved"}, by="x", solution="Fait.")


async def test_delivered_twice_it_is_one(line: Line) -> None:
    content = letter().as_bytes()
    assert await line.give(content) == await line.give(b"Received: from a by b\r\n" + content)
    assert len(await line.tickets()) == len(await line.mails()) == 1


async def test_delivered_twice_at_once_it_is_one(line: Line) -> None:
    await asyncio.gather(*(line.give(letter()) for _ in range(5)))
    assert len(await line.tickets()) == len(await line.mails()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"List_Id": "<news.example>"},
        {"name": f"<100001.notice.abc@{DOMAIN}>"},
        {"sender": SUPPORT},
    ],
)
async def test_what_no_person_wrote_is_taken_and_nothing_comes_of_it(line: Line, headers: dict[str, Any]) -> None:
    assert "ticket" not in await line.give(letter(**headers))
    assert await line.tickets() == []
    (mail,) = await line.mails()
    assert mail["outcome"] == "ignored"
    assert mail["reason"]
    assert not line.folder.exists()


async def test_a_delivery_report_is_taken_and_nothing_comes_of_it(line: Line) -> None:
    await line.give(letter(sender="mx@clinique.example"), sender="")
    assert await line.tickets() == []
    assert (await line.mails())[0]["reason"] == "it has no return path: a delivery report"


async def test_it_is_kept_as_it_came(line: Line) -> None:
    message = letter()
    message.add_attachment(b"\x89PNG" * 100, maintype="image", subtype="png", filename="écran.png")
    await line.give(message)
    async with line.store.reading() as unit:
        mail = await mail_statements.get(unit, 1)
    assert mail is not None
    assert mail["attachments"] == [{"name": "écran.png", "type": "image/png", "size": 400}]
    kept = file_of(line.folder, mail["key"])
    assert kept.stat().st_size == mail["size"]
    assert b"image/png" in kept.read_bytes()
    assert kept.parent.stat().st_mode & 0o077 == 0


async def test_other_mailboxes_are_not_here(line: Line) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await line.give(letter(), to="root@omnivigil.com")
    assert refusal.value.recipients[0].code == 550


async def test_what_is_too_large_is_refused_and_staff_are_told(line: Line) -> None:
    line.room.largest = 100_000
    content = letter().as_bytes() + (b"x" * 76 + b"\r\n") * 2_000
    # By what its server says of it beforehand, by what comes, and the same again.
    for option in ([f"SIZE={len(content)}"], [], []):
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=line.port, start_tls=False, timeout=10)
        async with client:
            if option:
                with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
                    await client.mail(JULIE, options=option)
            else:
                await client.mail(JULIE)
                await client.rcpt(SUPPORT)
                with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
                    await client.data(content)
            assert refusal.value.code == 552
    assert await line.tickets() == []
    said, came = await line.mails()
    assert (said["outcome"], said["sender"], said["size"]) == ("refused", JULIE, len(content))
    assert (came["outcome"], came["subject"]) == ("refused", "Écho")
    assert came["reason"] == "it is larger than 100000 bytes"
    assert [one["subject"] for one in await line.told(SUPPORT)] == [f"Courriel refusé de {JULIE}"] * 2


async def test_what_is_large_is_taken_from_disk_whatever_its_lines(line: Line) -> None:
    """Dots at the beginnings of lines, and one line longer than any should be."""
    message = letter("." + "y" * 300_000 + "\n.\n.z")
    message.add_attachment(bytes(range(256)) * 12_000, maintype="image", subtype="png", filename="modem.png")
    await line.give(message)
    (mail,) = await line.mails()
    assert mail["attachments"] == [{"name": "modem.png", "type": "image/png", "size": 3_072_000}]
    (ticket,) = await line.tickets()
    assert ticket.observed is not None
    assert ticket.observed.startswith("Écho\n\n.yyy")


async def test_while_the_database_is_away_the_sender_is_asked_to_come_again(
    line: Line, database_away: Callable[[], AbstractContextManager[None]]
) -> None:
    with database_away(), pytest.raises(aiosmtplib.SMTPDataError) as refusal:
        await line.give(letter())
    assert refusal.value.code == 451
    await line.give(letter())
    assert len(await line.tickets()) == 1


async def test_while_the_disk_is_full_too(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "keep", full)
        with pytest.raises(aiosmtplib.SMTPDataError) as refusal:
            await line.give(letter())
    assert refusal.value.code == 451
    assert not await line.tickets()
    assert not await line.mails()


async def test_what_is_wrong_here_is_not_held_against_the_sender(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(MailRoom, "take", broken)
        with pytest.raises(aiosmtplib.SMTPDataError) as refusal:
            await line.give(letter())
    assert (refusal.value.code, "fault" in refusal.value.message) == (451, False)


async def test_a_flood_from_one_sender_is_held_back(line: Line) -> None:
    for number in range(30):
        await line.give(letter(name=f"<{number}@x>"))
    with pytest.raises(aiosmtplib.SMTPDataError) as refusal:
        await line.give(letter(name="<31@x>"))
    assert refusal.value.code == 450
    await line.give(letter(sender="zoe@inconnu.example", name="<32@x>"), sender="zoe@inconnu.example")
    assert len(await line.tickets()) == 31


class TestNobodyIsFloodedByUs:
    """Backscatter: whoever writes says who they are."""

    async def confirmed(self, line: Line) -> list[str]:
        async with line.store.reading() as unit:
            query = select(outbox.c.recipient).where(outbox.c.kind == "email", outbox.c.recipient.like("%@%example"))
            return list((await unit.execute(query)).scalars())

    async def give(self, line: Line, count: int, sender: str) -> None:
        for n in range(count):
            to = sender.format(n)
            await line.give(letter(sender=f"X <{to}>", name=f"<{n}.{to}>"), sender=to)

    async def test_one_sender_is_confirmed_a_few_a_day_and_each_is_a_ticket(self, line: Line) -> None:
        await self.give(line, 8, "victime@ailleurs.example")
        assert len(await line.tickets()) == 8
        assert await self.confirmed(line) == ["victime@ailleurs.example"] * 5

    async def test_one_domain_is_confirmed_a_few_an_hour(self, line: Line) -> None:
        await self.give(line, 34, "personne{}@ailleurs.example")
        await self.give(line, 1, "zoe@inconnu.example")
        assert len(await line.tickets()) == 35
        told = await self.confirmed(line)
        assert len(told) == 31
        assert told[-1] == "zoe@inconnu.example"

    async def test_what_seems_to_come_from_ourselves_is_left_alone(self, line: Line) -> None:
        await self.give(line, 1, OWN)
        assert await line.tickets() == []
        assert await self.confirmed(line) == []
        assert [one["reason"] for one in await line.mails()] == ["it is from an address of ours"]


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(line: Line) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    writer.write(
        b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<support@omnivigil.com>\r\nDATA\r\nFrom: a@b.example\r\n\r\nx"
    )
    await writer.drain()
    await reader.readuntil(b"354")
    writer.close()
    await asyncio.sleep(0.2)
    assert await line.mails() == []
    await line.give(letter())


async def test_headers_do_not_become_others(line: Line) -> None:
    """Header injection in names."""
    hostile = b'From: "=?utf-8?Q?Julie=0D=0ABcc=3A_all=40x=2Eexample?=" <julie@clinique.example>\r\nSubject: a\r\n\r\nx'
    await line.give(hostile.replace(b"julie@clinique", b"zoe@inconnu"), sender="zoe@inconnu.example")
    (ticket,) = await line.tickets()
    assert ticket.requester_name == "Julie Bcc: all@x.example"


async def test_while_its_address_is_anothers_it_waits(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = Address(host="127.0.0.1", port=other.getsockname()[1])
        running = asyncio.create_task(run(line.room, address, every_s=0.1))
        await asyncio.sleep(0.3)
        assert not running.done()
    await asyncio.sleep(0.3)
    line.port = address.port
    await line.give(letter())
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert len(await line.tickets()) == 1
