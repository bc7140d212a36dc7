"""SIP passwords, of which only the digest is kept."""

from __future__ import annotations

import hashlib

REALM = "omnivigil"
#: Begins what is kept of a phone whose password was taken away, instead of a digest.
RETIRED = "retired-"


def ha1(user: str, password: str) -> str:
    """MD5 of user:realm:password in hex, as SIP's digest authentication defines it (RFC 2617 section 3.2.2.2)."""
    return hashlib.md5(f"{user}:{REALM}:{password}".encode(), usedforsecurity=False).hexdigest()
