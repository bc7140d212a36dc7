"""Calendars as Outlook, Google, Nextcloud and others export them."""

from __future__ import annotations

import contextlib
import warnings
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.calendars.events import Calendar
from ivr.calendars.lines import CalendarProblem

TORONTO = ZoneInfo("America/Toronto")
YEAR = (datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
SHIFT = ("DTSTART:20270111T130000Z", "DTEND:20270118T130000Z")
EASTERN = (
    *("BEGIN:VTIMEZONE", "TZID:Ours"),
    *("BEGIN:STANDARD", "DTSTART:16011104T020000", "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11"),
    *("TZOFFSETFROM:-0400", "TZOFFSETTO:-0500", "END:STANDARD"),
    *("BEGIN:DAYLIGHT", "DTSTART:16010311T020000", "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3"),
    *("TZOFFSETFROM:-0500", "TZOFFSETTO:-0400", "END:DAYLIGHT", "END:VTIMEZONE"),
)


def event(*lines: str, uid: str | None = "a@rota") -> tuple[str, ...]:
    return ("BEGIN:VEVENT", *((f"UID:{uid}",) if uid else ()), *lines, "END:VEVENT")


def ics(*parts: tuple[str, ...], head: tuple[str, ...] = ()) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *head, *(line for part in parts for line in part), "END:VCALENDAR", ""]
    return "\r\n".join(lines).encode()


def moments(data: bytes, zone: ZoneInfo = TORONTO) -> list[str]:
    """What takes place in 2027, in local time."""
    found = sorted(
        str(one.start.astimezone(zone).replace(tzinfo=None) if isinstance(one.start, datetime) else one.start)
        for one in Calendar.read(data).between(*YEAR)
        if not one.cancelled
    )
    return [one.removeprefix("2027-").removesuffix(":00") for one in found]


def titles(data: bytes) -> list[str]:
    return sorted(one.event.title for one in Calendar.read(data).between(*YEAR) if not one.cancelled)


class TestLines:
    TEXT = ics(event(*SHIFT, "SUMMARY:Garde : Zoé Côté")).decode()

    @pytest.mark.parametrize(
        "data",
        [
            TEXT.encode(),
            TEXT.encode("utf-8-sig"),
            TEXT.encode("utf-16"),
            TEXT.encode("utf-16-le"),
            TEXT.encode("utf-16-be"),
            TEXT.replace("\r\n", "\n").encode(),
            TEXT.replace("\r\n", "\r").encode(),
            TEXT.encode("windows-1252"),
            TEXT.strip().encode(),
            TEXT.replace("BEGIN:", "begin:").replace("DTSTART", "dtstart").encode(),
            TEXT.replace("\r\nUID", '\r\n\r\nX-OTHER;X="a:b":c\r\nUID').encode(),
            # Folded in the midst of é, as programs do that count bytes.
            TEXT.encode().replace("é".encode(), b"\xc3\r\n \xa9"),
            TEXT.replace("Garde : Z", "Garde :\r\n  Z").encode(),
            TEXT.replace("Garde : Z", "Garde :\n\t Z").encode(),
        ],
    )
    def test_whatever_its_encoding_its_ends_and_its_folds(self, data: bytes) -> None:
        [one] = Calendar.read(data).events
        assert (one.title, one.start) == ("Garde : Zoé Côté", datetime(2027, 1, 11, 13, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (b"", "no VCALENDAR"),
            (b"/etc/hostname", "no VCALENDAR"),
            (ics(event(*SHIFT)) * 2, "2 VCALENDARs"),
            (ics(event(*SHIFT))[:-40], "cut off"),
            (ics(("BEGIN:VEVENT", *SHIFT)), "was not begun"),
            (ics(*(event(*SHIFT, uid=f"{n}") for n in range(10_000))), "10000 events"),
            (b"\xff\xfe\x00", "UTF-16"),
            (b"BEGIN:VCALENDAR\r\n" + b"X:" + b"a" * (9 << 20), "8 MB"),
        ],
    )
    def test_what_is_no_calendar_is_told(self, data: bytes, problem: str) -> None:
        with pytest.raises(CalendarProblem) as refused:
            Calendar.read(data)
        assert problem in refused.value.problem
        assert refused.value.mend


