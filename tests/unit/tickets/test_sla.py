"""Working time and the clocks, by hand-made cases and by properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk.fields import Interval, Week
from ivr.desk.hours import Calendar
from ivr.desk.schema import Desk
from ivr.tickets.sla import (
    Alarm,
    Limits,
    Span,
    alarms,
    due,
    elapsed,
    limits_of,
    reaches,
    working_moment,
    working_moment_before,
    working_time,
)
from tests.unit.tickets.conftest import TORONTO, local

H = timedelta(hours=1)
M = timedelta(minutes=1)


class TestWorkingTime:
    @pytest.mark.parametrize(
        ("start", "end", "hours"),
        [
            ("2026-11-25T09:00", "2026-11-25T10:30", 1.5),
            ("2026-11-25T11:00", "2026-11-25T14:00", 2),  # over lunch
            ("2026-11-25T12:00", "2026-11-25T13:00", 0),  # lunch itself
            ("2026-11-25T11:59:59", "2026-11-25T13:00:01", 2 / 3600),
            ("2026-11-25T16:00", "2026-11-26T09:00", 2),  # over a night
            ("2026-11-25T17:00", "2026-11-26T08:00", 0),  # the night itself
            ("2026-11-27T16:30", "2026-11-30T08:30", 1),  # Friday to Monday
            ("2026-11-28T00:00", "2026-11-29T23:59", 0),  # the week-end itself
            ("2026-12-24T16:00", "2026-12-28T09:00", 2),  # Christmas is a Friday
            ("2026-06-23T16:00", "2026-06-25T09:00", 2),  # Fête nationale is a Wednesday
            ("2026-11-23T00:00", "2026-11-30T00:00", 40),  # a week
            ("2026-11-25T10:00", "2026-11-25T09:00", 0),  # backwards
            ("2026-11-25T10:00", "2026-11-25T10:00", 0),
            ("2027-03-12T16:00", "2027-03-15T09:00", 2),  # clocks go forward on Sunday 14 March
            ("2026-10-30T16:00", "2026-11-02T09:00", 2),  # clocks go back on Sunday 1 November
        ],
    )
    def test_ov5_only_what_is_open_counts(self, calendar: Calendar, start: str, end: str, hours: float) -> None:
        assert working_time(calendar, local(start), local(end)) == hours * H

    def test_the_hour_that_spring_skips_is_not_counted_and_the_one_autumn_repeats_is_counted_twice(self) -> None:
        night = Calendar(
            zone=TORONTO, week=Week.model_validate({"sunday": ["00:00-06:00"]}), holidays={}, exceptions={}
        )
        assert working_time(night, local("2027-03-14T00:00"), local("2027-03-14T06:00")) == 5 * H
        assert working_time(night, local("2026-11-01T00:00"), local("2026-11-01T06:00")) == 7 * H
        assert working_time(night, local("2026-11-08T00:00"), local("2026-11-08T06:00")) == 6 * H

    @pytest.mark.parametrize(
        ("start", "minutes", "reached"),
        [
            ("2026-11-25T09:00", 60, "2026-11-25T10:00"),
            ("2026-11-25T11:30", 60, "2026-11-25T13:30"),
            ("2026-11-25T10:00", 120, "2026-11-25T13:00"),  # noon is closed: OV-5
            ("2026-11-25T16:00", 60, "2026-11-26T08:00"),
            ("2026-11-25T20:00", 60, "2026-11-26T09:00"),  # documented at night
            ("2026-11-27T16:00", 120, "2026-11-30T09:00"),
            ("2026-12-24T16:00", 120, "2026-12-28T09:00"),
            ("2026-10-30T16:30", 60, "2026-11-02T08:30"),
            ("2027-03-12T16:30", 60, "2027-03-15T08:30"),
            ("2026-11-25T12:15", 0, "2026-11-25T13:00"),
            ("2026-11-23T08:00", 40 * 60, "2026-11-30T08:00"),
        ],
    )
    def test_when_so_much_has_passed(self, calendar: Calendar, start: str, minutes: int, reached: str) -> None:
        assert working_moment(calendar, local(start), minutes * M) == local(reached)

    def test_a_desk_that_never_opens_never_gets_there(self) -> None:
        closed = Calendar(zone=TORONTO, week=Week(), holidays={}, exceptions={})
        assert working_moment(closed, local("2026-11-25T09:00"), H) is None
        assert working_moment_before(closed, local("2026-11-25T09:00"), H) is None

    def test_ov30_six_working_days_before(self, calendar: Calendar) -> None:
        assert working_moment_before(calendar, local("2026-12-03T18:00"), 48 * H) == local("2026-11-26T08:00")
        assert working_moment_before(calendar, local("2026-11-25T10:00"), H) == local("2026-11-25T09:00")

    def test_just_after_midnight_in_summer_the_day_itself_counts(self) -> None:
        early = Calendar(
            zone=TORONTO, week=Week.model_validate({"monday": ["00:00-06:00"]}), holidays={}, exceptions={}
        )
        assert working_moment_before(early, local("2027-03-15T00:30"), 20 * M) == local("2027-03-15T00:10")

    def test_naive_moments_are_refused(self, calendar: Calendar) -> None:
        naive = datetime(2026, 11, 25, 9)  # noqa: DTZ001 - the point of it
        for ask in (
            lambda: working_time(calendar, naive, local("2026-11-25T10:00")),
            lambda: working_moment(calendar, naive, H),
            lambda: working_moment_before(calendar, naive, H),
        ):
            with pytest.raises(ValueError, match="no time zone"):
                ask()


class TestLedger:
    def test_ov15_waiting_stops_it_and_what_was_counted_stays(self, calendar: Calendar) -> None:
        spans = [
            Span(start=local("2026-11-25T09:00"), end=local("2026-11-25T10:00")),
            # waiting for the requester over a night
            Span(start=local("2026-11-26T11:30")),
        ]
        assert elapsed(spans, calendar, local("2026-11-26T09:00")) == H
        assert elapsed(spans, calendar, local("2026-11-26T13:30")) == 2 * H
        assert reaches(spans, calendar, 2 * H) == local("2026-11-26T13:30")

    def test_while_it_stands_still_nothing_comes(self, calendar: Calendar) -> None:
        spans = [Span(start=local("2026-11-25T09:00"), end=local("2026-11-25T10:00"))]
        assert reaches(spans, calendar, 2 * H) is None
        assert reaches([], calendar, H) is None

    def test_a_priority_changes_the_pace_and_not_what_was_counted(self, calendar: Calendar) -> None:
        spans = [
            Span(start=local("2026-11-25T16:00"), end=local("2026-11-25T20:00")),  # counts one hour
            Span(start=local("2026-11-25T20:00"), pace="always"),  # became urgent
        ]
        assert reaches(spans, calendar, 2 * H) == local("2026-11-25T21:00")
        assert elapsed(spans, calendar, local("2026-11-25T22:00")) == 3 * H

    def test_urgent_hours_are_hours_on_both_daylight_saving_days(self, calendar: Calendar) -> None:
        for day in ("2026-11-01", "2027-03-14"):
            start = local(f"{day}T00:30")
            assert reaches([Span(start=start, pace="always")], calendar, 4 * H) == start + 4 * H

    def test_a_limit_that_was_reached_while_it_stood_still_comes_when_it_goes_on(self, calendar: Calendar) -> None:
        spans = [
            Span(start=local("2026-11-25T09:00"), end=local("2026-11-25T11:00")),
            Span(start=local("2026-11-25T20:00")),
        ]
        assert reaches(spans, calendar, H) == local("2026-11-26T08:00")


def limits(desk: Desk, level: int) -> Limits:
    return limits_of(desk.tickets, "tmr", level)


class TestAlarms:
    @pytest.mark.parametrize(
        ("level", "warning", "breach"),
        [
            (1, "2026-11-25T10:00", "2026-11-25T11:00"),
            (2, "2026-11-25T11:00", "2026-11-25T14:00"),
            (3, "2026-11-25T11:00", "2026-11-26T09:00"),
            (4, "2026-11-26T09:00", None),
        ],
    )
    def test_ov15_each_level_has_its_tmr(
        self, omnivigil: Desk, calendar: Calendar, level: int, warning: str, breach: str | None
    ) -> None:
        spans = [Span(start=local("2026-11-25T09:00"), level=level)]
        found = alarms("tmr", level, spans, limits(omnivigil, level), calendar)
        assert [(one.kind, one.at) for one in found] == [
            (kind, local(at)) for kind, at in (("warning", warning), ("breach", breach)) if at
        ]

    @pytest.mark.parametrize("level", [1, 2, 3])
    def test_ov15_eight_working_hours_of_tr_on_each_level(
        self, omnivigil: Desk, calendar: Calendar, level: int
    ) -> None:
        spans = [Span(start=local("2026-11-25T09:00"), level=level)]
        found = alarms("tr", level, spans, limits_of(omnivigil.tickets, "tr", level), calendar)
        assert [(one.kind, one.at) for one in found] == [
            ("warning", local("2026-11-26T08:00")),
            ("breach", local("2026-11-26T09:00")),
        ]

    def test_each_level_has_its_own_tr_and_tmr_is_one_time(self, calendar: Calendar) -> None:
        spans = [
            Span(start=local("2026-11-25T08:00"), end=local("2026-11-25T10:00"), level=1),
            Span(start=local("2026-11-25T10:00"), level=2),
        ]
        limit = Limits(breach=3 * H)
        assert alarms("tmr", 2, spans, limit, calendar)[0].at == local("2026-11-25T11:00")
        assert alarms("tr", 2, spans, limit, calendar)[0].at == local("2026-11-25T14:00")

    def test_each_once_and_no_warning_after_the_breach(self, calendar: Calendar) -> None:
        spans, limit = [Span(start=local("2026-11-25T09:00"))], Limits(warning=H, breach=2 * H)
        found = alarms("tmr", 1, spans, limit, calendar)
        assert [one.kind for one in found] == ["warning", "breach"]
        assert [one.kind for one in alarms("tmr", 1, spans, limit, calendar, [found[0].key])] == ["breach"]
        assert alarms("tmr", 1, spans, limit, calendar, [found[1].key]) == []

    def test_after_an_outage_the_gravest_is_told(self, calendar: Calendar) -> None:
        found = alarms("tmr", 1, [Span(start=local("2026-11-25T09:00"))], Limits(warning=H, breach=2 * H), calendar)
        assert due(found, local("2026-11-25T09:59:59")) is None
        assert due(found, local("2026-11-25T10:00")) == found[0]
        assert due(found, local("2026-11-25T15:00")) == found[1]


# Properties ---------------------------------------------------------------------------------------

DAY = st.lists(st.integers(0, 95), min_size=2, max_size=6, unique=True).map(
    lambda quarters: tuple(
        Interval.model_validate(
            {
                "start": f"{start // 4:02d}:{start % 4 * 15:02d}",
                "end": f"{end // 4:02d}:{end % 4 * 15:02d}",
            }
        )
        for start, end in zip(sorted(quarters)[::2], sorted(quarters)[1::2], strict=False)
    )
)
CALENDARS = st.fixed_dictionaries(dict.fromkeys(("monday", "wednesday", "saturday", "sunday"), DAY)).map(
    lambda days: Calendar(zone=TORONTO, week=Week(**days), holidays={}, exceptions={})
)
#: Around both daylight-saving days.
MOMENTS = st.one_of(
    *(
        st.datetimes(datetime(*first), datetime(*last), timezones=st.just(UTC))  # noqa: DTZ001 - given one there
        for first, last in (((2026, 10, 28), (2026, 11, 5)), ((2027, 3, 10), (2027, 3, 18)))
    )
)
AMOUNTS = st.timedeltas(timedelta(0), timedelta(days=3))


@settings(max_examples=150, deadline=None)
@given(CALENDARS, st.lists(MOMENTS, min_size=3, max_size=3))
def test_working_time_is_monotone_additive_and_never_more_than_time(
    calendar: Calendar, moments: list[datetime]
) -> None:
    a, b, c = sorted(moments)
    whole, first, second = (working_time(calendar, x, y) for x, y in ((a, c), (a, b), (b, c)))
    assert whole == first + second
    assert timedelta(0) <= first <= b - a
    assert first <= whole


@settings(max_examples=150, deadline=None)
@given(CALENDARS, MOMENTS, AMOUNTS)
def test_a_deadline_is_never_outside_hours_and_exactly_that_much_away(
    calendar: Calendar, start: datetime, amount: timedelta
) -> None:
    at = working_moment(calendar, start, amount)
    if at is None:
        return
    assert calendar.is_open(at)
    assert at >= start
    assert working_time(calendar, start, at) == amount


@settings(max_examples=100, deadline=None)
@given(CALENDARS, MOMENTS, AMOUNTS)
def test_backwards_finds_the_same_way(calendar: Calendar, end: datetime, amount: timedelta) -> None:
    at = working_moment_before(calendar, end, amount)
    if at is not None:
        assert working_time(calendar, at, end) == amount


@settings(max_examples=100, deadline=None)
@given(CALENDARS, st.lists(MOMENTS, min_size=2, max_size=7, unique=True), st.sampled_from(["working", "always"]))
def test_pauses_only_ever_delay(calendar: Calendar, moments: list[datetime], pace: str) -> None:
    edges = sorted(moments)
    start, now = edges[0], edges[-1]
    paces = {"working": "working", "always": "always"}
    spans = [
        Span(start=a, end=b, pace=paces[pace])  # type: ignore[arg-type]
        for a, b in zip(edges[::2], edges[1::2], strict=False)
    ]
    whole = [Span(start=start, pace=paces[pace])]  # type: ignore[arg-type]
    assert elapsed(spans, calendar, now) <= elapsed(whole, calendar, now)
    running = [*spans, Span(start=now, pace=paces[pace])]  # type: ignore[arg-type]
    late, early = reaches(running, calendar, timedelta(hours=5)), reaches(whole, calendar, timedelta(hours=5))
    if late is not None and early is not None:
        assert late >= early


@settings(max_examples=100, deadline=None)
@given(CALENDARS, MOMENTS)
def test_what_is_raised_was_due(calendar: Calendar, start: datetime) -> None:
    found: list[Alarm] = alarms(
        "tr", 1, [Span(start=start)], Limits(warning=timedelta(hours=1), breach=timedelta(hours=2)), calendar
    )
    for alarm in found:
        assert elapsed([Span(start=start)], calendar, alarm.at) >= timedelta(hours=1)
        assert due(found, alarm.at) is not None
        assert due(found, alarm.at - timedelta(microseconds=1)) != alarm
