"""From any recording to what Asterisk plays without transcoding: trimmed, levelled, in four formats."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ivr.errors import OmnivigilError

Samples = npt.NDArray[np.int16]

#: Bytes a second of each format. `.g722` and the G.711 ones are alike by chance: 64 kbit/s (ITU-T G.711, G.722).
FORMATS = {"ulaw": 8000, "alaw": 8000, "g722": 8000, "sln16": 32000}
#: Everything is worked on at the rate of the widest format, in Hz.
RATE = 16000

#: The loudest sample, in dB of full scale. Voices peak 10 to 14 dB above their mean, which then stands at -20 to
#: -24 dB: like the studio prompts that come with Asterisk, a little above the speech that networks are planned
#: for (-26 dB; ITU-T G.100.1), far from clipping and from what returns as echo.
PEAK_DBFS = -10.0
#: A sound whose loudest sample is below this, in dB of full scale, before it is levelled, says nothing.
SILENT_DBFS = -50.0
_SHORTEST_S = 0.05
#: What is this much quieter than the loudest moment, in dB, at the ends of a recording is not speech.
_SILENCE_DB = -42.0
#: How long a moment is, in seconds: a click is shorter, a consonant is not.
_MOMENT_S = 0.01
#: Kept before and after speech, in seconds, so that no consonant is cut.
_LEAD_S = 0.02
_TAIL_S = 0.08


class NotAudio(OmnivigilError):
    """A file cannot be read as audio."""


@dataclass(frozen=True, kw_only=True)
class Pcm:
    """Mono, 16-bit samples at `rate` a second."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate

    @property
    def peak_dbfs(self) -> float:
        """Its loudest sample, in dB of full scale; minus infinity for silence."""
        peak = int(np.abs(self.samples.astype(np.int32)).max(initial=0))
        if peak:
            return float(20 * np.log10(peak / 32768))
        return float("-inf")


def decode(source: Path | bytes) -> Pcm:
    """Read a file that FFmpeg's libraries know (WAV, MP3, FLAC …) as mono at its own rate. Raises NotAudio."""
    name = "what was given" if isinstance(source, bytes) else str(source)
    handle = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        with av.open(handle, mode="r") as container:
            if not container.streams.audio:
                raise NotAudio(file=name, problem="holds no audio")
            rate = int(container.streams.audio[0].rate)
            resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
            parts = [
                resampled.to_ndarray().reshape(-1)
                for frame in (*container.decode(audio=0), None)
                for resampled in resampler.resample(frame)
            ]
    except (av.FFmpegError, OSError) as error:
        raise NotAudio(file=name, problem=getattr(error, "strerror", None) or str(error)) from error
    if not parts:
        raise NotAudio(file=name, problem="is empty")
    return Pcm(samples=np.concatenate(parts).astype(np.int16), rate=rate)


def trimmed(pcm: Pcm) -> Pcm:
    """Without the silence at its ends, but for what keeps the first and the last consonant whole."""
    size = max(1, int(_MOMENT_S * pcm.rate))
    moments = np.pad(pcm.samples.astype(np.float64), (0, -len(pcm.samples) % size)).reshape(-1, size)
    loudness = np.sqrt((moments**2).mean(axis=1))
    heard = np.flatnonzero(loudness > loudness.max(initial=0) * 10 ** (_SILENCE_DB / 20))
    if not len(heard):
        return pcm
    first = max(0, int(heard[0]) * size - int(_LEAD_S * pcm.rate))
    last = (int(heard[-1]) + 1) * size + int(_TAIL_S * pcm.rate)
    return Pcm(samples=pcm.samples[first:last], rate=pcm.rate)


def levelled(pcm: Pcm, peak_dbfs: float = PEAK_DBFS) -> Pcm:
    """As loud as every other sound, by its loudest sample. Silence stays as it is."""
    peak = int(np.abs(pcm.samples.astype(np.int32)).max(initial=0))
    if peak == 0:
        return pcm
    scale = 32768 * 10 ** (peak_dbfs / 20) / peak
    return Pcm(samples=np.rint(pcm.samples * scale).astype(np.int16), rate=pcm.rate)


def telephone(pcm: Pcm) -> Pcm:
    """A recording as callers shall hear it, at RATE. Raises NotAudio for one that says nothing."""
    if pcm.seconds < _SHORTEST_S:
        raise NotAudio(problem=f"lasts {pcm.seconds:.3f} s, less than any word")
    if pcm.peak_dbfs < SILENT_DBFS:
        raise NotAudio(problem="nothing is heard in it")
    return levelled(trimmed(resampled(pcm, RATE)))


def joined(parts: Iterable[Pcm], pause_s: float) -> Pcm:
    """One after the other, `pause_s` apart; there is at least one, and all have the same rate."""
    pieces: list[Samples] = []
    rate = 0
    for part in parts:
        rate = part.rate
        if pieces:
            pieces.append(np.zeros(int(pause_s * rate), dtype=np.int16))
        pieces.append(part.samples)
    return Pcm(samples=np.concatenate(pieces), rate=rate)


def resampled(pcm: Pcm, rate: int) -> Pcm:
    """The same at another rate, filtered against aliasing."""
    if pcm.rate == rate or not len(pcm.samples):
        return Pcm(samples=pcm.samples, rate=rate)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    parts = [out.to_ndarray().reshape(-1) for frame in (_frame(pcm), None) for out in resampler.resample(frame)]
    return Pcm(samples=np.concatenate(parts).astype(np.int16), rate=rate)


def encoded(pcm: Pcm) -> dict[str, bytes]:
    """The bytes of each format in FORMATS."""
    narrow, wide = resampled(pcm, 8000), _even(resampled(pcm, 16000))
    return {
        "ulaw": _encode(narrow, "pcm_mulaw"),
        "alaw": _encode(narrow, "pcm_alaw"),
        "g722": _encode(wide, "g722"),
        "sln16": wide.samples.astype("<i2").tobytes(),
    }


def _even(pcm: Pcm) -> Pcm:
    # G.722 codes pairs of samples.
    return Pcm(samples=pcm.samples[: len(pcm.samples) // 2 * 2], rate=pcm.rate)


def _frame(pcm: Pcm) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(pcm.samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = pcm.rate
    return frame


def _encode(pcm: Pcm, codec: str) -> bytes:
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, av.AudioCodecContext)  # noqa: S101 - for the type checker: the codec is audio
    context.sample_rate = pcm.rate
    context.layout = "mono"
    context.format = "s16"
    return b"".join(bytes(packet) for chunk in _chunks(pcm) for packet in context.encode(chunk))


def _chunks(pcm: Pcm) -> Iterator[av.AudioFrame | None]:
    size = pcm.rate
    for start in range(0, len(pcm.samples), size):
        yield _frame(Pcm(samples=np.ascontiguousarray(pcm.samples[start : start + size]), rate=pcm.rate))
    yield None
