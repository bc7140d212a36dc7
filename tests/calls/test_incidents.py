"""Incidents as callers meet them (OV-10, OV-27): in full once, whom it touches, and a text message at each stage."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sipsim.audio import read_ulaw
from sipsim.matching import Sound
from sipsim.phones import PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls import short_voice
from tests.calls.conftest import registered
from tests.calls.line import OPEN, Line, after_menu, hear, prompts, running_line, wait_for

NUMBER = "18446664844"
FIRST = {
    "fr": "Une panne touche la téléphonie dans la région de Québec. Nos techniciens sont sur place depuis huit heures.",
    "en": "An outage affects telephone service around Quebec City. Our technicians have been on site since eight.",
}
OVER = {"fr": "La téléphonie est rétablie à Québec.", "en": "Telephone service is restored in Quebec City."}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line of its own, which can send text messages: their provider is away, so that they stay to be looked at."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMNIVIGIL_TWILIO_ACCOUNT_SID", "AC" + "0" * 32)
        environment.setenv("OMNIVIGIL_TWILIO_AUTH_TOKEN", "nothing-listens-there")
        environment.setenv("OMNIVIGIL_TWILIO_API", "http://127.0.0.1:9")
        environment.setenv("OMNIVIGIL_PUBLIC_URL", "https://etat.example")
        with running_line(
            tmp_path_factory.mktemp("incidents") / "line", now=OPEN, options=short_voice.option()
        ) as running:
            yield running


@pytest.fixture(scope="module")
def shipped(line: Line) -> Recogniser:
    """The line's prompts."""
    return Recogniser.load(Path(line.state) / "sounds")


@pytest.fixture
def farm(line: Line, shipped: Recogniser, tmp_path: Path) -> Iterator[PhoneFarm]:
    """Phones; one technician's rings and is never answered, so that callers wait."""
    with PhoneFarm(tmp_path / "phones", server=line.address, recogniser=shipped) as phones:
        registered(phones, "7001", Answering(how="ring"))
        line.api("PUT", "/v1/queues/support/members/7001")
        yield phones
        for one in line.api("GET", "/v1/incidents", params={"state": "open"})["items"]:
            update(line, one, "resolved", OVER)
        line.api("DELETE", "/v1/desks/omnivigil/announcement")


def begin(line: Line, **more: Any) -> Any:
    body = {"desk": "omnivigil", "stage": "confirmed", "services": ["telephonie"], "texts": FIRST}
    return line.api("POST", "/v1/incidents", json=body | more)


def update(line: Line, one: Any, stage: str, texts: dict[str, str]) -> None:
    line.api("POST", f"/v1/incidents/{one['id']}/updates", json={"stage": stage, "texts": texts})


def knowing(line: Line, shipped: Recogniser) -> Recogniser:
    """The line's prompts and what is announced now: the whole, and briefly."""
    [(whole, brief)] = line.rows("SELECT sounds, brief_sounds FROM announcements ORDER BY id DESC LIMIT 1")
    known = {"announcement": json.loads(whole), "announcement-brief": json.loads(brief)}
    return shipped.knowing(
        *(
            Sound(
                prompt_id=prompt,
                language=language,
                text="",
                desk="",
                samples=read_ulaw(Path(line.state) / "sounds" / f"{name}.ulaw"),
            )
            for prompt, names in known.items()
            for language, name in names.items()
        )
    )


def texts(line: Line, number: str) -> list[str]:
    return [row[0] for row in line.rows("SELECT body FROM outbox WHERE kind='sms' AND recipient=? ORDER BY id", number)]


async def entering(call: RawCall, known: Recogniser, *keys: str) -> None:
    """Choose option 2, maybe after other keys."""
    await asyncio.to_thread(hear, known, call.heard, "menu")
    for key in keys:
        await call.press(key)


