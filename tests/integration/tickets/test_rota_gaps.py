"""Operations are told when nobody is on call: at the start and when the rota is saved, once a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from ivr.desk.oncall import OnCall
from ivr.desk.schema import Desk as DeskFile
from ivr.notify.tables import outbox
from ivr.oncall import gaps
from ivr.oncall import store as statements
from ivr.oncall.rota import Stint
from ivr.store.engine import open_store
from tests.integration.tickets.conftest import Desk, local

NOW = local("2026-11-24T09:00")


def without_turns(desk: Desk) -> DeskFile:
    shipped = desk.desks["omnivigil"]
    assert shipped.oncall is not None
    duty = OnCall.model_validate(shipped.oncall.model_dump() | {"turns": (), "fallback": "14185550100"})
    return shipped.model_copy(update={"oncall": duty})


async def told(desk: Desk) -> list[str]:
    async with desk.store.reading() as unit:
        return list((await unit.execute(select(outbox.c.body).where(outbox.c.kind == "email"))).scalars())


async def test_shipped_there_are_none(desk: Desk) -> None:
    await gaps.tell_at_start(desk.store, desk.desks, NOW)
    assert await told(desk) == []


async def test_told_once_and_again_when_they_change(desk: Desk) -> None:
    shipped = without_turns(desk)
    for minutes in (0, 5, 600):
        await gaps.tell_at_start(desk.store, {"omnivigil": shipped}, NOW + timedelta(minutes=minutes))
    [body] = await told(desk)
    assert "du 2026-11-24 à 00:00 au 2026-12-08 à 00:00" in body
    assert "14185550100" in body
    stint = Stint(start=local("2026-11-24T00:00"), end=local("2026-12-01T08:00"), person="annie", override=True)
    async with desk.store.unit() as unit:
        await statements.add_override(unit, "omnivigil", stint, who="console")
        await gaps.tell(unit, shipped, NOW)
    assert "du 2026-12-01 à 08:00 au 2026-12-08 à 00:00" in (await told(desk))[1]
    rest = replace(stint, start=stint.end, end=local("2026-12-09T08:00"), person="luc")
    async with desk.store.unit() as unit:
        await statements.add_override(unit, "omnivigil", rest, who="console")
        assert await gaps.tell(unit, shipped, NOW) == []
    assert len(await told(desk)) == 2


async def test_calls_come_first_while_the_database_is_away(desk: Desk) -> None:
    away = open_store("sqlite+aiosqlite:////nonexistent/x.sqlite3")
    await gaps.tell_at_start(away, desk.desks, NOW)
    await away.close()
