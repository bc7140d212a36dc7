"""The page of one call trace, in French or English. Everything on it comes from strangers and is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2

from ivr import wording
from ivr.asterisk.hep import Packet
from ivr.calltrace import report
from ivr.quality import words
from ivr.quality.verdict import Reason, Verdict

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
COLOURS = {"near-up": "#0a58a8", "near-down": "#b3540a", "far-up": "#1b7a43", "far-down": "#8a2a8a"}

_WORDS = wording.texts("trace_page.words")


def verdict_of(trace: Mapping[str, Any]) -> Verdict:
    """A kept trace's verdict."""
    reasons = tuple(Reason(key=one["key"], values=one["values"]) for one in trace["reasons"])
    return Verdict(cause=trace["cause"], confidence=trace["confidence"], reasons=reasons)


def render(trace: Mapping[str, Any], packets: Sequence[Packet], language: str, zone: ZoneInfo) -> str:
    """The page. `language` is fr or en."""

    def number(value: float, digits: int) -> str:
        text = f"{value:.{digits}f}"
        if language == "fr":
            return text.replace(".", ",")
        return text

    def moment(value: datetime | None) -> str | None:
        if value is not None:
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone.key})"
        return None

    def percent(value: float, digits: int) -> str:
        return number(value, digits) + ("\u00a0%" if language == "fr" else "%")

    legs = [(name, leg) for name in ("near", "far") if (leg := trace["legs"].get(name)) is not None]
    verdict = verdict_of(trace)
    return _ENVIRONMENT.get_template("call_trace.html.j2").render(
        language=language,
        words=_WORDS[language],
        trace=trace,
        verdict=words.cause_text(verdict, language),
        confidence=percent(verdict.confidence * 100, 0) if verdict.confidence else None,
        reasons=words.reason_texts(verdict, language),
        advice=words.advice(verdict, language),
        mos=number(trace["mos"], 1) if trace["mos"] is not None else None,
        started=moment(trace["started_at"]),
        reported=moment(trace["reported_at"]),
        legs=legs,
        ways=[(f"{name}-{way}", _way(leg[way])) for name, leg in legs for way in ("up", "down")],
        scores=report.scores(trace["legs"]),
        colours=COLOURS,
        charts=report.charts(trace["legs"]),
        ladder=report.ladder(trace["legs"], packets),
        width=report.WIDTH,
        height=report.HEIGHT,
        number=number,
        percent=percent,
        tick=lambda label: label.replace(".", ",") if language == "fr" else label,
    )


def _way(way: Mapping[str, Any]) -> dict[str, Any]:
    packets, lost = way["packets"], way["lost"]
    known = packets is not None and lost is not None and packets + lost > 0
    return {
        "packets": packets,
        "lost": lost,
        "share": 100 * lost / (packets + lost) if known else None,
        "jitter_ms": way["jitter_ms"],
    }
