"""What is kept of every call for a while, in memory: bounded in time and in bytes, the oldest goes first.

Asterisk names what it copies by its channel, and what belongs to none (yet) by the SIP Call-ID. What never gets a
channel is a stranger's, or a challenge that nobody answered: it is bounded apart and soon gone, however much comes.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ivr.asterisk.hep import RTCP_JSON, SIP, Packet
from ivr.evidence import sip
from ivr.evidence.legs import Device, EndedLeg

log = structlog.get_logger()

#: What Python needs for a packet beside its bytes.
_OVERHEAD = 500
#: One call, however long or odd, keeps so many bytes at most, and so many calls of a phone are remembered.
_DIALOG_BYTES = 400_000
_CALLS_OF_PHONE = 8
#: Packets that begin a call.
_HEAD = 8
#: What has no channel may take this part of the memory, and waits for one so many seconds.
_PASSING_PART = 0.25
_PASSING_S = 60.0
#: How Asterisk's names of SIP channels begin.
_CHANNEL = "PJSIP/"


@dataclass(kw_only=True)
class _Dialog:
    #: With the numbers by which they came: what the wall clock does meanwhile changes no order.
    packets: deque[tuple[int, Packet]] = field(default_factory=deque)
    size: int = 0
    touched: float = 0.0


@dataclass(kw_only=True)
class EndedCall:
    """The legs of one call that have ended; the first one's end is the call's."""

    linkedid: str
    #: By the monotonic clock: whatever the wall clock does, it is known how long ago it was.
    ended: float
    legs: dict[str, EndedLeg] = field(default_factory=dict)


class Ring:
    """Evidence of the last `keep_s` seconds (the desk file's `evidence_min`), of at most `most_bytes` bytes."""

    def __init__(
        self, *, keep_s: float = 1800, most_bytes: int = 64_000_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.keep_s, self._most_bytes, self._clock = keep_s, most_bytes, clock
        #: By channel, or by Call-ID once a channel has it too.
        self._dialogs: OrderedDict[str, _Dialog] = OrderedDict()
        #: By Call-ID, without a channel so far.
        self._passing: OrderedDict[str, _Dialog] = OrderedDict()
        self._calls: OrderedDict[str, EndedCall] = OrderedDict()
        self._of_phone: dict[str, deque[EndedCall]] = {}
        self._arrivals = itertools.count()
        self.size = 0
        self._passing_size = 0
        #: Calls whose evidence had to go early because memory was full.
        self.evicted = 0

    def add(self, packet: Packet) -> None:
        """Keep a packet that belongs to a call."""
        if packet.kind == SIP:
            if not sip.belongs_to_call(packet.payload):
                return
        elif packet.kind != RTCP_JSON:
            return
        if not packet.correlation or len(packet.correlation) > 256 or len(packet.payload) > 20_000:
            return
        now = self._clock()
        name = packet.correlation
        if name.startswith(_CHANNEL):
            if packet.kind == SIP and (call_id := sip.call_id(packet.payload)) is not None:
                if call_id == name:
                    # Somebody calls his call as Asterisk does a channel.
                    return
                self._has_channel(call_id)
            dialogs = self._dialogs
        else:
            dialogs = self._dialogs if name in self._dialogs else self._passing
        dialog = dialogs.get(name)
        if dialog is None:
            dialog = dialogs[name] = _Dialog()
        else:
            dialogs.move_to_end(name)
        dialog.touched = now
        dialog.packets.append((next(self._arrivals), packet))
        before, dialog.size = dialog.size, dialog.size + _cost(packet)
        if dialog.size > _DIALOG_BYTES:
            _shorten(dialog)
        self.size += dialog.size - before
        if dialogs is self._passing:
            self._passing_size += dialog.size - before
        self._expire(now)

    def _has_channel(self, call_id: str) -> None:
        """What has come of a call before it had a channel is kept like the rest of it."""
        if (dialog := self._passing.pop(call_id, None)) is not None:
            self._passing_size -= dialog.size
            self._dialogs[call_id] = dialog

    def _expire(self, now: float) -> None:
        while self._passing:
            call_id, oldest = next(iter(self._passing.items()))
            full = self._passing_size > _PASSING_PART * self._most_bytes or self.size > self._most_bytes
            if not full and now - oldest.touched <= _PASSING_S:
                break
            del self._passing[call_id]
            self.size -= oldest.size
            self._passing_size -= oldest.size
        while self._dialogs:
            call_id, oldest = next(iter(self._dialogs.items()))
            too_old = now - oldest.touched > self.keep_s
            if not too_old and self.size <= self._most_bytes:
                break
            if not too_old:
                self.evicted += 1
                if self.evicted & (self.evicted - 1) == 0:
                    log.warning("call evidence dropped early: memory limit", calls=self.evicted)
            del self._dialogs[call_id]
            self.size -= oldest.size
        while self._calls and now - next(iter(self._calls.values())).ended > self.keep_s:
            _, call = self._calls.popitem(last=False)
            for leg in call.legs.values():
                mine = self._of_phone.get(leg.name)
                if mine is not None and call in mine:
                    mine.remove(call)
                    if not mine:
                        del self._of_phone[leg.name]

    def erase_old(self) -> None:
        """Erase what is too old, also while nothing new comes."""
        self._expire(self._clock())

    def ended(self, leg: EndedLeg) -> None:
        """A leg has ended."""
        self._has_channel(leg.call_id)
        if leg.feature:
            return
        now = self._clock()
        call = self._calls.get(leg.linkedid)
        if call is None:
            call = self._calls[leg.linkedid] = EndedCall(linkedid=leg.linkedid, ended=now)
        call.legs[leg.uniqueid] = leg
        if leg.answered and not leg.trunk:
            mine = self._of_phone.setdefault(leg.name, deque(maxlen=_CALLS_OF_PHONE))
            if call not in mine:
                mine.append(call)
        self._expire(now)

    def last_call(self, device: Device, within_s: float) -> EndedCall | None:
        """The last answered call that ended on this device, in either direction, not longer ago than that."""
        now = self._clock()
        for call in reversed(self._of_phone.get(device.phone, ())):
            if now - call.ended > within_s:
                return None
            if any(leg.answered and device.had(leg) for leg in call.legs.values()):
                return call
        return None

    def call_with(self, sip_call_id: str) -> EndedCall | None:
        """The ended call that has a leg with this SIP Call-ID."""
        legs = ((call, leg) for call in reversed(self._calls.values()) for leg in call.legs.values())
        return next((call for call, leg in legs if leg.call_id == sip_call_id), None)

    def calls_since(self, seconds: float) -> list[EndedCall]:
        """Calls that ended not longer ago than that."""
        now = self._clock()
        # The newest first, and no further than needed.
        return list(itertools.takewhile(lambda call: now - call.ended <= seconds, reversed(self._calls.values())))

    def packets(self, leg: EndedLeg) -> list[Packet]:
        """Return what is kept of one leg, in order: what came before it had a channel goes by its Call-ID."""
        names = {leg.call_id, leg.channel}
        kept = [*map(self._dialogs.get, names), *map(self._passing.get, names)]
        found = [dialog for dialog in kept if dialog is not None]
        packets = sorted((one for dialog in found for one in dialog.packets), key=lambda one: one[0])
        # Kept under one name, by which the report finds its leg.
        return [packet._replace(correlation=leg.call_id) for _, packet in packets]


def _cost(packet: Packet) -> int:
    return len(packet.payload) + _OVERHEAD


def _shorten(dialog: _Dialog) -> None:
    """A long call stays whole and gets coarser: RTCP counts from its beginning, so that of each end about half the
    reports can go, evenly. What began it (who, where, which codec) stays; if that is not enough the oldest of the rest
    goes.
    """
    head, rest = list(dialog.packets)[:_HEAD], list(dialog.packets)[_HEAD:]
    moments: dict[tuple[str, int], list[float]] = {}
    for _, packet in rest:
        if packet.kind == RTCP_JSON:
            moments.setdefault(packet.src, []).append(packet.at)
    apart = {end: 2 * (max(ats) - min(ats)) / len(ats) for end, ats in moments.items()}
    last: dict[tuple[str, int], float] = {}
    kept = deque(head)
    for one in rest:
        packet = one[1]
        if packet.kind == RTCP_JSON and one is not rest[-1]:
            if abs(packet.at - last.get(packet.src, -math.inf)) < apart[packet.src]:
                continue
            last[packet.src] = packet.at
        kept.append(one)
    size = sum(_cost(packet) for _, packet in kept)
    while size > _DIALOG_BYTES:
        size -= _cost(kept[_HEAD][1])
        del kept[_HEAD]
    dialog.packets, dialog.size = kept, size
