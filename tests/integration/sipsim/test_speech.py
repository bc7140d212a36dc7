"""The line's real voice, which says the same words in many prompts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sipsim.audio import RATE
from sipsim.matching import Sound
from sipsim.recognise import Recogniser

from ivr.asterisk.runtime import Runtime
from ivr.prompts.audio import levelled, resampled
from ivr.prompts.catalog import Utterance
from ivr.prompts.engines import Pico
from tests.unit.sipsim.distortions import call, losing, silence, slipping, through

TEXTS = (
    ("welcome", "fr", "Bienvenue chez OMNIVIGIL."),
    ("welcome", "en", "Welcome to OMNIVIGIL."),
    ("menu", "fr", "Pour le soutien technique, faites le 2. Pour les ventes, faites le 1."),
    ("menu", "en", "For technical support, press 2. For sales, press 1."),
    ("closed-sales", "fr", "Ventes : nous ouvrirons lundi à 8 heures. Vous pouvez laisser un message."),
    ("closed-sales-later", "fr", "Ventes : nous ouvrirons mardi à 8 heures. Vous pouvez laisser un message."),
    ("closed-number", "fr", "Portabilité : nous ouvrirons lundi à 8 heures. Vous pouvez laisser un message."),
    ("closed-account", "fr", "Comptabilité : nous ouvrirons lundi à 8 heures. Vous pouvez laisser un message."),
    ("received", "fr", "Votre message a été reçu. Merci."),
    ("received-bye", "fr", "Votre message a été reçu. Merci. Au revoir."),
)


@pytest.fixture(scope="module")
def sounds(runtime: Runtime) -> dict[str, Sound]:
    said = [Utterance(desk="", id=one, language=language, text=text, voice=language) for one, language, text in TEXTS]
    spoken = Pico(runtime.pico_library, runtime.pico_languages).speak(said)
    return {
        f"{one.id} {one.language}": Sound(
            prompt_id=one.id,
            language=one.language,
            text=one.text,
            desk="",
            samples=through("pcm_mulaw", resampled(levelled(pcm), RATE).samples.astype(np.float32)),
        )
        for one, pcm in zip(said, spoken, strict=True)
    }


@pytest.mark.parametrize("seed", range(6))
def test_every_prompt_is_told_from_those_that_sound_alike(sounds: dict[str, Sound], seed: int) -> None:
    recogniser = Recogniser(sounds.values())
    order = np.random.default_rng(seed).permutation(list(sounds))
    recording = call(*(part for name in order for part in (silence(0.6), sounds[name].samples)), silence(1))
    slips = [4.1 + seed, 11.3, 19.7 + seed, 27.2]
    for distorted in (recording, losing(0.02, through("g722", through("pcm_alaw", recording)), seed)):
        heard = recogniser.recognise(slipping(distorted, *slips))
        assert [f"{one.prompt_id} {one.language}" for one in heard] == list(order)
        assert all(one.complete for one in heard)


# A minute of reckoning, on a processor of its own.
@pytest.mark.timeout(600)
def test_what_was_cut_short_is_heard_whatever_follows(sounds: dict[str, Sound]) -> None:
    """What follows can resemble what the prompt would have gone on with; then the two are taken for one, seldom."""
    recogniser = Recogniser(sounds.values())
    heard, missing = 0, []
    for first, cut_s, then in itertools.product(sounds, np.arange(0.5, 2.0, 0.1), sounds):
        if first == then or len(sounds[first].samples) < (cut_s + 0.5) * RATE:
            continue
        cut = call(silence(0.3), sounds[first].samples[: int(cut_s * RATE)])
        if recogniser.recognise(cut):
            heard += 1
            both = recogniser.recognise(call(cut, silence(0.02), sounds[then].samples, silence(0.3)))
            if both[0].start_s > 0.4:
                missing.append((first, round(float(cut_s), 1), then))
    assert heard > 900
    assert len(missing) <= 0.003 * heard, missing
