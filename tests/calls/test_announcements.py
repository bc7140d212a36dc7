"""The state of the services, as everybody who waits hears it (OV-10): real calls, real audio."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sipsim.audio import RATE, from_ulaw, read_ulaw, write_wav
from sipsim.matching import Sound
from sipsim.phones import PhoneCall, PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls.conftest import registered
from tests.calls.line import OPEN, Line, after_menu, hear, prompts, running_line, wait_for

NUMBER, HOTLINE = "18446664844", "33972596990"
URL = "/v1/desks/omnivigil/announcement"
TEXTS = {
    "fr": "Une panne touche la téléphonie dans la région de Québec.",
    "en": "An outage affects telephone service around Quebec City.",
}
#: Whoever waits hears a change within this, in seconds.
LIMIT_S = 10.0


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line of its own: what it announces, every call on it hears."""
    with running_line(tmp_path_factory.mktemp("announcing") / "line", now=OPEN) as running:
        yield running


@pytest.fixture
def farm(line: Line, shipped: Recogniser, tmp_path: Path) -> Iterator[PhoneFarm]:
    """Phones on it; one technician's rings and is never answered, so that callers wait."""
    with PhoneFarm(tmp_path / "phones", server=line.address, recogniser=shipped) as phones:
        registered(phones, "7001", Answering(how="ring"))
        for queue in ("support", "hl-cloud"):
            line.api("PUT", f"/v1/queues/{queue}/members/7001")
        yield phones
        for desk in ("omnivigil", "hotline-2024"):
            line.api("DELETE", f"/v1/desks/{desk}/announcement")


@pytest.fixture(scope="module")
def shipped(line: Line) -> Recogniser:
    """The line's prompts."""
    return Recogniser.load(Path(line.state) / "sounds")


def knowing(line: Line, shipped: Recogniser) -> Recogniser:
    """These, and what was announced so far."""
    files = (Path(line.state) / "sounds" / "ov").glob("*/announcement-????????????????.ulaw")
    return shipped.knowing(
        *(
            Sound(prompt_id="announcement", language=file.parent.name, text="", desk="", samples=read_ulaw(file))
            for file in files
        )
    )


def seconds(call: RawCall) -> float:
    """How much was heard so far."""
    return len(call.heard()) / RATE


async def waiting(call: RawCall, known: Recogniser, line: Line, number: str, *keys: str) -> None:
    """Go to the queue and wait there."""
    for key in keys:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press(key)
    await asyncio.to_thread(
        wait_for, lambda: any(entry["kind"] == "queued" for entry in line.call_from(number)["timeline"]), "the queue"
    )


async def hears_after(call: RawCall, known: Recogniser, prompt: str, since_s: float, *languages: str) -> float:
    """Seconds from `since_s` until a prompt is heard, in one of these languages and no other."""
    listening = known.listening()

    def look() -> float | None:
        later = [one for one in listening.hear(call.heard()) if one.may_be(prompt) and one.start_s >= since_s]
        assert {one.language for one in later} <= set(languages)
        return later[0].start_s - since_s if later else None

    return await asyncio.to_thread(wait_for, look, f"{prompt} after {since_s:.1f} s", 40)


