"""How a text is given to a voice engine: sentence by sentence, and written as it is said. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: What a voice would say wrong, as (pattern, said). Spelled letters are apart, so that they are not read as a word.
SAID: Mapping[str, tuple[tuple[str, str], ...]] = {
    "fr": (
        (r"1[- ]844[- ]OMNIVIGIL", "1, 8 4 4, Omnivigil"),
        (r"\b844[- ]OMNIVIGIL", "8 4 4, Omnivigil"),
        (r"\bOMNIVIGIL\b", "Omnivigil"),
        (r"\*(?=\d)", "étoile "),
        (r"\b(\d)11\b", r"\1 1 1"),
        (r"\bNOC\b", "N O C"),
        (r"\bSMS\b", "S M S"),
        (r"\bHNE\b", "heure de l'est"),
        (r"\b1er\b", "premier"),
        (r"&", "et"),
    ),
    "en": (
        (r"1[- ]844[- ]OMNIVIGIL", "1, 8 4 4, Omni vigil"),
        (r"\b844[- ]OMNIVIGIL", "8 4 4, Omni vigil"),
        (r"\bOMNIVIGIL\b", "Omni vigil"),
        (r"\*(?=\d)", "star "),
        (r"\b(\d)11\b", r"\1 1 1"),
        (r"\bNOC\b", "N O C"),
        (r"\bSMS\b", "S M S"),
        (r"&", "and"),
    ),
}

#: After a full stop, question or exclamation mark, before what can begin a sentence. A capital before the
#: stop is an initial: « M. Tremblay ».
_BETWEEN_SENTENCES = re.compile(r"(?<=[^\W_A-ZÀ-Þ][.!?])\s+(?=[A-ZÀ-Þ0-9«])|(?<=[!?])\s+")
#: Angle brackets are commands to some engines; quotation marks and unusual spaces are not said.
_UNSAID = re.compile(r"[<>«»“”\"\u00a0\u202f]")


def said(text: str, language: str) -> str:
    """`text` as a voice that speaks `language` must be given it."""
    text = text.replace("’", "'")
    for written, spoken in SAID.get(language, ()):
        text = re.sub(written, spoken, text)
    return " ".join(_UNSAID.sub(" ", text).split())


def sentences(text: str) -> list[str]:
    """The sentences of `text`, with their stops."""
    return [sentence for sentence in _BETWEEN_SENTENCES.split(text) if sentence.strip()]
