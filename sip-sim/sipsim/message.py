"""SIP messages as a handset reads and writes them (RFC 3261), and its offers of media (RFC 4566)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One SIP message as it came."""

    text: str

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        if self.text.startswith("SIP/2.0 "):
            return int(self.text.split(" ", 2)[1])
        return 0

    @property
    def method(self) -> str:
        """Of a request, and of the request that a response answers."""
        return self.header("CSeq").partition(" ")[2]

    @property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2]

    def header(self, name: str) -> str:
        """The first header of this name; empty for none."""
        found = re.search(rf"^{name}[ \t]*:[ \t]*(.*?)\r?$", self.text.partition("\r\n\r\n")[0], re.M | re.I)
        if found:
            return found[1]
        return ""

    @property
    def media(self) -> tuple[str, int] | None:
        """Where its SDP wants audio."""
        port = re.search(r"^m=audio (\d+)", self.body, re.M)
        host = re.search(r"^c=IN IP[46] (\S+)", self.body, re.M)
        if host and port:
            return (host[1], int(port[1]))
        return None


def sdp(host: str, port: int, *, way: str = "sendrecv", formats: str = "", version: int = 1) -> str:
    """An offer or answer. `formats` are the payload types and their lines; without, G.711 and telephone events."""
    given = formats or "0 8 101\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000"
    types, *lines = given.split("\n")
    head = ["v=0", f"o=- 1 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return "\r\n".join([*head, f"m=audio {port} RTP/AVP {types}", *lines, f"a={way}", ""])


def uri_of(contact: str) -> str:
    found = re.search(r"<([^>]+)>", contact)
    if found:
        return found[1]
    return contact.partition(";")[0].strip()
