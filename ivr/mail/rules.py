"""What is to be done with an e-mail that came in. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from ivr.mail.parsed import Mail
from ivr.notify.compose import is_ours, tickets_referred_to

#: One that came by more servers than this goes round in circles (RFC 5321 section 6.3).
_HOPS: Final = 40
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply", "auto-reply"})
_DAEMONS: Final = frozenset({"mailer-daemon", "postmaster"})

_IN_SUBJECT: Final = re.compile(
    r"(?:\b(?:billet|ticket)\b\s*(?:n\s?[o°º]\.?\s*)?[#:]?\s*|#)([0-9]{6,9})\b", re.IGNORECASE
)


def automatic(mail: Mail, *, return_path: str, domain: str, ours: Collection[str]) -> str | None:
    """Why a person did not write it, so that nothing may come of it (RFC 3834); None when one seems to have.

    `return_path` is the sender that the server named, `ours` our own addresses in lower case.
    """
    marks = mail.marks
    if return_path in ("", "<>"):
        return "it has no return path: a delivery report"
    if marks.get("auto-submitted", "no").split(";")[0].strip().lower() != "no":
        return "a program sent it (Auto-Submitted)"
    if marks.get("precedence", "").strip().lower() in _BULK:
        return "a program sent it (Precedence)"
    if "list-id" in marks:
        return "it comes by a mailing list (List-Id)"
    if "x-autoreply" in marks or "x-autorespond" in marks:
        return "a program sent it (X-Autoreply)"
    if mail.message_id is not None and is_ours(mail.message_id, domain):
        return "it is one of ours (Message-ID)"
    if mail.sender in ours or return_path.strip("<>").lower() in ours:
        return "it is from an address of ours"
    if mail.sender.partition("@")[0] in _DAEMONS:
        return "a mail server sent it"
    if mail.hops > _HOPS:
        return "it goes round in circles"
    return None


def tickets_meant(mail: Mail, domain: str) -> list[int]:
    """Tickets that it may be about: first those it refers to, the latest first, then those its subject names."""
    named = [int(number) for number in _IN_SUBJECT.findall(mail.subject)]
    return list(dict.fromkeys([*tickets_referred_to(mail.references, domain), *named]))[:10]
