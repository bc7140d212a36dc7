"""Listens to a recording while it grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from sipsim.audio import RATE, Samples, read_wav
from sipsim.recognise import Heard, Recogniser

#: What is kept to be recognised again with what follows, in seconds: enough for the beginning of any prompt.
_MEMORY_S = 6.0
#: A prompt that stopped matching this long ago, in seconds, will not go on.
_OVER_S = 0.8


class Ear:
    """The prompts of one recording, so far. Each call of `listen` costs the sound since the last prompt's end."""

    def __init__(self, recogniser: Recogniser, recording: Path) -> None:
        self._recogniser, self._recording = recogniser, recording
        self._samples: Samples = np.zeros(0, np.float32)
        #: Where `_samples` begins in the recording.
        self._first = 0
        self._settled: list[Heard] = []

    def listen(self) -> list[Heard]:
        """All prompts so far, in order; the last may still go on. Raises RecordingUnusable, OSError."""
        new = read_wav(self._recording, self._first + len(self._samples))
        self._samples = np.concatenate([self._samples, new])
        heard = [self._moved(one) for one in self._recogniser.recognise(self._samples)]
        now_s = (self._first + len(self._samples)) / RATE
        over = [one for one in heard if one.complete or one.end_s < now_s - _OVER_S]
        going_on = [one for one in heard if one not in over]
        self._settled += over
        starts = [one.start_s for one in going_on]
        keep_from = min([now_s - _MEMORY_S, *starts])
        if over:
            keep_from = max(keep_from, min([over[-1].end_s, *starts]))
        self._forget(max(0, int(keep_from * RATE)))
        return sorted(self._settled + going_on, key=lambda one: one.start_s)

    def _moved(self, one: Heard) -> Heard:
        return replace(one, start_s=one.start_s + self._first / RATE)

    def _forget(self, first: int) -> None:
        if first > self._first:
            self._samples = self._samples[first - self._first :]
            self._first = first