@pytest.mark.timeout(240)
async def test_on_entry_and_then_regularly(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """All is well: heard before the music, and again between, in each caller's language."""
    async with (
        RawCall(line.server, NUMBER, "15145550101") as french,
        RawCall(line.server, NUMBER, "15145550102") as other,
    ):
        await asyncio.gather(
            waiting(french, shipped, line, "15145550101", "2"), waiting(other, shipped, line, "15145550102", "9", "2")
        )
        for call, language in ((french, "fr"), (other, "en")):
            # Who is being told their place at that very moment hears it the next time.
            found = await asyncio.to_thread(hear, shipped, call.heard, "services-operational", 90.0, times=2)
            assert found.language == language
        played = [
            entry["facts"]["prompts"]
            for entry in line.call_from("15145550101")["timeline"]
            if entry["kind"] == "played"
        ]
        assert played[-1] == "queue-wait, services-operational"


async def test_who_waits_already_hears_a_change_and_its_end(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """Within 10 s of the request, in both languages; DELETE restores normal as soon."""
    async with (
        RawCall(line.server, NUMBER, "15145550111") as french,
        RawCall(line.server, NUMBER, "15145550112") as other,
    ):
        await asyncio.gather(
            waiting(french, shipped, line, "15145550111", "2"), waiting(other, shipped, line, "15145550112", "9", "2")
        )
        since = {call: seconds(call) for call in (french, other)}
        await asyncio.to_thread(line.api, "PUT", URL, json={"texts": TEXTS})
        known = knowing(line, shipped)
        assert await hears_after(french, known, "announcement", since[french], "fr") < LIMIT_S
        assert await hears_after(other, known, "announcement", since[other], "en") < LIMIT_S
        await asyncio.sleep(4)
        since = {call: seconds(call) for call in (french, other)}
        await asyncio.to_thread(line.api, "DELETE", URL)
        assert await hears_after(french, known, "services-operational", since[french], "fr") < LIMIT_S
        assert await hears_after(other, known, "services-operational", since[other], "en") < LIMIT_S


async def test_who_is_being_told_their_place_is_interrupted(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """The change is worth more, and is heard from its beginning."""
    async with RawCall(line.server, NUMBER, "15145550115") as call:
        await waiting(call, shipped, line, "15145550115", "2")
        place = await asyncio.to_thread(hear, shipped, call.heard, "queue-youarenext")
        since = seconds(call)
        await asyncio.to_thread(line.api, "PUT", URL, json={"texts": TEXTS})
        assert await hears_after(call, knowing(line, shipped), "announcement", since, "fr") < LIMIT_S
        later = [one.prompt_id for one in shipped.recognise(call.heard()) if one.start_s > place.start_s]
        assert "queue-youarenext" not in later


async def test_the_first_thing_on_option_2_and_on_611(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """While an announcement is in force, it comes before all else, and can be cut short like any prompt."""
    line.api("PUT", URL, json={"texts": TEXTS})
    known = knowing(line, shipped)
    async with RawCall(line.server, NUMBER, "15145550121") as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, known, call.heard, "queue-wait")
        assert after_menu(known.recognise(call.heard())) == ["announcement", "queue-wait"]
    async with RawCall(line.server, NUMBER, "15145550122") as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, known, call.heard, "announcement")
        await call.press("9")
        again = await asyncio.to_thread(hear, known, call.heard, "announcement", times=2)
        assert again.language == "en"
    customer = await asyncio.to_thread(registered, farm, "6003")
    call611 = await asyncio.to_thread(customer.dial, "611")
    await asyncio.to_thread(call611.wait_heard, "queue-wait")
    await asyncio.to_thread(call611.hang_up)
    await asyncio.to_thread(call611.wait_ended)
    assert prompts(known.recognise(call611.recording))[:2] == ["announcement", "queue-wait"]


async def test_hl1_another_desk_has_its_own_state(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """Hotline 2024's callers hear its announcement, and OMNIVIGIL's do not."""
    async with (
        RawCall(line.server, HOTLINE, "15145550131") as call,
        RawCall(line.server, NUMBER, "15145550132") as ours,
    ):
        await asyncio.gather(
            waiting(call, shipped, line, "15145550131", "2"), waiting(ours, shipped, line, "15145550132", "2")
        )
        since, ours_since = seconds(call), seconds(ours)
        text = "Le cloud est ralenti depuis ce matin. Nos équipes y travaillent."
        line.api("PUT", "/v1/desks/hotline-2024/announcement", json={"texts": {"fr": text}})
        known = knowing(line, shipped)
        assert await hears_after(call, known, "announcement", since, "fr") < LIMIT_S
        later = [one for one in known.recognise(ours.heard()) if one.start_s > ours_since]
        assert "announcement" not in [one.prompt_id for one in later]


async def test_ov26_each_stage_of_an_incident_is_heard_by_who_waits(
    farm: PhoneFarm, line: Line, shipped: Recogniser
) -> None:
    """Opened, confirmed, resolved: within 10 s each; then, when it is over, on entry too."""
    stages = ("investigating", "confirmed", "resolved")
    services = {"fr": "Tous les appels de la région sont touchés", "en": "All calls of the area are affected"}
    async with RawCall(line.server, NUMBER, "15145550151") as call:
        await waiting(call, shipped, line, "15145550151", "2")
        number: int | None = None
        for n, stage in enumerate(stages, 1):
            texts = {language: f"{text}, {n}." for language, text in services.items()}
            since = seconds(call)
            if number is None:
                made = line.api("POST", "/v1/incidents", json={"desk": "omnivigil", "stage": stage, "texts": texts})
                number = made["id"]
            else:
                line.api("POST", f"/v1/incidents/{number}/updates", json={"stage": stage, "texts": texts})
            known = knowing(line, shipped)
            assert await hears_after(call, known, "announcement", since, "fr") < LIMIT_S


async def test_without_the_service_the_state_is_still_told(farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
    """Killed and frozen out: who waits goes on hearing it, who comes hears it on entry; then it is on again."""
    line.api("PUT", URL, json={"texts": TEXTS})
    known = knowing(line, shipped)
    async with RawCall(line.server, NUMBER, "15145550141") as call:
        await waiting(call, known, line, "15145550141", "2")
        since = seconds(call)
        pid = line.service_pid()
        os.kill(pid, signal.SIGKILL)
        async with RawCall(line.server, NUMBER, "15145550142") as comes:
            await asyncio.to_thread(hear, known, comes.heard, "fallback-queue")
            await asyncio.to_thread(hear, known, comes.heard, "announcement")
        await asyncio.to_thread(
            wait_for, lambda: line.service_pid() != pid and line.healthy(), "the service's return", 60
        )
        assert await hears_after(call, known, "announcement", since, "fr") < 40
    assert line.api("GET", URL)["state"] == "announced"


class TestByPhone:
    """*58."""

    @staticmethod
    def dial(call: PhoneCall, digits: str) -> None:
        for digit in digits:
            call.press(digit)

    @pytest.mark.smoke
    async def test_record_listen_keep_and_end(self, farm: PhoneFarm, line: Line, shipped: Recogniser) -> None:
        """A technician records it; who waits hears it in both languages; they end it by phone too."""
        said = line.sound("closed-hours", "en").read_bytes()[: RATE * 5]
        wav = Path(farm.folder) / "announcement.wav"
        write_wav(wav, np.concatenate([np.zeros(RATE // 2, np.float32), from_ulaw(said)]))
        phone = await asyncio.to_thread(registered, farm, "7002")
        async with RawCall(line.server, NUMBER, "15145550151") as waits:
            await waiting(waits, shipped, line, "15145550151", "2")
            call = await asyncio.to_thread(phone.dial, "*58")
            await asyncio.to_thread(call.wait_heard, "pin-enter")
            await asyncio.to_thread(self.dial, call, "58002#")
            await asyncio.to_thread(call.wait_heard, "announcement-record")
            # Until the tone is over.
            await asyncio.sleep(6)
            await asyncio.to_thread(call.play, wav)
            await asyncio.sleep(6.5)
            await asyncio.to_thread(call.press, "#")
            await asyncio.to_thread(call.wait_heard, "announcement-review")
            await asyncio.to_thread(call.press, "1")
            await asyncio.to_thread(call.wait_heard, "closed-hours")
            await asyncio.to_thread(call.wait_heard, "announcement-review")
            since = seconds(waits)
            await asyncio.to_thread(call.press, "2")
            await asyncio.to_thread(call.wait_heard, "announcement-on-air")
            known = knowing(line, shipped)
            # The same recording is what both languages hear.
            assert await hears_after(waits, known, "announcement", since, "fr", "en") < LIMIT_S
            await asyncio.to_thread(call.wait_ended)
        state = line.api("GET", URL)
        assert (state["in_force"]["source"], state["in_force"]["created_by"]) == ("phone", "Luc Bouchard")
        assert list((Path(line.state) / "spool" / "announcements").iterdir()) == []
        call = await asyncio.to_thread(phone.dial, "*58")
        await asyncio.to_thread(call.wait_heard, "pin-enter")
        await asyncio.to_thread(self.dial, call, "58002#")
        await asyncio.to_thread(call.wait_heard, "announcement-in-force")
        await asyncio.to_thread(call.press, "2")
        await asyncio.to_thread(call.wait_heard, "announcement-ended")
        assert line.api("GET", URL)["state"] == "normal"

    async def test_it_is_no_number_for_customers(self, farm: PhoneFarm, shipped: Recogniser) -> None:
        """*58 is a technicians' code."""
        customer = await asyncio.to_thread(registered, farm, "6003")
        call = await asyncio.to_thread(customer.dial, "*58")
        await asyncio.to_thread(call.wait_ended)
        assert prompts(shipped.recognise(call.recording)) == ["not-in-service"]
