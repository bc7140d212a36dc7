"""Reports: when they are due, what the facts tell, and what may be written (OV-28)."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ivr.desk.hours import calendars_of
from ivr.desk.load import load_desks
from ivr.errors import BadInput
from ivr.incidents.model import Affected, Incident, Update
from ivr.reports import page
from ivr.reports.model import (
    HEADINGS,
    SECTIONS,
    Reach,
    Report,
    check_complete,
    checked,
    draft,
    due_on,
    in_words,
    paragraphs,
    reminder_due,
)

DESK = load_desks()["omnivigil"]
CALENDAR = calendars_of(DESK)[DESK.menu.operator]
NOON = timedelta(hours=12)


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=DESK.zone)


@pytest.mark.parametrize(
    ("resolved", "due"),
    [
        # From a Wednesday over two week-ends.
        (at(2026, 11, 18), date(2026, 12, 2)),
        # On a Saturday: Monday is the first day.
        (at(2026, 11, 21), date(2026, 12, 4)),
        # Over Christmas and New Year's Day.
        (at(2026, 12, 18), date(2027, 1, 5)),
        # Over the national holiday of Quebec (June 24) and Canada Day (July 1).
        (at(2026, 6, 18), date(2026, 7, 6)),
        # Over the change of clocks in March and in November.
        (at(2027, 3, 5), date(2027, 3, 19)),
        (at(2026, 10, 30), date(2026, 11, 13)),
    ],
)
def test_ov28_due_on_the_tenth_working_day_of_the_desks_calendar(resolved: datetime, due: date) -> None:
    found = due_on(CALENDAR, resolved)
    days = [resolved.date() + timedelta(days=n) for n in range(1, (found - resolved.date()).days + 1)]
    assert sum(bool(CALENDAR.day(day)) for day in days) == 10
    assert CALENDAR.day(found)
    assert found == due


def test_late_in_the_evening_is_that_days_even_when_it_is_the_next_in_utc() -> None:
    evening = datetime(2026, 11, 18, 23, 30, tzinfo=DESK.zone)
    assert due_on(CALENDAR, evening.astimezone(UTC)) == due_on(CALENDAR, at(2026, 11, 18))


def test_operations_are_reminded_when_three_days_are_left_and_when_it_is_late() -> None:
    resolved = at(2026, 11, 18)
    told = [reminder_due(CALENDAR, resolved, resolved + timedelta(days=n)) for n in range(16)]
    assert [told.index("soon"), told.index("overdue")] == [9, 15]
    assert set(told[9:15]) == {"soon"}


START = datetime(2026, 11, 18, 14, 0, tzinfo=UTC)
ONE = Incident(
    id=3,
    desk="omnivigil",
    title={"fr": "Panne à Québec", "en": "Outage in Quebec City"},
    impact="major",
    services=("telephonie",),
    components=("Commutateur A",),
    affected=Affected(partners=(1,), customers=(1, 2)),
    started_at=START,
    updates=(
        Update(id=1, stage="confirmed", texts={"fr": "Une panne.", "en": "An outage."}, at=START, by="ops"),
        Update(
            id=2,
            stage="resolved",
            texts={"fr": "Tout est rétabli.", "en": "All is well."},
            at=START + timedelta(days=1, hours=2, minutes=5),
            by="ops",
        ),
    ),
)


def report(**more: object) -> Report:
    sections = draft(ONE, DESK, Reach(calls=12, tickets=3))
    made = Report(incident_id=3, sections=sections, version=1, created_at=START, updated_at=START, updated_by="ops")
    return replace(made, **more)  # type: ignore[arg-type]


def test_the_facts_are_drafted_in_each_language() -> None:
    texts = draft(ONE, DESK, Reach(calls=12, tickets=3))
    assert set(texts) == {"fr", "en"}
    french = texts["fr"]
    assert french["description"].startswith("Panne à Québec\n\n18 novembre 2026, ")
    assert "Confirmé\nUne panne." in french["description"]
    assert "1 partenaires, 2 clients, 0 numéros" in french["impact"]
    assert "12 appels ; 3 billets" in french["impact"]
    assert french["components"] == "Commutateur A"
    assert "Durée : 1 jour, 2 heures et 5 minutes" in french["duration"]
    assert french["resolution"] == "Tout est rétabli."
    assert "Services affected: " in texts["en"]["impact"]


def test_how_long_in_words() -> None:
    assert in_words(timedelta(seconds=10), "fr") == "1 minute"
    assert in_words(timedelta(hours=3), "en") == "3 hours"
    assert in_words(timedelta(days=2, minutes=1), "fr") == "2 jours et 1 minute"


def test_what_is_not_written_is_not_published() -> None:
    with pytest.raises(BadInput) as refused:
        check_complete(report(), DESK)
    assert refused.value.field == "sections.fr.corrective"
    written = {name: {**texts, "corrective": "Fait."} for name, texts in report().sections.items()}
    check_complete(report(sections=written), DESK)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"de": {"impact": "x"}}, "sections.de"),
        ({"fr": {"other": "x"}}, "sections.fr.other"),
        ({"fr": {"impact": "x" * 20_001}}, "sections.fr.impact"),
        ({"fr": {"impact": "a\x00b"}}, "sections.fr.impact"),
    ],
)
def test_bad_sections(given: dict[str, dict[str, str]], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked(given, DESK)
    assert refused.value.field == field


def test_paragraphs() -> None:
    assert paragraphs("a\nb\n\n\n\nc") == [["a", "b"], ["c"]]


def test_html_escapes_whatever_was_written() -> None:
    hostile = {name: {**texts, "impact": "<script>alert(1)</script>"} for name, texts in report().sections.items()}
    text = page.html(ONE, report(sections=hostile), DESK, "fr")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "Ébauche, non publiée" in text
    for heading in HEADINGS["fr"].values():
        assert heading in text
    assert len(HEADINGS["fr"]) == len(SECTIONS)


def test_pdf_has_french_letters_and_what_no_font_has_does_no_harm() -> None:
    said = {
        name: {**texts, "impact": "« L’été » à Québec, œuvre — 漢字 \u202f!"}
        for name, texts in report().sections.items()
    }
    content = page.as_pdf(ONE, report(sections=said), DESK, "fr")
    assert content.startswith(b"%PDF-")
    streams = b"".join(
        zlib.decompress(part.split(b"endstream")[0].strip(b"\r\n"))
        for part in content.split(b"stream\n")[1:]
        if part[:1] == b"x"
    )
    text = streams.decode("windows-1252")
    for word in ("L’été", "Québec", "œuvre", "Effet sur les services"):
        assert word in text, word
