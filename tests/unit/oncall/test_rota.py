"""Who is on call, who is paged when, and the rota as iCalendar."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ivr.desk.oncall import OnCall, Person
from ivr.errors import BadInput
from ivr.oncall import ical
from ivr.oncall.escalation import PROMISE, come, kept, timetable
from ivr.oncall.rota import Stint, gaps, line_at, overlap, stints

TORONTO = ZoneInfo("America/Toronto")
PEOPLE = {
    name: {"name": name.title(), "phone": f"1418555016{nth}"}
    for nth, name in enumerate(("annie", "luc", "zoe", "chef"))
}


def duty(**values: Any) -> OnCall:
    given_ = {"people": PEOPLE, "turns": ("annie", "luc", "zoe"), "first_turn": "2026-01-05"}
    return OnCall.model_validate(given_ | values)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO).astimezone(UTC)


def over(person: str, start: str, end: str) -> Stint:
    return Stint(start=local(start), end=local(end), person=person, override=True)


class TestTurns:
    @pytest.mark.parametrize(
        ("at", "person"),
        [
            ("2026-01-05T08:00", "annie"),
            ("2026-01-12T07:59:59", "annie"),
            ("2026-01-12T08:00", "luc"),
            ("2026-01-19T08:00", "zoe"),
            ("2026-01-26T08:00", "annie"),
            # Monday 8 o'clock on the wall, on either side of both changes of the clocks.
            ("2026-03-09T07:59:59", "zoe"),
            ("2026-03-09T08:00", "annie"),
            ("2026-11-02T07:59:59", "annie"),
            ("2026-11-02T08:00", "luc"),
            ("2025-12-29T08:00", "zoe"),  # before the first turn it was the same round
        ],
    )
    def test_a_week_each_from_monday_eight_oclock(self, at: str, person: str) -> None:
        assert line_at(duty(), TORONTO, [], local(at))[0] == person

    def test_the_next_in_line_follow_in_the_order_of_the_turns(self) -> None:
        assert line_at(duty(), TORONTO, [], local("2026-01-14T22:00")) == ("luc", "zoe", "annie")

    def test_an_override_wins_for_its_time_and_the_others_stay_in_line(self) -> None:
        others = [over("zoe", "2026-01-14T18:00", "2026-01-15T08:00")]
        for at, line in (
            ("2026-01-14T17:59:59", ("luc", "zoe", "annie")),
            ("2026-01-14T18:00", ("zoe", "luc", "annie")),
            ("2026-01-15T08:00", ("luc", "zoe", "annie")),
        ):
            assert line_at(duty(), TORONTO, others, local(at)) == line

    def test_turns_are_cut_where_somebody_takes_over(self) -> None:
        others = [over("chef", "2026-01-11T20:00", "2026-01-12T20:00")]
        found = stints(duty(), TORONTO, others, local("2026-01-10T00:00"), local("2026-01-14T00:00"))
        assert [(one.person, one.override) for one in found] == [
            ("annie", False),
            ("chef", True),
            ("chef", True),
            ("luc", False),
        ]

    @settings(max_examples=100)
    @given(
        st.datetimes(datetime(2026, 2, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        st.lists(st.tuples(st.integers(0, 500), st.integers(1, 60)), max_size=5),
    )
    def test_somebody_is_on_call_at_any_moment_and_the_rota_tells_who(
        self, start: datetime, parts: list[tuple[int, int]]
    ) -> None:
        others: list[Stint] = []
        for hours, lasts in parts:
            begins = start + timedelta(hours=hours)
            one = Stint(start=begins, end=begins + timedelta(hours=lasts), person="chef", override=True)
            if overlap(others, one) is None:
                others.append(one)
        end = start + timedelta(days=30)
        found = stints(duty(), TORONTO, others, start, end)
        assert (found[0].start, found[-1].end) == (start, end)
        for earlier, later in itertools.pairwise(found):
            assert earlier.end == later.start
        for one in found:
            assert line_at(duty(), TORONTO, others, one.start)[0] == one.person


class TestTimetable:
    START = local("2026-01-14T22:00")
    END = START + timedelta(hours=12)

    def pages(self, minutes: int = 45, **values: Any) -> list[tuple[int, str | None]]:
        made = timetable(duty(**values), ("luc", "zoe", "annie")[: values.pop("line", 3)], self.START, self.END)
        told = [(int((page.at - self.START).total_seconds() // 60), page.person) for page in made]
        return [one for one in told if one[0] < minutes]

    def test_ov7_the_next_in_line_every_five_minutes_and_the_manager_before_minute_30(self) -> None:
        assert self.pages(manager="chef") == [
            (0, "luc"),
            (5, "zoe"),
            (10, "annie"),
            (15, "luc"),
            (20, "chef"),
            (25, "luc"),
            (30, "zoe"),
            (35, "annie"),
            (40, "chef"),
        ]

    def test_ov7_the_manager_is_paged_in_time_whatever_the_rhythm(self) -> None:
        assert self.pages(40, manager="chef", every_min=15, manager_after_min=25) == [
            (0, "luc"),
            (15, "zoe"),
            (25, "chef"),
        ]

    @given(st.integers(1, 29), st.integers(1, 29))
    def test_ov7_always_before_minute_30_and_never_too_often(self, every: int, after: int) -> None:
        made = timetable(duty(manager="chef", every_min=every, manager_after_min=after), ("luc",), self.START, self.END)
        assert next(page.at for page in made if page.person == "chef") - self.START < PROMISE
        assert [page.nth for page in made] == list(range(len(made)))
        assert all(one.at < two.at for one, two in itertools.pairwise(made))

    def test_it_goes_on_as_long_as_it_is_asked_for_and_no_longer(self) -> None:
        whole = timetable(duty(manager="chef"), ("luc", "zoe"), self.START, self.START + timedelta(days=3))
        assert whole[-1].at == self.START + timedelta(days=3)
        for minutes in (0, 4, 5, 19, 20, 21, 600):
            until = self.START + timedelta(minutes=minutes)
            asked = timetable(duty(manager="chef"), ("luc", "zoe"), self.START, until)
            assert asked == [page for page in whole if page.at <= until]

    def test_nobody_in_the_turns_is_the_fallback_number(self) -> None:
        nobody = duty(turns=(), fallback="14185550199")
        assert {page.person for page in timetable(nobody, (), self.START, self.END)} == {None}

    def test_after_an_outage_everyone_whose_time_has_come_is_paged_once(self) -> None:
        made = timetable(duty(), ("luc", "zoe", "annie"), self.START, self.END)
        assert come(made, 0, self.START - timedelta(seconds=1)) == []
        assert [page.person for page in come(made, 0, self.START)] == ["luc"]
        assert come(made, 1, self.START + timedelta(minutes=4, seconds=59)) == []
        assert sorted(str(page.person) for page in come(made, 1, self.START + timedelta(minutes=22))) == [
            "annie",
            "luc",
            "zoe",
        ]

    @pytest.mark.parametrize(
        ("taken_min", "now_min", "in_time"),
        [(None, 30, None), (None, 30.1, False), (30, 60, True), (30.1, 60, False), (1, 2, True)],
    )
    def test_ov7_thirty_minutes_are_measured_on_taken(
        self, taken_min: float | None, now_min: float, in_time: bool | None
    ) -> None:
        taken = self.START + timedelta(minutes=taken_min) if taken_min is not None else None
        assert kept(self.START, taken, self.START + timedelta(minutes=now_min)) is in_time


class TestDeskFile:
    @pytest.mark.parametrize(
        "values",
        [
            {"turns": ("annie", "nobody")},
            {"manager": "nobody"},
            {"turns": ()},
            {"manager_after_min": 30},
            {"every_min": 0},
            {"first_turn": 5},
            {"changes_at": 8},
        ],
    )
    def test_what_cannot_work_is_refused_when_it_is_read(self, values: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            duty(**values)

    @pytest.mark.parametrize(
        "phone", ["418 555-0101", "(418)\u00a0555\u20110101", "tel:418-555-0101", "４１８５５５０１０１"]
    )
    def test_a_number_as_people_write_it(self, phone: str) -> None:
        assert Person(name="Annie", phone=phone).phone == "4185550101"
        assert duty(fallback=phone).fallback == "4185550101"

    @pytest.mark.parametrize("phone", ["418 555-0101 poste 22", "4,18556E+09", "418 555-01O1", "12"])
    def test_a_number_that_cannot_be_paged(self, phone: str) -> None:
        with pytest.raises(ValidationError):
            Person(name="Annie", phone=phone)


class TestCalendar:
    def test_what_is_written_is_read_back(self) -> None:
        others = [over("chef", "2026-03-07T20:00", "2026-03-08T20:00")]
        found = stints(duty(), TORONTO, others, local("2026-03-01T00:00"), local("2026-04-01T00:00"))
        text = ical.written(found, duty().people, desk="omnivigil", now=local("2026-03-01T00:00")).decode()
        assert text.count("BEGIN:VEVENT") == len(found)
        again = ical.read(text, duty().people, TORONTO)
        assert [(one.start, one.end, one.person) for one in again] == [(o.start, o.end, o.person) for o in found]

    @staticmethod
    def event(*lines: str) -> str:
        return "\r\n".join(
            ["BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""]
        )

    def test_whole_days_and_floating_times_are_local(self) -> None:
        [one] = ical.read(
            self.event("SUMMARY:zoe", "DTSTART;VALUE=DATE:20260308", "DTEND;VALUE=DATE:20260309"),
            duty().people,
            TORONTO,
        )
        assert (one.start, one.end) == (local("2026-03-08T00:00"), local("2026-03-09T00:00"))
        assert one.end - one.start == timedelta(hours=23)
        [one] = ical.read(
            self.event("SUMMARY:ZOE", "DTSTART:20260310T180000", "DTEND:20260311T080000"), duty().people, TORONTO
        )
        assert (one.person, one.start) == ("zoe", local("2026-03-10T18:00"))

    @pytest.mark.parametrize(
        "lines",
        [
            ("SUMMARY:nobody", "DTSTART:20260310T180000", "DTEND:20260311T080000"),
            ("DTSTART:20260310T180000", "DTEND:20260311T080000"),
            ("SUMMARY:zoe", "DTEND:20260311T080000"),
            ("SUMMARY:zoe", "DTSTART:20260312T180000", "DTEND:20260311T080000"),
            ("SUMMARY:zoe", "DTSTART:20260310T180000", "DTEND:20270311T080000"),
            ("SUMMARY:zoe", "DTSTART:20260310T180000", "DTEND:20260311T080000", "RRULE:FREQ=SECONDLY"),
            ("SUMMARY:zoe", "DTSTART:00010101T000000", "DTEND:00010102T000000"),
            ("SUMMARY:zoe", "DTSTART:99991231T000000", "DTEND:99991231T080000"),
            ("SUMMARY:zoe", "DTSTART:x", "DTEND:y"),
        ],
    )
    def test_what_cannot_be_used_is_refused_with_the_mend(self, lines: tuple[str, ...]) -> None:
        with pytest.raises(BadInput) as refused:
            ical.read(self.event(*lines), duty().people, TORONTO)
        assert refused.value.field == "ical"
        assert refused.value.mend

    @pytest.mark.parametrize("text", ["", "x", "BEGIN:VCALENDAR", "BEGIN:VEVENT\r\nEND:VEVENT\r\n", "\x00"])
    def test_what_is_no_calendar(self, text: str) -> None:
        with pytest.raises(BadInput):
            ical.read(text, duty().people, TORONTO)

    @given(st.text(max_size=200))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        with pytest.raises(BadInput):
            ical.read(
                f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{text}\r\nEND:VEVENT\r\nEND:VCALENDAR", duty().people, TORONTO
            )


def test_the_first_turn_is_a_date_of_ours() -> None:
    assert duty().first_turn == date(2026, 1, 5)


@pytest.mark.parametrize(
    ("start", "end", "overlaps"),
    [
        ("04:00", "06:00", False),
        ("06:00", "08:00", False),
        ("06:00", "08:01", True),
        ("09:00", "10:00", True),
        ("06:00", "14:00", True),
        ("11:59", "14:00", True),
        ("12:00", "14:00", False),
        ("13:00", "14:00", False),
    ],
)
def test_who_takes_over_where_another_ends_does_not_overlap(start: str, end: str, overlaps: bool) -> None:
    taken = over("luc", "2026-01-06T08:00", "2026-01-06T12:00")
    new = over("zoe", f"2026-01-06T{start}", f"2026-01-06T{end}")
    assert overlap([taken], new) is (taken if overlaps else None)


class TestGaps:
    """No one on call: operations are told, and the fallback number is paged."""

    START, END = local("2026-11-23T00:00"), local("2026-12-07T00:00")

    def test_turns_leave_none(self) -> None:
        others = [over("luc", "2026-11-25T18:00", "2026-11-26T08:00")]
        assert gaps(duty(), TORONTO, others, self.START, self.END) == []

    def test_without_turns_whatever_nobody_took(self) -> None:
        others = [
            over("annie", "2026-11-22T00:00", "2026-11-25T08:00"),
            over("luc", "2026-11-25T08:00", "2026-11-30T08:00"),
            over("zoe", "2026-12-01T08:00", "2026-12-20T08:00"),
        ]
        assert gaps(duty(turns=(), fallback="14185550100"), TORONTO, others, self.START, self.END) == [
            (local("2026-11-30T08:00"), local("2026-12-01T08:00"))
        ]
        assert gaps(duty(turns=(), fallback="14185550100"), TORONTO, [], self.START, self.END) == [
            (self.START, self.END)
        ]

    def test_who_is_no_longer_among_the_people_is_nobody(self) -> None:
        others = [over("gone", "2026-11-25T18:00", "2026-11-26T08:00")]
        assert gaps(duty(), TORONTO, others, self.START, self.END) == [
            (local("2026-11-25T18:00"), local("2026-11-26T08:00"))
        ]

    def test_nor_where_there_are_no_turns(self) -> None:
        """OV-7: operations are told that nobody is on call, though an override of who has left says otherwise."""
        others = [over("gone", "2026-11-22T00:00", "2026-12-20T00:00")]
        assert gaps(duty(turns=(), fallback="14185550100"), TORONTO, others, self.START, self.END) == [
            (self.START, self.END)
        ]
