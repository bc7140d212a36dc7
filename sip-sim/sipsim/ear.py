"""Listens to a recording while it grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sipsim.audio import Samples, read_wav
from sipsim.recognise import Heard, Recogniser


class Ear:
    """The prompts of one recording, so far. Each call of `listen` costs what was recorded since the last one."""

    def __init__(self, recogniser: Recogniser, recording: Path) -> None:
        self._listening, self._recording = recogniser.listening(), recording
        self._samples: Samples = np.zeros(0, np.float32)

    def listen(self) -> list[Heard]:
        """All prompts so far, in order; the last may still go on. Raises RecordingUnusable, OSError."""
        self._samples = np.concatenate([self._samples, read_wav(self._recording, len(self._samples))])
        return self._listening.hear(self._samples)
