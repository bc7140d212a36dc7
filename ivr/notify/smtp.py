"""Hands e-mails to an SMTP server. A refusal for good is told apart from one for now (RFC 5321 section 4.2.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from ivr.notify.compose import NoAddress, compose
from ivr.notify.config import Smtp
from ivr.notify.delivery import Accepted, Kind, Outcome, Permanent, Temporary, Unclear
from ivr.notify.store import Notice
from ivr.store.engine import Unit

#: Each step of the conversation may take so long, in seconds.
_STEP_S: Final = 8.0
#: These say that our account or our configuration is wrong, which is mended here and not in the e-mail.
_OURS: Final = frozenset({530, 534, 535, 538})

#: The Message-ID of what this address last wrote about this ticket, as in answered(100001, "a@example.com").
Answered = Callable[[int, str], Awaitable[str | None]]


class SmtpSender:
    """E-mails, one connection and one recipient each: nobody sees who else gets one."""

    kind: Kind = "email"

    def __init__(self, config: Smtp, *, replies: bool, answered: Answered) -> None:
        """`replies`: whether answers come in to us."""
        self._config = config
        self._replies = replies
        self._answered = answered

    async def check(self, unit: Unit, notice: Notice) -> Outcome | None:
        """Nothing is known beforehand."""
        return None

    async def send(self, notice: Notice) -> Outcome:
        """Hand it over; it has the same Message-ID every time."""
        config = self._config
        number = notice.ticket_number
        answered = None
        if number is not None:
            answered = await self._answered(number, notice.recipient)
        try:
            message = compose(
                notice,
                sender=config.sender,
                sender_name=config.sender_name,
                domain=config.domain,
                replies=self._replies,
                answered=answered,
            )
        except NoAddress:
            return Permanent(reason="the recipient is no e-mail address")
        client = SMTP(
            hostname=config.host,
            port=config.port,
            use_tls=config.security == "tls",
            # Never None: that would go on unencrypted where the server offers nothing better.
            start_tls=config.security == "starttls",
            username=config.user,
            password=config.password.get_secret_value() if config.password is not None else None,
            timeout=_STEP_S,
        )
        try:
            await client.connect()
        except SMTPAuthenticationError as error:
            return Temporary(reason=f"the mail server does not let us in ({error.code})")
        except (SMTPException, OSError) as error:
            return Temporary(reason=f"the mail server is not reached: {_short(error)}")
        try:
            await client.send_message(message, sender=config.sender, recipients=[notice.recipient])
        except SMTPRecipientsRefused as error:
            return _refused(error.recipients[0])
        except SMTPResponseException as error:
            return _refused(error)
        except (SMTPNotSupported, UnicodeError):
            return Permanent(reason="the mail server takes no such address (SMTPUTF8)")
        except SMTPConnectError as error:
            return Temporary(reason=f"the mail server is not reached: {_short(error)}")
        except (SMTPException, OSError) as error:
            return Unclear(reason=f"the mail server was lost on the way: {_short(error)}")
        finally:
            client.close()
        return Accepted()

    async def settled(self, unit: Unit, notice: Notice, outcome: Outcome) -> None:
        """Nothing follows."""


def _refused(error: SMTPResponseException | SMTPRecipientRefused) -> Outcome:
    reason = f"the mail server says {error.code} {' '.join(str(error.message).split())[:200]}"
    if 500 <= error.code < 600 and error.code not in _OURS:
        return Permanent(reason=reason)
    return Temporary(reason=reason)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
