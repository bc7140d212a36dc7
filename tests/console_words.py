"""Looks the console's words up: each that a template asks for is there, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from api.console.words import WORDS

_TEMPLATES = Path(__file__).parents[1] / "api" / "console" / "templates"


def missing_words() -> list[str]:
    """Names that templates use and a language lacks, and names that only one language has."""
    used = {name for file in _TEMPLATES.iterdir() for name in re.findall(r"\bt\.([a-z_]+)\b", file.read_text())} - {
        "get"
    }
    every = used.union(*(set(words) for words in WORDS.values()))
    return [f"{language}: {name}" for language, words in WORDS.items() for name in sorted(every - set(words))]
