"""The alphabet of text messages (3GPP TS 23.038 section 6.2.1): one sign outside it, and a part holds 70 and not 160.

Pure. Typographic signs are written as people type them; other letters are only changed where that saves a part, so
that « forêt » keeps its accent wherever it costs nothing.
"""

from __future__ import annotations

import unicodedata
from typing import Final

#: The basic table, in its order, without the sign that leads to the extension.
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: Of the extension; each counts as two.
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
#: What is read alike, and is typed on any keyboard.
_TYPED: Final = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "‚": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "–": "-",
        "—": "-",
        "‑": "-",
        "−": "-",
        "…": "...",
        "œ": "oe",
        "Œ": "OE",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u00ad": None,
        "\t": " ",
    }
)
#: Septets, or UTF-16 units, of a message that is one part, and of each part of one that is more.
_PLAIN: Final = (160, 153)
_WIDE: Final = (70, 67)


def is_plain(text: str) -> bool:
    """Return whether all of it is in the alphabet."""
    return all(sign in _BASIC or sign in _EXTENSION for sign in text)


def parts(text: str) -> int:
    """Return how many messages are paid for it."""
    if is_plain(text):
        sizes, (one, each) = [1 + (sign in _EXTENSION) for sign in text], _PLAIN
    else:
        # A sign beyond the basic plane is two units, and is not torn apart.
        sizes, (one, each) = [1 + (ord(sign) > 0xFFFF) for sign in text], _WIDE
    if sum(sizes) <= one:
        return 1
    count, left = 1, each
    for size in sizes:
        if size > left:
            count, left = count + 1, each
        left -= size
    return count


def fit(text: str) -> str:
    """The text as it is sent: the fewest parts that it can be told in without another word."""
    # French guillemets stand apart from their words; straight ones do not.
    for mark, typed in (("«\u00a0", '"'), ("«\u202f", '"'), ("« ", '"'), ("«", '"')):
        text = text.replace(mark, typed)
    for mark, typed in (("\u00a0»", '"'), ("\u202f»", '"'), (" »", '"'), ("»", '"')):
        text = text.replace(mark, typed)
    typed_text = text.translate(_TYPED)
    bare = "".join(sign if sign in _BASIC or sign in _EXTENSION else _nearest(sign) for sign in typed_text)
    if parts(bare) < parts(typed_text):
        return bare
    return typed_text


def _nearest(sign: str) -> str:
    """The letter without its marks, when the alphabet has that one; else the sign as it is."""
    letters = "".join(one for one in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(one))
    if letters and is_plain(letters):
        return letters
    return sign
