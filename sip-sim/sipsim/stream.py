"""The audio of a call, packet by packet: G.711 µ-law (RFC 3551), keys as RFC 4733 events, comfort noise (RFC 3389).

While nothing is said it sends comfort noise, as a gateway does, so that the line knows that it is there.
"""

from __future__ import annotations

import asyncio
import random
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sipsim.audio import RATE, Samples, from_ulaw

FRAME = 160  # bytes and samples of 20 ms of G.711
#: Frames of a new stream that come no later than this after the last one, in samples, follow it.
_LATE = RATE // 5
#: Timestamps that jump further, in samples, began to count anew. A minute.
_LONGEST_GAP = 60 * RATE
_DIGITS = "0123456789*#"
#: Comfort noise: its payload type (RFC 3551, section 6), -78 dBov of it (RFC 3389), and how often, in seconds.
_NOISE_TYPE, _NOISE, _NOISE_S = 13, b"\x4e", 2.0


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of G.711 as they came: when (perf_counter), and what their RTP header says (RFC 3550, section 5.1)."""

    at: float
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class Playback:
    """What a phone would have played of a call's frames since `began` (perf_counter), as they come.

    Within a stream the sender's timestamps tell where a frame belongs. When it came tells only where a stream begins:
    a machine that was busy for a moment gets frames late and then all at once, which nobody hears.
    """

    def __init__(self, began: float) -> None:
        self.began = began
        #: Frames that were given to `play`.
        self.count = 0
        self._samples: Samples = np.zeros(RATE, np.float32)
        self._length = 0
        self._ssrc: int | None = None
        # In the stream: the last frame's sequence number, and the timestamp that would come next.
        self._last = self._expected = 0

    @property
    def samples(self) -> Samples:
        """All of it so far, not to be written to; what was not sent is silence."""
        return self._samples[: self._length]

    def play(self, frames: Sequence[Frame]) -> None:
        """Go on with the frames that came since."""
        self.count += len(frames)
        for frame in frames:
            gap = -1
            if frame.ssrc == self._ssrc:
                if _signed(frame.sequence - self._last, 16) <= 0:
                    continue
                gap = _signed(frame.timestamp - self._expected, 32)
            if not 0 <= gap <= _LONGEST_GAP:
                gap = max(0, int((frame.at - self.began) * RATE) - self._length)
                gap = gap if gap > _LATE else 0
            self._ssrc, self._last, self._expected = frame.ssrc, frame.sequence, frame.timestamp + FRAME
            self._put(self._length + gap, from_ulaw(frame.payload))

    def _put(self, place: int, sound: Samples) -> None:
        end = place + len(sound)
        if end > len(self._samples):
            # Whoever has `samples` keeps the old ones, which are right as far as they go.
            self._samples = np.concatenate([self._samples, np.zeros(2 * end, np.float32)])
        self._samples[place:end] = sound
        self._length = end


def played(frames: Sequence[Frame], began: float) -> Samples:
    """The same, of frames that are all there."""
    playback = Playback(began)
    playback.play(frames)
    return playback.samples


def _signed(difference: int, bits: int) -> int:
    """A difference of two counters that wrap, as small as it can be."""
    half = 1 << bits - 1
    return (difference + half) % (1 << bits) - half


class _Media(asyncio.DatagramProtocol):
    """Keeps every frame with its place in time; can wait for a frame of a prompt."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.awaited: dict[bytes, int] = {}
        self.seen: asyncio.Future[float] | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) != 12 + FRAME or data[1] & 0x7F != 0:
            return
        now = time.perf_counter()
        payload = data[12:]
        sequence, timestamp, ssrc = struct.unpack("!HII", data[2:12])
        self.frames.append(Frame(now, sequence, timestamp, ssrc, payload))
        if self.seen is not None and not self.seen.done() and (index := self.awaited.get(payload)) is not None:
            self.seen.set_result(now - index * 0.020)


