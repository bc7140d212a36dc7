"""Why an e-mail was not simply taken, as staff read it. Reasons are kept in English. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ivr import wording

#: By language; numbers stand where {} is.
_TRANSLATED: Final = wording.translations("mail_reasons_translated")


def said(reason: str, language: str) -> str:
    """A reason, or several after one another, in this language."""
    if not (table := _TRANSLATED.get(language)):
        return reason
    return " ; ".join(_translated(one, table) for one in reason.split("; "))


def _translated(reason: str, table: Mapping[str, str]) -> str:
    known = table.get(re.sub(r"\d+", "{}", reason))
    if known is not None:
        return known.format(*re.findall(r"\d+", reason))
    return reason