async def test_in_full_once_then_briefly_on_later_calls_too(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """OV-27: who has heard an update is not made to hear it again; a new one they hear."""
    one = begin(line)
    known = knowing(line, shipped)
    async with RawCall(line.server, NUMBER, "15145550301") as call:
        await entering(call, known, "2")
        await asyncio.to_thread(hear, known, call.heard, "queue-wait", whole=True)
        # While they wait, the regular repetition is brief.
        await asyncio.to_thread(hear, known, call.heard, "announcement-brief", 90.0)
        assert prompts(known.recognise(call.heard())).count("announcement") == 1
    wait_for(
        lambda: line.rows("SELECT * FROM announcement_hearings WHERE caller='15145550301'"),
        "that they have heard it",
    )
    async with RawCall(line.server, NUMBER, "15145550301") as call:
        await entering(call, known, "2")
        await asyncio.to_thread(hear, known, call.heard, "incident-follow")
        assert after_menu(known.recognise(call.heard()))[:1] == ["announcement-brief"]
    update(line, one, "resolved", OVER)
    fresh = knowing(line, shipped)
    async with RawCall(line.server, NUMBER, "15145550301") as call:
        await entering(call, fresh, "2")
        await asyncio.to_thread(hear, fresh, call.heard, "queue-wait")
        assert after_menu(fresh.recognise(call.heard())) == ["announcement", "queue-wait"]


@pytest.mark.smoke
async def test_a_text_at_each_stage_for_who_presses_1(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """The request is committed when its confirmation is heard; then one text a stage, and no other."""
    one = begin(line)
    known = knowing(line, shipped)
    async with RawCall(line.server, NUMBER, "14185550311") as call:
        await entering(call, known, "2")
        await asyncio.to_thread(hear, known, call.heard, "incident-follow")
        await call.press("1")
        await asyncio.to_thread(hear, known, call.heard, "follow-confirm")
        await call.press("1")
        await asyncio.to_thread(hear, known, call.heard, "follow-accepted")
        assert line.rows("SELECT number, language FROM incident_followers") == [("14185550311", "fr")]
        # Who stays on the line goes on to the queue, at no cost.
        await asyncio.to_thread(hear, known, call.heard, "queue-wait")
        # And is not asked again there.
        await asyncio.to_thread(hear, known, call.heard, "queue-youarenext")
        assert "incident-follow-waiting" not in prompts(known.recognise(call.heard()))
        answered = line.call_from("14185550311")
    ticket = wait_for(
        lambda: line.rows("SELECT incident_id FROM tickets WHERE call_id=?", answered["id"]), "its ticket"
    )
    assert ticket == [(one["id"],)]
    assert texts(line, "14185550311") == []
    update(line, one, "resolved", OVER)
    [text] = wait_for(lambda: texts(line, "14185550311"), "the text message")
    assert text == f"OMNIVIGIL : {OVER['fr']} Répondez ARRET pour ne plus recevoir de textos."
    await asyncio.sleep(5)
    assert len(texts(line, "14185550311")) == 1


async def test_who_waits_already_presses_2_and_keeps_their_place(
    farm: PhoneFarm, line: Line, shipped: Recogniser
) -> None:
    """It began while they waited. From a desk phone, which reads no texts: they give their cell phone's number, whose
    owner is asked by one text."""
    phone = await asyncio.to_thread(registered, farm, "6003")
    call = await asyncio.to_thread(phone.dial, "611")
    await asyncio.to_thread(call.wait_heard, "queue-wait")
    one = begin(line)
    await asyncio.to_thread(call.wait_heard, "incident-follow-waiting", timeout_s=90.0)
    await asyncio.to_thread(call.press, "2")
    await asyncio.to_thread(call.wait_heard, "follow-enter")
    for digit in "4185550321#":
        await asyncio.to_thread(call.press, digit)
    await asyncio.to_thread(call.wait_heard, "follow-confirm")
    await asyncio.to_thread(call.press, "1")
    await asyncio.to_thread(call.wait_heard, "follow-to-confirm")
    query = "SELECT incident_id, confirmed_at FROM incident_followers WHERE number = '14185550321'"
    assert line.rows(query) == [(one["id"], None)]
    [text] = texts(line, "14185550321")
    assert "https://etat.example/status/omnivigil/fr/follow?token=" in text
    await asyncio.to_thread(call.wait_heard, "callback-back")
    places = wait_for(lambda: line.api("GET", "/v1/queues/support")["places"], "their place")
    assert len(places) == 1
    await asyncio.to_thread(call.hang_up)
    await asyncio.to_thread(call.wait_ended)
