"""What becomes of e-mails as the field sends them: which ticket they go to, what their senders and staff are told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from ivr.desk.load import load_desks
from ivr.mail.archive import file_of
from ivr.mail.contents import Unreadable
from ivr.mail.dry_run import of_mail, of_unreadable
from ivr.notify.config import NoticeConfig
from ivr.notify.tables import outbox
from ivr.store.engine import open_store
from tests.integration.mail.test_receiver import DOMAIN, JULIE, NOW, OWN, SUPPORT, Line, letter, line

__all__ = ["line"]

MAILS = Path(__file__).parents[2] / "mails"
#: Where operations are told, for the desk names no other address.
OPS = SUPPORT
PARTNER = "soutien@boreal.example"


def reply(number: int, body: str, *, name: str, **more: str) -> Any:
    return letter(body, subject=f"Re: Billet {number}", name=name, **more)


async def opened(line: Line, **more: Any) -> int:
    await line.give(letter(**more))
    return (await line.tickets())[-1].number


class TestWhatCannotBeRead:
    async def test_it_is_kept_listed_told_and_answered_once_a_day(self, line: Line) -> None:
        content = (MAILS / "unreadable-two-senders.eml").read_bytes()
        for again in (b"", b"X: 1\r\n"):
            assert "ticket" not in await line.give(again + content)
        first, _ = await line.mails()
        assert (first["outcome"], first["reason"]) == ("unreadable", "it has no single From address")
        assert (first["sender"], first["subject"], first["ticket_number"]) == (JULIE, "Postes muets", None)
        assert len(list(line.folder.iterdir())) == 2
        assert await line.tickets() == []
        (answer,) = await line.told(JULIE)
        assert answer["subject"] == "OMNIVIGIL : nous n’avons pas pu lire votre courriel"
        assert "+1" not in answer["body"]
        assert [one["subject"] for one in await line.told(OPS)] == [f"Courriel illisible de {JULIE}"] * 2

    @pytest.mark.parametrize("sender", ["", "mailer-daemon@mx.example", SUPPORT])
    async def test_programs_and_null_senders_are_never_answered(self, line: Line, sender: str) -> None:
        await line.give((MAILS / "unreadable-no-sender.eml").read_bytes(), sender=sender)
        assert [(one["outcome"], one["sender"]) for one in await line.mails()] == [("unreadable", sender or "<>")]
        assert await line.told(sender) == await line.told(OPS) == []

    async def test_marks_of_programs_are_seen_in_what_cannot_be_read(self, line: Line) -> None:
        content = b"Auto-Submitted: auto-replied\r\n" + (MAILS / "unreadable-no-sender.eml").read_bytes()
        await line.give(content)
        assert await line.told(JULIE) == await line.told(OPS) == []

    async def test_a_bomb_is_kept_too(self, line: Line) -> None:
        bomb = (
            f"From: {JULIE}\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n".encode() + b"--x\r\n\r\ny\r\n" * 900
        )
        await line.give(bomb)
        (mail,) = await line.mails()
        assert (mail["outcome"], mail["reason"]) == ("unreadable", "it has too many parts")


@pytest.mark.parametrize(
    "name",
    ["calendar-accepted", "calendar-with-words", "receipt", "receipt-signed", "absent-exchange", "absent-subject"],
)
async def test_answers_of_programs_reopen_nothing(line: Line, name: str) -> None:
    """Issue 19, kind 19."""
    number = await opened(line)
    await line.set_status(number, "resolved")
    content = (MAILS / f"program-{name}.eml").read_bytes().replace(b"100001", str(number).encode())
    await line.give(content)
    (ticket,) = await line.tickets()
    assert ticket.status == "resolved"
    words = name == "calendar-with-words"
    assert [one["outcome"] for one in await line.mails()] == ["opened", "noted" if words else "ignored"]


async def test_a_partners_help_desk_is_noted_without_an_answer(line: Line) -> None:
    """Issue 19, kind 14."""
    number = await opened(line)
    await line.set_status(number, "waiting-partner")
    headers = {"Auto_Submitted": "auto-generated", "Precedence": "bulk"}
    message = letter("Le modem est remplacé.", sender=PARTNER, subject=f"[BOR-1] Re: Billet {number}", name="<j@x>")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    await line.give(message, sender=PARTNER)
    (ticket,) = await line.tickets()
    assert ticket.status == "waiting-partner"
    assert (await line.mails())[-1]["outcome"] == "noted"
    assert (await line.history(number))[-1] == "mail"
    stranger = letter("x", sender="robot@ailleurs.example", subject=f"Billet {number}", name="<k@x>", Precedence="bulk")
    await line.give(stranger, sender="robot@ailleurs.example")
    assert (await line.mails())[-1]["outcome"] == "ignored"
    assert len(await line.told(JULIE)) == 1
    assert await line.told(PARTNER) == []


async def test_a_program_that_answers_each_of_ours_at_once_is_held(line: Line) -> None:
    """Issue 19, kind 39: another help desk, without any mark of a program."""
    other = "support@autre.example"
    for nth in range(6):
        line.now = NOW + timedelta(minutes=5 * nth)
        subject = f"Your request [TICKET-{nth}] was received"
        await line.give(letter("We have received it.", sender=other, subject=subject, name=f"<{nth}@x>"), sender=other)
        async with line.store.unit() as unit:
            mine = (outbox.c.recipient == other) & (outbox.c.state == "pending")
            values = {"state": "sent", "sent_at": line.now + timedelta(minutes=4)}
            await unit.execute(update(outbox).where(mine).values(values))
    outcomes = [one["outcome"] for one in await line.mails()]
    assert outcomes == ["opened"] * 3 + ["held"] * 3
    assert len(await line.told(other)) == 3
    assert {one["ticket_number"] for one in (await line.mails())[3:]} == {(await line.tickets())[-1].number}
    assert (await line.told(OPS))[0]["subject"] == f"Échange automatique arrêté avec {other}"


async def test_who_was_sent_a_copy_may_answer_before_and_after_our_notice(line: Line) -> None:
    """Issue 19, kind 37."""
    paul, eve = "paul@ailleurs.example", "eve@ailleurs.example"
    await line.give(letter(name="<a@x>", Cc=f"Paul <{paul}>"))
    (first,) = await line.tickets()
    answers = {"In_Reply_To": "<a@x>", "subject": "RE: Écho"}
    await line.give(letter("Chez moi aussi.", sender=paul, name="<b@x>", **answers), sender=paul)
    both = f"<ticket.{first.number}@{DOMAIN}> <a@x>"
    await line.give(letter("Encore.", sender=paul, name="<c@x>", subject="RE: Écho", References=both), sender=paul)
    assert len(await line.tickets()) == 1
    assert await line.told(paul) == []
    await line.give(letter("Moi ?", sender=eve, name="<d@x>", **answers), sender=eve)
    assert [one["outcome"] for one in await line.mails()] == ["opened", "continued", "continued", "opened"]
    assert (await line.mails())[-1]["reason"] == f"its sender may not write to ticket {first.number}"


async def test_an_answer_to_ones_own_e_mail_joins_it(line: Line) -> None:
    """Issue 19, kind 38."""
    number = await opened(line, name="<a@x>")
    await line.give(letter("Aussi le 203.", subject="Re: Écho", name="<b@x>", References="<a@x>"))
    assert (await line.mails())[-1]["ticket_number"] == number
    assert len(await line.tickets()) == 1


async def test_answers_to_a_closed_ticket_open_one_and_not_one_each(line: Line) -> None:
    """Issue 19, kind 38."""
    number = await opened(line)
    await line.set_status(number, "closed")
    for nth in range(3):
        await line.give(reply(number, f"Encore en panne, {nth}.", name=f"<{nth}@y>"))
    first, second = await line.tickets()
    assert (first.status, second.status) == ("closed", "new")
    assert [one["ticket_number"] for one in (await line.mails())[1:]] == [second.number] * 3
    await line.set_status(second.number, "closed")
    await line.give(reply(number, "De nouveau.", name="<9@y>"))
    assert len(await line.tickets()) == 3


@pytest.mark.parametrize("status", ["resolved", "closed", "waiting-requester"])
async def test_thanks_change_no_status(line: Line, status: str) -> None:
    """Issue 19, kind 41."""
    number = await opened(line)
    await line.set_status(number, status)
    await line.give(reply(number, "Merci beaucoup !\n\nJulie Tremblay\n418 555-0100", name="<2@y>"))
    (ticket,) = await line.tickets()
    assert ticket.status == status
    assert (await line.mails())[-1]["outcome"] == "noted"
    await line.give(reply(number, "Merci, mais c’est encore en panne.", name="<3@y>"))
    assert (await line.mails())[-1]["outcome"] in ("continued", "opened")


class TestForms:
    """Issue 19, kinds 21 and 40."""

    async def test_who_filled_it_in_is_the_requester_without_rights(self, line: Line) -> None:
        form = letter(sender="WordPress <noreply@site.example>", Reply_To=f"Julie Tremblay <{JULIE}>")
        await line.give(form, sender="www@site.example")
        (ticket,) = await line.tickets()
        assert (ticket.requester_email, ticket.requester_name) == (JULIE, "Julie Tremblay")
        assert (ticket.account_number, ticket.contact_id, ticket.requester_phone) == ("C-1001", None, None)
        assert len(await line.told(JULIE)) == 1

    async def test_it_continues_nothing(self, line: Line) -> None:
        number = await opened(line)
        form = reply(number, "x", name="<2@y>", sender="noreply@site.example", Reply_To=JULIE)
        await line.give(form, sender="www@site.example")
        assert (await line.mails())[-1]["reason"] == f"its sender may not write to ticket {number}"

    async def test_a_contact_cannot_be_made_another_nor_anybody_a_partner(self, line: Line) -> None:
        await line.give(letter(Reply_To="evil@x.example"))
        await line.give(letter(sender="zoe@x.example", name="<2@y>", Reply_To=PARTNER), sender="zoe@x.example")
        assert [one.requester_email for one in await line.tickets()] == [JULIE, "zoe@x.example"]

    async def test_a_form_of_our_own_is_heard(self, line: Line) -> None:
        await line.give(letter(sender=OWN, Reply_To="zoe@x.example"), sender=OWN)
        assert [one.requester_email for one in await line.tickets()] == ["zoe@x.example"]


async def test_a_group_that_is_our_address_is_heard(line: Line) -> None:
    """Issue 19, kind 14."""
    marks = {"List_Id": "<support.omnivigil.com>", "Precedence": "list", "X_Original_Sender": JULIE}
    await line.give(letter(**marks), sender="support+bnc@omnivigil.com")
    await line.give(letter(sender=f"'Julie Tremblay' via Soutien <{SUPPORT}>", name="<2@y>", **marks), sender=SUPPORT)
    first, second = await line.tickets()
    assert first.contact_id == second.contact_id is not None
    await line.give(letter(name="<3@y>", List_Id="<nouvelles.ailleurs.example>"))
    assert (await line.mails())[-1]["outcome"] == "ignored"


async def test_who_writes_encrypted_is_asked_for_clear_text_once(line: Line) -> None:
    """Issue 19, kind 35."""
    content = (MAILS / "encrypted-smime.eml").read_bytes()
    for nth in (b"1", b"2"):
        await line.give(content.replace(b"Message-ID: <", b"Message-ID: <" + nth))
    first, _ = await line.tickets()
    assert "Message chiffré" in (first.observed or "")
    asked = [one for one in await line.told(JULIE) if "est chiffré" in one["subject"]]
    assert [one["ticket_number"] for one in asked] == [first.number]


async def test_who_wants_no_automatic_answer_has_a_ticket_and_no_answer(line: Line) -> None:
    await line.give(letter(X_Auto_Response_Suppress="All"))
    assert len(await line.tickets()) == 1
    assert await line.told(JULIE) == []


async def test_what_is_in_no_headers_of_a_kind_is_kept_as_it_came(line: Line) -> None:
    content = (MAILS / "charset-none-raw-headers.eml").read_bytes().replace(b"\n", b"\r\n")
    await line.give(content)
    (ticket,) = await line.tickets()
    assert ticket.observed == "Téléphone coupé\n\nL’appareil coûte 25 € – « cœur »…"
    (path,) = line.folder.iterdir()
    assert path == file_of(line.folder, path.stem)
    assert path.read_bytes() == content


class TestForetelling:
    """`./omnivigil doctor --mail`."""

    async def foretold(self, line: Line, content: bytes) -> list[str]:
        return await of_mail(content, line.store, load_desks(), NoticeConfig(), lambda: NOW)

    async def test_it_says_what_becomes_of_it_and_changes_nothing(self, line: Line) -> None:
        number = await opened(line)
        await line.set_status(number, "closed")
        told = await self.foretold(line, letter("Encore.\n\n> Ancien", name="<9@y>").as_bytes())
        assert told == [
            "From: julie@clinique.example (Julie Tremblay)",
            "Subject: Écho",
            "Account: C-1001 Clinique du Cap, contact Julie Tremblay",
            "Department: support of omnivigil",
            "Becomes: a new ticket",
            "Text:",
            "  Encore.",
            "Folded away:",
            "  > Ancien",
        ]
        thanks = await self.foretold(line, reply(number, "Merci !", name="<8@y>").as_bytes())
        assert f"Becomes: noted on ticket {number}, whose status stays" in thanks
        assert "Because: it only says thanks" in thanks
        assert len(await line.mails()) == len(await line.tickets()) == 1

    async def test_attachments_programs_and_forms(self, line: Line) -> None:
        told = await self.foretold(line, (MAILS / "winmail-rtf.eml").read_bytes())
        assert "Attachment 1: rapport d’appels.pdf, application/pdf, 8 bytes" in told
        told = await self.foretold(line, b"Return-Path: <>\r\n" + letter().as_bytes())
        assert "Because: it has no return path: a delivery report" in told
        told = await self.foretold(line, letter(sender="noreply@site.example", Reply_To=JULIE).as_bytes())
        assert f"Written by: {JULIE}, who has no rights by that" in told

    async def test_what_cannot_be_read_and_a_database_that_is_not_there(self, line: Line, tmp_path: Path) -> None:
        content = (MAILS / "unreadable-two-senders.eml").read_bytes()
        with pytest.raises(Unreadable) as refusal:
            await self.foretold(line, content)
        assert list(of_unreadable(content, refusal.value)) == [
            "Subject: Postes muets",
            "Becomes: kept as unreadable, and staff are told: it has no single From address",
        ]
        empty = open_store(f"sqlite+aiosqlite:///{tmp_path}/empty.sqlite3")
        told = await of_mail(letter().as_bytes(), empty, load_desks(), NoticeConfig(), lambda: NOW)
        await empty.close()
        assert "Account: not known, for the database does not answer" in told
