"""An SMTP server for e-mails to the departments (RFC 5321). It says 250 only for what is committed."""

from __future__ import annotations

import asyncio
import re
import tempfile
from contextlib import suppress
from typing import IO, Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from ivr.errors import Unavailable
from ivr.mail.ingest import MailRoom, TooManyMails
from ivr.settings import Address
from ivr.ticks import rest

log = structlog.get_logger()

#: A client that says nothing for so long is cut off, in seconds.
_IDLE_S: Final = 60.0
#: The longest command line, in bytes; those of an e-mail itself may be of any length.
_LINE: Final = 64 * 1024
_RECIPIENTS: Final = 20
#: Of an e-mail that comes in, more than this is on disk and not in memory, in bytes.
_IN_MEMORY: Final = 1024 * 1024
_BATCH: Final = 256 * 1024
#: How an e-mail begins is told of one that is too large, in bytes.
_HEAD: Final = 64 * 1024
_SIZE: Final = re.compile(r"FROM:\s*<?([^<>\s]{0,254})>?.*\sSIZE=(\d{1,15})", re.IGNORECASE)


class _Incoming:
    """An e-mail as it comes in: on disk once it is large, and thrown away once it is too large."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._batch: list[bytes] = []
        self._batched = 0
        self.size = 0
        self.head = b""
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed by `close`

    @property
    def too_large(self) -> bool:
        return self.size > self._largest

    async def add(self, piece: bytes) -> bool:
        """Return whether a batch went to disk with it."""
        self.size += len(piece)
        if len(self.head) < _HEAD:
            self.head += piece[:_HEAD]
        if self.too_large:
            self._batch.clear()
            return False
        self._batch.append(piece)
        self._batched += len(piece)
        if self._batched < _BATCH:
            return False
        await self.flush()
        return True

    async def flush(self) -> None:
        """Write what is batched. Raises OSError."""
        batch, self._batch, self._batched = b"".join(self._batch), [], 0
        await asyncio.to_thread(self.file.write, batch)

    async def content(self) -> bytes:
        """All of it. Raises OSError."""
        await self.flush()
        self.file.seek(0)
        return await asyncio.to_thread(self.file.read)


class _Server(SMTP):
    line_length_limit = _LINE
    __ident__ = "omnivigil"

    def __init__(self, room: MailRoom, handler: _Answers, **more: Any) -> None:
        super().__init__(handler, **more)
        self._room = room

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802 - as the library calls it
        """Of an e-mail that its sender's server says is too large, the library tells nobody here."""
        found = _SIZE.search(arg or "")
        if found is not None and int(found[2]) > self._room.largest and self.session is not None:
            with suppress(Unavailable):
                await self._room.refused(b"", size=int(found[2]), return_path=found[1], recipients=[])
        await super().smtp_MAIL(arg)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        """Take an e-mail in, to disk when it is large: the library keeps all of it in memory, twice."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        incoming = _Incoming(self._room.largest)
        try:
            answer = await self._taken(self.envelope, incoming)
        except OSError as error:
            log.warning("inbound e-mail deferred", error=str(error))
            answer = "451 4.3.0 Try again later"
        finally:
            incoming.file.close()
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(answer)

    async def _taken(self, envelope: Envelope, incoming: _Incoming) -> str:
        failed: OSError | None = None
        begins = True
        while True:
            try:
                line = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as error:
                line = await self._reader.read(error.consumed)
            if begins and line == b".\r\n":
                break
            # RFC 5321 section 4.5.2.
            piece = line[1:] if begins and line.startswith(b".") else line
            begins = line.endswith(b"\r\n")
            if failed is None:
                try:
                    if await incoming.add(piece):
                        self._reset_timeout()
                except OSError as error:
                    # The rest is heard out, or the client would not hear the answer.
                    failed = error
        if failed is not None:
            raise failed
        if incoming.too_large:
            with suppress(Unavailable):
                await self._room.refused(
                    incoming.head,
                    size=incoming.size,
                    return_path=envelope.mail_from or "",
                    recipients=envelope.rcpt_tos,
                )
            return "552 5.3.4 Error: Too much mail data"
        async with self._room.space(incoming.size):
            envelope.content = await incoming.content()
            try:
                return str(await self._call_handler_hook("DATA"))
            finally:
                envelope.content = None


class _Answers:
    """What the server answers; each is one of RFC 5321 with a code of RFC 3463."""

    def __init__(self, room: MailRoom) -> None:
        self._room = room

    async def handle_MAIL(  # noqa: N802
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
        except TooManyMails:
            log.warning("inbound e-mail rate limit reached; sender deferred")
            return "450 4.7.1 Too many e-mails, try again later"
        except (Unavailable, OSError) as error:
            log.warning("inbound e-mail deferred", error=str(error))
            return "451 4.3.0 Try again later"
        opened = taken.outcome in ("opened", "continued") and taken.ticket_number is not None
        if opened:
            return f"250 2.0.0 OK ticket {taken.ticket_number}"
        return "250 2.0.0 OK"

    async def handle_exception(self, error: Exception) -> str:
        log.error("inbound e-mail failed; sender asked to retry", exc_info=error)
        return "451 4.3.0 Try again later"


async def listen(room: MailRoom, address: Address) -> asyncio.Server:
    """Take e-mails at this address until the server is closed. Raises OSError."""
    loop = asyncio.get_running_loop()

    def connection() -> Any:
        return _Server(
            room,
            _Answers(room),
            data_size_limit=room.largest,
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
            log.error("SMTP server cannot listen; retrying", event_id="OV1902", address=str(address), error=str(error))
            await rest(every_s)
            continue
        log.info("SMTP server listening", address=str(address))
        try:
            await server.serve_forever()
        finally:
            server.close()
