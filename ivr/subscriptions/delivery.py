"""News to the subscribers of the status page: each once, in their language, of the services they want to hear of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from ivr import wording
from ivr.notify.outbox import Email, Sms, put_email, put_sms
from ivr.store.engine import Unit
from ivr.subscriptions import rules, words
from ivr.subscriptions.tables import status_subscribers as table

_STOP: Final = wording.text("subscriptions.stop")
_COLON: Final = wording.text("subscriptions.colon")


@dataclass(frozen=True, kw_only=True)
class News:
    """What is told; texts, titles and stages by language."""

    desk: str
    desk_name: str
    stage: Mapping[str, str]
    title: Mapping[str, str]
    texts: Mapping[str, str]
    services: Sequence[str]
    #: Below the status page in the reader's language, as in `incidents/3`.
    path: str
    #: Whether it is worth a text message.
    sms: bool = True


def last(desk: str) -> Any:
    """For a value: the id of the last one who is subscribed now."""
    return select(func.max(table.c.id)).where(table.c.desk == desk, table.c.confirmed_at.is_not(None))


async def tell(
    unit: Unit, news: News, *, after_id: int, until_id: int, most: int, now: datetime, public_url: str
) -> list[int]:
    """Put the next messages into the outbox; ids of the subscribers who were looked at."""
    mine = (table.c.desk == news.desk) & table.c.confirmed_at.is_not(None)
    span = table.c.id.between(after_id + 1, until_id)
    found = (await unit.execute(select(table).where(mine, span).order_by(table.c.id).limit(most))).all()
    for reader in found:
        if rules.concerns(reader.services, news.services) and (news.sms or reader.kind == "email"):
            await _put(unit, news, reader, now, public_url)
    return [reader.id for reader in found]


async def _put(unit: Unit, news: News, reader: Any, now: datetime, public_url: str) -> None:
    if reader.language in news.texts:
        language = reader.language
    else:
        language = next(iter(news.texts))
    text = news.texts[language]
    if reader.kind == "sms":
        body = message(news.desk_name, text, language)
        await put_sms(unit, Sms(to=reader.address, body=body, language=language), at=now)
        return
    page = f"{public_url}/status/{news.desk}/{language}"
    leave = f"{page}/leave?token={reader.leave}"
    title = news.title.get(language, text)
    subject = f"[{news.desk_name}] {news.stage.get(language, '')}{_COLON.get(language, ': ')}{title}"
    body = words.told(language, text, page=f"{page}/{news.path}", leave=leave)
    await put_email(
        unit, Email(to=reader.address, subject=subject, body=body, language=language, leave_url=leave), at=now
    )


def message(sender: str, text: str, language: str) -> str:
    """A text message, with how to have no more of them."""
    known = wording.known(language)
    return f"{sender}{_COLON[known]}{text} {_STOP[known]}"
