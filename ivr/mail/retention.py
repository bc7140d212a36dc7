"""How long e-mails that came in are kept: their files first, then what rows say of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from ivr.mail.tables import mails
from ivr.retention.declarations import Belongs, FileSweep, PersonalData, Retention, Row, RowFile
from ivr.store.engine import BATCH, Unit, batches


async def due(unit: Unit, desk: str, before: datetime) -> list[tuple[Any, str]]:
    """Return ids and files of e-mails that have to go; they are of no desk. At most some hundred."""
    old = (mails.c.at < before) & (mails.c.sender != "")
    rows = await unit.execute(select(mails.c.id, mails.c.key).where(old).limit(BATCH))
    return [(row.id, f"{row.key}.eml") for row in rows]


async def forget_mails(unit: Unit, ids: Sequence[Any]) -> None:
    """Blank e-mails: that one came, and to which ticket it led, is kept."""
    nothing: dict[str, Any] = {"sender": "", "subject": "", "body": "", "attachments": [], "copied": []}
    for some in batches(ids):
        await unit.execute(update(mails).where(mails.c.id.in_(some)).values(nothing))


def _file(row: Row) -> str:
    return f"{row['key']}.eml"


PERSONAL = PersonalData(
    tables=(
        Retention(
            table=mails,
            keep="mails_days",
            whose=("sender",),
            belongs=(Belongs(column="ticket_number", table="tickets", key="number"),),
            forget=forget_mails,
            with_ticket=True,
            file=RowFile(folder="mails", name=_file),
        ),
    ),
    file_sweeps=(
        FileSweep(name="mails", table="inbound_mails", folder="mails", keep="mails_days", due=due, of_desk=False),
    ),
)
