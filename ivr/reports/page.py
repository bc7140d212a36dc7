"""A report as a page of HTML and as PDF."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ivr.desk.schema import Desk
from ivr.incidents.model import Incident
from ivr.reports import pdf
from ivr.reports.model import HEADINGS, SECTIONS, Report, paragraphs
from ivr.reports.words import WORDS, day_spoken


def html(incident: Incident, report: Report, desk: Desk, language: str) -> str:
    """A page without script, to be read or printed; everything on it is escaped."""
    return _template().render(
        title=WORDS[language]["title"],
        name=incident.title.get(language, ""),
        state=_state(report, desk, language),
        desk=desk,
        language=language,
        sections=_sections(report, language),
    )


def as_pdf(incident: Incident, report: Report, desk: Desk, language: str) -> bytes:
    """The same as PDF."""
    say = WORDS[language]
    return pdf.written(
        title=f"{desk.name} – {say['title']}",
        subtitle=f"{incident.title.get(language, '')}\n{_state(report, desk, language)}",
        language=language,
        sections=_sections(report, language),
        at=report.published_at or report.updated_at,
    )


def _state(report: Report, desk: Desk, language: str) -> str:
    if report.published_at is None:
        return WORDS[language]["draft"]
    day = report.published_at.astimezone(desk.zone).date()
    return WORDS[language]["published"].format(day=day_spoken(day, language))


def _sections(report: Report, language: str) -> list[tuple[str, list[list[str]]]]:
    written = report.sections.get(language, {})
    return [(HEADINGS[language][name], paragraphs(written.get(name, ""))) for name in SECTIONS]


@cache
def _template() -> Template:
    folder = Path(__file__).parent / "templates"
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html.j2")
