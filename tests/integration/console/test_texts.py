"""Text messages that came in, as staff see them; and whom on call texts do not reach."""

from __future__ import annotations

from ivr.notify.outbox import Sms, put_sms
from ivr.notify.tables import outbox
from ivr.sms_inbox.ingest import Inbound, take_in
from tests.integration.api.conftest import Line
from tests.integration.console.conftest import Browsers


async def test_staff_see_them_and_nobody_else(line: Line, browser: Browsers) -> None:
    has = line.services
    for nth, body in enumerate(("<b>Allô</b>", "ARRET")):
        given = Inbound(key=f"SM{nth}", sender="+14185550199", body=body, media=1 - nth)
        async with has.store.unit() as unit:
            await take_in(unit, given, at=line.now, desks=has.desks, bus=has.bus)
    page = (await (await browser("gestion")).get("/console/texts")).text
    assert "&lt;b&gt;Allô&lt;/b&gt;" in page
    assert "418 555-0199" in page
    assert "plus de textos" in page
    assert "Personne ne lit les textos" in page
    assert (await (await browser("boreal")).get("/console/texts")).status_code == 404
    assert '<a href="/console/texts">' in (await (await browser("ops")).get("/console/mails")).text


async def test_a_landline_is_told_where_one_sees_who_is_on_call(line: Line, browser: Browsers) -> None:
    duty = next(iter(line.services.desks.values())).oncall
    assert duty is not None
    async with line.services.store.unit() as unit:
        for one in duty.people.values():
            await put_sms(unit, Sms(to=one.phone, body="URGENCE", language="fr"), at=line.now)
        await unit.execute(outbox.update().values(state="dead", error="Twilio says undelivered (30006)"))
    board = (await (await browser("annie")).get("/console/board")).text
    assert "ce numéro ne reçoit pas de textos" in board
