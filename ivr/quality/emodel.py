"""The E-model (ITU-T G.107): how good speech is, from loss and delay. What is unknown makes the score unknown.

R = 93.2 - Id - Ie_eff on the narrow-band scale, with every other parameter at its default.
"""

from __future__ import annotations

from dataclasses import dataclass

#: R of a connection without any impairment of ours (G.107 with default values).
_BEST = 93.2


@dataclass(frozen=True, kw_only=True)
class Robustness:
    """A codec's impairment by itself, and how well it bears loss (G.113 appendix I)."""

    ie: float
    bpl: float


#: G.711 with concealment, as every telephone of today has it. *choice*: G.722 is rated like it on the same
#: narrow-band scale, since its bandwidth is no remedy for loss; other codecs are unknown rather than guessed.
_CODECS = {
    "ulaw": Robustness(ie=0, bpl=25.1),
    "alaw": Robustness(ie=0, bpl=25.1),
    "g722": Robustness(ie=0, bpl=25.1),
    "g729": Robustness(ie=11, bpl=19.0),
    "g723": Robustness(ie=15, bpl=16.1),
    "gsm": Robustness(ie=20, bpl=43.0),
}
_ALIASES = {"pcmu": "ulaw", "pcma": "alaw", "g.711": "ulaw", "g729a": "g729", "g.729": "g729", "g.722": "g722"}


def codec_name(name: str | None) -> str | None:
    """A codec's name as it is used here; None for one that is not known."""
    lower = (name or "").strip().lower()
    lower = _ALIASES.get(lower, lower)
    if lower in _CODECS:
        return lower
    return None


@dataclass(frozen=True, kw_only=True)
class Score:
    """`r` from 0 to 100 (G.107), and the mean opinion that it stands for, from 1 to 4.5."""

    r: float
    mos: float


def score(codec: str | None, loss: float | None, one_way_ms: float | None, *, burst: float = 1.0) -> Score | None:
    """The score of one direction; None when the codec or the loss is unknown.

    `loss` is a share from 0 to 1, `one_way_ms` the delay from mouth to ear; unknown, it is taken for none,
    since delay alone harms little where loss does. `burst` is G.107's BurstR, 1 for independent losses.
    Raises ValueError for figures that cannot be.
    """
    known = codec_name(codec)
    if known is None or loss is None:
        return None
    delay = one_way_ms or 0.0
    if not 0 <= loss <= 1 or not 0 <= delay < 60_000 or burst < 1:
        raise ValueError(f"loss {loss}, delay {delay} ms, burst {burst} cannot be")
    robustness = _CODECS[known]
    delay_impairment = 0.024 * delay + 0.11 * max(0.0, delay - 177.3)
    percent = loss * 100
    equipment = robustness.ie + (95 - robustness.ie) * percent / (percent / burst + robustness.bpl)
    r = min(100.0, max(0.0, _BEST - delay_impairment - equipment))
    return Score(r=round(r, 1), mos=round(mos(r), 2))


def mos(r: float) -> float:
    """The mean opinion score of an R (G.107 annex B): 1 at R = 0 and below, 4.5 at most."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    # Between 0 and 6.5 the polynomial dips below 1.
    return max(1.0, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r))
