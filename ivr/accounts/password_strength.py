"""Which passwords are among the first that anybody tries (NIST SP 800-63B section 3.1.1.2). Pure.

A list of the commonest passwords of twelve characters and more is mostly a short list of words with digits behind
them. So words that everybody tries, runs as on a keyboard, repeats and years are taken out: what is left must be worth
guessing at.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from pathlib import Path

#: So many letters and digits must be left.
_LEFT = 5
#: And so many different ones in all.
_DIFFERENT = 5
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
)
_SHAPES = str.maketrans("0134578@$!€", "oleastbasie")
_AROUND = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")


@functools.cache
def _words() -> tuple[str, ...]:
    """The longest first, so that none is hidden by a part of it."""
    read = (Path(__file__).parent / "common.txt").read_text(encoding="utf-8")
    lines = " ".join(line for line in read.splitlines() if not line.startswith("#"))
    return tuple(sorted({plain(one) for one in lines.split()}, key=lambda one: (-len(one), one)))


def plain(text: str) -> str:
    """Letters and digits, without accents and capitals."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in folded if sign.isalnum())


def easily_guessed(password: str, *names: str) -> bool:
    """Return whether it is made of what is tried first. `names` are whose it is."""
    if len(set(password)) < _DIFFERENT or _repeats(plain(password)):
        return True
    own = {plain(name) for name in names if len(plain(name)) > 2}
    # With digits as digits, and, but for those around it, as the letters that they look like.
    shaped = _AROUND.sub("", password).translate(_SHAPES)
    return any(len(_left(text, own)) < _LEFT for text in (plain(password), plain(shaped)))


def _left(text: str, own: set[str]) -> str:
    for word in (*sorted(own, key=len, reverse=True), *_words()):
        text = text.replace(word, " ")
    text = _YEAR.sub(" ", text)
    return "".join(part for part in _without_runs(text).split(" ") if len(part) > 1)


def _without_runs(text: str) -> str:
    for run in (*_RUNS, *(one[::-1] for one in _RUNS)):
        for length in range(len(run), 2, -1):
            for start in range(len(run) - length + 1):
                text = text.replace(run[start : start + length], " ")
    return re.sub(r"(.)\1{2,}", " ", text)


def _repeats(text: str) -> bool:
    """Return whether it is one part again and again."""
    return any(
        len(text) >= 2 * size and text == (text[:size] * (len(text) // size + 1))[: len(text)]
        for size in range(1, len(text) // 2 + 1)
    )
