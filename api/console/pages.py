"""Renders the console's pages. Everything on them is escaped: callers, SIP headers and e-mails fill them."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.console import history, words
from api.deps import Services
from ivr.desk.load import main_of
from ivr.desk.schema import Desk
from ivr.incidents.model import STAGE_NAMES
from ivr.mail import reasons
from ivr.typography import time_of_day, window

_E164 = re.compile(r"\+[0-9]{4,15}")
_HERE = Path(__file__).parent
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class _Filters:
    """What templates may write after `|`, in a language and with moments as the clocks of a zone show them."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self._language, self._zone = language, zone

    def moment(self, at: datetime | None) -> str:
        if at is None:
            return "—"
        return f"{self.short_day(at.astimezone(self._zone))}, {time_of_day(at, self._zone, self._language)}"

    def short_day(self, day: date) -> str:
        return format_date(day, "d MMM", locale=f"{self._language}_CA")

    def hour(self, at: datetime | None) -> str:
        if at is None:
            return "—"
        return time_of_day(at, self._zone, self._language)

    def number(self, e164: str | None) -> str:
        if e164 and len(e164) == 11 and e164.startswith("1"):
            return f"{e164[1:4]} {e164[4:7]}-{e164[7:]}"
        return e164 or "—"

    def plain(self, e164: str | None) -> str:
        """A number of the directory, as people write it."""
        if e164 and _E164.fullmatch(e164):
            return self.number(e164.removeprefix("+"))
        return e164 or ""

    def dialled(self, title: str, kind: str) -> str:
        if kind == "numbers":
            return self.plain(title)
        return title

    def choice(self, value: str, field: str) -> str:
        if field in ("language", "languages"):
            return self.tongue(value)
        return words.WORDS[self._language].get(f"{field}_{value.replace('-', '_')}") or self.named(value)

    def user(self, named_: str) -> str:
        return words.use(self._language, named_)

    def duration(self, seconds: float | None) -> str:
        if seconds is None:
            return "—"
        whole = max(0, int(seconds))
        if whole >= 3600:
            return f"{whole // 3600}\u00a0h\u00a0{whole % 3600 // 60:02d}"
        if whole >= 60:
            return f"{whole // 60}\u00a0min\u00a0{whole % 60:02d}\u00a0s"
        return f"{whole}\u00a0s"

    def decimal(self, value: float | None, digits: int = 1) -> str:
        if value is None:
            return "—"
        text = f"{value:.{digits}f}"
        if self._language == "fr":
            return text.replace(".", ",")
        return text

    def named(self, value: str | None) -> str:
        if value is None:
            return "—"
        return words.VALUES[self._language].get(value, value)

    def changes(self, noted: Mapping[str, Any], labels: Collection[str]) -> list[tuple[str, str]]:
        return history.changes(noted, self._language, labels, self.moment)

    def until(self, begins: datetime, ends: datetime) -> str:
        return window(
            begins, ends, self._zone, day=self.short_day, hour=lambda at: time_of_day(at, self._zone, self._language)
        )

    def quoted(self, text: str, spoken: str | None = None) -> str:
        if (spoken or self._language) == "fr":
            return f"«\u00a0{text}\u00a0»"
        return f"“{text}”"

    def tongue(self, spoken: str | None) -> str:
        return words.WORDS[self._language].get(f"language_{spoken}", spoken or "—")

    def action(self, done: str) -> str:
        return words.done(self._language, done)

    def place(self, field: str) -> str:
        return words.place(self._language, field)

    def second(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"

    def mail_reason(self, reason: str) -> str:
        return reasons.said(reason, self._language)

    def desk_field(self, path: str) -> str:
        return words.desk_field(self._language, path)

    def desk_value(self, value: str) -> str:
        return words.WORDS[self._language].get(f"desk_value_{value}", value)

    def said(self, text: str) -> str:
        return words.said(self._language, text)


@functools.cache
def _filters(language: str, zone: ZoneInfo) -> Mapping[str, Any]:
    made = _Filters(language, zone)
    return {
        "said": made.said,
        "desk_field": made.desk_field,
        "desk_value": made.desk_value,
        "named": made.named,
        "mail_reason": made.mail_reason,
        "action": made.action,
        "place": made.place,
        "changes": made.changes,
        "until": made.until,
        "day": made.short_day,
        "quoted": made.quoted,
        "tongue": made.tongue,
        "second": made.second,
        "moment": made.moment,
        "hour": made.hour,
        "number": made.number,
        "plain": made.plain,
        "dialled": made.dialled,
        "choice": made.choice,
        "user": made.user,
        "duration": made.duration,
        "decimal": made.decimal,
    }


def render(template: str, language: str, where: Desk, /, **values: Any) -> str:
    """A page or a part of one, in a language, with moments as the clocks of a desk show them."""
    environment = _environment(language, where.zone)
    return environment.get_template(template).render(
        t=words.WORDS[language],
        stages=STAGE_NAMES[language],
        zone=where.timezone,
        language=language,
        other=words.other(language),
        **values,
    )


@functools.cache
def _environment(language: str, zone: ZoneInfo) -> Environment:
    made = _ENVIRONMENT.overlay()
    made.filters = {**_ENVIRONMENT.filters, **_filters(language, zone)}
    return made


def line_of(request: Request) -> Services:
    """Return what whoever asks may see and change: of somebody limited to one provider, nothing of others."""
    services: Services = request.state.services
    return services


def page(request: Request, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page for whoever asks."""
    session = request.state.session
    role = session.account.role if session is not None else None
    text = render(
        template,
        request.state.language,
        main_desk(request),
        me=session.account if session is not None else None,
        nav=words.navigation(role, request.state.language),
        here=request.url.path,
        csrf=request.state.csrf,
        now=line_of(request).clock(),
        desks_problem=_desks_problem(request) if role not in (None, "partner") else None,
        **values,
    )
    return HTMLResponse(text, status_code=status)


def _desks_problem(request: Request) -> str | None:
    files = line_of(request).desk_files
    if files is not None:
        return files.problem
    return None


def moment(request: Request, at: datetime) -> str:
    """A moment as pages write it."""
    written: str = _filters(request.state.language, main_desk(request).zone)["moment"](at)
    return written


def main_desk(request: Request) -> Desk:
    """The desk whose time zone pages speak."""
    return main_of(line_of(request).desks)
