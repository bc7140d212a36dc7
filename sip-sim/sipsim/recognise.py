"""Which prompts are in a recording, when, and how much of each: by matching the audio with the built sounds.

First the outlines (energy per band, every 20 ms) of all prompts' beginnings are compared with the recording's;
then, where they agree, the waveforms are, block by block, so that a lost packet, a jitter buffer's slip or a
caller's barge-in is told from another prompt. Where prompts share a beginning, the one that matches longest is it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sipsim.sounds import RATE, Signal, from_ulaw, read_wav

_HOP = 160  # 20 ms
_BANDS = 12
#: Beginnings of this many hops are compared; what was heard of a prompt must be longer.
_HEAD = 30
#: Outlines of the same speech agree above this, of different speech below 0.6; measured on the built prompts.
_OUTLINE = 0.72
#: Waveforms of the same speech correlate above this even after G.722 and A-law one after the other.
_WAVE = 0.75
_BLOCK = 1600  # 200 ms
#: A jitter buffer slips whole packets; blocks are looked for this far around, in samples.
_SLIP = 400
#: Blocks quieter than this (root mean square) say nothing either way.
_QUIET = 0.004
#: So many blocks in a row may be damaged before the prompt is taken to have stopped.
_DAMAGED = 2

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One prompt in a recording; times in seconds from its beginning."""

    prompt: str
    desk: str
    language: str
    text: str
    start_s: float
    matched_s: float
    length_s: float
    #: How well it matched, 0 to 1.
    score: float

    @property
    def end_s(self) -> float:
        """Where it stopped."""
        return self.start_s + self.matched_s

    @property
    def complete(self) -> bool:
        """Whether it was played to its end."""
        return self.matched_s > self.length_s - 0.45


@dataclass(frozen=True, kw_only=True)
class _Template:
    prompt: str
    desk: str
    language: str
    text: str
    signal: Signal
    #: Normalised outline of its beginning.
    head: Floats


class Recogniser:
    """Knows a line's sounds."""

    def __init__(self) -> None:
        self._templates: list[_Template] = []

    @classmethod
    def load(cls, sounds: Path) -> Recogniser:
        """The sounds that a line has built: `ov/manifest.json` below the folder says what each file is."""
        recogniser = cls()
        manifest = json.loads((sounds / "ov" / "manifest.json").read_text())
        for name, about in manifest.items():
            signal = from_ulaw((sounds / f"{name}.ulaw").read_bytes())
            recogniser.add(about["id"], signal, desk=about["desk"], language=about["language"], text=about["text"])
        return recogniser

    def add(self, prompt: str, signal: Signal, *, desk: str = "", language: str = "", text: str = "") -> None:
        """Know one more sound, such as what a technician says."""
        outline = _outline(signal)[:_HEAD]
        head = _normalised(np.pad(outline, ((0, max(0, _HEAD - len(outline))), (0, 0))))
        self._templates.append(
            _Template(prompt=prompt, desk=desk, language=language, text=text, signal=signal, head=head)
        )

    def recognise(self, recording: Path | Signal) -> list[Heard]:
        """The prompts heard, in order of time."""
        signal = read_wav(recording) if isinstance(recording, Path) else recording
        if len(signal) < _HEAD * _HOP:
            return []
        candidates = sorted(self._candidates(signal), key=lambda one: -one.matched_s * one.score)
        chosen: list[Heard] = []
        for candidate in candidates:
            if all(candidate.start_s >= one.end_s - 0.1 or candidate.end_s <= one.start_s + 0.1 for one in chosen):
                chosen.append(candidate)
        return sorted(chosen, key=lambda one: one.start_s)

    def _candidates(self, signal: Signal) -> Iterator[Heard]:
        for template, starts in zip(self._templates, self._starts(_outline(signal)), strict=True):
            for start in starts:
                if (heard := _follow(template, signal, int(start) * _HOP)) is not None:
                    yield heard

    def _starts(self, outline: Floats) -> Iterator[npt.NDArray[np.int64]]:
        """For each template the hops where its beginning may be."""
        size = 1 << int(np.ceil(np.log2(len(outline) + _HEAD)))
        places = len(outline) - _HEAD + 1
        # Sums over a sliding window give its mean and length, band by band.
        padded = np.vstack([np.zeros((1, outline.shape[1]), np.float32), np.cumsum(outline, axis=0)])
        squares = np.vstack([np.zeros((1, outline.shape[1]), np.float32), np.cumsum(outline**2, axis=0)])
        mean = (padded[_HEAD:] - padded[:-_HEAD]).sum(axis=1) / (_HEAD * outline.shape[1])
        power = (squares[_HEAD:] - squares[:-_HEAD]).sum(axis=1) - _HEAD * outline.shape[1] * mean**2
        length = np.sqrt(np.maximum(power, 1e-9))
        spectrum = np.fft.rfft(outline, size, axis=0)
        for template in self._templates:
            product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(template.head, size, axis=0)), size, axis=0)
            agreement = product.sum(axis=1)[:places] / length
            yield _peaks(agreement)


