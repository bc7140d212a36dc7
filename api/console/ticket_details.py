"""The form for what a kind of ticket holds beyond OV-12, made of the kind's own model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from ivr.tickets.service_requests import DETAILS

Widget = Literal["line", "text", "lines", "day", "moment", "choice", "yes-no"]
_LONG = 1000


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of the form; `name` is as in `details_start`, `value` as it is typed."""

    name: str
    widget: Widget
    value: str
    options: tuple[str, ...] = ()


def fields_of(kind: str, details: Mapping[str, Any] | None, zone: ZoneInfo) -> list[Field]:
    """The fields of a kind, with what is known; moments by the desk's clocks."""
    model = DETAILS.get(kind)
    known, made = details or {}, []
    for name, schema in (model.model_json_schema().get("properties", {}) if model is not None else {}).items():
        widget, options = _widget(schema)
        value = _typed(widget, known.get(name), zone)
        made.append(Field(name=f"details_{name}", widget=widget, value=value, options=options))
    return made


def given(form: FormData, kind: str, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return what was typed, as the API would take it; what does not fit, the ticket's rules refuse."""
    found = {}
    for field in fields_of(kind, None, zone):
        text = str(form.get(field.name, "")).replace("\r", "").strip()
        if text:
            found[field.name.removeprefix("details_")] = _read(field.widget, text, zone)
    return found or None


def _widget(schema: Mapping[str, Any]) -> tuple[Widget, tuple[str, ...]]:
    form = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    if "enum" in form:
        return "choice", tuple(form["enum"])
    known: dict[str | None, Widget] = {"date": "day", "date-time": "moment"}
    if form.get("format") in known:
        return known[form["format"]], ()
    if form.get("type") in ("boolean", "array"):
        return ("yes-no" if form["type"] == "boolean" else "lines"), ()
    return ("text" if form.get("maxLength", 0) > _LONG else "line"), ()


def _typed(widget: Widget, value: Any, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if widget == "lines":
        return "\n".join(map(str, value))
    if widget == "yes-no":
        if value:
            return "true"
        return "false"
    if widget == "moment":
        return f"{datetime.fromisoformat(str(value)).astimezone(zone):%Y-%m-%dT%H:%M}"
    return str(value)


def _read(widget: Widget, text: str, zone: ZoneInfo) -> Any:
    if widget == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if widget == "yes-no":
        return text == "true"
    if widget == "moment":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return text
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).isoformat()
    return text
