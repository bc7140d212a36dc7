"""*57: the call that is meant is found, its report is durable before it is confirmed, and a number is told (OV-21)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import select, update

from agi_scripts import tracing as conversation
from agi_scripts.tracing import tracing
from ivr.calltrace.tables import call_traces
from ivr.directory import tables
from ivr.evidence.legs import EndedLeg
from ivr.prompts.build import BuildError
from tests.conversations.conftest import Houses
from tests.conversations.house import House
from tests.fakes.caller import Caller, digits

PHONE = "6003"
HERE, THERE = "192.0.2.7:5060", "192.0.2.8:5060"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is on its way to us; and a machine that is busy is no reason to thank before the ticket is there."""
    monkeypatch.setattr(conversation, "_ARRIVING_S", 0.0)
    monkeypatch.setattr(conversation, "_FIRST_WORD_S", 30.0)


def ended(house: House, *, number: int = 1, phone: str = PHONE, device: str | None = None) -> str:
    """A call of this phone with the trunk has ended; its linkedid."""
    linkedid = f"{1795384700 + number}.1"
    for name, uniqueid, where in ((phone, linkedid, device), ("outbound", f"{1795384700 + number}.2", None)):
        house.ring.ended(
            EndedLeg(
                linkedid=linkedid,
                uniqueid=uniqueid,
                name=name,
                call_id=f"sip-{uniqueid}",
                channel="",
                started=1795384700.0,
                answered=True,
                codec="ulaw",
                remote="192.0.2.3:4000",
                their_number=None,
                rx=1000,
                lost=0,
                tx=1000,
                their_lost=0,
                rtt_ms=20.0,
                their_ssrc=1,
                device=where,
            )
        )
    return linkedid


def remembered(linkedid: str, *, ago_s: float = 5, device: str = "") -> str:
    """What Asterisk's own database has of a phone's last call."""
    figures = "ssrc=1;themssrc=2;lp=0;rxcount=900;txcount=900;rlp=0;rtt=0.02"
    ended = int(time.time() - ago_s)
    return f"{ended}|{linkedid}|{linkedid}|sip-{linkedid}|ulaw|192.0.2.3:4000|5145550199|{device}|{figures}"