def _peaks(agreement: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    good = np.flatnonzero(agreement > _OUTLINE)
    return np.array(
        [n for n in good if agreement[n] == agreement[max(0, n - 5) : n + 6].max()],
        dtype=np.int64,
    )


def _follow(template: _Template, signal: Signal, around: int) -> Heard | None:
    """Match the template's waveform from about `around`, as far as it goes."""
    lag: int | None = None
    matched = damaged = 0
    scores: list[float] = []
    for offset in range(0, len(template.signal) - _BLOCK // 2, _BLOCK):
        block = template.signal[offset : offset + _BLOCK]
        if _loudness(block) < _QUIET:
            if (
                lag is not None
                and damaged == 0
                and _loudness(signal[max(0, lag + offset) :][: len(block)]) < 3 * _QUIET
            ):
                matched = offset + len(block)
            continue
        expected = around + offset if lag is None else lag + offset
        reach = 2 * _SLIP if lag is None else _SLIP
        found = _best(block, signal, expected, reach)
        if found is None:
            break
        place, score = found
        if score >= _WAVE:
            lag, matched, damaged = place - offset, offset + len(block), 0
            scores.append(score)
        else:
            damaged += 1
            if lag is None or damaged > _DAMAGED:
                break
    if lag is None or not scores or matched < min(_HEAD * _HOP, len(template.signal)) * 0.6:
        return None
    return Heard(
        prompt=template.prompt,
        desk=template.desk,
        language=template.language,
        text=template.text,
        start_s=round(max(0, lag) / RATE, 2),
        matched_s=round(min(matched, len(template.signal)) / RATE, 2),
        length_s=round(len(template.signal) / RATE, 2),
        score=round(float(np.mean(scores)), 3),
    )


def _best(block: Signal, signal: Signal, expected: int, reach: int) -> tuple[int, float] | None:
    """Where around `expected` the block correlates best, and how well."""
    first = max(0, expected - reach)
    window = signal[first : expected + reach + len(block)]
    if len(window) < len(block):
        return None
    product = np.correlate(window, block, mode="valid")
    squares = np.concatenate([[0.0], np.cumsum(window.astype(np.float64) ** 2)])
    power = np.sqrt(np.maximum(squares[len(block) :] - squares[: -len(block)], 1e-9))
    agreement = product / (power * np.linalg.norm(block))
    best = int(np.argmax(agreement))
    return first + best, float(agreement[best])


def _loudness(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal.astype(np.float64) ** 2))) if len(signal) else 0.0


def _outline(signal: Signal) -> Floats:
    """Energy in bands from 200 to 3400 Hz, every hop, compressed as ears do."""
    count = max(0, (len(signal) - 2 * _HOP) // _HOP + 1)
    if count == 0:
        return np.zeros((0, _BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(signal, 2 * _HOP)[::_HOP][:count]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(2 * _HOP).astype(np.float32), axis=1)) ** 2
    edges = np.geomspace(200, 3400, _BANDS + 1) / RATE * 2 * _HOP
    bands = [spectrum[:, int(a) : max(int(a) + 1, int(b))].sum(axis=1) for a, b in itertools.pairwise(edges)]
    return np.log10(np.stack(bands, axis=1) + 1e-4).astype(np.float32)


def _normalised(outline: Floats) -> Floats:
    centred = outline - outline.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-9))


def silences(recording: Path | Signal, *, longer_than_s: float = 2.0) -> list[tuple[float, float]]:
    """Stretches (start, end in seconds) in which nothing at all was heard, music included."""
    signal = read_wav(recording) if isinstance(recording, Path) else recording
    hops = len(signal) // _HOP
    frames = signal[: hops * _HOP].reshape(hops, _HOP)
    loud = np.flatnonzero(np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1)) > 0.0015)
    edges: Iterable[tuple[int, int]] = zip(np.concatenate([[-1], loud]), np.concatenate([loud, [hops]]), strict=True)
    step = _HOP / RATE
    return [
        (round((int(a) + 1) * step, 2), round(int(b) * step, 2)) for a, b in edges if (b - a - 1) * step > longer_than_s
    ]
