"""Hostile SIP, SDP, RTP, RTCP and HEP, by a seeded generator: the same seed and block give the same messages.

Grammar first (RFC 3261, 3262, 3265, 3311, 3515, 4566, 3550), then harm to it: most messages are right but for one to
four places, so that they are read to the end and not refused at the first line. Addresses are loopback's, and no harm
makes others of them.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

METHODS = (
    "REGISTER",
    "INVITE",
    "OPTIONS",
    "BYE",
    "CANCEL",
    "ACK",
    "INFO",
    "UPDATE",
    "SUBSCRIBE",
    "NOTIFY",
    "MESSAGE",
    "REFER",
    "PUBLISH",
    "PRACK",
    "FROBNICATE",
)
PHONES = ("6001", "6002", "7001", "7002")
#: Who somebody says to be: phones, trunks, and names that are nobody's.
NAMES = (*PHONES, "trunk", "outbound", "phone", "4185550101", "6999", "anonymous", "", "%74runk", "a" * 300, "ø", "s")
TARGETS = (*PHONES, "611", "911", "18446664844", "14185550101", "*57", "*22", "s", "", "i", "h", "%00", "a,1,b", "+1")
SCHEMES = ("sip", "sips", "tel", "http", "x", "urn", "mailto", "SIP", "", "sip:sip", "data", "\x01", "x" * 40)
HOSTS = (
    "127.0.0.1",
    "[::1]",
    "localhost",
    "127.0.0.1:0",
    "127.0.0.1:99999",
    "[",
    "255.255.255.255",
    "",
    "-",
    ";",
)
NUMBERS = ("0", "-1", "1", "4294967295", "4294967296", "99999999999999999999", "1e9", "0x10", "", " ", "1.5", "١")
SPLINTERS = (
    '"',
    "<",
    ">",
    ";",
    ",",
    "\\",
    "\\\r",
    "\x00",
    "\t",
    "%",
    "%00",
    "%zz",
    "é",
    "\xff",
    "=",
    "::",
    "@",
    "{}",
    "&",
    "|",
)

#: Headers beside those that every request has, and what is right in them.
EXTRA: dict[str, tuple[str, ...]] = {
    "Record-Route": ("<sip:127.0.0.66;lr>", "<sip:127.0.0.66;lr>, <sips:localhost;lr>"),
    "Route": ("<sip:127.0.0.1;lr>", "<sip:127.0.0.66>"),
    "Path": ("<sip:127.0.0.66;lr>",),
    "Service-Route": ("<sip:127.0.0.66;lr>",),
    "P-Asserted-Identity": ('"A" <sip:4185550101@127.0.0.1>', "tel:+14185550101"),
    "P-Preferred-Identity": ("<sip:4185550101@127.0.0.1>",),
    "Remote-Party-ID": ('"A" <sip:4185550101@127.0.0.1>;party=calling;privacy=full;screen=yes',),
    "Privacy": ("id", "header;user;id;critical"),
    "Diversion": ('"A" <sip:4185550101@127.0.0.1>;reason=user-busy;counter=1',),
    "History-Info": ("<sip:1@127.0.0.1?Reason=SIP%3Bcause%3D302>;index=1.1",),
    "Refer-To": ("<sip:6002@127.0.0.1>", "<sip:6002@127.0.0.1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"),
    "Referred-By": ("<sip:6001@127.0.0.1>",),
    "Replaces": ("a@b;to-tag=1;from-tag=2", "a;to-tag=1;from-tag=2;early-only"),
    "Join": ("a@b;to-tag=1;from-tag=2",),
    "Event": ("presence", "message-summary", "dialog;id=1", "refer", "talk"),
    "Accept": ("application/sdp", "application/pidf+xml, */*;q=0.1"),
    "Accept-Encoding": ("gzip",),
    "Accept-Language": ("fr-CA, en;q=0.5",),
    "Allow": ("INVITE, ACK, BYE", "INVITE" + ", A" * 60),
    "Allow-Events": ("presence",),
    "Supported": ("100rel, timer, replaces, path, outbound, norefersub",),
    "Require": ("100rel", "timer", "path", "nothing-known"),
    "Proxy-Require": ("foo",),
    "Unsupported": ("foo",),
    "Session-Expires": ("1800;refresher=uas", "90"),
    "Min-SE": ("90",),
    "Expires": ("3600", "0"),
    "Min-Expires": ("60",),
    "RAck": ("1 1 INVITE",),
    "RSeq": ("1",),
    "Reason": ('Q.850;cause=16;text="Terminated"', "SIP;cause=200"),
    "Retry-After": ("18000;duration=3600",),
    "Subscription-State": ("active;expires=60", "terminated;reason=noresource"),
    "SIP-If-Match": ("abc",),
    "User-Agent": ("fuzz/1", "a" * 400),
    "Server": ("fuzz",),
    "Subject": ("hello",),
    "Organization": ("o",),
    "Priority": ("emergency",),
    "Date": ("Sat, 28 Nov 2026 17:00:00 GMT",),
    "Timestamp": ("54.5",),
    "Warning": ('399 localhost "w"',),
    "Call-Info": ("<http://localhost>;purpose=icon",),
    "Alert-Info": ("<http://localhost>", "<urn:alert:service:normal>"),
    "Error-Info": ("<sip:a@b>",),
    "In-Reply-To": ("a@b, c@d",),
    "Reply-To": ("<sip:a@b>",),
    "MIME-Version": ("1.0",),
    "Content-Disposition": ("session;handling=required",),
    "Content-Encoding": ("gzip",),
    "Content-Language": ("fr",),
    "Authorization": (
        'Digest username="6001", realm="omnivigil", nonce="n", uri="sip:1", response="0", algorithm=MD5',
    ),
    "Proxy-Authorization": ('Digest username="6001", realm="omnivigil", nonce="n", uri="sip:1", response="0"',),
    "WWW-Authenticate": ('Digest realm="a", nonce="b"',),
    "Identity": ("eyJ.a.b;info=<https://localhost>;alg=ES256",),
    "Geolocation": ("<cid:a@b>",),
    "Resource-Priority": ("ets.0",),
    "Target-Dialog": ("a;local-tag=b;remote-tag=c",),
    "Security-Client": ("tls;q=0.1",),
    "X-Anything": ("1",),
}
#: Where audio goes to: it stays here.
_CONNECTION = re.compile(rb"(?:c|o)=.*")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_COMPACT = {
    "Via": "v",
    "From": "f",
    "To": "t",
    "Call-ID": "i",
    "Contact": "m",
    "Content-Type": "c",
    "Content-Length": "l",
    "Supported": "k",
    "Refer-To": "r",
    "Event": "o",
    "Subject": "s",
    "Session-Expires": "x",
}
_PARAMETERS = ("tag", "lr", "branch", "transport", "expires", "q", "maddr", "received", "rport", "a")
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 9 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)
_SDP_LINES = (
    "m=video 4 RTP/AVP 96",
    "m=audio 0 RTP/AVP 0",
    "m=image 4 udptl t38",
    "m=audio 4 RTP/SAVP 0",
    "m=audio 4 UDP/TLS/RTP/SAVPF 0",
    "m=message 9 TCP/MSRP *",
    "m=audio 4/5 RTP/AVP" + " 0" * 90,
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
    "a=candidate:1 1 UDP 1 127.0.0.1 4 typ host",
    "a=ice-ufrag:a",
    "a=fingerprint:sha-256 00",
    "a=group:BUNDLE 0 1",
    "a=mid:0",
    "a=rtcp:53020",
    "a=rtcp-mux",
    "a=setup:actpass",
    "a=rtpmap:0 " + "P" * 300 + "/8000",
    "a=rtpmap:999 X/0",
    "a=fmtp:101 " + "0," * 200,
    "a=ptime:0",
    "a=maxptime:-1",
    "a=inactive",
    "a=sendonly",
    "c=IN IP6 ::1",
    "c=IN IP4 127.0.0.66/127/3",
    "c=IN IP4 0.0.0.0",
    "c=ATM X Y",
    "b=AS:99999999999",
    "b=X",
    "k=clear:a",
    "z=0 0",
    "r=1",
    "i=é",
    "x=y",
    "=",
)


class Kind(StrEnum):
    """How a message is sent."""

    SIP_UDP = "sip-udp"
    SIP_TCP = "sip-tcp"
    #: With the answer to a challenge, which is put in place of PROOF when it is sent.
    SIP_PROVEN = "sip-proven"
    #: In a call that is set up for it; FROM, TO and CALL are put in.
    IN_DIALOG = "in-dialog"
    #: As the answer to a call that rings a phone of ours.
    ANSWER = "answer"
    RTP = "rtp"
    RTCP = "rtcp"
    HEP = "hep"


#: Of how many messages each kind gets, in parts of 100.
_SHARES = (
    (Kind.SIP_UDP, 55),
    (Kind.SIP_TCP, 8),
    (Kind.SIP_PROVEN, 12),
    (Kind.IN_DIALOG, 7),
    (Kind.ANSWER, 4),
    (Kind.RTP, 7),
    (Kind.RTCP, 4),
    (Kind.HEP, 3),
)
#: What the sender puts in, in bytes that no mutation makes.
PROOF, FROM_TAG, TO_TAG, CALL = b"@PROOF@", b"@FROMTAG@", b"@TOTAG@", b"@CALL@"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One datagram, or one stretch of a TCP stream. `name` and `method` are for the answer to a challenge."""

    kind: Kind
    data: bytes
    name: str = ""
    method: str = ""
    uri: str = ""


