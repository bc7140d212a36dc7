"""Text messages by Twilio, whose sending is not idempotent: what may have left is looked for, not sent again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from ivr.clock import system_clock
from ivr.notify import store as statements
from ivr.notify.config import Twilio
from ivr.notify.delivery import Absent, Accepted, Kind, Outcome, Permanent, Refused, Temporary, Unclear
from ivr.notify.store import Notice
from ivr.notify.twilio_http import NotReached, TooMany, TwilioHttp
from ivr.notify.twilio_words import OPTED_OUT, STATUS_PATH
from ivr.store.engine import Store, Unit

#: The account, its rights or its balance: mended there, not in the message.
_ACCOUNT: Final = frozenset({20003, 20005, 20006, 20008, 30001, 30002})
_WANTS_NONE: Final = "the recipient wants no text messages"
#: How far the clocks may be apart.
_SKEW: Final = timedelta(seconds=10)
#: At most so many of the messages to one number are looked through.
_LISTED: Final = 200
#: Twilio writes these with plainer signs when its smart encoding is on.
_PLAINER: Final = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"', "–": "-", "—": "-", "…": "..."}
)


class SmsSender:
    """Text messages from one account and one sender."""

    kind: Kind = "sms"

    def __init__(
        self,
        config: Twilio,
        session: aiohttp.ClientSession,
        store: Store,
        *,
        clock: Callable[[], datetime],
        public_url: str | None,
    ) -> None:
        """`clock` is the outbox's. With `public_url` Twilio tells there what becomes of each message."""
        self._config = config
        self._store = store
        self._clock = clock
        self._public_url = public_url
        token = config.auth_token.get_secret_value()
        # An empty environment would make the library read the process's own.
        self._client = Client(
            config.account_sid, token, http_client=TwilioHttp(session, config.api), environment={"": ""}
        )

    async def check(self, unit: Unit, notice: Notice) -> Outcome | None:
        """Whoever opted out gets nothing."""
        if await statements.opted_out(unit, notice.recipient):
            return Refused(reason=_WANTS_NONE)
        return None

    async def send(self, notice: Notice) -> Outcome:
        """Have it sent."""
        if not re.fullmatch(r"[1-9][0-9]{6,14}", notice.recipient, re.ASCII):
            return Permanent(reason="the recipient is no telephone number")
        if not notice.body.strip():
            return Permanent(reason="there is no text")
        wanted: dict[str, Any] = {"status_callback": self._callback(notice)} if self._public_url else {}
        try:
            message = await self._client.messages.create_async(
                to=f"+{notice.recipient}", from_=self._config.sender, body=notice.body, **wanted
            )
        except NotReached as error:
            return Temporary(reason=f"Twilio is not reached: {error}")
        except TooMany as error:
            return Temporary(reason="Twilio says 429", retry_after_s=error.retry_after_s)
        except TwilioException as error:
            return _refused(error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Unclear(reason=f"Twilio was lost on the way: {type(error).__name__}")
        return Accepted(provider_id=_text(message.sid), provider_status=_text(message.status))

    async def look(self, notice: Notice) -> Outcome:
        """Find it among the messages that Twilio has: to the same number, by us, since then, with the same text.

        One that another row is known to be is not taken for it.
        """
        if notice.begun_at is None:
            return Absent()
        # The outbox's clock may be set to another day; Twilio's is the real one.
        since = system_clock() - (self._clock() - notice.begun_at) - _SKEW
        try:
            listed = await self._client.messages.list_async(
                to=f"+{notice.recipient}", from_=self._config.sender, limit=_LISTED, page_size=50
            )
        except TooMany as error:
            return Temporary(reason="Twilio says 429", retry_after_s=error.retry_after_s)
        except (NotReached, TwilioException, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Unclear(reason=f"Twilio's list is not to be had: {type(error).__name__}")
        alike = [message for message in listed if _is_it(message, notice.body, since)]
        async with self._store.reading() as unit:
            taken = await statements.taken_ids(unit, [str(message.sid) for message in alike])
            if await statements.is_alike_under_way(unit, notice):
                # What is on the list may be the other one, which is about to learn its own name.
                return Unclear(reason="another text like it is leaving")
        # The oldest first, so that two alike are given out in the order they left.
        for message in reversed(alike):
            if message.sid not in taken:
                return Accepted(provider_id=_text(message.sid), provider_status=_text(message.status))
        return Absent()

    async def settled(self, unit: Unit, notice: Notice, outcome: Outcome) -> None:
        """A refusal for having opted out holds for whatever follows."""
        if isinstance(outcome, Refused):
            await statements.opt_out(unit, notice.recipient, at=self._clock(), row_id=notice.id)

    def _callback(self, notice: Notice) -> str:
        return f"{self._public_url}{STATUS_PATH}?{urlencode({'notice': notice.key})}"


def _refused(error: TwilioException) -> Outcome:
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    if not isinstance(status, int):
        return Unclear(reason="Twilio's answer is not understood")
    if isinstance(error, TwilioRestException):
        words = error.msg
    else:
        words = getattr(error, "title", "")
    reason = f"Twilio says {status}, {code}: {' '.join(str(words).split())[:200]}"
    if code == OPTED_OUT:
        return Refused(reason=f"{_WANTS_NONE} ({code})")
    if status in (401, 403, 404) or code in _ACCOUNT:
        return Temporary(reason=reason)
    if 400 <= status < 500 and status != 408:
        return Permanent(reason=reason)
    # After an error of its own, Twilio may have the message all the same.
    return Unclear(reason=reason)


def _is_it(message: Any, body: str, since: datetime) -> bool:
    created = message.date_created
    if not isinstance(created, datetime) or not str(message.direction).startswith("outbound"):
        return False
    created = created.replace(tzinfo=UTC) if created.tzinfo is None else created
    # Trial accounts put words of their own before the text.
    return created >= since and _plain(str(message.body)).endswith(_plain(body))


def _plain(text: str) -> str:
    words = " ".join(unicodedata.normalize("NFKC", text.translate(_PLAINER)).split())
    # Straight quotation marks stand at their words, French ones apart.
    return words.replace('" ', '"').replace(' "', '"')


def _text(value: object) -> str | None:
    if value is not None:
        return str(value)
    return None
