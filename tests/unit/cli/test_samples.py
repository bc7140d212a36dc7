"""What `./omnivigil doctor` tells of a calendar and of a list."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivr.calendars.lines import CalendarProblem
from ivr.cli import samples
from ivr.desk.load import load_desks
from ivr.desk.schema import Desk
from ivr.errors import AllBadInput
from tests.unit.calendars.test_events import event, ics

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def omnivigil() -> Desk:
    return load_desks()["omnivigil"]


def test_a_calendar_as_rota_closures_and_maintenance(omnivigil: Desk) -> None:
    data = ics(
        event("SUMMARY:Garde : Luc", "DTSTART:20261207T130000Z", "DTEND:20261214T130000Z"),
        event("SUMMARY:Garde : Annie", "DTSTART:20261221T130000Z", "DURATION:P7D", "STATUS:CANCELLED", uid="b"),
    )
    assert list(samples.of_calendar(data, omnivigil, NOW)) == [
        "2 events, in the time of America/Toronto",
        "  event « Garde : Annie » of 2026-12-21 (line 9) is called off".replace("event ", ""),
        "As a rota:",
        "  2026-12-07 08:00 to 2026-12-14 08:00  Luc Bouchard",
        "As closures, until 2028-01-02:",
        "  closed 2026-12-07 08:00 to 2026-12-14 08:00  Garde : Luc",
        "As maintenance, until 2028-01-02:",
        "  2026-12-07 08:00 to 2026-12-14 08:00  Garde : Luc",
    ]


def test_what_is_no_rota_may_be_closures(omnivigil: Desk) -> None:
    data = ics(event("SUMMARY:Fermé", "DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261226"))
    told = list(samples.of_calendar(data, omnivigil, NOW))
    assert told[2].startswith("  nothing is taken: event « Fermé » of 2026-12-24 (line 3) is for nobody on call")
    assert "  closed 2026-12-24 to 2026-12-25 all day  Fermé" in told
    assert told.count("  nothing") == 0


def test_what_is_no_calendar_is_told_with_the_mend(omnivigil: Desk) -> None:
    with pytest.raises(CalendarProblem) as refused:
        list(samples.of_calendar(b"x", omnivigil, NOW))
    [told] = samples.problems(refused.value)
    assert told == "this holds no VCALENDAR. To mend it: give an iCalendar file (RFC 5545) with one VCALENDAR"


def test_a_list_with_its_numbers() -> None:
    data = "sep=;\r\ncompte;numéro;couleur\r\nC-9;418\u00a0555‑0101 poste 22;Luc\r\nC-8;4,18556E+09;\r\n"
    assert list(samples.of_list(data.encode("utf-16"), "CA")) == [
        "2 rows; columns: compte, numéro",
        "not looked at: couleur",
        "  row 2: account 'C-9'; numero +14185550101, extension 22",
        "  row 3: account 'C-8'; numero '4,18556E+09' is a number that Excel has rounded: "
        "format the column as text, and enter the number again",
    ]


def test_what_is_no_list_is_told_with_the_row() -> None:
    with pytest.raises(AllBadInput) as refused:
        list(samples.of_list(b'account;number\n"C-9"x;1\n', "CA"))
    [told] = samples.problems(refused.value)
    assert told.startswith("list, row 2: has a quotation mark")