def block(seed: int, number: int, size: int, host: str, port: int) -> list[Message]:
    """The messages of one block; any block can be made without those before it. `host` and `port` are the sender's."""
    dice = random.Random(f"{seed}:{number}")
    kinds = dice.choices([kind for kind, _ in _SHARES], [share for _, share in _SHARES], k=size)
    make = Maker(dice, host, port, f"{seed}-{number}")
    return [make.message(kind, place) for place, kind in enumerate(kinds)]


@dataclass(kw_only=True)
class _Draft:
    first: str
    headers: list[tuple[str, str]]
    body: bytes


class Maker:
    """Makes messages by a random generator of the caller's."""

    def __init__(self, dice: random.Random, host: str, port: int, label: str) -> None:
        self._dice, self._host, self._port, self._label = dice, host, port, label

    def message(self, kind: Kind, place: int) -> Message:
        """One message of a kind; `place` makes its Call-ID and branch its own."""
        if kind is Kind.RTP:
            return Message(kind=kind, data=self._rtp())
        if kind is Kind.RTCP:
            return Message(kind=kind, data=self._rtcp())
        if kind is Kind.HEP:
            return Message(kind=kind, data=self._hep())
        if kind is Kind.ANSWER:
            return self._answer()
        dice = self._dice
        method = dice.choice(METHODS)
        if kind is Kind.IN_DIALOG:
            method = dice.choice(
                ("INVITE", "ACK", "BYE", "UPDATE", "INFO", "CANCEL", "PRACK", "REFER", "NOTIFY", "MESSAGE")
            )
        name = dice.choice(PHONES if kind is Kind.SIP_PROVEN else NAMES)
        draft, uri = self._request(kind, method, name, f"f{self._label}-{place}")
        for _ in range(dice.choice((0, 1, 1, 1, 2, 2, 3, 4))):
            self._harm(draft)
        return Message(kind=kind, data=self._written(draft), name=name, method=method, uri=uri)

    # The grammar ------------------------------------------------------------------------------------

    def _request(self, kind: Kind, method: str, name: str, token: str) -> tuple[_Draft, str]:
        dice = self._dice
        uri = f"sip:{name if method == 'REGISTER' and dice.random() < 0.8 else dice.choice(TARGETS)}@127.0.0.1"
        transport = "TCP" if kind is Kind.SIP_TCP else "UDP"
        inside = kind is Kind.IN_DIALOG
        from_tag, to_tag, call = (
            (FROM_TAG.decode(), f";tag={TO_TAG.decode()}", CALL.decode()) if inside else (token, "", token)
        )
        if not inside and dice.random() < 0.1:
            to_tag = ";tag=made-up"
        if inside:
            uri, name = "sip:611@127.0.0.1", "6001"
        headers = [
            ("Via", f"SIP/2.0/{transport} {self._host}:{self._port};branch=z9hG4bK{token};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{name}@127.0.0.1>;tag={from_tag}"),
            ("To", f"<{uri}>{to_tag}"),
            ("Call-ID", call),
            ("CSeq", f"{dice.randint(2, 60000) if inside else 1} {method}"),
            ("Contact", f"<sip:{name or 'x'}@{self._host}:{self._port}>"),
        ]
        if kind is Kind.SIP_PROVEN:
            headers.append(("Authorization", PROOF.decode()))
        if method == "REGISTER":
            headers.append(("Expires", dice.choice(("60", "0", "3600"))))
        chosen = dice.sample(list(EXTRA), dice.choice((0, 0, 1, 2, 3)))
        headers += [(extra, dice.choice(EXTRA[extra])) for extra in chosen]
        body, content = self._body(method)
        if body:
            headers.append(("Content-Type", content))
        headers.append(("Content-Length", str(len(body))))
        return _Draft(first=f"{method} {uri} SIP/2.0", headers=headers, body=body), uri

    def _body(self, method: str) -> tuple[bytes, str]:
        dice = self._dice
        if method in ("INVITE", "UPDATE", "PRACK", "ACK") and dice.random() < 0.8:
            return self._sdp(), "application/sdp"
        if method == "INFO":
            digit = dice.choice(("1", "#", "A", "16", "-1", "", "11", "é"))
            return f"Signal={digit}\r\nDuration={dice.choice(NUMBERS)}\r\n".encode(), "application/dtmf-relay"
        if dice.random() < 0.2:
            boundary = dice.choice(("b", '"b c"', "", "b" * 200))
            part = f"--{boundary}\r\nContent-Type: application/sdp\r\n\r\n".encode() + self._sdp()
            return part * dice.randint(1, 3) + f"--{boundary}--\r\n".encode(), f"multipart/mixed;boundary={boundary}"
        if dice.random() < 0.2:
            return b"SIP/2.0 200 OK\r\n", "message/sipfrag;version=2.0"
        if dice.random() < 0.2:
            return (
                b"<?xml version='1.0'?><presence xmlns='urn:ietf:params:xml:ns:pidf'><tuple/>",
                "application/pidf+xml",
            )
        return b"", ""

    def _sdp(self) -> bytes:
        dice = self._dice
        lines = _SDP.format(host=self._host, port=dice.choice((40000, 9, 0, 65535, 65536, -1))).split("\r\n")[:-1]
        for _ in range(dice.choice((0, 0, 1, 2, 4))):
            place = dice.randrange(len(lines) + 1)
            act = dice.random()
            if act < 0.5 or not lines:
                lines.insert(place, dice.choice(_SDP_LINES))
            elif act < 0.7:
                del lines[place % len(lines)]
            elif act < 0.85:
                if not lines[place % len(lines)].startswith("c="):
                    lines[place % len(lines)] = self._harmed(lines[place % len(lines)])
            else:
                lines.insert(place, lines[dice.randrange(len(lines))])
        return "\r\n".join([*lines, ""]).encode(errors="surrogateescape")

    def _answer(self) -> Message:
        """An answer to an INVITE of the line's: the sender puts the INVITE's own headers before it."""
        dice = self._dice
        code = dice.choice(
            (100, 180, 181, 183, 200, 200, 200, 202, 301, 302, 401, 407, 420, 422, 480, 486, 488, 500, 603, 699)
        )
        extra = dice.sample(list(EXTRA), dice.choice((0, 1, 2, 3)))
        headers = [
            ("Contact", f"<sip:6002@{self._host}:{self._port}>"),
            *((name, dice.choice(EXTRA[name])) for name in extra),
        ]
        body = self._sdp() if code in (183, 200) and dice.random() < 0.8 else b""
        if body:
            headers.append(("Content-Type", "application/sdp"))
        headers.append(("Content-Length", str(len(body))))
        draft = _Draft(first=f"SIP/2.0 {code} Said", headers=headers, body=body)
        for _ in range(dice.choice((0, 1, 1, 2, 3))):
            self._harm(draft)
        return Message(kind=Kind.ANSWER, data=self._written(draft))

    def _written(self, draft: _Draft) -> bytes:
        lines = [draft.first, *(f"{name}: {value}" for name, value in draft.headers)]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")[:60000] + b"\r\n\r\n" + draft.body

    # The harm ---------------------------------------------------------------------------------------

    def _harm(self, draft: _Draft) -> None:
        self._dice.choice(_HARMS)(self, draft)

    def _somewhere(self, draft: _Draft) -> int:
        return self._dice.randrange(len(draft.headers))

    def _harm_value(self, draft: _Draft) -> None:
        place = self._somewhere(draft)
        name, value = draft.headers[place]
        draft.headers[place] = (name, self._harmed(value))

    def _harm_address(self, draft: _Draft) -> None:
        """Another scheme or host, in whatever has an address."""
        places = [place for place, (_, value) in enumerate(draft.headers) if ":" in value and "<" in value]
        if not places:
            return
        place = self._dice.choice(places)
        name, value = draft.headers[place]
        rest = value[value.find("<") + 1 :].partition(":")[2].partition(">")
        what = self._dice.choice(
            (rest[0], self._dice.choice(HOSTS), f"{self._dice.choice(NAMES)}@{self._dice.choice(HOSTS)}", "y")
        )
        display = self._dice.choice(
            ("", "", '"A" ', "A B ", '"<sip:a>" ', '"' + "d" * self._length() + '" ', '"a\\" <sip:b>" ')
        )
        draft.headers[place] = (name, f"{display}<{self._dice.choice(SCHEMES)}:{what}>{rest[2]}")

    def _harm_first_line(self, draft: _Draft) -> None:
        dice = self._dice
        method, _, rest = draft.first.partition(" ")
        uri, _, version = rest.rpartition(" ")
        draft.first = dice.choice(
            (
                f"{method} {dice.choice(SCHEMES)}:{dice.choice(TARGETS)}@{dice.choice(HOSTS)} {version}",
                f"{method} {uri};{'p' * self._length()}={dice.choice(NUMBERS)} {version}",
                f"{method} {uri}?Route=%3Csip:a%3E&Subject={dice.choice(SPLINTERS)} {version}",
                f"{method} {uri} {dice.choice(('SIP/3.0', 'SIP/2.0 ', 'HTTP/1.1', '', 'sip/2.0'))}",
                f"{dice.choice((method.lower(), 'M' * 80, '', method + dice.choice(SPLINTERS)))} {uri} {version}",
                self._harmed(draft.first),
            )
        )

    def _add(self, draft: _Draft) -> None:
        name = self._dice.choice(list(EXTRA))
        value = self._dice.choice(EXTRA[name])
        draft.headers.insert(
            self._somewhere(draft), (name, self._harmed(value) if self._dice.random() < 0.5 else value)
        )

    def _twice(self, draft: _Draft) -> None:
        place = self._somewhere(draft)
        times = self._dice.choice((1, 1, 2, 40))
        draft.headers[place:place] = [draft.headers[place]] * times

    def _listed(self, draft: _Draft) -> None:
        place = self._somewhere(draft)
        name, value = draft.headers[place]
        draft.headers[place] = (name, ", ".join([value, self._harmed(value)][:: self._dice.choice((1, -1))]))

    def _away(self, draft: _Draft) -> None:
        del draft.headers[self._somewhere(draft)]
        draft.headers = draft.headers or [("Via", "")]

    def _others(self, draft: _Draft) -> None:
        one, two = self._somewhere(draft), self._somewhere(draft)
        draft.headers[one] = (draft.headers[one][0], draft.headers[two][1])

    def _renamed(self, draft: _Draft) -> None:
        place = self._somewhere(draft)
        name, value = draft.headers[place]
        other = self._dice.choice(
            (_COMPACT.get(name, name.upper()), name.lower(), f"{name} \t", f"{name}\x00", "", name * 20)
        )
        draft.headers[place] = (other, value)

    def _folded(self, draft: _Draft) -> None:
        place = self._somewhere(draft)
        name, value = draft.headers[place]
        cut = self._between(value)
        draft.headers[place] = (name, f"{value[:cut]}\r\n{self._dice.choice((' ', chr(9), '   ', ''))}{value[cut:]}")

    def _number(self, draft: _Draft) -> None:
        places = [place for place, (_, value) in enumerate(draft.headers) if any(sign.isdigit() for sign in value)]
        if places:
            place = self._dice.choice(places)
            name, value = draft.headers[place]
            address = {at for found in _ADDRESS.finditer(value) for at in range(*found.span())}
            digits = [at for at, sign in enumerate(value) if sign.isdigit() and at not in address]
            if digits:
                at = self._dice.choice(digits)
                draft.headers[place] = (name, value[:at] + self._dice.choice(NUMBERS) + value[at + 1 :])

    def _body_harm(self, draft: _Draft) -> None:
        dice = self._dice
        if draft.body and dice.random() < 0.7:
            at, gone = dice.randrange(len(draft.body)), dice.choice((0, 1, 9))
            if any(at < found.end() and found.start() < at + 10 for found in _CONNECTION.finditer(draft.body)):
                return
            draft.body = draft.body[:at] + dice.randbytes(dice.choice((1, 4))) + draft.body[at + gone :]
        else:
            draft.body = dice.choice(
                (b"", b"\x00" * 50, draft.body * 3, b"a" * self._length(), draft.body[: len(draft.body) // 2])
            )
        if dice.random() < 0.7:
            draft.headers = [
                (name, str(len(draft.body)) if name == "Content-Length" else value) for name, value in draft.headers
            ]

    def _between(self, value: str) -> int:
        """A place in a value that is in no address: half of one could be somebody's."""
        inside = {at for found in _ADDRESS.finditer(value) for at in range(found.start() + 1, found.end())}
        return self._dice.choice([at for at in range(len(value) + 1) if at not in inside])

    def _length(self) -> int:
        return self._dice.choice((1, 10, 100, 100, 255, 256, 257, 511, 513, 1025, 4100, 9000))

    def _harmed(self, value: str) -> str:
        dice = self._dice
        at = self._between(value)
        act = dice.randrange(9)
        if act == 0:
            return ""
        if act == 1:
            return value[:at]
        if act == 2:
            return value[:at] + dice.choice(SPLINTERS) + value[at:]
        if act == 3:
            return value[:at] + dice.choice(SPLINTERS) * self._length() + value[at:]
        if act == 4:
            return f"{value};{dice.choice(_PARAMETERS)}={dice.choice(NUMBERS)}"
        if act == 5:
            return f"{value};{'a' * self._length()}={'b' * self._length()}"
        if act == 6:
            if dice.random() < 0.5:
                return value.replace("<", "", 1)
            return value.replace(">", "", 1)
        if act == 7:
            return value.replace("sip:", f"{dice.choice(SCHEMES)}:")
        return "".join(
            chr(dice.choice((9, 32, 34, 44, 58, 59, 60, 62, 64, 92, 127, 233, *range(48, 58))))
            for _ in range(self._length() % 300)
        )

    # Media and copies -------------------------------------------------------------------------------

    def _noise(self, most: int) -> bytes:
        return self._dice.randbytes(self._dice.randrange(most))

    def _rtp(self) -> bytes:
        dice = self._dice
        head = struct.pack(
            "!BBHII",
            dice.choice((0x80, 0x80, 0x90, 0xA0, 0x8F, 0xBF, 0x00, 0xFF)),
            dice.choice((0, 0x80, 8, 9, 101, 0xE5, 13, 96, 127, 72)),
            dice.randrange(65536),
            dice.choice((0, 160, 0xFFFFFFFF, dice.randrange(2**32))),
            dice.choice((0, 1, 0xFFFFFFFF, dice.randrange(2**32))),
        )
        body = dice.choice(
            (bytes([dice.randrange(256), dice.randrange(256)]) + b"\x00\xa0", b"\xff" * 160, self._noise(400), b"")
        )
        return (head + body)[: dice.choice((4, 11, 12, 13, 16, 1500, 1500, 1500))]

    def _rtcp(self) -> bytes:
        dice = self._dice
        parts = []
        for _ in range(dice.choice((1, 1, 2, 3))):
            kind = dice.choice((200, 201, 202, 203, 204, 205, 206, 207, 192))
            body = dice.choice(
                (struct.pack("!I", dice.randrange(2**32)) + self._noise(80), b"\x00" * 24, self._noise(60), b"")
            )
            words = dice.choice((len(body) // 4, 0, 6, 12, 65535, dice.randrange(40)))
            parts.append(struct.pack("!BBH", dice.choice((0x80, 0x81, 0x82, 0x9F, 0xA1, 0x00)), kind, words) + body)
        return b"".join(parts)

    def _hep(self) -> bytes:
        dice = self._dice
        chunks = b"".join(
            struct.pack(
                "!HHH",
                dice.choice((0, 0, 0, 1)),
                dice.choice((*range(1, 18), 999)),
                dice.choice((6 + len(body), 6, 0, 65535)),
            )
            + body
            for body in (self._noise(dice.choice((2, 5, 17, 200))) for _ in range(dice.choice((0, 3, 12))))
        )
        whole = b"HEP3" + struct.pack("!H", dice.choice((6 + len(chunks), 6 + len(chunks), 0, 65535)) & 0xFFFF) + chunks
        return dice.choice((whole, whole, whole[: dice.randrange(len(whole) + 1)], self._noise(300)))


_HARMS: tuple[Callable[[Maker, _Draft], None], ...] = (
    Maker._harm_value,
    Maker._harm_value,
    Maker._harm_value,
    Maker._harm_address,
    Maker._harm_address,
    Maker._harm_first_line,
    Maker._add,
    Maker._add,
    Maker._twice,
    Maker._listed,
    Maker._away,
    Maker._others,
    Maker._renamed,
    Maker._folded,
    Maker._number,
    Maker._body_harm,
)


def filled(message: Message, values: dict[bytes, bytes]) -> Message:
    """With what the sender knows in its places."""
    data = message.data
    for mark, value in values.items():
        data = data.replace(mark, value)
    return replace(message, data=data)
