"""The short voice of test lines: the ear tells its prompts apart as it does those of the real one."""

from __future__ import annotations

import numpy as np
import pytest
from sipsim.audio import RATE, Samples, from_ulaw
from sipsim.matching import Sound
from sipsim.recognise import Recogniser

from ivr.prompts.audio import decode, encoded, telephone
from tests.calls import short_voice


@pytest.fixture(scope="module")
def sounds() -> list[Sound]:
    """As a line builds them of the recordings, each once."""
    folder = short_voice.recordings()
    made = {}
    for one in short_voice.utterances():
        pcm = telephone(decode(folder / one.language / f"{one.desk}.{one.id}.wav"))
        samples = from_ulaw(encoded(pcm)["ulaw"])
        made[one.id, one.language, one.text] = Sound(
            prompt_id=one.id, language=one.language, text=one.text, desk="", samples=samples
        )
    return list(made.values())


def test_each_is_short(sounds: list[Sound]) -> None:
    assert {len(one.samples) / RATE <= 1.4 for one in sounds} == {True}


def test_each_is_known_from_all_others_and_from_its_first_half(sounds: list[Sound]) -> None:
    known = Recogniser(sounds)
    pause = np.zeros(RATE // 2, np.float32)
    for whole in (True, False):
        said = [one.samples if whole else one.samples[: len(one.samples) * 6 // 10] for one in sounds]
        recording: Samples = np.concatenate([part for samples in said for part in (pause, samples)])
        heard = known.recognise(recording)
        assert [(one.prompt_id, one.language, one.text) for one in heard] == [
            (one.prompt_id, one.language, one.text) for one in sounds
        ]
        assert not any(one.also for one in heard)
