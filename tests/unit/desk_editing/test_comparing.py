"""Which calls tell two versions of a desk apart, and what is doubtful in their texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ivr.desk import menu
from ivr.desk.fields import Interval, SpecialDay, Week
from ivr.desk.hours import calendars_of
from ivr.desk.load import load_desks
from ivr.desk.schema import Desk
from ivr.desk_editing.caller_preview import MOST_TOLD, Side, compare
from ivr.prompts.catalog import Catalog
from ivr.prompts.text_checks import doubtful

SHIPPED = load_desks()
DESK = SHIPPED["omnivigil"]
NOW = datetime(2026, 11, 25, 10, tzinfo=ZoneInfo("America/Toronto"))


def side(desk: Desk) -> Side:
    catalog = Catalog({desk.id: desk})

    def render(desk_id: str, prompt: menu.Prompt, language: str) -> str:
        return catalog.utterance(desk_id, prompt.id, language, dict(prompt.variables)).text

    return Side(desk=desk, calendars=calendars_of(desk), render=render)


def week(**days: tuple[Interval, ...]) -> Week:
    return DESK.hours.model_copy(update=days)


def test_the_same_desk_is_heard_once_and_differs_nowhere() -> None:
    found = compare(side(DESK), side(DESK), NOW)
    assert (len(found.calls), found.calls[0].differs, found.more) == (1, False, 0)
    assert [one.why for one in found.moments] == ["now", "tonight", "holiday"]
    assert found.moments[2].at.date() == date(2026, 12, 25)


def test_other_hours_are_heard_from_the_moment_at_which_they_differ() -> None:
    later = DESK.model_copy(update={"hours": week(wednesday=DESK.hours.wednesday[:1])})
    found = compare(side(DESK), side(later), NOW)
    edges = [one.at for one in found.moments if one.why == "differs"]
    assert edges[0] == NOW.replace(hour=13)
    assert edges[1] - edges[0] == timedelta(days=7)
    assert all(one.differs for one in found.calls)
    assert {one.language for one in found.calls} == {"fr", "en"}
    assert (len(found.calls), found.more > 0) == (MOST_TOLD, True)


def test_a_closed_day_far_away_is_found_and_so_is_a_text_that_only_one_language_has() -> None:
    closed = DESK.model_copy(update={"exceptions": (SpecialDay(date=date(2027, 3, 3)),)})
    found = compare(side(DESK), side(closed), NOW)
    assert [one.at.isoformat()[:16] for one in found.moments if one.why == "differs"] == [
        "2027-03-03T08:00",
        "2027-03-03T13:00",
    ]
    texts: Mapping[str, Mapping[str, str]] = {**DESK.texts, "welcome": {**DESK.texts["welcome"], "en": "Hello."}}
    other = compare(side(DESK), side(DESK.model_copy(update={"texts": texts})), NOW)
    assert {one.language for one in other.calls} == {"en"}
    assert other.calls[0].key is None


def test_texts_that_no_voice_says_as_they_are_written_are_told_and_the_shipped_ones_are_none() -> None:
    assert doubtful(SHIPPED) == []
    texts = {"welcome": {"fr": "Le WIFI 😀 du NOC.", "en": "x" * 700}}
    told = doubtful({"omnivigil": DESK.model_copy(update={"texts": texts})})
    assert ["WIFI" in told[1], "😀" in told[0], "lasts about 50 seconds" in told[2]] == [True] * 3
    assert len(told) == 3
