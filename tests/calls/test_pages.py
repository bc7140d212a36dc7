"""The night by real calls: whoever is on call is rung, hears the emergency, takes it or passes it on (OV-7)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sipsim.audio import read_ulaw
from sipsim.matching import Sound
from sipsim.phones import Phone, PhoneCall, PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from ivr.desk.load import BUILT_IN
from tests.calls import short_voice
from tests.calls.conftest import registered
from tests.calls.line import Line, free_ports, hear, prompts, running_line, wait_for
from tests.calls.messages import NUMBER, speech
from tests.calls.queueing import kill
from tests.calls.test_faults import service_killed

SATURDAY = "2026-11-28T02:00:00-05:00"
#: Phones of the demo directory that have the numbers of those on call here; the manager has a mobile phone.
ON_CALL = {"14185550161": "14185550151", "14185550162": "14185550102"}
MANAGER = "14185550169"
CUSTOMER = "14185550103"


@pytest.fixture(scope="module")
def carrier_port() -> int:
    (port,) = free_ports(1)
    return port


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, carrier_port: int) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "desks").mkdir()
    for file in BUILT_IN.glob("*.yaml"):
        text = file.read_text()
        for shipped, here in ON_CALL.items():
            text = text.replace(shipped, here)
        # Each test's callers are strangers, and within one hour of the line's own.
        text = text.replace("  every_min: 5\n", "  every_min: 5\n  strangers_an_hour: 100\n")
        (folder / "desks" / file.name).write_text(text)
    options = ("--desks", str(folder / "desks"), "--outbound", f"127.0.0.1:{carrier_port}", *short_voice.option())
    with running_line(folder / "line", now=SATURDAY, options=options) as running:
        yield running


@pytest.fixture(scope="module")
def known(line: Line) -> Recogniser:
    return Recogniser.load(Path(line.state) / "sounds")


@pytest.fixture
def phones(line: Line, known: Recogniser, tmp_path: Path) -> Iterator[PhoneFarm]:
    with PhoneFarm(tmp_path / "phones", server=line.address, recogniser=known) as farm:
        yield farm


@pytest.fixture
def outside(line: Line, known: Recogniser, tmp_path: Path, carrier_port: int) -> Iterator[PhoneFarm]:
    """Everybody else's phones, reached by the trunk."""
    folder = tmp_path / "outside"
    with PhoneFarm(folder, server=line.address, port=carrier_port, recogniser=known) as farm:
        yield farm


@pytest.fixture
def manager_on_call(line: Line) -> Iterator[None]:
    """For this test alone."""
    stint = {"person": "responsable", "start": "2026-11-27T20:00-05:00", "end": "2026-11-28T08:00-05:00"}
    made = line.api("POST", "/v1/desks/omnivigil/oncall/overrides", json=stint)
    yield
    line.api("DELETE", f"/v1/desks/omnivigil/oncall/overrides/{made['id']}")


@pytest.fixture(autouse=True)
def taken_in_the_end(line: Line) -> Iterator[None]:
    """What a test that failed has left open would ring the phones of the next."""
    yield
    wait_for(line.healthy, "the line")
    for one in line.api("GET", "/v1/desks/omnivigil/emergencies")["items"]:
        if one["taken_at"] is None:
            line.raw_api("POST", f"/v1/emergencies/{one['id']}/taken", json={})


async def leaves_message(line: Line, known: Recogniser, number: str) -> str:
    """An emergency, and its ticket."""
    async with RawCall(line.server, NUMBER, number) as call:
        for prompt in ("menu", "closed-emergency"):
            await asyncio.to_thread(hear, known, call.heard, prompt)
            await call.press({"menu": "2", "closed-emergency": "1"}[prompt])
        await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
        await call.speak(speech(line, 4))
        await call.press("#")
        await asyncio.to_thread(hear, known, call.heard, "message-received-urgent")
    found = line.api("GET", "/v1/calls", params={"ani": number, "limit": 1})["items"]
    return str(line.api("GET", f"/v1/calls/{found[0]['id']}")["ticket"]["number"])


