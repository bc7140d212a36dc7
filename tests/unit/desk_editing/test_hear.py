"""A call written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import pytest

from ivr.desk import menu
from ivr.desk.hours import Calendar
from ivr.desk.load import Desks
from ivr.desk_editing.hear import HeardLine, hear
from ivr.directory.model import Customer, Identity, Partner
from ivr.errors import BadInput

STRANGER = menu.Caller(number="14185550100", language=None, registered_phone=None, known=False)

Listen = Callable[..., list[HeardLine]]


def render(desk: str, prompt: menu.Prompt, language: str) -> str:
    """A text that tells what it was made of."""
    return " ".join([prompt.id, language, *(value for _, value in prompt.variables)])


@pytest.fixture
def listen(desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]]) -> Listen:
    def account(at: str, presses: str, number: str = "18446664844") -> list[HeardLine]:
        desk = desks.by_number(number)
        assert desk is not None
        moment = datetime.fromisoformat(at).replace(tzinfo=desk.zone)
        return hear(desk, calendars[desk.id], STRANGER, number, moment, list(presses), render)

    return account


def told(lines: list[HeardLine]) -> list[tuple[str, str]]:
    return [(line.kind, line.text) for line in lines]


def test_ov6_open_support_is_told_step_by_step(listen: Listen) -> None:
    assert told(listen("2026-12-24T16:59", "2")) == [
        ("heard", "welcome fr"),
        ("heard", "language-offer fr"),
        ("heard", "menu fr"),
        ("pressed", "2"),
        ("decided", "department: department support, key 2"),
        ("heard", "queue-wait fr"),
        ("heard", "services-operational fr"),
        ("then", "Technical support: queue support: music, then a technician"),
    ]


def test_ov7_a_minute_later_it_is_closed_until_monday(listen: Listen) -> None:
    lines = told(listen("2026-12-24T17:00", "2"))
    assert ("heard", "closed-emergency fr Soutien technique lundi à 8 heures") in lines
    assert lines[-3:] == [
        ("decided", "message: urgency urgent"),
        ("heard", "message-record fr"),
        ("then", "Technical support: message box, urgent: a technician takes it within 30 minutes"),
    ]


def test_ov8_a_closed_department_ends_in_its_message_box(listen: Listen) -> None:
    assert told(listen("2026-12-24T12:00", "1"))[-4:] == [
        ("heard", "closed-hours fr Ventes aujourd’hui à 13 heures"),
        ("heard", "closed-department fr Ventes aujourd’hui à 13 heures"),
        ("heard", "message-record fr"),
        ("then", "Sales: message box"),
    ]


def test_ov1_a_department_s_phones_are_told(listen: Listen) -> None:
    last = listen("2026-12-24T10:00", "4")[-1]
    assert last.text == "Customer service: phones 7104, ringing for up to 25 s, then the message box"


def test_ov4_silence_is_written_down_with_its_length(listen: Listen) -> None:
    lines = told(listen("2026-12-24T10:00", ",7"))
    assert lines[3:6] == [("silence", "5 s"), ("decided", "not-understood: attempt 1"), ("heard", "no-answer fr")]
    assert ("pressed", "7") in lines
    assert lines[-3:] == [
        ("heard", "transfer-human fr"),
        ("heard", "services-operational fr"),
        ("then", "Technical support: queue support: music, then a technician"),
    ]


def test_ov4_announcements_take_the_keys_that_work_anywhere(listen: Listen) -> None:
    lines = listen("2026-12-24T12:00", "1*9")
    assert [line.text for line in lines if line.kind == "pressed"] == ["1", "*", "9"]
    assert lines[-1].text == "Sales: message box"
    assert lines[-2].language == "en"


def test_hl1_the_french_line_is_heard_too(listen: Listen) -> None:
    assert listen("2026-11-25T10:00", "3", "33972596990")[-1].text.startswith("Service commercial: phones 7201")


@pytest.mark.parametrize("press", ["12", "x", "", " ", "²"])
def test_a_press_that_is_no_key_is_refused(
    desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]], press: str
) -> None:
    """OV-4."""
    desk = desks["omnivigil"]
    at = datetime(2026, 12, 24, 10, tzinfo=desk.zone)
    with pytest.raises(BadInput) as refused:
        hear(desk, calendars[desk.id], STRANGER, "18446664844", at, [press], render)
    assert refused.value.field == "press"


def test_ov17_an_elite_partners_customer_reaches_the_partner_first(
    desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]]
) -> None:
    desk = desks["omnivigil"]
    partner = Partner(id=1, name="Réseaux Boréal", tier="elite", phone="14185550151")
    identity = Identity(by="number", customer=Customer(id=1, account="C-1", name="Clinique"), partner=partner)
    at = datetime(2026, 11, 25, 10, tzinfo=desk.zone)

    def then(presses: str, who: Identity) -> str:
        lines = hear(desk, calendars[desk.id], STRANGER, "18446664844", at, list(presses), render, identity=who)
        return lines[-1].text

    assert "the phone of Réseaux Boréal, ringing for up to" in then("2", identity)
    assert then("2", identity).endswith("queue support: music, then a technician")
    # Who asks for one of our own people gets one.
    assert "Boréal" not in then("0", identity)
    assert "Boréal" not in then("2", replace(identity, partner=replace(partner, tier="standard")))


def test_ov10_what_is_announced_is_heard(desks: Desks, calendars: Mapping[str, Mapping[str, Calendar]]) -> None:
    desk = desks["omnivigil"]
    at = datetime(2026, 11, 25, 10, tzinfo=desk.zone)
    announced = menu.Announced(prompts=(menu.ANNOUNCEMENT,))
    lines = hear(desk, calendars[desk.id], STRANGER, "18446664844", at, ["2"], render, announced=announced)
    assert [line.text for line in lines if line.kind == "heard"][-2:] == ["announcement fr", "queue-wait fr"]
