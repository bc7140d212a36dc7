"""How speech is described for finding it again: the shape of a third of a second, whatever its level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sipsim.audio import RATE, Samples

Matrix = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

#: Step between descriptions, in samples.
HOP = RATE // 50
_WINDOW = 256
#: Energies in a frame.
BANDS = 16
#: Frames in one description: 0.32 s, shorter than the shortest prompt, a spoken digit.
SPAN = 16
#: What is quieter than this mean square is taken for silence: about -57 dB of full scale, 20 dB below the
#: quiet parts of a prompt and 20 dB above what G.711 and G.722 add to silence.
_FLOOR = 45.0**2
#: A description needs this many frames above the floor.
_VOICED = 6


def _filters() -> Matrix:
    """Triangles, even on the ear's scale, from 200 to 3400 Hz: what every codec of a call carries."""
    edges = np.geomspace(1 + 200 / 700, 1 + 3400 / 700, BANDS + 2) * 700 - 700
    bins = np.fft.rfftfreq(_WINDOW, 1 / RATE)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


_FILTERS = _filters()
_HANN = np.hanning(_WINDOW).astype(np.float32)
_BAND_FLOOR = np.float32(_FLOOR * float((_HANN**2).sum()))


def frames(samples: Samples) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """Log energies of each HOP's bands, and whether it is above the floor."""
    if len(samples) < _WINDOW:
        return np.zeros((0, BANDS), np.float32), np.zeros(0, bool)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::HOP] * _HANN
    power = np.abs(np.fft.rfft(windows)).astype(np.float32) ** 2
    loud = np.square(windows).sum(axis=1) > _BAND_FLOOR
    return np.log(power @ _FILTERS + _BAND_FLOOR), loud


#: Numbers in a description.
WIDTH = SPAN * BANDS


def descriptions(bands: Matrix, loud: npt.NDArray[np.bool_], average: Matrix, step: int = 1) -> tuple[Matrix, Indices]:
    """Unit vectors of SPAN frames each, every `step` frames, and the indices of their first frames.

    `average` is the voices' mean spectrum, without which all speech would look alike.
    """
    if len(bands) < SPAN:
        return np.zeros((0, WIDTH), np.float32), np.zeros(0, np.int64)
    spans = np.lib.stride_tricks.sliding_window_view(bands - average, SPAN, axis=0)[::step]
    voiced = np.lib.stride_tricks.sliding_window_view(loud, SPAN)[::step].sum(axis=1) >= _VOICED
    rows = spans[voiced].reshape(-1, WIDTH)
    # The level does not matter.
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-9
    return rows, np.flatnonzero(voiced) * step
