"""The menu, decided without a phone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from ivr.desk import menu
from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.load import Desks
from ivr.desk.schema import Desk

OPEN = "2026-11-25T10:00:00"  # a Wednesday
NIGHT = "2026-11-25T20:00:00"


class TestChoices:
    @pytest.mark.parametrize(
        ("key", "department", "email"),
        [
            ("1", "ventes", "ventes@omnivigil.com"),
            ("2", "support", "support@omnivigil.com"),
            ("3", "comptabilite", "comptabilite@omnivigil.com"),
            ("4", "service", "service@omnivigil.com"),
            ("5", "portabilite", "portabilite@omnivigil.com"),
            ("6", "administration", "administration@omnivigil.com"),
        ],
    )
    def test_ov1_each_option_leads_to_its_department(
        self, dial: Any, omnivigil: Desk, key: str, department: str, email: str
    ) -> None:
        call = dial(OPEN, key)
        assert call.to.department == department
        assert omnivigil.departments[department].email == email

    def test_ov1_the_first_thing_heard_is_who_answers(self, dial: Any) -> None:
        assert dial(OPEN, "2").said[0] == ["welcome", "language-offer", "menu"]

    def test_ov6_support_waits_in_its_queue(self, dial: Any) -> None:
        call = dial(OPEN, "2")
        assert (call.to.kind, call.to.queue, call.said[-1]) == (
            "queue",
            "support",
            ["queue-wait", "services-operational"],
        )

    def test_ov1_a_department_without_queue_rings_its_phones(self, dial: Any) -> None:
        call = dial(OPEN, "3")
        assert (call.to.kind, call.to.phones, call.to.ring_s) == ("ring", ("7103",), 25)
        assert call.asks[-1].prompts[0].variables == (("department", "Comptabilité"),)

    @pytest.mark.parametrize(
        ("key", "department", "kind"),
        [
            ("1", "logiciel", "queue"),
            ("2", "cloud", "queue"),
            ("3", "commercial", "ring"),
            ("4", "administratif", "ring"),
        ],
    )
    def test_hl1_each_key_leads_to_its_service(self, dial: Any, key: str, department: str, kind: str) -> None:
        call = dial(OPEN, key, number="33972596990")
        assert (call.to.department, call.to.kind, call.to.language) == (department, kind, "fr")

    def test_hl1_the_french_line_offers_no_other_language(self, dial: Any) -> None:
        call = dial(OPEN, "91", number="33972596990")
        assert call.said[0] == ["welcome", "menu"]
        assert call.said[1] == ["invalid", "menu"]
        assert set(call.languages) == {"fr"}


class TestServiceCode:
    def test_ov2_611_from_a_registered_phone_is_option_2(self, dial: Any) -> None:
        caller = menu.Caller(number="14185550101", language=None, registered_phone="6001", known=True)
        call = dial(OPEN, number="611", caller=caller)
        assert (call.to.kind, call.to.queue) == ("queue", "support")
        assert call.said == [["welcome", "queue-wait", "services-operational"]]

    def test_ov2_caller_id_alone_does_not_make_a_registered_phone(self, dial: Any) -> None:
        caller = menu.Caller(number="14185550101", language=None, registered_phone=None, known=True)
        assert dial(OPEN, "1", number="611", caller=caller).to.department == "ventes"

    def test_ov2_611_when_closed_asks_about_the_emergency(self, dial: Any) -> None:
        caller = menu.Caller(number=None, language="en", registered_phone="6001", known=True)
        call = dial(NIGHT, "1", number="611", caller=caller)
        assert call.said == [["welcome", "closed-emergency"]]
        assert (call.to.kind, call.to.urgent, call.to.language) == ("message", True, "en")


#: What staff announce by hand.
TOLD = menu.Announced(prompts=(menu.ANNOUNCEMENT,))
#: An incident that touches the caller.
INCIDENT = menu.Announced(prompts=(menu.ANNOUNCEMENT, menu.YOURS), follow=True)


class TestStateOfServices:
    def test_ov10_all_is_well_is_heard_on_entry_to_the_queue(self, dial: Any) -> None:
        assert dial(OPEN, "2").said[-1] == ["queue-wait", "services-operational"]
        assert dial(OPEN, "0").said[-1] == ["transfer-human", "services-operational"]

    def test_ov10_an_announcement_is_the_first_thing_on_option_2(self, dial: Any) -> None:
        call = dial(OPEN, "2", announced=TOLD)
        assert call.said == [["welcome", "language-offer", "menu"], ["announcement", "queue-wait"]]
        assert call.decided[-1].what == "announcement"

    def test_ov10_and_on_611_even_before_the_welcome(self, dial: Any) -> None:
        caller = menu.Caller(number=None, language="en", registered_phone="6001", known=True)
        call = dial(OPEN, number="611", caller=caller, announced=TOLD)
        assert call.said == [["announcement", "queue-wait"]]
        assert call.languages == ["en"]

    def test_ov10_and_when_the_desk_is_closed_but_only_once(self, dial: Any) -> None:
        call = dial(NIGHT, "271", announced=TOLD)
        assert call.said[1:] == [["announcement", "closed-emergency"], ["invalid", "closed-emergency"]]
        assert call.to.urgent

    def test_ov10_a_change_of_language_says_it_again_in_that_language(self, dial: Any) -> None:
        call = dial(OPEN, "29", announced=TOLD)
        assert (call.said[-1], call.languages[-1]) == (["announcement", "queue-wait"], "en")

    def test_ov10_a_key_goes_past_it(self, dial: Any) -> None:
        assert dial(OPEN, "25", announced=TOLD).to.queue == "support"
        assert dial(NIGHT, "22", announced=TOLD).to.urgent is False

    def test_ov10_departments_without_queue_do_not_tell_it(self, dial: Any) -> None:
        assert dial(OPEN, "1", announced=TOLD).said[-1] == ["ringing-department"]

    def test_hl1_another_desk_tells_its_own(self, dial: Any) -> None:
        assert dial(OPEN, "2", number="33972596990", announced=TOLD).said[-1] == ["announcement", "queue-wait"]

    def test_ov27_text_messages_are_offered_after_it_and_the_caller_goes_on(self, dial: Any) -> None:
        call = dial(OPEN, "2", announced=INCIDENT)
        assert call.said[1:] == [["announcement", "incident-yours", "incident-follow"], ["queue-wait"]]
        assert call.to.queue == "support"
        asked = dial(OPEN, "21", announced=INCIDENT)
        assert [one.what for one in asked.decided][-2:] == ["announcement", "follow"]
        assert asked.said[-1] == ["queue-wait"]
        assert asked.to.queue == "support"

    def test_ov27_in_the_language_that_was_chosen_meanwhile(self, dial: Any) -> None:
        call = dial(OPEN, "291", announced=INCIDENT)
        assert call.said[2] == ["announcement", "incident-yours", "incident-follow"]
        assert call.decided[-1].facts == {"language": "en"}

    def test_ov27_a_human_is_never_far(self, dial: Any) -> None:
        assert dial(OPEN, "20", announced=INCIDENT).to.queue == "support"

    def test_ov27_at_night_too(self, dial: Any) -> None:
        call = dial(NIGHT, "212", announced=INCIDENT)
        assert (call.to.kind, call.to.urgent) == ("message", False)

    def test_ov27_who_has_heard_it_is_told_briefly(self, dial: Any) -> None:
        brief = menu.Announced(prompts=(menu.ANNOUNCEMENT_BRIEF, menu.OTHERS))
        assert dial(OPEN, "2", announced=brief).said[-1] == ["announcement-brief", "incident-others", "queue-wait"]


class TestLanguage:
    def test_ov4_french_comes_first(self, dial: Any) -> None:
        assert dial(OPEN, "2").languages == ["fr", "fr"]

    def test_ov4_9_changes_to_english_and_the_way_back_is_said(self, dial: Any) -> None:
        call = dial(OPEN, "92")
        assert call.languages == ["fr", "en", "en"]
        assert call.said[1] == ["menu", "language-offer"]
        assert call.to.language == "en"

    def test_ov4_9_again_leads_back_to_french(self, dial: Any) -> None:
        assert dial(OPEN, "992").to.language == "fr"

    def test_ov4_a_remembered_language_is_spoken_from_the_first_word(self, dial: Any) -> None:
        caller = menu.Caller(number="14185550101", language="en", registered_phone=None, known=True)
        assert dial(OPEN, "2", caller=caller).languages[0] == "en"
        assert dial(OPEN, "92", caller=caller).to.language == "fr"

    def test_ov4_a_language_the_desk_does_not_speak_is_no_error(self, dial: Any) -> None:
        caller = menu.Caller(number="14185550101", language="en", registered_phone=None, known=True)
        assert dial(OPEN, "1", number="33972596990", caller=caller).to.language == "fr"

    @pytest.mark.parametrize(
        ("at", "keys"),
        [
            (OPEN, "9"),  # menu
            (OPEN, "79"),  # menu after a wrong key
            (OPEN, "29"),  # put through to support
            (OPEN, "19"),  # put through to sales
            (OPEN, "09"),  # put through to a human
            (NIGHT, "29"),  # emergency question
            (NIGHT, "19"),  # closed department
            (NIGHT, "279"),  # emergency question after a wrong key
        ],
    )
    def test_ov4_9_works_at_every_ask_and_asks_the_same_again(self, dial: Any, at: str, keys: str) -> None:
        call = dial(at, keys)
        before, after = call.asks[len(keys) - 1], call.asks[len(keys)]
        assert (before.language, after.language) == ("fr", "en")
        assert {prompt.id for prompt in after.prompts} & {prompt.id for prompt in before.prompts}
        assert not {"welcome", "invalid"} & {prompt.id for prompt in after.prompts}

    def test_ov8_the_hours_too_are_said_again_in_the_other_language(self, dial: Any) -> None:
        call = dial(NIGHT, "19")
        assert call.said[-1] == ["closed-hours", "closed-department"]
        assert ("opening", "tomorrow at 8 a.m.") in call.asks[-1].prompts[-1].variables
        assert ("department", "Sales") in call.asks[-1].prompts[-1].variables


class TestRepeatAndHuman:
    @pytest.mark.parametrize(
        ("at", "keys", "again"),
        [
            (OPEN, "*", ["menu"]),
            (OPEN, "7*", ["menu"]),
            (OPEN, "2*", ["queue-wait", "services-operational"]),
            (OPEN, "1*", ["ringing-department"]),
            (OPEN, "0*", ["transfer-human", "services-operational"]),
            (NIGHT, "2*", ["closed-emergency"]),
            (NIGHT, "1*", ["closed-hours", "closed-department"]),
        ],
    )
    def test_ov4_star_says_it_again_without_what_was_heard(
        self, dial: Any, at: str, keys: str, again: list[str]
    ) -> None:
        assert dial(at, keys).said[len(keys)] == again

    @pytest.mark.parametrize("keys", ["0", "70", "10", "*0", "90"])
    def test_0_leads_to_a_human_from_anywhere(self, dial: Any, keys: str) -> None:
        call = dial(OPEN, keys)
        assert (call.to.kind, call.to.queue, call.to.reason) == ("queue", "support", "operator-asked")
        assert call.said[-1] == ["transfer-human", "services-operational"]

    @pytest.mark.parametrize("keys", ["0,", "01", "10,", "00"])
    def test_ov7_0_at_night_leads_to_the_message_box(self, dial: Any, keys: str) -> None:
        call = dial(NIGHT, keys)
        assert (call.to.kind, call.to.department, call.to.urgent) == ("message", "support", True)

    @pytest.mark.parametrize("keys", ["77", ",,", "7,", ",#", "#8", "*7*7", "97,"])
    def test_two_wrong_or_missing_answers_lead_to_a_person(self, dial: Any, keys: str) -> None:
        call = dial(OPEN, keys)
        assert (call.to.kind, call.to.queue, call.to.reason) == ("queue", "support", "operator-not-understood")

    def test_one_wrong_answer_is_forgiven(self, dial: Any) -> None:
        call = dial(OPEN, "71")
        assert call.said[1] == ["invalid", "menu"]
        assert call.to.department == "ventes"

    def test_silence_is_told_apart_from_a_wrong_key(self, dial: Any) -> None:
        assert dial(OPEN, ",1").said[1] == ["no-answer", "menu"]


class TestClosed:
    def test_ov7_support_takes_emergencies_only_and_tells_when_it_opens(self, dial: Any) -> None:
        call = dial(NIGHT, "2,")
        assert call.said[-1] == ["closed-emergency"]
        assert ("opening", "demain à 8 heures") in call.asks[-1].prompts[0].variables

    @pytest.mark.parametrize(
        ("keys", "urgent"), [("21", True), ("2,", True), ("22", False), ("272", False), ("277", True), ("2#1", True)]
    )
    def test_ov7_1_is_an_emergency_2_can_wait_and_in_doubt_it_cannot(self, dial: Any, keys: str, urgent: bool) -> None:
        call = dial(NIGHT, keys)
        assert (call.to.kind, call.to.department, call.to.urgent) == ("message", "support", urgent)

    def test_ov7_two_wrong_keys_are_the_most_that_are_asked_about(self, dial: Any) -> None:
        asked = [said for said in dial(NIGHT, "277").said if "closed-emergency" in said]
        assert len(asked) == 2

    @pytest.mark.parametrize("keys", ["20", "00"])
    def test_ov7_0_at_the_emergency_question_is_no_mistake(self, dial: Any, keys: str) -> None:
        call = dial(NIGHT, keys)
        assert call.said[1:] == [["closed-emergency"]]
        assert call.to.urgent

    def test_ov7_a_wrong_key_is_asked_about_once_more(self, dial: Any) -> None:
        assert dial(NIGHT, "272").said[-1] == ["invalid", "closed-emergency"]

    def test_ov8_other_departments_tell_hours_and_opening_then_take_a_message(self, dial: Any) -> None:
        call = dial("2026-11-27T17:00:00", "5")
        assert call.said[-1] == ["closed-hours", "closed-department"]
        assert call.asks[-1].prompts[-1].variables == (("department", "Portabilité"), ("opening", "lundi à 8 heures"))
        assert (call.to.kind, call.to.department, call.to.urgent) == ("message", "portabilite", False)

    def test_ov5_the_minute_of_closing_is_closed(self, dial: Any) -> None:
        assert dial("2026-11-25T11:59:59", "2").to.kind == "queue"
        assert dial("2026-11-25T12:00:00", "2").to.kind == "message"
        assert dial("2026-11-25T13:00:00", "2").to.kind == "queue"

    def test_hl2_closed_at_lunch_in_paris_while_montreal_sleeps(self, dial: Any) -> None:
        at = "2026-11-25T12:30:00+01:00"
        assert dial(at, "1", number="33972596990").to.kind == "message"
        assert dial(at, "2").to.kind == "message"
        at = "2026-11-25T14:00:00+01:00"
        assert dial(at, "1", number="33972596990").to.kind == "queue"
        assert dial(at, "2").to.kind == "queue"

    @pytest.mark.parametrize(
        ("asked_at", "said"),
        [
            ("2026-11-25T12:59:59.900000", "aujourd’hui à 13 heures"),
            ("2026-11-25T23:59:59.900000", "demain à 8 heures"),
        ],
    )
    def test_ov7_one_moment_counts_for_the_whole_decision(self, omnivigil: Desk, asked_at: str, said: str) -> None:
        """OV-7: a second later the desk is open, or tomorrow is today."""
        moments = itertools.count()

        def clock() -> datetime:
            return datetime.fromisoformat(asked_at).replace(tzinfo=omnivigil.zone) + timedelta(seconds=next(moments))

        caller = menu.Caller(number=None, language=None, registered_phone="6001", known=False)
        steps = menu.line(omnivigil, calendars_of(omnivigil), caller, "611", clock)
        asked = [step for step in steps if isinstance(step, menu.Ask)]
        assert dict(asked[-1].prompts[-1].variables)["opening"] == said

    def test_a_desk_without_any_opening_ahead_says_so(self, omnivigil: Desk) -> None:
        """OV-7: no opening is promised that does not come."""
        never = Calendar(
            zone=omnivigil.zone,
            week=type(omnivigil.hours)(),
            holidays={},
            exceptions={},
        )
        calendars = dict.fromkeys(omnivigil.departments, never)
        now = datetime(2026, 11, 25, 10, tzinfo=omnivigil.zone)
        caller = menu.Caller(number=None, language=None, registered_phone=None, known=False)
        for key, said in (("2", "closed-emergency-no-opening"), ("1", "closed-department-no-opening")):
            steps = menu.line(omnivigil, calendars, caller, "18446664844", lambda: now)
            next(steps)
            steps.send(key)
            asks = [step for step in steps if isinstance(step, menu.Ask)]
            assert asks[0].prompts[-1].id == said
            assert "opening" not in dict(asks[0].prompts[-1].variables)

    def test_ov5_a_department_with_its_own_hours_tells_its_own(self, hotline: Desk) -> None:
        week = hotline.hours
        own = hotline.departments["commercial"].model_copy(update={"hours": week})
        desk = hotline.model_copy(update={"departments": {**hotline.departments, "commercial": own}})

        steps = menu.line(
            desk,
            calendars_of(desk),
            menu.Caller(number=None, language=None, registered_phone=None, known=False),
            "33972596990",
            lambda: datetime(2026, 11, 25, 20, tzinfo=desk.zone),
        )
        next(steps)
        steps.send("3")
        asks = [step for step in steps if isinstance(step, menu.Ask)]
        assert asks[0].prompts[0].id == "closed-hours-commercial"


class TestHangUp:
    @pytest.mark.parametrize("keys", ["", "7", "9", "2", "1"])
    @pytest.mark.parametrize("at", [OPEN, NIGHT])
    def test_a_hang_up_at_any_point_ends_the_conversation(
        self, desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]], at: str, keys: str
    ) -> None:
        desk = desks["omnivigil"]
        caller = menu.Caller(number=None, language=None, registered_phone=None, known=False)
        now = datetime.fromisoformat(at).replace(tzinfo=desk.zone)
        steps = menu.line(desk, calendars[desk.id], caller, "18446664844", lambda: now)
        next(steps)
        for key in keys:
            steps.send(key)
        steps.close()
        with pytest.raises(StopIteration):
            next(steps)
