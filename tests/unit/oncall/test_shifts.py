"""Who has which shift by the calendars that people really keep."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ivr.calendars.series import AHEAD
from ivr.desk.oncall import Person
from ivr.errors import BadInput
from ivr.oncall import ical
from tests.unit.calendars.test_events import EASTERN, event, ics

TORONTO = ZoneInfo("America/Toronto")
NOW = datetime(2026, 11, 28, tzinfo=UTC)
PEOPLE = {
    "annie": Person(name="Annie Roy", phone="4185550101"),
    "luc": Person(name="Luc Bouchard", phone="4185550102"),
    "zoe": Person(name="Zoé Côté-Roy", phone="4185550103"),
}
SHIFT = ("DTSTART:20270111T130000Z", "DTEND:20270118T130000Z")


def shifts(data: bytes) -> list[str]:
    found = ical.read(data, PEOPLE, TORONTO, now=NOW)
    return [f"{one.person} {one.start:%Y-%m-%d %H:%M} {one.end:%m-%d %H:%M}" for one in found]


LUC = ["luc 2027-01-11 13:00 01-18 13:00"]


class TestWho:
    @pytest.mark.parametrize(
        "title",
        [
            *("luc", "Luc Bouchard", "LUC BOUCHARD", "Luc", "Bouchard, Luc", "Garde : Luc Bouchard", "Garde : Luc"),
            *(
                "Luc (garde)",
                "On call: Luc",
                "On-Call - Luc Bouchard",
                "De garde : luc",
                "Astreinte Luc B",
                "🌙 Garde — Luc",
            ),
            *("Semaine 3 : Luc", "Garde\\, Luc Bouchard", "Garde de Luc"),
        ],
    )
    def test_by_id_by_name_and_by_what_nobody_else_is_called(self, title: str) -> None:
        if title == "Astreinte Luc B":
            with pytest.raises(BadInput):
                shifts(ics(event(*SHIFT, f"SUMMARY:{title}")))
        else:
            assert shifts(ics(event(*SHIFT, f"SUMMARY:{title}"))) == LUC

    @pytest.mark.parametrize(
        ("title", "told"),
        [
            ("Roy", "names Annie Roy and Zoé Côté-Roy"),
            ("Garde : Annie et Luc", "for nobody on call"),
            ("Annie, Luc", "names Annie Roy and Luc Bouchard"),
            ("Luc Bouchard, Annie Roy", "names Annie Roy and Luc Bouchard"),
            ("Réunion avec Luc", "for nobody on call"),
            ("Vacances Luc", "for nobody on call"),
            ("Garde : Jean", "for nobody on call"),
            ("Garde", "for nobody on call"),
            ("", "for nobody on call"),
        ],
    )
    def test_nobody_is_guessed(self, title: str, told: str) -> None:
        with pytest.raises(BadInput) as refused:
            shifts(ics(event(*SHIFT, f"SUMMARY:{title}")))
        assert told in refused.value.problem
        assert "2027-01-11" in refused.value.problem
        assert "line 3" in refused.value.problem
        assert "Luc Bouchard" in refused.value.mend

    @pytest.mark.parametrize(
        "attendees",
        [
            ("ATTENDEE;CN=Luc Bouchard:mailto:x@example.ca",),
            ('ATTENDEE;CN="Bouchard, L.";PARTSTAT=ACCEPTED:mailto:luc.bouchard@example.ca',),
            ("ATTENDEE:mailto:luc@example.ca", "ATTENDEE;PARTSTAT=DECLINED;CN=Annie Roy:mailto:annie@example.ca"),
            ("ATTENDEE;CN=Luc Bouchard:mailto:luc@example.ca", "ATTENDEE;CN=Salle 3:mailto:salle3@example.ca"),
        ],
    )
    def test_without_a_name_in_the_title_who_was_asked(self, attendees: tuple[str, ...]) -> None:
        assert shifts(ics(event(*SHIFT, "SUMMARY:Garde", *attendees))) == LUC

    def test_two_who_were_asked_are_not_chosen_from(self) -> None:
        both = ("ATTENDEE;CN=Luc Bouchard:mailto:a@example.ca", "ATTENDEE;CN=Annie Roy:mailto:b@example.ca")
        with pytest.raises(BadInput, match="names Annie Roy and Luc Bouchard"):
            shifts(ics(event(*SHIFT, "SUMMARY:Garde", *both)))


class TestWhen:
    """Exports of the field, each with what it means."""

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (ics(event("SUMMARY:Luc", "DTSTART;VALUE=DATE:20270517")), ["luc 2027-05-17 04:00 05-18 04:00"]),
            (
                ics(
                    event(
                        "SUMMARY:Luc", "DTSTART;VALUE=DATE:20270308", "DTEND;VALUE=DATE:20270315", "TRANSP:TRANSPARENT"
                    )
                ),
                ["luc 2027-03-08 05:00 03-15 04:00"],
            ),
            (b"\xef\xbb\xbf" + ics(event(*SHIFT, "SUMMARY:Luc")), LUC),
            (ics(event(*SHIFT, "SUMMARY:Luc", "STATUS:CANCELLED")), []),
            (ics(event(*SHIFT, "SUMMARY:Annulé : Jean")), []),
            (ics(event(*SHIFT, "SUMMARY:Annie"), event(*SHIFT, "SUMMARY:Luc", "SEQUENCE:1")), LUC),
            (
                ics(
                    EASTERN,
                    event("SUMMARY:Luc", "DTSTART;TZID=Ours:20270308T080000", "DTEND;TZID=Ours:20270315T080000"),
                ),
                ["luc 2027-03-08 13:00 03-15 12:00"],
            ),
            (
                ics(event("SUMMARY:Luc", "DTSTART;TZID=Customized Time Zone:20270405T080000", "DURATION:P7D")),
                ["luc 2027-04-05 12:00 04-12 12:00"],
            ),
            (
                ics(
                    event(
                        "SUMMARY:Luc",
                        "DTSTART;TZID=Eastern Standard Time:20270621T080000",
                        "DURATION:P7D",
                        "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=3",
                    )
                ),
                [
                    f"luc 2027-{one}"
                    for one in ("06-21 12:00 06-28 12:00", "07-05 12:00 07-12 12:00", "07-19 12:00 07-26 12:00")
                ],
            ),
        ],
    )
    def test_each_export(self, data: bytes, expected: list[str]) -> None:
        assert shifts(data) == expected

    def test_nights_are_local_on_both_daylight_saving_days(self) -> None:
        night = ("DTSTART;TZID=America/Toronto:20270313T200000", "DTEND;TZID=America/Toronto:20270314T080000")
        found = ical.read(ics(event("SUMMARY:Luc", *night, "RRULE:FREQ=DAILY;COUNT=2")), PEOPLE, TORONTO, now=NOW)
        local = [(one.start.astimezone(TORONTO).hour, one.end.astimezone(TORONTO).hour) for one in found]
        assert local == [(20, 8), (20, 8)]
        assert found[0].end == datetime(2027, 3, 14, 12, tzinfo=UTC)

    def test_a_week_about_without_end_is_taken_for_a_year_and_a_month(self) -> None:
        found = ical.read(ics(event(*SHIFT, "SUMMARY:Luc", "RRULE:FREQ=WEEKLY;INTERVAL=2")), PEOPLE, TORONTO, now=NOW)
        assert (len(found), found[-1].start < NOW + AHEAD) == (26, True)

    def test_one_week_of_a_series_is_somebody_elses(self) -> None:
        series = event(*SHIFT, "SUMMARY:Garde : Luc", "RRULE:FREQ=WEEKLY;COUNT=3")
        swap = event("RECURRENCE-ID:20270118T130000Z", "SUMMARY:Annie", "DTSTART:20270118T130000Z", "DURATION:P7D")
        assert [one.split()[0] for one in shifts(ics(series, swap))] == ["luc", "annie", "luc"]

    def test_shifts_that_overlap_are_refused(self) -> None:
        with pytest.raises(BadInput, match="overlaps"):
            shifts(ics(event(*SHIFT, "SUMMARY:Luc"), event(*SHIFT, "SUMMARY:Annie", uid="b")))

    def test_an_address_of_a_file_is_no_calendar(self, tmp_path: object) -> None:
        """What is sent is text, never the name of a file here."""
        with pytest.raises(BadInput, match="no VCALENDAR"):
            ical.read("/etc/hostname", PEOPLE, TORONTO)
