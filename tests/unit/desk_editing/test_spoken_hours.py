"""The text that tells the hours, made from them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk.contradictions import contradictions
from ivr.desk.fields import DAYS, Week
from ivr.desk.load import load_desks
from ivr.desk_editing.spoken_hours import closed_hours

SHIPPED = load_desks()
_MINUTES = st.lists(st.sampled_from(range(0, 24 * 60 + 1, 15)), min_size=2, max_size=6, unique=True).map(sorted)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    days = {}
    for day in draw(st.lists(st.sampled_from(DAYS), unique=True)):
        edges = draw(_MINUTES)
        days[day] = [f"{clock(a)}-{clock(b)}" for a, b in zip(edges[::2], edges[1::2], strict=False)]
    return Week.model_validate(days)


def test_it_says_of_the_shipped_hours_what_people_wrote() -> None:
    desk = SHIPPED["omnivigil"]
    assert closed_hours(desk.hours, "fr") == desk.texts["closed-hours"]["fr"]
    assert closed_hours(desk.hours, "en").endswith("from 8 a.m. to noon and from 1 p.m. to 5 p.m.")


def test_days_with_the_same_hours_are_told_together() -> None:
    week = Week.model_validate(
        {"monday": ["08:00-12:00", "13:30-24:00"], "tuesday": ["08:00-12:00", "13:30-24:00"], "sunday": ["00:15-01:00"]}
    )
    assert closed_hours(week, "fr") == (
        "Nous sommes fermés en ce moment. Nos bureaux sont ouverts le lundi et le mardi, de 8 heures à midi et de "
        "13 heures 30 à minuit, et le dimanche, de minuit 15 à 1 heure."
    )
    assert closed_hours(week, "en", of_department=True) == (
        "{department}. Our hours are Monday and Tuesday, from 8 a.m. to noon and from 1:30 p.m. to midnight "
        "and Sunday, from 12:15 a.m. to 1 a.m."
    )
    assert closed_hours(Week(), "en") == "We are closed at the moment."


@settings(max_examples=60, deadline=None)
@given(week=weeks(), of_department=st.booleans())
def test_what_is_made_from_the_hours_never_contradicts_them(week: Week, of_department: bool) -> None:
    texts = {language: closed_hours(week, language, of_department=of_department) for language in ("fr", "en")}
    desk = SHIPPED["omnivigil"]
    if of_department:
        support = desk.departments["support"].model_copy(update={"hours": week})
        changed = {"departments": {"support": support}, "texts": {"closed-hours-support": texts}}
    else:
        changed = {"hours": week, "texts": {"closed-hours": texts}}
    assert contradictions({"omnivigil": desk.model_copy(update=changed)}) == []
