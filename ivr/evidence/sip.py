"""The little that has to be read in a SIP message (RFC 3261), for a ladder and a leg's facts. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What belongs to no call, and comes all the time.
_NO_CALL = frozenset({b"REGISTER", b"OPTIONS", b"SUBSCRIBE", b"NOTIFY", b"PUBLISH"})
_CSEQ = re.compile(rb"^CSeq[ \t]*:[ \t]*\d{1,10}[ \t]+([A-Z]{1,20})", re.M | re.I)
_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\s]{1,256})", re.M | re.I)
_AGENT = re.compile(r"^(?:User-Agent|Server)[ \t]*:[ \t]*([^\r\n]{1,120})", re.M | re.I)
_REQUEST = re.compile(r"^([A-Z]{1,20}) (?:sips?|tel):([^@ ;>]{0,64})")
_FROM = re.compile(r"^(?:From|f)[ \t]*:[^\r\n]*?(?:sips?|tel):([^@ ;>\r\n]{1,64})", re.M | re.I)
_MEDIA = re.compile(r"^m=audio (\d{1,5})", re.M)
_ADDRESS = re.compile(r"^c=IN IP[46] ([0-9a-fA-F.:]{2,45})", re.M)
#: The answer to a digest's challenge could be tried against a list of passwords.
_SECRET = re.compile(rb'(^(?:Proxy-)?Authorization[ \t]*:[^\r\n]*?response=")([0-9a-fA-F]{1,128})', re.M | re.I)


def belongs_to_call(message: bytes) -> bool:
    """Return whether it is about a call and not about registration and the like."""
    first = message[:20].partition(b" ")[0]
    if first.startswith(b"SIP/2.0"):
        found = _CSEQ.search(message)
        return found is not None and found[1].upper() not in _NO_CALL
    return first.isalpha() and first.isupper() and first not in _NO_CALL


def call_id(message: bytes) -> str | None:
    """The first Call-ID in it; None without one."""
    found = _CALL_ID.search(message)
    if found:
        return found[1].decode("utf-8", "replace")
    return None


def without_secrets(message: bytes) -> bytes:
    """The same, of the same length, without what proves that somebody knows a password."""
    return _SECRET.sub(lambda found: found[1] + b"x" * len(found[2]), message)


@dataclass(frozen=True, kw_only=True)
class Message:
    """`what` is the method, or the status with its reason."""

    what: str
    request: bool
    #: The number or name that a request is for, and that of who it is from.
    target: str | None
    origin: str | None
    user_agent: str | None
    #: Where its sender wants audio.
    media: str | None


def read(payload: bytes) -> Message:
    """Return what a message is. Control characters in it are left out."""
    text = payload.decode("utf-8", "replace")
    first = "".join(sign for sign in text.partition("\n")[0] if sign.isprintable())[:120]
    request = _REQUEST.match(first)
    origin, agent, port, address = (pattern.search(text) for pattern in (_FROM, _AGENT, _MEDIA, _ADDRESS))
    what = request[1] if request else first.removeprefix("SIP/2.0 ")[:60]
    return Message(
        what=what,
        request=request is not None,
        target=request[2] if request else None,
        origin=origin[1] if origin else None,
        user_agent="".join(sign for sign in agent[1] if sign.isprintable()) if agent else None,
        media=f"{address[1]}:{port[1]}" if port and address else None,
    )
