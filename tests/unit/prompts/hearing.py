"""Measures sounds as a telephone would play them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ivr.prompts.audio import Pcm

Signal = npt.NDArray[np.float64]

_CODECS = {"ulaw": ("pcm_mulaw", 8000), "alaw": ("pcm_alaw", 8000), "g722": ("g722", 16000)}


def played(content: bytes, extension: str) -> Pcm:
    """What a telephone makes of a sound file's bytes."""
    if extension == "sln16":
        return Pcm(samples=np.frombuffer(content, dtype="<i2").astype(np.int16), rate=16000)
    codec, rate = _CODECS[extension]
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = rate
    context.layout = "mono"
    frames = [frame for packet in (av.Packet(content), None) for frame in context.decode(packet)]
    return Pcm(samples=np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.int16), rate=rate)


def played_file(stem: str, extension: str) -> Pcm:
    return played(Path(f"{stem}.{extension}").read_bytes(), extension)


def silence_around(pcm: Pcm, below_db: float = -40.0) -> tuple[float, float]:
    """Seconds before and after what is heard; quieter than the loudest 5 ms by this much is silence."""
    size = pcm.rate // 200
    moments = pcm.samples[: len(pcm.samples) // size * size].reshape(-1, size).astype(np.float64)
    loud = np.sqrt((moments**2).mean(axis=1))
    heard = np.flatnonzero(loud > loud.max() * 10 ** (below_db / 20))
    return float(heard[0]) * 0.005, (len(loud) - 1 - float(heard[-1])) * 0.005


def loudness_dbfs(pcm: Pcm) -> float:
    """Mean of the moments in which something is heard, in dB of full scale."""
    size = pcm.rate // 50
    moments = pcm.samples[: len(pcm.samples) // size * size].reshape(-1, size).astype(np.float64)
    loud = np.sqrt((moments**2).mean(axis=1))
    active = loud[loud > loud.max() * 0.03]
    return float(20 * np.log10(np.sqrt((active**2).mean()) / 32768))


def likeness(one: Pcm, other: Pcm) -> float:
    """The best correlation of the first 3 s of the two with up to 5 ms between them: 1 is the same sound."""
    most = one.rate // 200
    length = min(len(one.samples), len(other.samples), 3 * one.rate) - most
    a = one.samples[:length].astype(np.float64)
    best = 0.0
    for shift in range(most):
        b = other.samples[shift : shift + length].astype(np.float64)
        best = max(best, float(a @ b / np.sqrt((a @ a) * (b @ b))))
    return best
