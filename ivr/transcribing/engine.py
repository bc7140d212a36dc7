"""The recogniser's own process: `python -m ivr.transcribing.engine MODEL_FOLDER FILE LANGUAGE` prints what is said.

faster-whisper is not among the line's own packages; install it into the line's environment.

Whisper writes something for everything: of silence, hiss and music it makes thanks and subtitles' credits. So it is
given nothing but what its voice detector (Silero) takes for speech, and what it itself doubts is left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Protocol

#: A voice lasts longer than a knock, in milliseconds, and this much around it belongs to it. Two words are enough.
_VOICE = {"threshold": 0.5, "min_speech_duration_ms": 200, "speech_pad_ms": 300}
#: A segment that is rather no speech, and whose words the engine is not sure of, is an invention (as in Whisper's own
#: `no_speech_threshold` and `logprob_threshold`); above the second limit it is one, however sure.
_NO_SPEECH, _SURELY_NO_SPEECH = 0.6, 0.9
_UNSURE_LOGPROB = -1.0
#: The same words over and over, by how well they compress.
_REPETITIVE = 2.4


class Segment(Protocol):
    """What the engine tells of a piece."""

    @property
    def text(self) -> str:
        """The words."""

    @property
    def no_speech_prob(self) -> float:
        """Return how sure it is that nobody speaks, from 0 to 1."""

    @property
    def avg_logprob(self) -> float:
        """Return how sure it is of the words; 0 is quite sure."""

    @property
    def compression_ratio(self) -> float:
        """Return how well the words compress."""


def said(segments: Iterable[Segment]) -> str:
    """The words of what is speech; nothing where nobody spoke."""
    return " ".join(text for one in segments if (text := one.text.strip()) and not _invented(one))


def _invented(one: Segment) -> bool:
    doubted = one.no_speech_prob > _NO_SPEECH and one.avg_logprob < _UNSURE_LOGPROB
    return doubted or one.no_speech_prob > _SURELY_NO_SPEECH or one.compression_ratio > _REPETITIVE


def main() -> None:
    """Print the text. Ends with status 3 where faster-whisper is missing."""
    model_folder, file, language = sys.argv[1:4]
    # Calls come first.
    os.nice(10)
    try:
        whisper = import_module("faster_whisper")
    except ImportError as error:
        sys.stderr.write(f"{error}; install it with: pip install faster-whisper\n")
        raise SystemExit(3) from error
    model = whisper.WhisperModel(model_folder, device="cpu", compute_type="int8", local_files_only=True, cpu_threads=1)
    segments, _ = model.transcribe(
        file,
        language=language,
        vad_filter=True,
        vad_parameters=_VOICE,
        # An invention would lead to the next one.
        condition_on_previous_text=False,
    )
    sys.stdout.write(said(segments))


if __name__ == "__main__":
    main()
