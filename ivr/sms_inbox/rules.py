"""What a text message means. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

#: What somebody wants: the emergency that they were paged for, no more texts, texts again, or something else.
Wish = Literal["take", "stop", "start", "other"]
#: What became of a text.
Outcome = Literal["taken", "taken-before", "stopped", "started", "answered", "kept"]

#: These Twilio answers by itself, in whatever language they were written.
ANSWERED_BY_TWILIO: Final = frozenset(
    ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "start", "unstop", "help", "info")
)
_STOP: Final = frozenset(
    (
        *("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out", "stop all"),
        *("arret", "arreter", "arretez", "desabonner", "desabonnement", "desabonnez moi", "me desabonner"),
    )
)
_START: Final = frozenset(("start", "unstop", "commencer", "reprendre"))
#: First words of who takes it. « Reçu » and a thumb do not say so much.
_TAKE: Final = re.compile(
    r"(pris|prise|oui|ok|okay|okey|1|d accord|dac|j arrive|j y vais|j y suis|je (la|le|l)? ?prends?|je m en occupe|"
    r"je (la|le) rappelle|je m en charge|c est (pour )?moi|taken|take|yes|yep|yeah|got it|on it|i m on it|on my way|"
    r"i ll take it|i take it|i have it|mine)( |$)"
)
#: Who says so as well cannot take it, or asks.
_BUT: Final = frozenset(
    (
        *("non", "no", "pas", "not", "mais", "but", "peux", "peut", "cannot", "can", "cant", "impossible", "jamais"),
        *("never", "sauf", "except", "quoi", "what", "qui", "who", "prends tu", "occupe", "busy", "wrong", "stop"),
    )
)
#: Longer ones are a message to somebody.
_MOST_WORDS: Final = 8


def wish_of(body: str) -> Wish:
    """Return what the writer wants; when in doubt it is something else, and they are told what to write."""
    said = plain(body)
    if said in _STOP:
        return "stop"
    if said in _START:
        return "start"
    words = said.split()
    matched = _TAKE.match(said)
    rest = said[matched.end() :].split() if matched is not None else words
    if matched is None or len(words) > _MOST_WORDS or "?" in body or not _BUT.isdisjoint(rest):
        return "other"
    return "take"


def answered_by_twilio(body: str) -> bool:
    """Return whether Twilio answers it, so that we do not."""
    return plain(body) in ANSWERED_BY_TWILIO


def plain(body: str) -> str:
    """Small letters and digits without accents, in words: as keyboards, emoji and dictation differ."""
    letters = unicodedata.normalize("NFKD", body[:200].casefold())
    kept = "".join(sign if sign.isascii() and sign.isalnum() else " " for sign in letters if not _mark(sign))
    return " ".join(kept.split())


def number_of(sender: str) -> str | None:
    """E.164 digits of who can be answered; None for a short code or a name."""
    found = re.fullmatch(r"\+([1-9][0-9]{6,14})", sender.strip(), re.ASCII)
    if found is not None:
        return found[1]
    return None


def kept_text(text: str, most: int) -> str:
    """Return what is kept of a text: no control signs but line breaks, and no half of a sign."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    shown = "".join(sign if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cs") else " " for sign in clean)
    return shown[:most]


def _mark(sign: str) -> bool:
    """An accent, or what makes a key of a digit."""
    return unicodedata.category(sign) in ("Mn", "Me", "Cf")
