"""From the greeting to the decision: keys, languages, hours, whoever calls, and whatever fails meanwhile."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import MethodType

import pytest
import structlog.testing

from agi_scripts.line import ring_target
from ivr.desk.schema import Desk
from ivr.directory.model import Identity
from ivr.incidents.model import Affected
from ivr.prompts.build import BuildError, Sounds
from tests.conversations.conftest import Houses
from tests.conversations.house import CLOSED, JULIE, MARC, NUMBER, SARAH, STRANGER, House
from tests.fakes.caller import Caller, Heard

FIRST = ["welcome", "language-offer", "menu"]
HOTLINE = "33972596990"
NAMES = (b'x\\"; drop', "Éloïse".encode(), "Éloïse".encode("latin-1"), b"${SHELL(id)}", b"a\r\n\r\nagi_arg_1: b")


def step(caller: Caller) -> list[str]:
    """What was decided, field by field."""
    assert caller.next is not None
    return caller.next.split(",")


class TestMenu:
    async def test_ov1_it_is_heard_whole_in_french(self, house: House) -> None:
        caller = await house.dial(house.caller().presses("menu", "2", late=True))
        assert caller.prompts == [*FIRST, "queue-wait", "services-operational"]
        assert caller.languages == {"fr"}
        assert all(one.key is None for one in caller.heard[:3])

    @pytest.mark.parametrize(
        ("key", "department", "phone"),
        [
            ("1", "ventes", "7101"),
            ("3", "comptabilite", "7103"),
            ("4", "service", "7104"),
            ("5", "portabilite", "7105"),
            ("6", "administration", "7106"),
        ],
    )
    async def test_ov1_departments_ring_their_own_phones(
        self, house: House, key: str, department: str, phone: str
    ) -> None:
        caller = await house.dial(house.caller().presses("menu", key))
        assert caller.prompts == [*FIRST, "ringing-department"]
        assert step(caller)[:6] == ["ring", "fr", department, f"PJSIP/{phone}", "25", "ordinary"]
        assert [(one.desk, one.department) for one in await house.tickets()] == [("omnivigil", department)]
        assert house.call(caller).department == department

    async def test_ov6_support_is_option_2(self, house: House) -> None:
        caller = await house.dial(house.caller().presses("menu", "2"))
        assert step(caller)[:6] == ["queue", "fr", "support", "support", "3600", "ordinary"]
        assert step(caller)[6:] == [house.call(caller).id, ""]
        [ticket] = await house.tickets()
        assert (ticket.department, ticket.call_id, ticket.status) == ("support", house.call(caller).id, "new")

    @pytest.mark.parametrize("prompt", FIRST)
    async def test_ov4_every_prompt_can_be_cut_short(self, house: House, prompt: str) -> None:
        caller = await house.dial(house.caller().presses(prompt, "2"))
        assert caller.heard[FIRST.index(prompt)] == Heard(prompt=prompt, language="fr", key="2")
        assert caller.prompts == [*FIRST[: FIRST.index(prompt) + 1], "queue-wait", "services-operational"]

    async def test_ov4_star_says_it_again_and_zero_reaches_a_human(self, house: House) -> None:
        caller = await house.dial(house.caller().presses("menu", "*", "0"))
        assert caller.prompts == [*FIRST, "menu", "transfer-human", "services-operational"]
        assert step(caller)[0:3] == ["queue", "fr", "support"]

    @pytest.mark.parametrize("first", ["8", "#", "7", None])
    @pytest.mark.parametrize("second", ["8", "#", None])
    async def test_ov4_two_wrong_answers_lead_to_a_person(
        self, house: House, first: str | None, second: str | None
    ) -> None:
        caller = await house.dial(house.caller().presses("menu", first, second))
        said = ["no-answer" if key is None else "invalid" for key in (first, second)]
        assert caller.prompts == [*FIRST, said[0], "menu", "transfer-human", "services-operational"]
        assert step(caller)[0:3] == ["queue", "fr", "support"]

    async def test_ov4_star_for_ever_ends_at_a_person(self, house: House) -> None:
        caller = await house.dial(house.caller().presses("menu", *["*"] * 60).presses("welcome", "*"))
        assert step(caller)[0:3] == ["queue", "fr", "support"]

    async def test_ov4_a_menu_that_has_become_one_sound_is_cut_short_all_the_same(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sounds = house.context.sounds
        monkeypatch.setattr(sounds, "together", MethodType(Sounds.together, sounds))
        await house.dial(house.caller().presses("menu", "2"))
        await asyncio.gather(*sounds._joining)
        caller = await house.dial(house.caller().does_at(0.3, "1"))
        [joined, *rest] = caller.heard
        assert (joined.key, joined.prompt in FIRST) == ("1", False)
        assert [one.prompt for one in rest] == ["ringing-department"]
        assert step(caller)[:3] == ["ring", "fr", "ventes"]

    async def test_ov2_611_from_a_phone_is_support(self, house: House) -> None:
        caller = await house.dial(house.caller(MARC, phone="6003"), dialled="611")
        assert "menu" not in caller.prompts
        assert step(caller)[:4] == ["queue", "fr", "support", "support"]
        assert house.call(caller).identity["by"] == "endpoint"

    async def test_ov2_611_from_the_trunk_is_no_service_code(self, house: House) -> None:
        caller = await house.dial(house.caller(MARC).presses("menu", "1"), dialled="611")
        assert caller.prompts[:3] == FIRST

    @pytest.mark.parametrize(
        ("key", "department", "said"),
        [
            ("1", "logiciel", "queue-wait"),
            ("2", "cloud", "queue-wait"),
            ("3", "commercial", "ringing-department"),
            ("4", "administratif", "ringing-department"),
        ],
    )
    async def test_hl1_hotline_2024_keys(self, house: House, key: str, department: str, said: str) -> None:
        caller = await house.dial(house.caller().presses("menu", key), desk="hotline-2024", dialled=HOTLINE)
        assert caller.prompts[:3] == ["welcome", "menu", said]
        assert (step(caller)[1:3], caller.languages) == (["fr", department], {"fr"})
        assert house.call(caller).desk == "hotline-2024"


class TestLanguage:
    @pytest.mark.parametrize("prompt", FIRST)
    async def test_ov4_9_switches_at_any_moment(self, house: House, prompt: str) -> None:
        caller = await house.dial(house.caller().presses(prompt, "9").presses("menu", "2"))
        assert step(caller)[1] == "en"
        assert ("OV_LANGUAGE", "en") in caller.given
        at = caller.prompts.index(prompt) + 1
        assert {one.language for one in caller.heard[at:]} == {"en"}

    async def test_ov4_and_back(self, house: House) -> None:
        caller = await house.dial(house.caller().presses("menu", "9", "9", "2"))
        assert step(caller)[1] == "fr"
        assert [value for name, value in caller.given if name == "OV_LANGUAGE"] == ["en", "fr"]

    async def test_ov4_it_is_remembered(self, house: House) -> None:
        await house.dial(house.caller().presses("menu", "9", "2"))
        again = await house.dial(house.caller().presses("menu", "2"))
        assert (again.languages, step(again)[1]) == ({"en"}, "en")
        # And back.
        await house.dial(house.caller().presses("menu", "9", "2"))
        assert (await house.dial(house.caller().presses("menu", "2"))).languages == {"fr"}

    async def test_ov4_a_phone_has_its_owners(self, house: House) -> None:
        await house.dial(house.caller(MARC, phone="6003").presses("menu", "9", "2"))
        assert (await house.dial(house.caller(MARC, phone="6003").presses("menu", "2"))).languages == {"fr"}

    async def test_nobody_is_remembered_without_a_number(self, house: House) -> None:
        await house.dial(house.caller(None).presses("menu", "9", "2"))
        assert (await house.dial(house.caller(None).presses("menu", "2"))).languages == {"fr"}


class TestClosed:
    @pytest.mark.parametrize(
        ("key", "urgency"), [("1", "urgent"), ("2", "ordinary"), (None, "urgent"), ("0", "urgent")]
    )
    async def test_ov7_support_takes_emergencies(self, house: House, key: str | None, urgency: str) -> None:
        house.clock.now = CLOSED
        caller = await house.dial(house.caller().presses("menu", "2").presses("closed-emergency", key))
        assert caller.prompts == [*FIRST, "closed-emergency"]
        assert step(caller)[:6] == ["message", "fr", "support", "", "0", urgency]
        # The message has its ticket; the way to it has none.
        assert await house.tickets() == []

    async def test_ov7_a_wrong_key_is_asked_again(self, house: House) -> None:
        house.clock.now = CLOSED
        caller = await house.dial(house.caller().presses("menu", "2").presses("closed-emergency", "5", "2"))
        assert caller.prompts[3:] == ["closed-emergency", "invalid", "closed-emergency"]
        assert step(caller)[5] == "ordinary"

    async def test_ov8_other_departments_take_a_message(self, house: House) -> None:
        house.clock.now = CLOSED
        caller = await house.dial(house.caller().presses("menu", "1"))
        assert caller.prompts == [*FIRST, "closed-hours", "closed-department"]
        assert step(caller)[:3] == ["message", "fr", "ventes"]

    async def test_ov8_0_asks_for_a_person_there_too(self, house: House) -> None:
        house.clock.now = CLOSED
        caller = house.caller().presses("menu", "1").presses("closed-hours", "0").presses("closed-emergency", "1")
        await house.dial(caller)
        assert step(caller)[:3] == ["message", "fr", "support"]

    async def test_ov5_noon_closes_to_the_second(self, house: House) -> None:
        # The key comes 0.5 s after the call.
        noon = house.clock.now.replace(hour=17)
        for at, kind in ((noon - timedelta(seconds=1), "queue"), (noon - timedelta(seconds=0.5), "message")):
            house.clock.now = at
            assert step(await house.dial(house.caller().presses("menu", "2")))[0] == kind

    async def test_english_while_closed(self, house: House) -> None:
        house.clock.now = CLOSED
        caller = await house.dial(house.caller().presses("menu", "2").presses("closed-emergency", "9", "1"))
        assert [one.language for one in caller.heard[-2:]] == ["fr", "en"]
        assert step(caller)[:3] == ["message", "en", "support"]


class TestWhoCalls:
    @pytest.mark.parametrize(
        "number",
        [
            None,
            "anonymous",
            "4" * 40,
            'x\\"; drop \\" table',
            "514%0d%0aX-Evil%3a%20yes",
            "${SHELL(id)} $[1+1]",
            "$EXTEN",
            "1,2,3,queue",
            "+",
            "911",
            "Éloïse",
        ],
    )
    async def test_ov3_whatever_the_network_says_they_are_served(self, house: House, number: str | None) -> None:
        caller = await house.dial(house.caller(number).presses("menu", "0"))
        assert caller.prompts[-2:] == ["transfer-human", "services-operational"]
        assert step(caller)[:6] == ["queue", "fr", "support", "support", "3600", "ordinary"]
        assert (house.call(caller).ani, house.call(caller).endpoint) == (None, None)
        [ticket] = await house.tickets()
        assert ticket.requester_phone is None

    @pytest.mark.parametrize(
        "name",
        [
            b'x\\"; drop',
            "Éloïse Bélanger".encode(),
            "Éloïse".encode("latin-1"),
            b"${SHELL(id)}",
            b"a\r\n\r\nagi_arg_1: b",
        ],
    )
    async def test_ov3_whatever_they_are_called(self, house: House, name: bytes) -> None:
        caller = await house.dial(house.caller(name=name).presses("menu", "2"))
        assert step(caller)[0] == "queue"

    async def test_ov3_a_customer_is_known_by_number(self, house: House) -> None:
        caller = await house.dial(house.caller(MARC).presses("menu", "2"))
        [ticket] = await house.tickets()
        assert (ticket.account_number, ticket.requester_name) == ("C-1003", "Marc Gagnon")
        assert house.call(caller).identity["by"] == "number"

    async def test_ov2_a_claimed_number_is_no_phone(self, house: House) -> None:
        caller = await house.dial(house.caller("6001").presses("menu", "2"))
        assert house.call(caller).endpoint is None

    async def test_who_is_private_is_served_as_themselves_and_shown_to_nobody(self, house: House) -> None:
        caller = await house.dial(house.caller(None).presses("menu", "2"), private=MARC)
        [ticket] = await house.tickets()
        assert (ticket.account_number, ticket.requester_phone) == ("C-1003", None)
        assert house.call(caller).ani is None
        assert MARC not in str(house.call(caller).events)


class TestPartner:
    async def test_ov17_an_elite_partners_customer_reaches_them_first(self, house: House) -> None:
        caller = await house.dial(house.caller(JULIE).presses("menu", "2"))
        # Réseaux Boréal has a phone of ours.
        assert step(caller)[:4] == ["partner", "fr", "support", "support"]
        assert step(caller)[8:] == ["PJSIP/6101", "25"]
        assert house.facts(caller, "routed")["to"] == "partner"

    async def test_ov17_who_asks_for_a_person_gets_ours(self, house: House) -> None:
        caller = await house.dial(house.caller(JULIE).presses("menu", "0"))
        assert step(caller)[0] == "queue"

    @pytest.mark.parametrize("number", [SARAH, MARC, STRANGER])
    async def test_ov17_nobody_elses(self, house: House, number: str) -> None:
        caller = await house.dial(house.caller(number).presses("menu", "2"))
        assert (step(caller)[0], len(step(caller))) == ("queue", 8)


class TestWhatIsAnnounced:
    async def test_ov10_the_first_thing_before_the_queue_then_briefly(self, house: House) -> None:
        await house.incident()
        house.sends_no_texts()
        caller = await house.dial(house.caller().presses("menu", "2"))
        assert caller.prompts == [*FIRST, "announcement", "queue-wait"]
        again = await house.dial(house.caller().presses("menu", "2"))
        assert again.prompts[3:] == ["announcement", "queue-wait"]
        # It was heard to its end once: what comes now is the brief of it, another sound.
        assert [one for one in caller.commands if "announcement" in one] != [
            one for one in again.commands if "announcement" in one
        ]
        other = await house.dial(house.caller("15145550199").presses("menu", "2"))
        assert [one for one in caller.commands if "announcement" in one] == [
            one for one in other.commands if "announcement" in one
        ]

    async def test_ov10_who_cuts_it_short_has_not_heard_it(self, house: House) -> None:
        await house.incident()
        house.sends_no_texts()
        sounds = []
        for _ in range(2):
            caller = await house.dial(house.caller().presses("menu", "2").presses("announcement", "5"))
            sounds.append(next(one for one in caller.commands if "announcement" in one))
        assert sounds[0] == sounds[1]

    async def test_ov10_a_caller_without_a_number_hears_the_whole_again(self, house: House) -> None:
        await house.incident()
        house.sends_no_texts()
        both = [await house.dial(house.caller(None).presses("menu", "2")) for _ in range(2)]
        first, again = ([one for one in caller.commands if "announcement" in one] for caller in both)
        assert first == again

    @pytest.mark.parametrize(
        ("number", "told"), [(MARC, ["incident-yours"]), (SARAH, ["incident-others"]), (STRANGER, [])]
    )
    async def test_ov27_whom_it_touches_is_told_so(self, house: House, number: str, told: list[str]) -> None:
        await house.incident(Affected(customers=(3,)))
        caller = await house.dial(house.caller(number).presses("menu", "2"))
        assert caller.prompts[3:] == ["announcement", *told, "incident-follow", "queue-wait"]
        [ticket] = await house.tickets()
        assert (ticket.incident_id is not None) == (number == MARC)

    async def test_ov27_other_departments_hear_nothing_of_it(self, house: House) -> None:
        await house.incident()
        caller = await house.dial(house.caller().presses("menu", "1"))
        assert caller.prompts == [*FIRST, "ringing-department"]
        assert [one.incident_id for one in await house.tickets()] == [None]

    async def test_ov27_0_in_the_offer_of_a_text_is_a_person(self, house: House) -> None:
        await house.incident()
        caller = await house.dial(house.caller().presses("menu", "2").presses("incident-follow", "0"))
        assert step(caller)[0] == "queue"

    async def test_what_ended_this_very_moment_is_all_is_well(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await house.incident()
        house.sends_no_texts()
        monkeypatch.setattr(house.context.line.announcer, "playing", lambda desk, language: None)
        caller = await house.dial(house.caller().presses("menu", "2"))
        assert caller.prompts == [*FIRST, "services-operational", "queue-wait"]


class TestWhateverFails:
    @pytest.mark.parametrize("keys", ["2", "9*1", "88"])
    async def test_who_hangs_up_at_any_moment_has_a_whole_record(self, houses: Houses, keys: str) -> None:
        async for house, caller in houses.hang_ups(
            lambda house, caller: house.dial(caller.presses("menu", *keys)),
        ):
            call = house.call(caller)
            assert (call.events[0].kind, call.reason) == ("started", "caller hung up"), caller.commands
            assert call.result == "hung-up-in-menu"
            assert caller.next is None

    @pytest.mark.parametrize("away", ["write", "all"])
    async def test_without_the_database_the_caller_reaches_a_person_and_the_request_the_disk(
        self, house: House, away: str
    ) -> None:
        house.store.away = away
        caller = await house.dial(house.caller(MARC).presses("menu", "9", "2"))
        assert step(caller)[:4] == ["queue", "en", "support", "support"]
        assert len(list((house.folder / "spool" / "intake").glob("*.json"))) == 1

    @pytest.mark.parametrize("prompt", ["welcome", "menu", "queue-wait", "services-operational"])
    async def test_a_sound_that_is_gone_leaves_it_to_the_dialplan(
        self, house: House, monkeypatch: pytest.MonkeyPatch, prompt: str
    ) -> None:
        of = house.context.sounds.of

        async def without(desk: str, wanted: str, *rest: object) -> str:
            if wanted == prompt:
                raise BuildError(prompt=prompt)
            return await of(desk, wanted, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(house.context.sounds, "of", without)
        caller = await house.dial(house.caller().presses("menu", "2"))
        assert caller.next is None
        assert "failed" in house.kinds(caller)
        assert house.call(caller).ended_at is None

    async def test_an_unknown_desk_leaves_it_to_the_dialplan(self, house: House) -> None:
        with pytest.raises(KeyError):
            await house.dial(house.caller(), desk="nobodys")

    async def test_work_beside_a_call_that_fails_is_nobody_elses_trouble(self, house: House) -> None:
        async def fails() -> None:
            raise ZeroDivisionError

        house.context.line.aside(fails(), "something")
        with structlog.testing.capture_logs() as logs:
            await house.context.line.aside.finish(5)
        assert [one["event"] for one in logs] == ["background task of a call failed"]

    async def test_a_call_that_nobody_knows_any_more_opens_no_ticket(self, house: House) -> None:
        house.context.line.call_tickets.open("unknown", house.desk, "support", "fr")
        house.context.line.callers.remember_language(house.desk, "unknown", "en")
        house.context.line.caller_notices.heard(house.desk, "unknown")
        await house.context.line.aside.finish(5)
        assert await house.tickets() == []
        assert house.context.line.callers.identify("unknown", None, None, house.desk) == Identity(by=None)


class TestRingTarget:
    def desk(self, desk: Desk) -> Desk:
        ventes = desk.departments["ventes"].model_copy(update={"phones": ("7101", "tel:4185550161")})
        return desk.model_copy(update={"departments": {**desk.departments, "ventes": ventes}})

    def test_a_number_outside_is_rung_by_the_dialplan(self, house: House) -> None:
        desk = self.desk(house.desk)
        phones = desk.departments["ventes"].phones
        outside = "Local/14185550161@omnivigil-outside/n"
        assert ring_target(desk, phones, trunk=True) == f"PJSIP/7101&{outside}"
        assert ring_target(desk, phones, trunk=False) == "PJSIP/7101"
        assert ring_target(desk, (), trunk=True) == ""

    async def test_it_rings_longer_for_who_answers_to_hear_what_it_is_about(self, house: House) -> None:
        desk = self.desk(house.desk)
        house.has(desk)
        caller = await house.dial(house.caller().presses("menu", "1"), dialled=NUMBER)
        assert step(caller)[3:5] == ["PJSIP/7101&Local/14185550161@omnivigil-outside/n", "40"]