def spoken_now(line: Line, prompt: str) -> Sound:
    """A prompt that could not be built before: its text has somebody's name in it."""
    (file,) = (Path(line.state) / "sounds" / "ov" / "fr").glob(f"{prompt}-??????????.ulaw")
    return Sound(prompt_id=prompt, language="fr", text="", desk="", samples=read_ulaw(file))


def emergency(line: Line, ticket: str) -> dict[str, Any]:
    items = line.api("GET", "/v1/desks/omnivigil/emergencies")["items"]
    found: dict[str, Any] = next(one for one in items if one["ticket"] == ticket)
    return found


def outcomes(line: Line, ticket: str) -> list[str]:
    events = line.api("GET", f"/v1/tickets/{ticket}")["history"]
    return [one["changes"]["outcome"] for one in events if one["kind"] == "page-call"]


def rung(phone: Phone) -> PhoneCall:
    call = phone.wait_ringing(20)
    call.wait_answered()
    return call


@pytest.mark.smoke
async def test_ov7_the_one_on_call_hears_the_message_and_takes_it(
    line: Line, phones: PhoneFarm, known: Recogniser
) -> None:
    """Then 1 connects them to the customer at once; three clocks are kept."""
    annie = await asyncio.to_thread(registered, phones, "6101", Answering(how="answer", after_s=1))
    customer = await asyncio.to_thread(registered, phones, "6003", Answering(how="answer", after_s=1))
    before = line.api("GET", "/v1/desks/omnivigil/emergencies")["taken_in_time"]
    ticket = await leaves_message(line, known, CUSTOMER)

    def act() -> None:
        page = rung(annie)
        page.wait_heard("page-keys", timeout_s=45)
        # With what was spoken for this call alone.
        spoken = {name: spoken_now(line, name) for name in ("page-greeting", "page-from")}
        heard = known.knowing(*spoken.values()).recognise(page.recording)
        assert [one.prompt_id for one in heard if one.prompt_id.startswith("page-")] == [
            "page-greeting",
            "page-from",
            "page-keys",
        ]
        page.press("1")
        page.wait_heard("page-taken-connect", timeout_s=45)
        taken = emergency(line, ticket)
        assert taken["taken_by"] == "annie"
        assert taken["called_back_at"] is None
        page.press("1")
        there = customer.wait_ringing(20)
        there.wait_answered()
        wait_for(lambda: emergency(line, ticket)["called_back_at"], "the clock of calling back")
        page.hang_up()
        there.wait_ended()

    await asyncio.to_thread(act)
    found = emergency(line, ticket)
    assert found["notified_at"] < found["taken_at"] < found["called_back_at"]
    assert found["in_time"] is True
    assert outcomes(line, ticket) == ["taken"]
    month = line.api("GET", "/v1/desks/omnivigil/emergencies")
    assert month["taken_in_time"] == before + 1


async def test_who_passes_it_on_has_the_next_one_rung_at_once(
    line: Line, phones: PhoneFarm, known: Recogniser, ani: Callable[[], str]
) -> None:
    """And a caller whom nobody knows is told by number."""
    annie = await asyncio.to_thread(registered, phones, "6101", Answering(how="answer", after_s=1))
    luc = await asyncio.to_thread(registered, phones, "6002", Answering(how="answer", after_s=1))
    ticket = await leaves_message(line, known, ani())

    def act() -> None:
        page = rung(annie)
        page.wait_heard("page-number", timeout_s=45)
        page.press("2")
        began = time.monotonic()
        following = rung(luc)
        assert time.monotonic() - began < 20
        page.wait_heard("page-passed", timeout_s=45)
        following.wait_heard("page-number", timeout_s=45)
        following.press("1")
        following.wait_heard("page-taken-connect", timeout_s=45)

    await asyncio.to_thread(act)
    assert emergency(line, ticket)["taken_by"] == "luc"
    assert outcomes(line, ticket) == ["passed", "taken"]


