"""Why an e-mail was not simply taken, as staff read it. Reasons are kept in English. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

#: Numbers stand where {} is.
_FRENCH: Final[Mapping[str, str]] = {
    "it has no return path: a delivery report": "sans adresse de retour : un avis de remise",
    "it is one of ours (Message-ID)": "c’est un des nôtres (Message-ID)",
    "it reports what became of another e-mail": "il dit ce qu’un autre courriel est devenu",
    "it answers an invitation": "il répond à une invitation",
    "a program answered in somebody's absence": "un programme a répondu en l’absence de quelqu’un",
    "a program sent it (Auto-Submitted)": "un programme l’a envoyé (Auto-Submitted)",
    "a program sent it (X-Autoreply)": "un programme l’a envoyé (X-Autoreply)",
    "a program sent it (Precedence)": "un programme l’a envoyé (Precedence)",
    "it comes by a mailing list (List-Id)": "il vient d’une liste d’envoi (List-Id)",
    "it is from an address of ours": "il vient d’une adresse à nous",
    "a mail server sent it": "un serveur de courriel l’a envoyé",
    "it goes round in circles": "il tourne en rond",
    "it is a reaction of a mail program's": "c’est une réaction d’un programme de courriel",
    "its sender wants no automatic answer (X-Auto-Response-Suppress)": (
        "son expéditeur ne veut pas de réponse automatique (X-Auto-Response-Suppress)"
    ),
    "it only says thanks": "il ne fait que remercier",
    "it answers our automatic e-mails at once, again and again": (
        "il répond aussitôt à nos courriels automatiques, encore et encore"
    ),
    "its sender may not write to ticket {}": "son expéditeur ne peut pas écrire au billet {}",
    "ticket {} is closed": "le billet {} est fermé",
    "it has no single From address": "il n’a pas une seule adresse d’expéditeur (From)",
    "its structure is damaged": "sa structure est endommagée",
    "it has too many parts": "il a trop de parties",
    "it has too many parts within parts": "il a trop de parties dans des parties",
    "it has too many lines": "il a trop de lignes",
    "its headers are too large": "ses en-têtes sont trop grands",
    "its report is too long": "son rapport est trop long",
    "it is larger than {} bytes": "il dépasse {} octets",
}


def said(reason: str, language: str) -> str:
    """A reason, or several after one another, in this language."""
    if language != "fr":
        return reason
    return " ; ".join(_french(one) for one in reason.split("; "))


def _french(reason: str) -> str:
    french = _FRENCH.get(re.sub(r"\d+", "{}", reason))
    return french.format(*re.findall(r"\d+", reason)) if french is not None else reason
