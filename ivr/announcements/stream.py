"""The held stream of one desk in one language: music, and every so often the state of the services.

Asterisk starts it (musiconhold, `mode=custom`) and sends what it writes, G.711 µ-law, to all who wait at once. It
is run by its file and imports nothing but the standard library, and little of that: it must start at once, cost
next to nothing, and go on with the last known state when the service is dead. Asterisk is its clock: writing
waits until the pipe is read. It ends when nobody can read any more, which is when Asterisk ends.
"""

from __future__ import annotations

import os
import signal
import sys

#: Samples, and bytes, a second (ITU-T G.711).
RATE = 8000
#: Written at once, 200 ms. Asterisk reads 40 ms at a time, or 100 without a timer, and throws away what it gets of
#: less; so a page of the pipe, which holds two of these, never ends within what it reads.
CHUNK = RATE // 5
_PACKET = RATE // 50
_SILENCE = b"\xff"

#: What stands between music and speech, in seconds.
FADE_OUT_S = 0.3
BEFORE_S = 0.2
AFTER_S = 0.5
FADE_IN_S = 0.6
#: News is said again so soon, in seconds from one beginning to the next, and so often: for whoever joined in the midst
#: of it, or was still being told something else.
AGAIN_S = 6.0
_AGAIN = 2
#: What is cut off by news fades this quickly, in seconds.
CUT_S = 0.1
#: What waits in the pipe is heard before the news: two pages, 0.8 s. One would run dry each time it is refilled.
_PIPE_BYTES = 8192


def linear(byte: int) -> int:
    """The 14-bit value, scaled to 16 bits, of a µ-law byte (ITU-T G.711)."""
    byte = ~byte & 0xFF
    value = (((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 0x07)) - 0x84
    if byte & 0x80:
        return -value
    return value


def mu_law(value: int) -> int:
    """The µ-law byte nearest to a 16-bit value (ITU-T G.711)."""
    sign = 0x80 if value < 0 else 0
    biased = min(abs(value), 32635) + 0x84
    exponent = biased.bit_length() - 8
    return ~(sign | exponent << 4 | biased >> exponent + 3 & 0x0F) & 0xFF


def _scale(gain: float) -> bytes:
    return bytes(mu_law(round(linear(byte) * gain)) for byte in range(256))


_STEPS = tuple(_scale(step / 16) for step in range(17))


def faded(sound: bytes, start: float, end: float) -> bytes:
    """`sound` with its loudness going from `start` to `end`, 0 to 1, packet by packet."""
    packets = max(1, len(sound) // _PACKET)
    parts = []
    for n in range(packets):
        gain = start + (end - start) * (n + 1) / packets
        part = sound[n * _PACKET : (n + 1) * _PACKET if n + 1 < packets else len(sound)]
        parts.append(part.translate(_STEPS[round(gain * 16)]))
    return b"".join(parts)


def silence(seconds: float) -> bytes:
    """So much silence, in whole packets."""
    return _SILENCE * (round(seconds * RATE / _PACKET) * _PACKET)


class Programme:
    """What is heard, chunk by chunk. Pure."""

    def __init__(self, music: bytes, every_s: float) -> None:
        # A loop of whole packets, so that each sound begins with one; without music there is silence.
        self._music = music[: len(music) // _PACKET * _PACKET] or silence(1)
        self._place = 0
        self._every = int(every_s * RATE) // CHUNK * CHUNK
        self._until_said = self._every
        self._state = b""
        #: What is said of it once that was news.
        self._brief = b""
        #: How often what is new will still be said again soon.
        self._again = 0
        #: What is to be heard before music again.
        self._next = b""

    def tell(self, state: bytes, brief: bytes = b"") -> None:
        """Say a new state, at once; from then on `brief`, or the same, every so often. Nothing to say is music only."""
        self._state = _whole(state)
        self._brief = _whole(brief) or self._state
        cut = self._take(int((CUT_S if self._next else FADE_OUT_S) * RATE))
        self._next = faded(cut, 1, 0)
        self._again = _AGAIN
        self._say()

    def chunk(self) -> bytes:
        """The next CHUNK samples."""
        if not self._next and self._state and self._until_said <= 0:
            self._next = faded(self._tune(int(FADE_OUT_S * RATE)), 1, 0)
            self._say()
        return self._take(CHUNK)

    def _say(self) -> None:
        state = self._state if self._again == _AGAIN else self._brief
        spoken = silence(BEFORE_S) + state + silence(AFTER_S) if state else b""
        self._next += spoken + faded(self._tune(int(FADE_IN_S * RATE)), 0, 1)
        self._until_said = self._every
        if self._again:
            self._again -= 1
            fades = int((FADE_IN_S + FADE_OUT_S) * RATE)
            self._until_said = max(CHUNK, int(AGAIN_S * RATE) - len(spoken) - fades)

    def _take(self, count: int) -> bytes:
        taken, self._next = self._next[:count], self._next[count:]
        if len(taken) < count:
            self._until_said -= count - len(taken)
            taken += self._tune(count - len(taken))
        return taken

    def _tune(self, count: int) -> bytes:
        part = b""
        while len(part) < count:
            more = self._music[self._place : self._place + count - len(part)]
            self._place = (self._place + len(more)) % len(self._music)
            part += more
        return part


def _whole(sound: bytes) -> bytes:
    """A sound that ends with a packet."""
    return sound + _SILENCE * (-len(sound) % _PACKET)


class Watched:
    """A file that is replaced as a whole: looked at with each chunk, read when it is another one."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self.content: bytes | None = None

    def changed(self) -> bool:
        """Return whether its content is another than before. A file that is gone is as it was."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - pathlib would double the time this takes to start
            seen = status.st_ino, status.st_mtime_ns, status.st_size
            if seen == self._seen:
                return False
            with open(self._path, "rb") as file:  # noqa: PTH123
                content = file.read()
        except OSError:
            return False
        self._seen = seen
        if content == self.content:
            return False
        self.content = content
        return True


def read_music(folder: str) -> bytes:
    """All µ-law files of the folder, by name."""
    tune = b""
    for name in sorted(os.listdir(folder)):  # noqa: PTH208
        if name.endswith(".ulaw") and not name.startswith("."):
            with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123
                tune += file.read()
    return tune


def main(state: str, brief: str, music: str, every_s: str) -> None:
    """Write the stream to standard output, a pipe, until it is closed."""
    import fcntl

    # Asterisk is gone: so are we, without a word.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    programme = Programme(read_music(music), float(every_s))
    watched, briefly = Watched(state), Watched(brief)
    while True:
        if watched.changed():
            briefly.changed()
            programme.tell(watched.content or b"", briefly.content or b"")
        os.write(1, programme.chunk())


if __name__ == "__main__":
    main(*sys.argv[1:])