async def test_by_the_trunk_while_no_text_message_leaves(
    line: Line, outside: PhoneFarm, known: Recogniser, manager_on_call: None
) -> None:
    """The call comes all the same, and 1 connects to a customer outside; who listened is noted (Quebec's Law 25)."""
    number = "15142001999"
    manager = outside.phone(MANAGER, answering=Answering(how="answer", after_s=1))
    customer = outside.phone(number, answering=Answering(how="answer", after_s=1))
    ticket = await leaves_message(line, known, number)
    query = "select state, recipient from outbox where kind = 'sms' and ticket_number = ?"

    def act() -> None:
        page = rung(manager)
        page.wait_heard("page-keys", timeout_s=45)
        assert line.rows(query, int(ticket)) == [("pending", MANAGER)]
        page.press("1")
        page.wait_heard("page-taken-connect", timeout_s=45)
        page.press("1")
        customer.wait_ringing(20).wait_answered()
        wait_for(lambda: emergency(line, ticket)["called_back_at"], "the clock of calling back")
        page.hang_up()

    await asyncio.to_thread(act)
    # It has been taken: the text message that still waited is not sent any more.
    assert line.rows(query, int(ticket)) == [("withdrawn", MANAGER)]
    message = str(emergency(line, ticket)["message"])
    heard_by = line.api("GET", "/v1/listenings", params={"kind": "message", "subject": message})["items"]
    assert [one["who"] for one in heard_by] == ["responsable"]


async def test_ov7_what_is_left_at_night_while_the_service_is_away_is_paged_when_it_is_back(
    line: Line, phones: PhoneFarm, known: Recogniser
) -> None:
    """Nobody could be asked whether it is an emergency: in doubt it is one."""
    annie = await asyncio.to_thread(registered, phones, "6101", Answering(how="answer", after_s=1))
    with service_killed(line):
        async with RawCall(line.server, NUMBER, "14185550177") as call:
            await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
            await call.speak(speech(line, 4))
            await call.press("#")
            await asyncio.to_thread(hear, known, call.heard, "fallback-received")

    def act() -> None:
        page = annie.wait_ringing(90)
        page.wait_heard("page-keys", timeout_s=45)
        page.press("1")
        page.wait_heard("page-taken-connect", timeout_s=45)
        page.hang_up()

    await asyncio.to_thread(act)
    [(ticket, urgent)] = line.rows("select ticket_number, urgent from messages where number = '14185550177'")
    assert urgent
    assert emergency(line, str(ticket))["taken_by"] == "annie"


async def test_the_service_dies_while_the_phone_rings(
    line: Line, phones: PhoneFarm, known: Recogniser, ani: Callable[[], str]
) -> None:
    """It is not dialled twice, and who answers takes it from the service that has come back."""
    annie = await asyncio.to_thread(registered, phones, "6101", Answering(how="ring"))
    ticket = await leaves_message(line, known, ani())
    page = await asyncio.to_thread(annie.wait_ringing, 20)
    await asyncio.to_thread(kill, line, "service")

    def act() -> None:
        page.pick_up()
        page.wait_answered(30)
        page.wait_heard("page-keys", timeout_s=45)
        page.press("1")
        page.wait_heard("page-taken-connect", timeout_s=45)
        page.hang_up()

    await asyncio.to_thread(act)
    assert emergency(line, ticket)["taken_by"] == "annie"
    assert annie.rung() == 1
    assert outcomes(line, ticket) == ["taken"]


async def test_the_service_dies_while_the_emergency_is_told(
    line: Line, phones: PhoneFarm, known: Recogniser, ani: Callable[[], str]
) -> None:
    """Whoever listens is told that they are called again; nobody has taken it."""
    annie = await asyncio.to_thread(registered, phones, "6101", Answering(how="answer", after_s=1))
    ticket = await leaves_message(line, known, ani())
    page = await asyncio.to_thread(rung, annie)
    await asyncio.to_thread(page.wait_heard, "page-number", timeout_s=45)
    await asyncio.to_thread(kill, line, "service")
    await asyncio.to_thread(page.wait_ended, 40)
    assert "page-away" in prompts(known.recognise(page.recording))
    await asyncio.to_thread(wait_for, lambda: outcomes(line, ticket), "the page call's end")
    assert outcomes(line, ticket) in (["lost"], ["no-key"])
    open_still = emergency(line, ticket)
    assert open_still["taken_at"] is None
    line.api("POST", f"/v1/emergencies/{open_still['id']}/taken", json={})
