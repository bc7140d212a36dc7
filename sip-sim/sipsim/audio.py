"""Reads what phones record and what the line plays: 16-bit mono at 8 kHz."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sipsim.errors import RecordingUnusable

#: Samples a second, everywhere in the simulator.
RATE = 8000

Samples = npt.NDArray[np.float32]

_HEADER = 44
_FORMAT = (1).to_bytes(2, "little") + (1).to_bytes(2, "little") + RATE.to_bytes(4, "little")


def _ulaw_table() -> Samples:
    """ITU-T G.711 table 2a, as 16-bit values."""
    code = ~np.arange(256) & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return np.where(code & 0x80, 0x84 - magnitude, magnitude - 0x84).astype(np.float32)


_ULAW = _ulaw_table()


def read_ulaw(path: Path) -> Samples:
    """A headerless G.711 µ-law file. Raises OSError."""
    return from_ulaw(path.read_bytes())


def from_ulaw(data: bytes) -> Samples:
    """Decode G.711 µ-law."""
    return np.asarray(_ULAW[np.frombuffer(data, np.uint8)])


def read_wav(path: Path, start: int = 0) -> Samples:
    """A recording from sample `start` on; one that still grows is read as far as it is written.

    Raises RecordingUnusable for anything but plain 16-bit mono WAV at 8 kHz, OSError when it is not there.
    """
    with path.open("rb") as handle:
        header = handle.read(_HEADER)
        if header and (header[20:28] != _FORMAT or header[36:40] != b"data"):
            raise RecordingUnusable(f"{path} is not plain 16-bit mono WAV at {RATE} Hz")
        handle.seek(_HEADER + 2 * start)
        content = handle.read()
    return np.frombuffer(content[: len(content) // 2 * 2], "<i2").astype(np.float32)


def write_wav(path: Path, samples: Samples) -> None:
    """As `read_wav` reads it."""
    with wave.open(str(path), "wb") as handle:
        handle.setnchannels(1)
        handle.setsampwidth(2)
        handle.setframerate(RATE)
        handle.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
