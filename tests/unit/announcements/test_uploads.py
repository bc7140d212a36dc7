"""WAV files that are taken, and those that are not, with the field and the reason."""

from __future__ import annotations

import io
import random
import struct
import wave

import numpy as np
import pytest

from ivr.announcements.sounds import wav
from ivr.errors import BadInput


def made(seconds: float = 1, rate: int = 44100, channels: int = 2, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        tone = np.sin(np.arange(int(seconds * rate)) / rate * 2 * np.pi * 400) * 0.5 * (256**width / 2 - 1)
        if width == 1:
            samples = (tone + 128).astype(np.uint8).tobytes()
        else:
            samples = tone.astype("<i4" if width == 4 else "<i2").tobytes()
            if width == 3:
                wide = (tone.astype("<i4")).tobytes()
                samples = b"".join(wide[n : n + 3] for n in range(0, len(wide), 4))
        parts = [samples[n : n + width] * channels for n in range(0, len(samples), width)]
        file.writeframes(b"".join(parts))
    return out.getvalue()


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_any_usual_rate(rate: int) -> None:
    pcm = wav("fr", made(rate=rate, channels=1))
    assert pcm.seconds == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("channels", "width"), [(1, 1), (2, 2), (1, 3), (2, 4)])
def test_any_usual_width(channels: int, width: int) -> None:
    assert wav("fr", made(channels=channels, width=width)).peak_dbfs == pytest.approx(-6, abs=1.5)


HEADER = made(0.1)[:44]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a WAV file"),
        (b"RIFF", "not a WAV file"),
        (b"ID3\x04" + b"\0" * 100, "not a WAV file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not a WAV file"),
        (b"%PDF-1.4 " * 100, "not a WAV file"),
        # MP3 within RIFF: a few bytes can be hours.
        (HEADER[:20] + struct.pack("<H", 0x55) + HEADER[22:], "not a WAV file"),
        (HEADER[:22] + struct.pack("<H", 0) + HEADER[24:], "not a WAV file"),
        (HEADER[:22] + struct.pack("<H", 6000) + HEADER[24:], "not a WAV file"),
        (HEADER[:24] + struct.pack("<I", 1) + HEADER[28:], "1 samples a second"),
        (HEADER[:24] + struct.pack("<I", 4_000_000_000) + HEADER[28:], "4000000000 samples a second"),
        (made(70, rate=8000, channels=1), "lasts 70 s"),
        (HEADER, "no usable WAV file"),
    ],
)
def test_what_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(BadInput) as raised:
        wav("en", content)
    assert raised.value.field == "en"
    assert problem in raised.value.problem


def test_damaged_files_are_refused_or_read_and_never_more() -> None:
    """Whatever a few changed bytes make of a file: BadInput or sound, and soon."""
    chance = random.Random(58)
    whole = made(0.2, rate=8000, channels=1)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(60)] = chance.randrange(256)
        try:
            pcm = wav("fr", bytes(damaged[: chance.choice([len(damaged), chance.randrange(len(damaged))])]))
        except BadInput:
            continue
        assert pcm.seconds < 61
