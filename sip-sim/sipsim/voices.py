"""Made-up speech: a person in a test who can be recognised, or a prompt that no voice engine had to speak."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from sipsim.audio import RATE, Samples
from sipsim.matching import Sound

_SYLLABLE_S = 0.14


def babble(seed: int, seconds: float, *, pitch: float = 120.0) -> Samples:
    """Syllables of a voice: a buzz shaped by wandering resonances, with pauses. Alike for a seed, unlike others."""
    random = np.random.default_rng(seed)
    parts: list[Samples] = []
    phase = 0.0
    while sum(map(len, parts)) < seconds * RATE:
        if random.random() < 0.12:
            parts.append(np.zeros(int(random.uniform(0.05, 0.2) * RATE), np.float32))
            continue
        length = int(random.uniform(0.7, 1.4) * _SYLLABLE_S * RATE)
        moment = np.arange(length) / RATE
        tone = pitch * random.uniform(0.8, 1.25) * (1 + random.uniform(-0.3, 0.3) * moment)
        turns = phase + np.cumsum(tone) / RATE
        phase = float(turns[-1])
        resonances = (random.uniform(250, 900), random.uniform(900, 2300), random.uniform(2300, 3200))
        sound = np.zeros(length)
        for harmonic in range(1, int(3300 / pitch)):
            at = harmonic * pitch
            gain = sum(1 / (1 + ((at - one) / 90) ** 2) for one in resonances)
            sound += gain * np.sin(2 * np.pi * harmonic * turns)
        parts.append((sound * np.hanning(length + 2)[1:-1] ** 0.25).astype(np.float32))
    voice = np.concatenate(parts)[: int(seconds * RATE)]
    return np.asarray(voice * (16000 / np.abs(voice).max()), np.float32)


def person(name: str, folder: Path, *, seed: int, seconds: float = 3.0) -> tuple[Sound, Path]:
    """Somebody to play on a phone (the WAV file) and to recognise on the other (the sound, by its `name`)."""
    path = folder / f"{name}.wav"
    samples = babble(seed, seconds, pitch=100.0 + 37 * (seed % 4))
    write_wav(path, samples)
    return Sound(prompt_id=name, language="", text=name, desk="", samples=samples), path


def write_wav(path: Path, samples: Samples) -> None:
    """16-bit mono at 8 kHz."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
