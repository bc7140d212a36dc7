"""An SMTP server for e-mails to the departments (RFC 5321). It says 250 only for what is committed."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from ivr.errors import Unavailable
from ivr.mail.parsed import LARGEST, Unreadable
from ivr.mail.taking import MailRoom, TooManyMails
from ivr.resting import rest
from ivr.settings import Address

log = structlog.get_logger()

#: A client that says nothing for so long is cut off, in seconds.
_IDLE_S: Final = 60.0
#: Lines of real e-mails are longer than they may be; more than this, in bytes, is refused.
_LINE: Final = 64 * 1024
_RECIPIENTS: Final = 20


class _Server(SMTP):
    line_length_limit = _LINE
    __ident__ = "omnivigil"


class _Answers:
    """What the server answers; each is one of RFC 5321 with a code of RFC 3463."""

    def __init__(self, room: MailRoom) -> None:
        self._room = room

    async def handle_MAIL(  # noqa: N802 - as the library calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        # The library takes an empty sender, which delivery reports have, for none.
        envelope.mail_from = address or "<>"
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.lower() not in self._room.mailboxes:
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= _RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            taken = await self._room.take(content, return_path=envelope.mail_from or "", recipients=envelope.rcpt_tos)
        except Unreadable as error:
            return f"554 5.6.0 Not taken: {error.facts['problem']}"
        except TooManyMails:
            log.warning("more e-mails than people write; the server is asked to wait")
            return "450 4.7.1 Too many e-mails, try again later"
        except (Unavailable, OSError) as error:
            log.warning("e-mail not taken in yet", error=str(error))
            return "451 4.3.0 Try again later"
        return "250 2.0.0 OK" if taken.ticket_number is None else f"250 2.0.0 OK ticket {taken.ticket_number}"

    async def handle_exception(self, error: Exception) -> str:
        log.error("e-mail not taken in", exc_info=error)
        return "451 4.3.0 Try again later"


async def listen(room: MailRoom, address: Address) -> asyncio.Server:
    """Take e-mails at this address until the server is closed. Raises OSError."""
    loop = asyncio.get_running_loop()

    def connection() -> Any:
        return _Server(
            _Answers(room),
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            hostname="omnivigil",
            ident="omnivigil",
            timeout=_IDLE_S,
            loop=loop,
        )

    return await loop.create_server(connection, address.host, address.port)


async def run(room: MailRoom, address: Address, every_s: float = 5.0) -> None:
    """Take e-mails until cancelled; while the address is another's, try again: calls do not depend on it."""
    while True:
        try:
            server = await listen(room, address)
        except OSError as error:
            log.error("e-mails are not taken in", address=str(address), error=str(error))
            await rest(every_s)
            continue
        log.info("e-mails are taken in", address=str(address))
        try:
            await server.serve_forever()
        finally:
            server.close()
