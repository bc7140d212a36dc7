"""A voice that hums: every text has a sound of its own, made in no time."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ivr.prompts.audio import FORMATS, NotAudio, Pcm
from ivr.prompts.catalog import Utterance
from ivr.prompts.engines import VoiceFailed


def tone(
    seconds: float,
    *,
    rate: int = 16000,
    peak: float = 0.4,
    hertz: float = 440.0,
    before_s: float = 0,
    after_s: float = 0,
) -> Pcm:
    """A tone, with silence around it; `peak` is a fraction of full scale."""
    time = np.arange(int(seconds * rate)) / rate
    sound = np.sin(2 * np.pi * hertz * time) * peak * 32767
    around = [np.zeros(int(before_s * rate)), sound, np.zeros(int(after_s * rate))]
    return Pcm(samples=np.rint(np.concatenate(around)).astype(np.int16), rate=rate)


def write_wav(path: Path, samples: npt.NDArray[np.int16], rate: int, channels: int = 1) -> None:
    """A 16-bit WAV file; `samples` of two channels are interleaved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.astype("<i2").tobytes())


class HummingVoice:
    """Speaks the languages it is given, and counts how often."""

    def __init__(self, *languages: str) -> None:
        self.languages = languages or ("fr", "en")
        self.spoken: list[str] = []
        self.asked = 0
        #: Texts it has no sound for.
        self.mute: set[str] = set()
        self.broken = False

    def identity(self, utterance: Utterance) -> str | None:
        self.asked += 1
        return f"hum:{utterance.voice}" if utterance.voice in self.languages else None

    def speak(self, utterances: Sequence[Utterance]) -> Iterator[Pcm]:
        for utterance in utterances:
            if self.broken:
                raise VoiceFailed(engine="hum", problem="is hoarse")
            if utterance.text in self.mute:
                raise NotAudio(problem="has no sound")
            self.spoken.append(utterance.text)
            yield tone(0.2, hertz=300 + len(utterance.text) * 7)


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file by its path, but for partial ones none is ever left of."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def sound_files(stem: str) -> list[Path]:
    """The files of a sound in all formats."""
    return [Path(f"{stem}.{extension}") for extension in FORMATS]