class TestVersions:
    @pytest.mark.parametrize(
        "data",
        [
            ics(event(*SHIFT, "STATUS:CANCELLED")),
            ics(event(*SHIFT, "status:cancelled")),
            ics(event(*SHIFT), head=("METHOD:CANCEL",)),
            ics(event(*SHIFT, "SUMMARY:Annulé : Luc")),
            ics(event(*SHIFT, "SUMMARY:Canceled: Luc")),
            ics(event(*SHIFT, "SEQUENCE:0"), event(*SHIFT, "SEQUENCE:1", "STATUS:CANCELLED")),
            ics(event(*SHIFT, "SEQUENCE:1", "STATUS:CANCELLED"), event(*SHIFT, "SEQUENCE:0")),
        ],
    )
    def test_what_was_called_off_takes_place_no_more(self, data: bytes) -> None:
        assert moments(data) == []

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("SEQUENCE:1",), ("SEQUENCE:0",)),
            (("SEQUENCE:10",), ("SEQUENCE:9", "DTSTAMP:20270101T000000Z")),
            (("DTSTAMP:20261102T120000Z",), ("DTSTAMP:20261101T120000Z",)),
            (("SEQUENCE:1", "DTSTAMP:20261101T120000Z"), ("DTSTAMP:20261102T120000Z",)),
            (("SEQUENCE:1",), ()),
        ],
    )
    def test_the_later_version_counts_in_whatever_order(self, one: tuple[str, ...], other: tuple[str, ...]) -> None:
        new, old = event(*SHIFT, "SUMMARY:Annie", *one), event(*SHIFT, "SUMMARY:Luc", *other)
        assert titles(ics(old, new)) == titles(ics(new, old)) == ["Annie"]

    def test_of_equal_versions_the_last_in_the_file(self) -> None:
        assert titles(ics(event(*SHIFT, "SUMMARY:Luc"), event(*SHIFT, "SUMMARY:Annie"))) == ["Annie"]

    def test_without_uid_each_is_an_event_of_its_own(self) -> None:
        assert len(moments(ics(event(*SHIFT, uid=None), event(*SHIFT, uid=None)))) == 2

    def test_what_is_shown_as_free_counts(self) -> None:
        """Whole days are free in Outlook and Google, unless somebody changes that."""
        assert moments(ics(event("DTSTART;VALUE=DATE:20270503", "TRANSP:TRANSPARENT"))) == ["05-03"]


WEEKLY = ("DTSTART;TZID=America/Toronto:20270301T080000", "DTEND;TZID=America/Toronto:20270308T080000")


