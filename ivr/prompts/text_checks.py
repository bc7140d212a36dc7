"""Texts that a voice may say wrong, or that callers do not listen to the end of. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ivr.desk.schema import Desk
from ivr.prompts.pronunciation import SAID

#: About three quarters of a minute.
_LONG = 600
_CHARACTERS_A_SECOND = 14
#: Letters, digits, and the signs between words.
_SAYABLE = re.compile(r"[\w\s.,;:!?…'’()«»“”\"/&%$@+*#{}\[\]<>–—-]")
#: Read as a word by one voice and letter by letter by another.
_CAPITALS = re.compile(r"\b[A-ZÀ-Þ]{2,}\b")


def doubtful(desks: Mapping[str, Desk]) -> list[str]:
    """A sentence for each doubt about a desk's own texts."""
    return [
        f"{desk.id}: texts.{prompt}.{language} {doubt}"
        for desk in desks.values()
        for prompt, texts in desk.texts.items()
        for language, text in texts.items()
        for doubt in _of(text, language)
    ]


def _of(text: str, language: str) -> Iterator[str]:
    if len(text) > _LONG:
        yield f"lasts about {len(text) // _CHARACTERS_A_SECOND} seconds; callers hang up before the end of it"
    unsaid = dict.fromkeys(sign for sign in text if not _SAYABLE.match(sign))
    if unsaid:
        yield f"holds {' '.join(unsaid)}, which no voice says; write it as it is said"
    known = [pattern for pattern, _ in SAID.get(language, ())]
    for word in dict.fromkeys(_CAPITALS.findall(text)):
        if not any(re.search(pattern, word) for pattern in known):
            yield f"holds {word}, which may be said as a word or by letters; listen to it, or write it as it is said"
