"""Closures from iCalendar files (OV-5)."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivr.desk.fields import Interval, SpecialDay
from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.ical import Closures
from ivr.desk.load import DeskError
from ivr.desk.schema import Desk

TORONTO = ZoneInfo("America/Toronto")


def ics(*events: tuple[str, ...]) -> str:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//FR"]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}", "SUMMARY:Fermé", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


class Importer:
    """A desk whose closures come from one file."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._desk, self._folder = desk, folder

    def __call__(self, *events: tuple[str, ...], exceptions: tuple[SpecialDay, ...] = ()) -> Calendar:
        (self._folder / "closed.ics").write_text(ics(*events), encoding="utf-8")
        desk = self._desk.model_copy(update={"ical": ("closed.ics",), "exceptions": exceptions})
        return calendars_of(desk, self._folder)["support"]


@pytest.fixture
def imported(omnivigil: Desk, tmp_path: Path) -> Importer:
    return Importer(omnivigil, tmp_path)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO)


def ranges(calendar: Calendar, day: str) -> list[str]:
    openings = calendar.day(date.fromisoformat(day))
    return [f"{one.start.astimezone(TORONTO):%H:%M}-{one.end.astimezone(TORONTO):%H:%M}" for one in openings]


WHOLE = ["08:00-12:00", "13:00-17:00"]


def test_ov5_a_whole_day_closes_that_day_alone(imported: Importer) -> None:
    hours = imported(("DTSTART;VALUE=DATE:20261126", "DTEND;VALUE=DATE:20261127"))
    assert [ranges(hours, f"2026-11-{day}") for day in (25, 26, 27)] == [WHOLE, [], WHOLE]


def test_ov5_a_whole_day_needs_no_end(imported: Importer) -> None:
    hours = imported(("DTSTART;VALUE=DATE:20261126",))
    assert [ranges(hours, f"2026-11-{day}") for day in (25, 26, 27)] == [WHOLE, [], WHOLE]


def test_ov5_several_days_close_up_to_the_last_one_s_eve(imported: Importer) -> None:
    hours = imported(("DTSTART;VALUE=DATE:20260720", "DTEND;VALUE=DATE:20260801"))
    assert hours.next_opening(at("2026-07-17T17:00:00")) == at("2026-08-03T08:00:00")


@pytest.mark.parametrize(
    "event",
    [
        ("DTSTART;TZID=America/Toronto:20261126T100000", "DTEND;TZID=America/Toronto:20261126T143000"),
        ("DTSTART:20261126T150000Z", "DTEND:20261126T193000Z"),
        ("DTSTART:20261126T100000", "DTEND:20261126T143000"),
        ("DTSTART:20261126T150000Z", "DURATION:PT4H30M"),
        ("DTSTART;TZID=Europe/Paris:20261126T160000", "DTEND;TZID=Europe/Paris:20261126T203000"),
    ],
    ids=["local", "utc", "floating", "duration", "paris"],
)
def test_ov5_a_timed_event_closes_its_time(imported: Importer, event: tuple[str, ...]) -> None:
    hours = imported(event)
    assert ranges(hours, "2026-11-26") == ["08:00-10:00", "14:30-17:00"]
    assert hours.is_open(at("2026-11-26T09:59:59"))
    assert not hours.is_open(at("2026-11-26T10:00:00"))
    assert hours.is_open(at("2026-11-26T14:30:00"))


def test_ov5_an_event_over_midnight_touches_both_days(imported: Importer) -> None:
    hours = imported(("DTSTART:20261125T160000", "DTEND:20261126T090000"))
    assert ranges(hours, "2026-11-25") == ["08:00-12:00", "13:00-16:00"]
    assert ranges(hours, "2026-11-26") == ["09:00-12:00", "13:00-17:00"]


def test_ov5_a_repeated_event_closes_each_time_but_where_it_is_called_off(imported: Importer) -> None:
    hours = imported(
        (
            "DTSTART;TZID=America/Toronto:20260106T080000",
            "DTEND;TZID=America/Toronto:20260106T090000",
            "RRULE:FREQ=WEEKLY;BYDAY=TU",
            "EXDATE;TZID=America/Toronto:20261124T080000",
        )
    )
    assert ranges(hours, "2026-07-07") == ["09:00-12:00", "13:00-17:00"]  # summer time too
    assert ranges(hours, "2026-11-17") == ["09:00-12:00", "13:00-17:00"]
    assert ranges(hours, "2026-11-24") == WHOLE


def test_ov5_a_cancelled_event_closes_nothing(imported: Importer) -> None:
    assert ranges(imported(("DTSTART;VALUE=DATE:20261126", "STATUS:CANCELLED")), "2026-11-26") == WHOLE


def test_ov5_an_event_without_length_closes_nothing(imported: Importer) -> None:
    hours = imported(("DTSTART:20261126T100000",))
    assert hours.next_closing(at("2026-11-26T08:00:00")) == at("2026-11-26T12:00:00")
    assert ranges(hours, "2026-11-26") == WHOLE


def test_ov5_an_exception_of_the_desk_wins_over_the_import(imported: Importer) -> None:
    noon = Interval(start=at("2026-11-26T09:00").time(), end=at("2026-11-26T11:00").time())
    special = SpecialDay(date=date(2026, 11, 26), hours=(noon,))
    hours = imported(("DTSTART;VALUE=DATE:20261126",), exceptions=(special,))
    assert ranges(hours, "2026-11-26") == ["09:00-11:00"]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (("SUMMARY:no start",), "DTSTART"),
        (("DTSTART:garbage",), "garbage"),
        (("DTSTART:20261124T150000Z", "RRULE:FREQ=BOGUS"), "BOGUS"),
        (("DTSTART:20261124T150000Z", "RRULE:FREQ=DAILY;COUNT=x"), "RRULE"),
        (("DTSTART:20261124T150000Z", "RRULE:FREQ=SECONDLY"), "SECONDLY"),
    ],
)
def test_ov5_an_event_that_cannot_be_used_is_found_when_read_and_not_on_a_call(
    tmp_path: Path, event: tuple[str, ...], problem: str
) -> None:
    file = tmp_path / "bad.ics"
    file.write_text(ics(("DTSTART;VALUE=DATE:20261126",), event))
    with pytest.raises(DeskError) as refused:
        Closures.read(file)
    assert problem in refused.value.problem
    assert (refused.value.file, refused.value.line, refused.value.field) == (file, 9, "VEVENT")


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"\xff\xfe\x00", ics().encode() * 2, b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"BEGIN:VCALENDAR\r\n"],
)
def test_ov5_a_file_that_is_no_calendar_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.ics"
    file.write_bytes(content)
    with pytest.raises(DeskError) as refused:
        Closures.read(file)
    assert refused.value.file == file
    assert "VCALENDAR" in refused.value.mend


def test_ov5_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeskError):
        Closures.read(tmp_path / "absent.ics")