class TestRecurring:
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (("RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3",), ["03-01 08:00", "03-15 08:00", "03-29 08:00"]),
            (("RRULE:FREQ=WEEKLY;UNTIL=20270315T120000Z",), ["03-01 08:00", "03-08 08:00", "03-15 08:00"]),
            (("RRULE:FREQ=WEEKLY;UNTIL=20270315",), ["03-01 08:00", "03-08 08:00", "03-15 08:00"]),
            (("RRULE:FREQ=WEEKLY;UNTIL=20270315T080000",), ["03-01 08:00", "03-08 08:00", "03-15 08:00"]),
            (
                ("RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;TZID=America/Toronto:20270308T080000"),
                ["03-01 08:00", "03-15 08:00"],
            ),
            (("RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20270308T130000Z"), ["03-01 08:00", "03-15 08:00"]),
            (("RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE;VALUE=DATE:20270308"), ["03-01 08:00", "03-15 08:00"]),
            (
                ("RDATE;TZID=America/Toronto:20270501T080000,20270601T080000",),
                ["03-01 08:00", "05-01 08:00", "06-01 08:00"],
            ),
            (("RDATE;VALUE=PERIOD:20270501T120000Z/PT2H",), ["03-01 08:00", "05-01 08:00"]),
        ],
    )
    def test_rules_and_dates(self, lines: tuple[str, ...], expected: list[str]) -> None:
        """Across 14 March, when the clocks change: the shift begins at eight all the same."""
        assert moments(ics(event(*WEEKLY, *lines))) == expected

    def test_a_rule_without_end_is_followed_as_far_as_it_is_asked(self) -> None:
        assert len(moments(ics(event(*WEEKLY, "RRULE:FREQ=WEEKLY")))) == 44

    @pytest.mark.parametrize("at", [";TZID=America/Toronto:20270308T080000", ":20270308T130000Z"])
    @pytest.mark.parametrize(
        ("lines", "expected"),
        [
            (("DTSTART:20270309T130000Z", "DTEND:20270310T130000Z"), ["03-01 08:00", "03-09 08:00", "03-15 08:00"]),
            (("DTSTART:20270308T130000Z", "STATUS:CANCELLED"), ["03-01 08:00", "03-15 08:00"]),
        ],
    )
    def test_one_occurrence_is_moved_or_called_off(self, at: str, lines: tuple[str, ...], expected: list[str]) -> None:
        series = event(*WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=3")
        changed = event(f"RECURRENCE-ID{at}", *lines)
        assert moments(ics(series, changed)) == moments(ics(changed, series)) == expected

    def test_this_and_all_later_ones_are_moved(self) -> None:
        series = event(*WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=4")
        later = event(
            "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=America/Toronto:20270315T080000",
            *("DTSTART;TZID=America/Toronto:20270315T090000", "DTEND;TZID=America/Toronto:20270316T090000"),
        )
        assert moments(ics(series, later)) == ["03-01 08:00", "03-08 08:00", "03-15 09:00", "03-22 09:00"]

    def test_this_and_all_later_ones_are_called_off(self) -> None:
        series = event(*WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=4")
        later = event(
            "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=America/Toronto:20270315T080000", *WEEKLY, "STATUS:CANCELLED"
        )
        assert moments(ics(series, later)) == ["03-01 08:00", "03-08 08:00"]

    def test_a_series_that_was_called_off_takes_its_changed_ones_along(self) -> None:
        series = event(*WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=3", "SEQUENCE:2", "STATUS:CANCELLED")
        changed = event("RECURRENCE-ID:20270308T130000Z", "DTSTART:20270309T130000Z", "DTEND:20270310T130000Z")
        assert moments(ics(series, changed)) == []

    def test_a_change_of_what_the_series_no_longer_has_is_over(self) -> None:
        """The series moved to nine later on: what was moved of its eight is no more."""
        series = event(
            *("DTSTART;TZID=America/Toronto:20270301T090000", "DTEND;TZID=America/Toronto:20270301T170000"),
            *("RRULE:FREQ=WEEKLY;COUNT=2", "SEQUENCE:3"),
        )
        changed = event(
            "RECURRENCE-ID;TZID=America/Toronto:20270308T080000", "DTSTART:20270310T130000Z", "DTEND:20270310T140000Z"
        )
        assert moments(ics(series, changed)) == ["03-01 09:00", "03-08 09:00"]

    @pytest.mark.parametrize(
        "rule",
        [
            "FREQ=SECONDLY",
            "FREQ=MINUTELY;INTERVAL=1",
            "FREQ=HOURLY;COUNT=5",
            "FREQ=DAILY;BYHOUR=0,1,2,3,4,5;BYMINUTE=0,1,2,3,4,5;BYSECOND=0,1",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;COUNT=-1",
            "FREQ=BOGUS",
            "FREQ=DAILY;COUNT=x",
            "COUNT=3",
            "",
        ],
    )
    def test_a_rule_that_repeats_too_often_or_not_at_all(self, rule: str) -> None:
        with pytest.raises(CalendarProblem) as refused:
            Calendar.read(ics(event(*SHIFT, "SUMMARY:Luc", f"RRULE:{rule}")))
        assert (refused.value.line, "Luc" in refused.value.problem) == (3, True)

    def test_a_rule_that_never_comes_costs_little(self) -> None:
        assert moments(ics(event(*SHIFT, "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"))) == ["01-11 08:00"]

    def test_many_rules_are_refused_before_they_are_followed(self) -> None:
        daily = (event(*SHIFT, "RRULE:FREQ=DAILY", uid=f"{n}") for n in range(1000))
        with pytest.raises(CalendarProblem, match="more often than any calendar needs"):
            Calendar.read(ics(*daily))


class TestZones:
    @pytest.mark.parametrize(
        "tzid",
        [
            "America/Toronto",
            "america/toronto",
            "/America/Toronto",
            '"America/Toronto"',
            "/freeassociation.sourceforge.net/America/Toronto",
            "/freeassociation.sourceforge.net/Tzfile/America/Toronto",
            "/mozilla.org/20070129_1/America/Toronto",
            "Eastern Standard Time",
            '"(UTC-05:00) Eastern Time (US & Canada)"',
            "Ours",
        ],
    )
    def test_whatever_it_is_called(self, tzid: str) -> None:
        """In winter and in summer."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lines = (f"DTSTART;TZID={tzid}:20270111T080000", f"RDATE;TZID={tzid}:20270712T080000")
            assert moments(ics(EASTERN, event(*lines, "DURATION:P7D"))) == ["01-11 08:00", "07-12 08:00"]

    @pytest.mark.parametrize(
        ("tzid", "local"),
        [
            ("UTC", "07-12 04:00"),
            ("tzone://Microsoft/Utc", "07-12 04:00"),
            ("UTC-05:00", "07-12 09:00"),
            ("GMT-0500", "07-12 09:00"),
            ("Romance Standard Time", "07-12 02:00"),
            ('"(UTC+01:00) Brussels, Copenhagen, Madrid, Paris"', "07-12 02:00"),
            ("Atlantic Standard Time", "07-12 07:00"),
            ("Newfoundland Standard Time", "07-12 06:30"),
        ],
    )
    def test_elsewhere(self, tzid: str, local: str) -> None:
        assert moments(ics(event(f"DTSTART;TZID={tzid}:20270712T080000", "DURATION:PT1H"))) == [local]

    def test_a_zone_that_a_file_defines_is_no_other_files(self) -> None:
        """icalendar keeps zones for the whole process by their names."""
        paris = tuple(line.replace("-0400", "+0200").replace("-0500", "+0100") for line in EASTERN)
        shift = event("DTSTART;TZID=Ours:20270712T080000", "DURATION:PT1H")
        assert moments(ics(EASTERN, shift)) == ["07-12 08:00"]
        assert moments(ics(paris, shift)) == ["07-12 02:00"]
        with pytest.raises(CalendarProblem, match="« Ours » is not known"):
            Calendar.read(ics(shift))

    @pytest.mark.parametrize("tzid", ["Customized Time Zone", "tzone://Microsoft/Custom"])
    def test_without_a_definition_a_time_is_local(self, tzid: str) -> None:
        [one] = Calendar.read(ics(event(f"DTSTART;TZID={tzid}:20270405T080000", "DURATION:P7D"))).events
        assert one.start == datetime(2027, 4, 5, 8)  # noqa: DTZ001

    @pytest.mark.parametrize("tzid", ["Mars/Olympus", "../../etc/passwd", "Toronto time", ""])
    def test_what_nobody_knows_is_refused_and_not_guessed(self, tzid: str) -> None:
        with pytest.raises(CalendarProblem, match="is not known") as refused:
            Calendar.read(ics(event(f"DTSTART;TZID={tzid}:20270405T080000", "SUMMARY:Luc")))
        assert refused.value.line == 3

    def test_a_zone_that_would_change_every_second(self) -> None:
        bomb = tuple(line.replace("FREQ=YEARLY", "FREQ=SECONDLY") for line in EASTERN)
        with pytest.raises(CalendarProblem, match="more often than every year"):
            Calendar.read(ics(bomb, event("DTSTART;TZID=Ours:20270405T080000")))

    def test_googles_calendar_has_a_zone(self) -> None:
        shift = event("DTSTART:20270712T080000", "DURATION:PT1H")
        assert moments(ics(shift, head=("X-WR-TIMEZONE:Europe/Paris",))) == ["07-12 02:00"]
        whole = event("DTSTART;VALUE=DATE:20270712")
        assert moments(ics(whole, head=("X-WR-TIMEZONE:Nowhere",))) == ["07-12"]

    def test_what_recurs_in_utc_recurs_in_the_calendars_zone(self) -> None:
        """At eight in winter and in summer."""
        monthly = event("DTSTART:20270111T130000Z", "DURATION:PT1H", "RRULE:FREQ=MONTHLY;INTERVAL=6;COUNT=2")
        toronto = ("X-WR-TIMEZONE:America/Toronto",)
        assert moments(ics(monthly, head=toronto)) == ["01-11 08:00", "07-11 08:00"]
        assert moments(ics(monthly)) == ["01-11 08:00", "07-11 09:00"]


class TestTimes:
    @pytest.mark.parametrize(
        ("start", "utc"),
        [
            # Spring skips two o'clock: the offset before it counts (RFC 5545 section 3.3.5).
            ("20270314T023000", datetime(2027, 3, 14, 7, 30, tzinfo=UTC)),
            # Autumn has one o'clock twice: the first is meant.
            ("20271107T013000", datetime(2027, 11, 7, 5, 30, tzinfo=UTC)),
        ],
    )
    def test_both_daylight_saving_days(self, start: str, utc: datetime) -> None:
        [one] = Calendar.read(ics(event(f"DTSTART;TZID=America/Toronto:{start}", "DURATION:PT1H"))).events
        assert isinstance(one.start, datetime)
        assert one.start.astimezone(UTC) == utc

    @pytest.mark.parametrize(
        "start",
        [
            "20270712T120000Z",
            "20270712T080000-0400",
            "2027-07-12T08:00:00-04:00",
            "2027-07-12T12:00:00.000Z",
            "20270712T1200Z",
        ],
    )
    def test_moments_as_programs_write_them(self, start: str) -> None:
        assert moments(ics(event(f"DTSTART:{start}", "DURATION:PT1H"))) == ["07-12 08:00"]

    @pytest.mark.parametrize(
        ("lines", "length"),
        [
            (("DTSTART;VALUE=DATE:20270503",), timedelta(days=1)),
            (("DTSTART:20270503",), timedelta(days=1)),
            (("DTSTART;VALUE=DATE:20270503", "DTEND;VALUE=DATE:20270510"), timedelta(days=7)),
            (("DTSTART;VALUE=DATE:20270503", "DURATION:P1W"), timedelta(days=7)),
            (("DTSTART:20270503T080000", "DURATION:PT12H"), timedelta(hours=12)),
            (("DTSTART:20270503T080000",), timedelta(0)),
        ],
    )
    def test_how_long_it_lasts(self, lines: tuple[str, ...], length: timedelta) -> None:
        [one] = Calendar.read(ics(event(*lines))).events
        assert one.end - one.start == length
        assert isinstance(one.start, date)

    @pytest.mark.parametrize(
        ("lines", "problem"),
        [
            ((), "DTSTART is missing"),
            (("DTSTART:garbage",), "DTSTART is 'garbage'"),
            (("DTSTART:20271301T080000",), "DTSTART is '20271301T080000'"),
            (("DTSTART:00010101T000000",), "DTSTART is '00010101T000000'"),
            (("DTSTART:20270503T080000", "DTEND:x"), "DTEND is 'x'"),
            (("DTSTART:20270503T080000", "DTEND:20270502T080000"), "the end is before the start"),
            (("DTSTART:20270503T080000", "DURATION:PX"), "DURATION is 'PX'"),
            (("DTSTART:20270503T080000", "DURATION:-PT1H"), "the end is before the start"),
            (("DTSTART:20270503T080000", "DTEND;VALUE=DATE:20270504"), "one of start and end is a day"),
            (("DTSTART:20270503T080000", "SEQUENCE:x"), "SEQUENCE is 'x'"),
            (("DTSTART:20270503T080000", "EXRULE:FREQ=DAILY"), "EXRULE"),
            (("DTSTART:20270503T080000", "EXDATE:x"), "EXDATE is 'x'"),
            (("DTSTART:20270503T080000", "RDATE;VALUE=PERIOD:20270503T080000Z/x"), "RDATE is 'x'"),
            (("DTSTART:20270503T080000", "DTSTART:20270504T080000"), "DTSTART is there twice"),
        ],
    )
    def test_an_event_that_is_wrong_names_itself_its_line_and_the_mend(
        self, lines: tuple[str, ...], problem: str
    ) -> None:
        with pytest.raises(CalendarProblem) as refused:
            Calendar.read(ics(event(*SHIFT), event("SUMMARY:Luc", *lines, uid="b")))
        assert problem in refused.value.problem
        assert "« Luc »" in refused.value.problem
        assert refused.value.line == 8
        assert refused.value.mend


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.text(max_size=200))
def test_any_bytes_are_a_calendar_or_refused(data: bytes, text: str) -> None:
    for one in (data, ics(event(*text.splitlines())), b"BEGIN:VCALENDAR\r\n" + data):
        with contextlib.suppress(CalendarProblem):
            Calendar.read(one)


@settings(deadline=None, max_examples=60)
@given(
    st.datetimes(datetime(2027, 1, 2), datetime(2027, 12, 1)),  # noqa: DTZ001
    st.integers(1, 400),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.integers(1, 74),
)
def test_what_is_written_is_read_back(start: datetime, hours: int, encoding: str, end: str, fold: int) -> None:
    at = start.replace(microsecond=0)
    lines = (f"DTSTART:{at:%Y%m%dT%H%M%S}Z", f"DURATION:PT{hours}H", "SUMMARY:Zoé Côté")
    text = "".join(
        line[:fold] + "".join(f"\n {line[at : at + fold]}" for at in range(fold, len(line), fold)) + "\n"
        for line in ics(event(*lines)).decode().splitlines()
    )
    [one] = Calendar.read(text.replace("\n", end).encode(encoding)).events
    assert (one.title, one.start) == ("Zoé Côté", at.replace(tzinfo=UTC))
    assert one.end - one.start == timedelta(hours=hours)
