"""The verdict in words, in French and in English."""

from __future__ import annotations

from collections.abc import Mapping

from ivr import wording
from ivr.quality.verdict import Reason, Verdict
from ivr.typography import typeset_all


def _typeset(texts: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """French signs stay on the line of their word."""
    return {language: typeset_all(table) if language == "fr" else table for language, table in texts.items()}


CAUSES = _typeset(wording.texts("quality.causes"))

_REASONS = _typeset(wording.texts("quality.reasons"))

_ADVICE = _typeset(wording.texts("quality.advice"))


def language_of(language: str | None) -> str:
    """One that there are words in."""
    return wording.known(language)


def cause_text(verdict: Verdict, language: str) -> str:
    """The verdict in one sentence."""
    return CAUSES[language_of(language)][verdict.cause]


def reason_texts(verdict: Verdict, language: str) -> list[str]:
    """Return why, in one sentence each."""
    return [_reason(reason, language_of(language)) for reason in verdict.reasons]


def _reason(reason: Reason, language: str) -> str:
    text = _REASONS[language][reason.key].format(**reason.values)
    # The decimal comma of French.
    if language == "fr" and "loss" in reason.key:
        return text.replace(".", ",", text[:-1].count("."))
    return text


def advice(verdict: Verdict, language: str) -> str | None:
    """Return what the customer can do where the cause is beyond the demarcation point (OV-18, OV-24)."""
    return _ADVICE[language_of(language)].get(verdict.cause)