async def dials(house: House, *args: str, caller: Caller | None = None, phone: str | None = PHONE) -> Caller:
    """*57; `args` are the phone's channels, its last calls, this device's address, and where it is registered."""
    caller = caller or house.caller(None, phone=phone)
    await house.hold(caller, tracing, *(args or (caller.channel,)))
    return caller


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last figures of a call are judged beside it, three seconds later."""
    monkeypatch.setattr("asyncio.sleep", _no_longer(asyncio.sleep))


def _no_longer(sleep: Any) -> Any:
    async def short(delay: float, result: object = None) -> object:
        return await sleep(min(delay, 0.01), result)

    return short


async def traces(house: House) -> list[Any]:
    return list(await house.rows(select(call_traces)))


class TestReported:
    async def test_ov21_it_is_received_under_a_number(self, house: House) -> None:
        linkedid = ended(house)
        caller = await dials(house)
        [ticket] = await house.tickets()
        plain = [prompt for prompt in caller.prompts if not prompt.startswith("digit-")]
        assert plain == ["trace-received", "ticket-number", "trace-follow-up"]
        assert digits(caller.prompts) == str(ticket.number)
        assert (caller.next, caller.variables["OV_SETTLED"]) == ("done", "omnivigil-settled-fr")
        assert [one.linkedid for one in await traces(house)] == [linkedid]

    async def test_the_same_call_twice_is_one_report(self, house: House) -> None:
        ended(house)
        await dials(house)
        caller = await dials(house)
        assert caller.prompts[0] == "trace-again"
        assert (len(await traces(house)), len(await house.tickets())) == (1, 1)

    async def test_who_would_wait_hears_thanks_first(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conversation, "_FIRST_WORD_S", 0.0)
        ended(house)
        assert (await dials(house)).prompts[:2] == ["trace-thanks", "trace-received"]

    async def test_in_english(self, house: House) -> None:
        async with house.store.unit() as unit:
            await unit.execute(update(tables.endpoints).values(language="en"))
            await unit.execute(update(tables.contacts).values(language="en"))
        await house.context.line.directory.reload()
        ended(house)
        assert (await dials(house)).languages == {"en"}

    async def test_a_phone_that_is_in_no_directory_may_report_too(self, house: House) -> None:
        ended(house, phone="6999")
        assert (await dials(house, phone="6999")).next == "done"

    @pytest.mark.parametrize("away", ["write", "all"])
    async def test_without_the_database_it_has_a_reference(self, house: House, away: str) -> None:
        ended(house)
        house.store.away = away
        house.context.line.traces._patience_s = 0.05
        caller = await dials(house)
        plain = [prompt for prompt in caller.prompts if not prompt.startswith("digit-")]
        assert plain == ["trace-received", "trace-reference", "trace-follow-up"]
        assert len(digits(caller.prompts)) == 8
        assert len(list((house.folder / "spool" / "traces").glob("*.json"))) == 1


class TestWhichCall:
    @pytest.mark.parametrize(("key", "next"), [("1", "support"), (None, "done"), ("2", "done")])
    async def test_none_leads_to_support_with_1(self, house: House, key: str | None, next: str) -> None:  # noqa: A002
        caller = house.caller(None, phone=PHONE).presses("trace-none", key)
        await dials(house, caller=caller)
        assert (caller.prompts, caller.next) == (["trace-none"], next)

    async def test_only_the_trunk_has_none(self, house: House) -> None:
        caller = await dials(house, phone=None)
        assert (caller.prompts, caller.next) == ([], None)

    async def test_after_a_restart_asterisk_remembers_it(self, house: House) -> None:
        caller = await dials(house, "", remembered("1795384790.1"))
        assert caller.prompts[0] == "trace-received"
        assert [one.linkedid for one in await traces(house)] == ["1795384790.1"]

    async def test_one_that_asterisk_remembers_too_is_the_rings(self, house: House) -> None:
        linkedid = ended(house)
        await dials(house, "", remembered(linkedid))
        [one] = await traces(house)
        assert one.linkedid == linkedid

    async def test_a_later_one_that_the_ring_does_not_know_yet_is_meant(self, house: House) -> None:
        ended(house)
        await dials(house, "", remembered("1795384790.1"))
        assert [one.linkedid for one in await traces(house)] == ["1795384790.1"]

    async def test_one_that_is_too_old_is_not(self, house: House) -> None:
        caller = await dials(house, "", remembered("1795384790.1", ago_s=7200))
        assert caller.prompts == ["trace-none"]

    async def test_what_is_no_call_is_none(self, house: House) -> None:
        assert (await dials(house, "", "nonsense", "1|2|3")).prompts == ["trace-none"]

    async def test_each_device_of_an_account_reports_its_own(self, house: House) -> None:
        ended(house, number=1, device=HERE)
        ended(house, number=2, device=THERE)
        contacts = f"PJSIP/{PHONE}/sip:{PHONE}@{HERE}&PJSIP/{PHONE}/sip:{PHONE}@{THERE}"
        await dials(house, "", "", "", HERE, contacts)
        assert [one.linkedid for one in await traces(house)] == ["1795384701.1"]

    async def test_the_other_devices_last_call_is_not_taken(self, house: House) -> None:
        contacts = f"PJSIP/{PHONE}/sip:{PHONE}@{HERE}&PJSIP/{PHONE}/sip:{PHONE}@{THERE}"
        theirs = remembered("1795384791.1", device=THERE)
        mine = remembered("1795384792.1", device=HERE)
        await dials(house, "", theirs, mine, HERE, contacts)
        assert [one.linkedid for one in await traces(house)] == ["1795384792.1"]


class TestInAnotherCall:
    def talks(self, house: House, uri: str | None) -> tuple[Caller, str]:
        """A second channel of this phone, and what it says of where it is."""
        caller = house.caller(None, phone=PHONE)
        other = f"PJSIP/{PHONE}-000000aa"
        if uri is not None:
            caller.others[other] = {"CHANNEL(pjsip,target_uri)": uri}
        caller.variables[f"CHANNELS(^PJSIP/{PHONE}-)"] = f"{caller.channel} {other}"
        return caller, f"{caller.channel} {other}"

    @pytest.mark.parametrize("address", ["", HERE])
    async def test_who_has_not_hung_up_is_told_so(self, house: House, address: str) -> None:
        ended(house)
        caller, channels = self.talks(house, f"sip:{PHONE}@{HERE};transport=udp")
        await dials(house, channels, "", "", address, caller=caller)
        assert (caller.prompts, caller.next, await traces(house)) == (["trace-in-call"], "done", [])

    @pytest.mark.parametrize("uri", [None, f"sip:{PHONE}@{THERE}"])
    async def test_a_channel_that_is_gone_or_another_devices_is_no_matter(self, house: House, uri: str | None) -> None:
        ended(house)
        caller, channels = self.talks(house, uri)
        await dials(house, channels, "", "", HERE, caller=caller)
        assert caller.prompts[0] == "trace-received"

    async def test_one_that_ended_meanwhile(self, house: House) -> None:
        ended(house)
        caller, channels = self.talks(house, None)
        caller.variables.clear()
        await dials(house, channels, caller=caller)
        assert caller.prompts[0] == "trace-received"

    async def test_who_is_gone_by_then(self, house: House) -> None:
        ended(house)
        caller, channels = self.talks(house, f"sip:{PHONE}@{HERE}")
        caller.leaves_after = 0
        await dials(house, channels, caller=caller)
        assert (caller.prompts, caller.next) == ([], None)


class TestWhateverFails:
    async def test_more_than_ten_a_minute_are_too_many(self, house: House) -> None:
        ended(house)
        callers = [await dials(house) for _ in range(11)]
        assert [one.prompts[0] for one in callers[9:]] == ["trace-again", "trace-too-many"]
        assert callers[10].next == "done"

    async def test_a_failure_leaves_the_report_to_the_dialplan(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def hoarse(*_: object) -> str:
            raise BuildError(prompt="any")

        ended(house)
        monkeypatch.setattr(house.context.sounds, "of", hoarse)
        assert (await dials(house)).next is None

    async def test_whenever_they_hang_up_it_is_reported(self, houses: Houses) -> None:
        async def prepare(house: House) -> Caller:
            ended(house)
            return house.caller(None, phone=PHONE)

        async def play(house: House, caller: Caller) -> None:
            await dials(house, caller=caller)

        async for house, caller in houses.hang_ups(play, prepare):
            assert (len(await traces(house)), caller.next) == (1, None), caller.commands

    async def test_who_is_gone_at_once_has_reported_all_the_same(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(conversation, "_FIRST_WORD_S", 0.0)
        ended(house)
        await dials(house, caller=house.caller(None, phone=PHONE, leaves_after=-1))
        assert len(await traces(house)) == 1
