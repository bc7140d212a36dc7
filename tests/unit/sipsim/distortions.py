"""What a call does to a sound."""

from __future__ import annotations

import av
import numpy as np
from sipsim.audio import RATE, Samples


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE), np.float32)


def call(*parts: Samples) -> Samples:
    return np.concatenate(parts)


def through(codec: str, samples: Samples) -> Samples:
    """Encoded and decoded by FFmpeg: pcm_mulaw, pcm_alaw or g722."""
    if codec != "g722":
        return _coded(codec, samples, RATE)
    wide = _coded(codec, _resampled(samples, 2 * len(samples)), 2 * RATE)
    return _resampled(wide, len(wide) // 2)


def _coded(codec: str, samples: Samples, rate: int) -> Samples:
    encoder, decoder = av.CodecContext.create(codec, "w"), av.CodecContext.create(codec, "r")
    assert isinstance(encoder, av.AudioCodecContext)
    assert isinstance(decoder, av.AudioCodecContext)
    for context in (encoder, decoder):
        context.sample_rate, context.layout = rate, "mono"
    encoder.format = "s16"
    pcm = np.clip(np.rint(samples[: len(samples) // 2 * 2]), -32768, 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    decoded = [out.to_ndarray().reshape(-1) for one in encoder.encode(frame) for out in decoder.decode(one)]
    return np.concatenate(decoded).astype(np.float32)


def _resampled(samples: Samples, length: int) -> Samples:
    spectrum = np.fft.rfft(samples)
    fitted = np.zeros(length // 2 + 1, complex)
    shared = min(len(spectrum), len(fitted))
    fitted[:shared] = spectrum[:shared]
    return np.asarray(np.fft.irfft(fitted, length) * (length / len(samples)), np.float32)


def losing(share: float, samples: Samples, seed: int = 1) -> Samples:
    """20 ms packets lost, each concealed by a fainter repetition of the one before."""
    random, out = np.random.default_rng(seed), samples.copy()
    for at in range(160, len(out) - 160, 160):
        if random.random() < share:
            out[at : at + 160] = 0.6 * out[at - 160 : at]
    return out


def slipping(samples: Samples, *moments_s: float) -> Samples:
    """A jitter buffer that drops 20 ms at the first moment, repeats 20 ms at the second, and so on."""
    parts: list[Samples] = []
    last = 0
    for number, moment in enumerate(moments_s):
        at = int(moment * RATE)
        parts.append(samples[last:at])
        last = at + 160 if number % 2 == 0 else at - 160
    return np.concatenate([*parts, samples[last:]])


def standing_still(samples: Samples, at_s: float, for_s: float) -> Samples:
    """A line that stood still within a sound, and then went on where it was."""
    at = int(at_s * RATE)
    return np.concatenate([samples[:at], np.zeros(int(for_s * RATE), samples.dtype), samples[at:]])
