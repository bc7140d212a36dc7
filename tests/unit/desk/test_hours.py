"""Open or closed, at the second."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk.fields import DAYS, Interval, Week
from ivr.desk.hours import HORIZON_DAYS, Calendar, calendars_of
from ivr.desk.schema import Desk

TORONTO = ZoneInfo("America/Toronto")
PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture(scope="module")
def support(omnivigil: Desk) -> Calendar:
    return calendars_of(omnivigil)["support"]


@pytest.fixture(scope="module")
def logiciel(hotline: Desk) -> Calendar:
    return calendars_of(hotline)["logiciel"]


def local(text: str, zone: ZoneInfo = TORONTO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def calendar(**days: tuple[str, ...]) -> Calendar:
    return Calendar(zone=TORONTO, week=Week.model_validate(days), holidays={}, exceptions={})


class TestOmnivigil:
    @pytest.mark.parametrize(
        ("at", "is_open"),
        [
            ("2026-11-25T07:59:59", False),
            ("2026-11-25T08:00:00", True),
            ("2026-11-25T11:59:59", True),
            ("2026-11-25T11:59:59.999999", True),
            ("2026-11-25T12:00:00", False),
            ("2026-11-25T12:30:00", False),
            ("2026-11-25T12:59:59", False),
            ("2026-11-25T13:00:00", True),
            ("2026-11-25T16:59:59", True),
            ("2026-11-25T17:00:00", False),
            ("2026-11-25T00:00:00", False),
            ("2026-11-28T10:00:00", False),  # Saturday
            ("2026-11-29T10:00:00", False),  # Sunday
        ],
    )
    def test_ov5_hours_are_half_open(self, support: Calendar, at: str, is_open: bool) -> None:
        assert support.is_open(local(at)) is is_open

    @pytest.mark.parametrize(
        ("day", "what"),
        [
            ("2026-01-01", "New Year"),
            ("2026-04-03", "Good Friday"),
            ("2026-05-18", "Journée nationale des patriotes"),
            ("2026-06-24", "fête nationale"),
            ("2026-07-01", "Canada Day"),
            ("2026-09-07", "Labour Day"),
            ("2026-10-12", "Thanksgiving"),
            ("2026-12-25", "Christmas"),
            ("2027-12-27", "Monday after a Saturday Christmas"),
        ],
    )
    def test_ov5_closed_on_quebec_holidays(self, support: Calendar, day: str, what: str) -> None:
        for hour in ("08:00:00", "10:00:00", "16:59:59"):
            assert not support.is_open(local(f"{day}T{hour}")), what

    @pytest.mark.parametrize("day", ["2026-06-23", "2026-12-24", "2026-12-28", "2026-11-11", "2026-04-06"])
    def test_ov5_open_on_eves_and_on_days_that_are_no_quebec_holidays(self, support: Calendar, day: str) -> None:
        assert support.is_open(local(f"{day}T16:59:59"))
        assert not support.is_open(local(f"{day}T17:00:00"))

    @pytest.mark.parametrize(
        ("now", "opening"),
        [
            ("2026-11-25T07:59:59", "2026-11-25T08:00"),  # in a second
            ("2026-11-25T08:00:00", "2026-11-25T13:00"),  # the present one is not the next
            ("2026-11-25T12:00:00", "2026-11-25T13:00"),  # over lunch
            ("2026-11-25T17:00:00", "2026-11-26T08:00"),
            ("2026-11-27T17:00:00", "2026-11-30T08:00"),  # Friday evening
            ("2026-06-23T17:00:00", "2026-06-25T08:00"),  # over the fête nationale
            ("2026-12-24T17:00:00", "2026-12-28T08:00"),  # Christmas on a Friday
            ("2026-12-31T17:00:00", "2027-01-04T08:00"),  # into another year
        ],
    )
    def test_ov7_next_opening(self, support: Calendar, now: str, opening: str) -> None:
        assert support.next_opening(local(now)) == local(opening)

    @pytest.mark.parametrize(
        ("now", "closing"),
        [
            ("2026-11-25T08:00:00", "2026-11-25T12:00"),
            ("2026-11-25T11:59:59", "2026-11-25T12:00"),
            ("2026-11-25T12:00:00", "2026-11-25T17:00"),
            ("2026-11-27T17:00:00", "2026-11-30T12:00"),
        ],
    )
    def test_ov5_next_closing(self, support: Calendar, now: str, closing: str) -> None:
        assert support.next_closing(local(now)) == local(closing)

    def test_ov5_hours_follow_daylight_saving(self, support: Calendar) -> None:
        """8 in the morning is 13:00 UTC in winter and 12:00 UTC in summer."""
        for day, hour in (("2026-03-06", 13), ("2026-03-09", 12), ("2026-10-30", 12), ("2026-11-02", 13)):
            opens = datetime.fromisoformat(f"{day}T{hour}:00:00").replace(tzinfo=UTC)
            assert support.is_open(opens)
            assert not support.is_open(opens - timedelta(seconds=1))

    def test_ov5_the_weekend_of_a_change_of_clocks_is_counted_right(self, support: Calendar) -> None:
        for friday, hours in (("2026-03-06", 62), ("2026-10-30", 64)):
            closed = local(f"{friday}T17:00:00")
            opening = support.next_opening(closed)
            assert opening is not None
            assert opening.astimezone(UTC) - closed.astimezone(UTC) == timedelta(hours=hours)

    @pytest.mark.parametrize("method", ["is_open", "next_opening", "next_closing"])
    def test_a_naive_moment_is_refused(self, support: Calendar, method: str) -> None:
        """OV-5: hours of which zone?"""
        with pytest.raises(ValueError, match="time zone"):
            getattr(support, method)(datetime(2026, 11, 25, 10))  # noqa: DTZ001 - the point

    def test_departments_without_hours_share_the_desk_s(self, omnivigil: Desk) -> None:
        """OV-5: and its cache with them."""
        assert len({id(one) for one in calendars_of(omnivigil).values()}) == 1


class TestHotline:
    @pytest.mark.parametrize(
        ("at", "is_open"),
        [
            ("2026-11-23T08:59:59", False),
            ("2026-11-23T09:00:00", True),
            ("2026-11-23T12:00:00", False),
            ("2026-11-23T13:59:59", False),
            ("2026-11-23T14:00:00", True),
            ("2026-11-26T17:59:59", True),  # Thursday
            ("2026-11-26T18:00:00", False),
            ("2026-11-27T16:59:59", True),  # Friday
            ("2026-11-27T17:00:00", False),
            ("2026-07-14T10:00:00", False),
            ("2026-05-08T10:00:00", False),
            ("2026-06-24T10:00:00", True),  # no holiday in France
        ],
    )
    def test_hl2_hours(self, logiciel: Calendar, at: str, is_open: bool) -> None:
        assert logiciel.is_open(local(at, PARIS)) is is_open

    def test_hl2_paris_and_toronto_change_their_clocks_on_other_days(
        self, logiciel: Calendar, support: Calendar
    ) -> None:
        """From 8 to 29 March 2026 they are five hours apart, not six."""
        for moment, apart in (("2026-03-06T08:00:00", 6), ("2026-03-16T08:00:00", 5), ("2026-03-30T08:00:00", 6)):
            toronto = local(moment)
            assert support.is_open(toronto)
            paris = toronto.astimezone(PARIS)
            assert paris.hour == 8 + apart
            assert logiciel.is_open(paris) is (paris.hour in (9, 10, 11, 14, 15, 16, 17) and paris.weekday() < 5)

    def test_hl2_the_caller_s_own_zone_does_not_matter(self, logiciel: Calendar) -> None:
        moment = local("2026-11-23T09:00:00", PARIS)
        for zone in (UTC, TORONTO, ZoneInfo("Asia/Tokyo")):
            assert logiciel.is_open(moment.astimezone(zone))
            opening = logiciel.next_opening((moment - timedelta(seconds=1)).astimezone(zone))
            assert opening == moment
            assert opening.utcoffset() == moment.utcoffset()


class TestDaysOfChange:
    """OV-5: a desk that is open while the clocks change. In Toronto 2026: 8 March at 2, 1 November at 2."""

    @pytest.mark.parametrize(
        ("ranges", "march", "november"),
        [
            (("00:00-24:00",), ["05:00-04:00"], ["04:00-05:00"]),  # 23 and 25 hours
            (("02:00-03:00",), [], ["07:00-08:00"]),  # in March there is no such hour
            (("02:15-02:45",), [], ["07:15-07:45"]),
            (("01:00-02:30",), ["06:00-07:00"], ["05:00-07:30"]),
            (("02:30-04:00",), ["07:00-08:00"], ["07:30-09:00"]),
            (("01:00-01:30",), ["06:00-06:30"], ["05:00-05:30"]),  # the first of the two
        ],
    )
    def test_ov5_openings_in_utc(self, ranges: tuple[str, ...], march: list[str], november: list[str]) -> None:
        sundays = calendar(sunday=ranges)
        for day, wanted in ((date(2026, 3, 8), march), (date(2026, 11, 1), november)):
            assert [f"{one.start:%H:%M}-{one.end:%H:%M}" for one in sundays.day(day)] == wanted

    def test_ov5_a_desk_that_never_closes_is_open_all_through(self) -> None:
        always = calendar(**dict.fromkeys(DAYS, ("00:00-24:00",)))
        for start in (datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)):
            assert all(always.is_open(start + timedelta(minutes=15 * step)) for step in range(4 * 72))

    def test_ov5_ranges_that_meet_are_one_opening(self) -> None:
        """OV-5: no closing is announced at midnight, nor an opening."""
        night = calendar(monday=("22:00-24:00",), tuesday=("00:00-02:00", "02:00-03:00"))
        now = local("2026-11-23T23:00:00")
        assert night.next_closing(now) == local("2026-11-24T03:00:00")
        assert night.next_opening(now) == local("2026-11-30T22:00:00")


class TestExceptions:
    @pytest.fixture
    def christmas(self) -> Calendar:
        """Open on the morning of Christmas, closed on the 28th."""
        morning = (Interval(start=time(8), end=time(10)),)
        return Calendar(
            zone=TORONTO,
            week=Week.model_validate(dict.fromkeys(DAYS[:5], ("08:00-12:00", "13:00-17:00"))),
            holidays={date(2026, 12, 25): "Christmas Day"},
            exceptions={date(2026, 12, 25): morning, date(2026, 12, 28): ()},
        )

    def test_ov5_an_exception_wins_over_a_holiday(self, christmas: Calendar) -> None:
        assert christmas.is_open(local("2026-12-25T09:59:59"))
        assert not christmas.is_open(local("2026-12-25T10:00:00"))

    def test_ov5_an_exception_without_hours_closes_the_day(self, christmas: Calendar) -> None:
        assert not christmas.is_open(local("2026-12-28T10:00:00"))
        assert christmas.next_opening(local("2026-12-25T10:00:00")) == local("2026-12-29T08:00:00")

    def test_ov5_a_desk_that_never_opens_has_no_next_opening(self) -> None:
        never = calendar()
        assert never.next_opening(local("2026-11-25T10:00:00")) is None
        assert never.next_closing(local("2026-11-25T10:00:00")) is None


def _weeks() -> st.SearchStrategy[Week]:
    """Any week: up to three ranges a day, at any minute."""
    minutes = st.lists(st.integers(0, 1440), max_size=6, unique=True).map(sorted)

    def ranges(edges: list[int]) -> tuple[str, ...]:
        pairs = zip(edges[::2], edges[1::2], strict=False)
        return tuple(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in pairs)

    return st.fixed_dictionaries({day: minutes.map(ranges) for day in DAYS}).map(Week.model_validate)


zones = st.sampled_from(["America/Toronto", "Europe/Paris", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu"])
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
close_to_changes = st.builds(
    lambda day, minutes: day + timedelta(minutes=minutes),
    st.sampled_from([datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)]),
    st.integers(0, 3 * 1440),
)
INSTANT = timedelta(microseconds=1)


@settings(deadline=None)  # a busy machine is slow, and not wrong
@given(week=_weeks(), zone=zones, now=moments | close_to_changes)
def test_ov5_next_opening_is_open_minimal_and_after_now(week: Week, zone: str, now: datetime) -> None:
    hours = Calendar(zone=ZoneInfo(zone), week=week, holidays={}, exceptions={})
    opening = hours.next_opening(now)
    if opening is None:
        assert not any(week.of(day) for day in range(7)) or all(week.of(day) for day in range(7))
        return
    # In UTC: subtracting from a local time moves the hands of the clock, over the hour that spring skips too.
    opening = opening.astimezone(UTC)
    assert opening > now
    assert hours.is_open(opening)
    assert not hours.is_open(opening - INSTANT)
    starts = [one.start for one in hours.openings(now - timedelta(days=1), 12) if now < one.start < opening]
    # A start before it only continues an opening that is under way.
    assert all(hours.is_open(start - INSTANT) for start in starts)


@settings(deadline=None)  # a busy machine is slow, and not wrong
@given(week=_weeks(), zone=zones, now=moments | close_to_changes)
def test_ov5_openings_are_half_open(week: Week, zone: str, now: datetime) -> None:
    hours = Calendar(zone=ZoneInfo(zone), week=week, holidays={}, exceptions={})
    for opening in hours.openings(now, 3):
        assert opening.start < opening.end
        assert hours.is_open(opening.start)
        assert hours.is_open(opening.end - INSTANT)
        follows = [one for one in hours.openings(now, 4) if one.start <= opening.end < one.end]
        assert hours.is_open(opening.end) is bool(follows)


@settings(deadline=None)  # a busy machine is slow, and not wrong
@given(week=_weeks(), zone=zones, now=moments | close_to_changes)
def test_ov5_next_closing_ends_an_opening(week: Week, zone: str, now: datetime) -> None:
    hours = Calendar(zone=ZoneInfo(zone), week=week, holidays={}, exceptions={})
    closing = hours.next_closing(now)
    if closing is None:
        return
    closing = closing.astimezone(UTC)
    assert closing > now
    assert hours.is_open(closing - INSTANT)
    if closing - now < timedelta(days=HORIZON_DAYS - 2):
        assert not hours.is_open(closing)
    if hours.is_open(now):
        assert all(hours.is_open(now + (closing - now) * part / 16) for part in range(16))
