"""Audio as the simulator needs it: 8 kHz floats between -1 and 1, from G.711 bytes and WAV files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000
Signal = npt.NDArray[np.float32]


def _ulaw_table() -> Signal:
    """ITU-T G.711 µ-law, byte by byte."""
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((codes & 0x0F) << 3) + 0x84) << ((codes & 0x70) >> 4)
    values = np.where(codes & 0x80, 0x84 - magnitude, magnitude - 0x84)
    return (values / 32768.0).astype(np.float32)


_ULAW = _ulaw_table()


def from_ulaw(data: bytes) -> Signal:
    """Decode G.711 µ-law."""
    return np.asarray(_ULAW[np.frombuffer(data, dtype=np.uint8)])


def read_wav(path: Path) -> Signal:
    """A 16-bit mono WAV file; one at 16 kHz is brought to 8 kHz. Raises ValueError for others."""
    with wave.open(str(path), "rb") as handle:
        rate, width, channels = handle.getframerate(), handle.getsampwidth(), handle.getnchannels()
        data = handle.readframes(handle.getnframes())
    if width != 2 or channels != 1 or rate not in (8000, 16000):
        raise ValueError(
            f"{path}: {channels} channels of {8 * width} bits at {rate} Hz; wanted 16-bit mono, 8 or 16 kHz"
        )
    signal = np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0
    if rate == 16000:
        # A short low-pass, then every other sample; enough to recognise prompts by.
        kernel = np.array([-1, 0, 9, 16, 9, 0, -1], dtype=np.float32) / 32
        signal = np.convolve(signal, kernel, mode="same")[::2].astype(np.float32)
    return signal


def write_wav(path: Path, signal: Signal) -> None:
    """As 16-bit mono at RATE."""
    with wave.open(str(path), "wb") as handle:
        handle.setnchannels(1)
        handle.setsampwidth(2)
        handle.setframerate(RATE)
        handle.writeframes(np.clip(np.rint(signal * 32767), -32768, 32767).astype("<i2").tobytes())