class Stream:
    """One end of a call's audio. A `muted` one sends nothing by itself, not even comfort noise."""

    def __init__(self, *, muted: bool = False) -> None:
        self._muted = muted
        self.media = _Media()
        self._rtp: asyncio.DatagramTransport | None = None
        #: Where audio is sent; set it when the other side says so.
        self.remote: tuple[str, int] | None = None
        #: The payload type of telephone events, and how fast their clock counts.
        self.event_type, self.event_rate = 101, RATE
        self._sequence = random.getrandbits(15)
        self._timestamp = random.getrandbits(30)
        self._ssrc = random.getrandbits(32)
        self._last_sent = 0.0
        self._being_there: asyncio.Task[None] | None = None
        self.began = 0.0
        # A call is listened to again and again while it grows, and from several threads.
        self._playback, self._hearing = Playback(0.0), threading.Lock()

    async def open(self, host: str) -> int:
        """Bind a port of this host; the port."""
        loop = asyncio.get_running_loop()
        self._rtp, _ = await loop.create_datagram_endpoint(lambda: self.media, local_addr=(host, 0))
        return int(self._rtp.get_extra_info("sockname")[1])

    def start(self, remote: tuple[str, int]) -> None:
        """Talk to the line's media port."""
        self.remote = remote
        self.began = time.perf_counter()
        if not self._muted and self._being_there is None:
            self._being_there = asyncio.create_task(self._be_there())

    def close(self) -> None:
        """Be silent."""
        self.fall_silent()
        if self._rtp is not None:
            self._rtp.close()

    def fall_silent(self) -> None:
        """Not even comfort noise is sent from now on."""
        if self._being_there is not None:
            self._being_there.cancel()

    async def press(self, key: str) -> float:
        """Send an 80 ms digit; the moment its end left, by perf_counter."""
        event, step = _DIGITS.index(key), self.event_rate // 50
        self._timestamp = (self._timestamp + RATE) & 0xFFFFFFFF
        for packet in range(1, 5):
            self._packet(event, end=False, duration=packet * step, marker=packet == 1)
            await asyncio.sleep(0.020)
        ended = time.perf_counter()
        for _ in range(3):
            self._packet(event, end=True, duration=4 * step, marker=False)
        return ended

    def _packet(self, event: int, *, end: bool, duration: int, marker: bool) -> None:
        payload = bytes([event, 0x80 * end | 10]) + duration.to_bytes(2, "big")
        self._send_rtp(0x80 * marker | self.event_type, payload)

    def _send_rtp(self, kind: int, payload: bytes) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        header = bytes([0x80, kind]) + self._sequence.to_bytes(2, "big")
        header += self._timestamp.to_bytes(4, "big") + self._ssrc.to_bytes(4, "big")
        if self._rtp is not None and self.remote is not None and not self._rtp.is_closing():
            self._rtp.sendto(header + payload, self.remote)
            self._last_sent = time.perf_counter()

    async def _be_there(self) -> None:
        while True:
            # Never within a digit: all of its packets have one timestamp (RFC 4733, section 2.2).
            if (since := time.perf_counter() - self._last_sent) >= _NOISE_S:
                self._timestamp = (self._timestamp + int(min(since, _NOISE_S) * RATE)) & 0xFFFFFFFF
                self._send_rtp(_NOISE_TYPE, _NOISE)
                since = 0.0
            await asyncio.sleep(_NOISE_S - since)

    async def speak(self, ulaw: bytes) -> None:
        """Send G.711 µ-law audio in real time."""
        began = time.perf_counter()
        for n in range(len(ulaw) // FRAME):
            self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
            self._send_rtp(0, ulaw[n * FRAME : (n + 1) * FRAME])
            await asyncio.sleep(max(0.0, began + (n + 1) * 0.020 - time.perf_counter()))

    def expect(self, prompt: bytes, *, frames: int = 10) -> asyncio.Future[float]:
        """Resolves to the moment (perf_counter) at which a prompt's first packet came; µ-law, not transcoded."""
        heads = [prompt[i * FRAME : (i + 1) * FRAME] for i in range(frames)]
        # A frame that comes twice, or is silence, does not say where we are.
        self.media.awaited = {f: i for i, f in enumerate(heads) if heads.count(f) == 1 and len(set(f)) > 8}
        self.media.seen = asyncio.get_running_loop().create_future()
        return self.media.seen

    def heard(self) -> Samples:
        """Everything heard so far, from the answer on, not to be written to; what was not sent is silence."""
        with self._hearing:
            if self._playback.began != self.began:
                self._playback = Playback(self.began)
            self._playback.play(self.media.frames[self._playback.count :])
            return self._playback.samples
