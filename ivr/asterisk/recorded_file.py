"""What a recorded message holds, and making it durable."""

from __future__ import annotations

import contextlib
import os
import uuid
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Below this loudness (root mean square of a tenth of a second, 16-bit full scale) it is line noise, not speech.
_SPEECH_RMS = 150.0
#: A message has at least this much speech, in seconds: two words. Shorter is a handset being put down.
_SPEECH_S = 0.5
#: And lasts at least this long, in seconds.
_SHORTEST_S = 2.0
#: Four seconds of speech.
_PROBE_BYTES = 65_536


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A message's file, its length in seconds and whether somebody spoke in it."""

    path: Path
    seconds: float
    silent: bool

    @property
    def said_something(self) -> bool:
        """Return whether there is something to listen to."""
        return not self.silent and self.seconds >= _SHORTEST_S


def inspect(path: Path) -> Recording:
    """Look into a WAV file that Asterisk recorded (8 kHz, 16-bit, mono); a missing or empty one is silent."""
    try:
        with wave.open(str(path), "rb") as handle:
            rate = handle.getframerate()
            samples = np.frombuffer(handle.readframes(handle.getnframes()), dtype="<i2").astype(np.float64)
    except (OSError, EOFError, wave.Error):
        return Recording(path=path, seconds=0.0, silent=True)
    window = rate // 10
    windows = samples[: len(samples) // window * window].reshape(-1, window)
    if len(windows):
        loud = np.sqrt((windows**2).mean(axis=1)) > _SPEECH_RMS
    else:
        loud = np.zeros(0, dtype=bool)
    seconds = round(len(samples) / rate, 2)
    return Recording(path=path, seconds=seconds, silent=bool(loud.sum() * 0.1 < _SPEECH_S))


def keep(recording: Recording) -> None:
    """Put the recording and its folder's entry on disk for good."""
    for path in (recording.path, recording.path.parent):
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            # A caller who hung up before the beep leaves no file; the ticket alone is kept.
            continue
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def has_room(folder: Path) -> bool:
    """Return whether the folder's disk takes some seconds of speech."""
    probe = folder / f".{uuid.uuid4().hex}.probe"
    try:
        with probe.open("wb") as handle:
            handle.write(bytes(_PROBE_BYTES))
            handle.flush()
            os.fsync(handle.fileno())
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return True
