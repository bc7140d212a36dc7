"""Apart: what somebody wrote now, and the history and signature below it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

#: Lines from which on everything is history or a signature.
_SEPARATORS: Final = re.compile(
    r"-- ?|_{20,}|-{3,} ?(?:message d['’]origine|message transféré|message original|original message|forwarded message"
    r"|message initial|courriel d['’]origine|reply above this line)[^\n]{0,40}",
    re.IGNORECASE,
)
_SENT_FROM: Final = re.compile(
    r"(?:envoyé (?:de|depuis|à partir de) (?:mon|ma|un|l['’]application|outlook|yahoo|proton|samsung|iphone)"
    r"|sent from (?:my|outlook|mail for|yahoo|proton|samsung|the)|télécharger outlook|get outlook for"
    r"|obtenir outlook)\b[^\n]{0,120}",
    re.IGNORECASE,
)
#: « Le 24 nov. 2026 à 10:12, Julie <…> a écrit : » and “On …, Julie wrote:”, on one line or on two.
_WROTE: Final = re.compile(
    r"(?:>? ?)?(?:(?:le|en date du) [^\n]{4,300}\n?[^\n]{0,200}\ba (?:écrit|ecrit)"
    r"|on [^\n]{4,300}\n?[^\n]{0,200}\bwrote"
    r"|[^\n]{3,200}<[^<>\n@]{1,64}@[^<>\n]{1,190}>[^\n]{0,60}\b(?:a écrit|wrote)) ?:?",
    re.IGNORECASE,
)
#: Outlook's block of headers: its first line, of which another must follow soon.
_HEADERS: Final = re.compile(r"\*?(?:de|from|expéditeur) ?: ?\*?[^\n]{1,300}", re.IGNORECASE)
_MORE_HEADERS: Final = re.compile(r"\*?(?:envoyé|date|sent|à|to|objet|subject|cc) ?: ?\*?[^\n]{0,300}", re.IGNORECASE)
_SIGN_OFF: Final = re.compile(
    r"(?:cordialement|bien cordialement|salutations|sincèrement|best regards|kind regards|regards|sincerely)[ ,.!]*",
    re.IGNORECASE,
)
#: Lines that are looked at.
_LINES: Final = 3_000


class Folded(NamedTuple):
    """A text's two halves; joined by a line break they are the whole."""

    own: str
    rest: str


def fold(text: str, name: str = "") -> Folded:
    """Return what is new, and what is folded away: history, and the signature of somebody of this `name`.

    Where nothing new is above it, as in a forwarded e-mail, everything is new.
    """
    lines = text.split("\n")
    cut = next((at for at in range(min(len(lines), _LINES)) if _ends(lines, at, name)), len(lines))
    while cut and not lines[cut - 1].strip():
        cut -= 1
    if not any(line.strip() for line in lines[:cut]):
        return Folded(text, "")
    return Folded("\n".join(lines[:cut]), "\n".join(lines[cut:]))


def folded(row: Mapping[str, Any]) -> dict[str, Any]:
    """An e-mail with its `text` in two: what is new, and what is folded away."""
    return {**row, "text": fold(row["body"])}


def _ends(lines: list[str], at: int, name: str) -> bool:
    """Return whether what somebody wrote now ends above this line."""
    line = lines[at].strip()[:600]
    if not line:
        return False
    if _SEPARATORS.fullmatch(line) or _SENT_FROM.fullmatch(line) or _quoted(lines, at):
        return True
    two = f"{line}\n{lines[at + 1].strip()[:300]}" if at + 1 < len(lines) else line
    # Looked for first, for trying the expression on every line takes long.
    if re.search(r"a [ée]crit|wrote", two, re.IGNORECASE):
        found = _WROTE.match(two)
        if found is not None and found.end() in (len(line), len(two)):
            # An answer below the quotation, or between its lines, is not to be folded away with it.
            quoted = next((n for n in range(at + 1, min(len(lines), at + 6)) if lines[n].startswith(">")), None)
            return quoted is None or _quoted(lines, quoted)
    if _HEADERS.fullmatch(line):
        following = [one.strip()[:400] for one in lines[at + 1 : at + 5]]
        return sum(1 for one in following if _MORE_HEADERS.fullmatch(one)) >= 2
    return _signs(lines, at, line, name)


def _quoted(lines: list[str], at: int) -> bool:
    """Return whether all that follows is quoted, but for a signature: answers between the lines are new."""
    if not lines[at].startswith(">"):
        return False
    below = [line for line in lines[at : at + 400] if line.strip()]
    return all(line.startswith(">") for line in below)


def _signs(lines: list[str], at: int, line: str, name: str) -> bool:
    """Whether somebody signs here: with their name by itself, or with a word of farewell, and little below it."""
    if at == 0 or sum(1 for one in lines[at:] if one.strip()) > 12:
        return False
    if _SIGN_OFF.fullmatch(line):
        return True
    words = _words(line)
    return bool(words) and len(line) <= 60 and words <= _words(name)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.lower()))


_THANKS: Final = frozenset(
    (
        *("merci", "mercis", "thanks", "thank", "thx", "ty", "remercie", "remercions", "parfait", "super", "excellent"),
        *("génial", "great", "perfect", "awesome", "wonderful", "cheers", "👍", "🙏", "❤", "👌", "😊"),
    )
)
#: What goes with thanks and says nothing more.
_COURTESY: Final = frozenset(
    """
    beaucoup infiniment mille bien énormément tellement encore vraiment grandement un gros grand à toi vous tous toute
    toutes l equipe équipe pour de votre ton ta vos tes la le les aide assistance réponse retour service rapidité
    patience temps soutien support intervention travail efficacité suivi bon bonne belle journée soirée fin semaine
    week end matinée après midi ok okay d accord oui yes reçu noté c est réglé règle résolu fonctionne marche tout
    maintenant ça cela va je nickel bonjour hello hi allo salut madame monsieur cordialement salutations
    very much so a lot lots many you your yours all for the help helping quick fast response reply answer time
    it works working now is fixed resolved solved good nice have day evening weekend one regards best kind this that was
    everything team again really appreciate appreciated we i nous on apprécie apprécions et and aussi au revoir bye
    """.split()  # noqa: SIM905 - a list of a hundred words is read as a text
)
_LONGEST_THANKS: Final = 30


def only_thanks(text: str, name: str = "") -> bool:
    """Return whether a text, without history and signature, is nothing but thanks."""
    said = re.findall(r"[^\W\d_]+|[\u2600-\u27bf\U0001f300-\U0001faff]|\d|\?", fold(text, name).own.lower())
    if not said or len(said) > _LONGEST_THANKS:
        return False
    signs = {one for one in said if not one[0].isalpha()}
    words = {one for one in said if one[0].isalpha()} - _words(name)
    # A picture may accompany thanks; a number or a question is something to read.
    if any(one == "?" or one.isdigit() for one in signs):
        return False
    return bool(({*words} | signs) & _THANKS) and words <= (_THANKS | _COURTESY)
