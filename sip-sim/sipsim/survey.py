"""What is in a recording beside prompts: silence, and sound that is none of the line's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sipsim.audio import RATE, Samples
from sipsim.recognise import Heard

#: Below this level, in 16-bit values, is silence: about -50 dB of full scale.
_SILENT = 100.0
_FRAME = RATE // 10
#: Shorter silences are pauses, and shorter sounds beeps or breaths; in frames of 0.1 s.
_LEAST = {"silence": 20, "unknown": 5}


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of a recording that is no prompt: music and people are `unknown`."""

    kind: Literal["silence", "unknown"]
    start_s: float
    end_s: float


def between(samples: Samples, heard: Sequence[Heard]) -> list[Stretch]:
    """Silences of 2 s and more, and sounds of 0.5 s and more outside of the prompts heard, in order."""
    blocks = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    kinds = np.where(np.sqrt(np.square(blocks, dtype=np.float64).mean(axis=1)) < _SILENT, "silence", "unknown")
    for one in heard:
        # What a prompt ends with is heard a little after its last whole block.
        first, last = int(one.start_s * RATE) // _FRAME, int((one.end_s + 0.2) * RATE) // _FRAME + 1
        kinds[max(0, first) : last] = "prompt"
    edges = [0, *(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1), len(kinds)]
    return [
        Stretch(kind=kind, start_s=first / 10, end_s=last / 10)
        for first, last in itertools.pairwise(edges)
        for kind in ("silence", "unknown")
        if first < last and kinds[first] == kind and last - first >= _LEAST[kind]
    ]
