from __future__ import annotations

import numpy as np
import pytest

from ivr.prompts.audio import PEAK_DBFS, Pcm
from ivr.prompts.music import hold_music
from tests.unit.prompts.hearing import loudness_dbfs


@pytest.fixture(scope="module")
def music() -> Pcm:
    return hold_music()


def test_it_is_long_enough_not_to_tire(music: Pcm) -> None:
    assert 30 <= music.seconds <= 60


def test_it_stays_below_speech(music: Pcm) -> None:
    assert music.peak_dbfs <= PEAK_DBFS - 12
    assert -40 < loudness_dbfs(music) < -30


def test_there_is_no_silence_in_it(music: Pcm) -> None:
    second = music.samples[: len(music.samples) // music.rate * music.rate].reshape(-1, music.rate).astype(np.float64)
    assert np.sqrt((second**2).mean(axis=1)).min() > 100


def test_the_loop_has_no_seam(music: Pcm) -> None:
    steps = np.abs(np.diff(np.concatenate([music.samples[-2000:], music.samples[:2000]]).astype(np.int32)))
    assert steps[1999] <= np.percentile(np.abs(np.diff(music.samples.astype(np.int32))), 99.9)
