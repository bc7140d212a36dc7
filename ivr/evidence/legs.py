"""How a leg was when it ended, as the dialplan tells it in one event (`OvLeg`). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ivr.asterisk.contract import Told, fields_of
from ivr.trunks import is_trunk

#: As in `lp=3`: names and numbers of CHANNEL(rtcp,all).
_FIGURE = re.compile(r"(\w+)=(-?\d{1,12}(?:\.\d{1,9})?)(?:;|$)")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
#: More packets than a day of audio has.
_ABSURD_PACKETS = 5_000_000


@dataclass(frozen=True, kw_only=True)
class EndedLeg:
    """`rx` and `lost` are what we counted of their audio; `their_lost` what they say of ours."""

    linkedid: str
    uniqueid: str
    #: The authenticated phone, or the trunk.
    name: str
    call_id: str
    #: Asterisk's name of the leg; empty where it is not known any more.
    channel: str
    #: Seconds since 1970, by Asterisk's clock.
    started: float
    answered: bool
    codec: str | None
    remote: str | None
    their_number: str | None
    rx: int | None
    lost: int | None
    tx: int | None
    their_lost: int | None
    #: Milliseconds; None when the other end never reported.
    rtt_ms: float | None
    their_ssrc: int | None
    #: Where the device's SIP comes from, as address and port: several devices may share one line.
    device: str | None = None
    #: A feature code's leg is no call that one complains of.
    feature: bool = False

    @property
    def trunk(self) -> bool:
        """Not a phone."""
        return is_trunk(self.name)

    @property
    def caller(self) -> bool:
        """The leg that the call began with."""
        return self.uniqueid == self.linkedid


def read(event: Mapping[str, str]) -> EndedLeg | None:
    """The leg that an event tells of; None when it is no such event, or not a whole one."""
    told = fields_of(event, Told.LEG)
    if told is None or not _NAME.fullmatch(told["phone"]):
        return None
    return of_text(
        linkedid=told["linked"],
        uniqueid=event.get("uniqueid", ""),
        channel=event.get("channel", ""),
        name=told["phone"],
        call_id=told["callid"],
        answered=event.get("channelstate") == "6",
        codec=told["codec"] or None,
        remote=told["remote"] or None,
        their_number=event.get("connectedlinenum") or None,
        rtcp=told["rtcp"],
        device=told["device"] or None,
        feature=told["kind"] != "",
    )


def of_text(  # noqa: PLR0913 - a record of them would be made only to be taken apart
    *,
    linkedid: str,
    uniqueid: str,
    name: str,
    call_id: str,
    answered: bool,
    codec: str | None,
    remote: str | None,
    their_number: str | None,
    rtcp: str,
    channel: str = "",
    device: str | None = None,
    feature: bool = False,
) -> EndedLeg | None:
    """A leg of Asterisk's own words; None without the ids that make it one."""
    started = re.fullmatch(r"(?:[\w-]+-)?(\d{9,11})\.\d{1,12}", uniqueid)
    if started is None or not 1 <= len(linkedid) <= 150:
        return None
    figures = {found[1]: float(found[2]) for found in _FIGURE.finditer(rtcp[:2000])}
    rtt = figures.get("rtt")
    heard = rtt is not None and rtt > 0
    return EndedLeg(
        linkedid=linkedid,
        uniqueid=uniqueid,
        name=name,
        call_id=call_id[:256],
        channel=channel[:256],
        started=float(started[1]),
        answered=answered,
        codec=codec,
        remote=_address(remote),
        their_number=their_number[:40] if their_number and their_number != "<unknown>" else None,
        rx=_count(figures.get("rxcount")),
        lost=_count(figures.get("lp")),
        tx=_count(figures.get("txcount")),
        # Without a report of theirs the zeros mean that nothing is known.
        their_lost=_count(figures.get("rlp")) if heard else None,
        rtt_ms=round(rtt * 1000, 2) if rtt is not None and 0 < rtt < 30 else None,
        their_ssrc=int(figures["themssrc"]) if "themssrc" in figures else None,
        device=_address(device),
        feature=feature,
    )


@dataclass(frozen=True, kw_only=True)
class Device:
    """One of the devices that share a phone's account: what another one did is not this one's call."""

    phone: str
    #: Where its SIP comes from; None when it is not known, and then every device of the account is meant.
    address: str | None = None
    #: Where the account's devices are registered from.
    registered: frozenset[str] = frozenset()

    def had(self, leg: EndedLeg) -> bool:
        """Return whether the leg was this device's. Where nobody is registered any more, it was: addresses change."""
        return leg.name == self.phone and (
            None in (self.address, leg.device) or leg.device == self.address or leg.device not in self.registered
        )


def registered_at(contacts: str) -> frozenset[str]:
    """Addresses and ports in Asterisk's list of an account's contacts (`PJSIP/6001/sip:6001@192.0.2.7:5060&…`)."""
    return frozenset(re.findall(r"@([0-9a-fA-F.:\[\]]{3,60})", contacts[:4000]))


def address_in(uri: str) -> str | None:
    """The address and port in a SIP URI, as `Device` has them; None without."""
    return _address(uri.rpartition("@")[2].partition(";")[0])


def _address(text: str | None) -> str | None:
    if text and re.fullmatch(r"[0-9a-fA-F.:\[\]]{3,60}", text):
        return text
    return None


def _count(value: float | None) -> int | None:
    if value is not None and 0 <= value <= _ABSURD_PACKETS:
        return int(value)
    return None
