"""The embedded voice itself."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ivr.asterisk.runtime import Runtime
from ivr.prompts import engines
from ivr.prompts import pico as pico_program
from ivr.prompts.catalog import Utterance
from ivr.prompts.engines import PAUSE_S, Pico, VoiceFailed


def utterance(text: str, voice: str = "fr") -> Utterance:
    return Utterance(desk="small", id="welcome", language=voice, text=text, voice=voice)


def seconds(pico: Pico, *texts: str, voice: str = "fr") -> list[float]:
    return [pcm.seconds for pcm in pico.speak([utterance(text, voice) for text in texts])]


def test_it_speaks_at_a_pace_that_can_be_followed(pico: Pico) -> None:
    text = "Un technicien vous répondra dès que possible, merci de patienter."
    (spoken,) = seconds(pico, text)
    assert 10 < len(text) / spoken < 20


def test_the_companys_name_is_a_word_and_not_spelled(pico: Pico) -> None:
    name, word, spelled = seconds(pico, "OMNIVIGIL.", "Omnivigile.", "O, M, N, I, V, I, G, I, L.")
    assert name == pytest.approx(word, rel=0.25)
    assert name < spelled / 2


def test_star_codes_are_said(pico: Pico) -> None:
    star, as_said, without = seconds(pico, "Faites *57.", "Faites étoile 57.", "Faites 57.")
    assert star == as_said > without


def test_letters_are_spelled(pico: Pico) -> None:
    spelled, word = seconds(pico, "NOC.", "Noque.")
    assert spelled > word


def test_sentences_are_a_short_pause_apart(pico: Pico) -> None:
    both, one, other = seconds(pico, "Bonjour. Merci.", "Bonjour.", "Merci.")
    assert both == pytest.approx(one + PAUSE_S + other, abs=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "L’été, à Noël, ça va très bien : « œuvre », naïve, où ?",
        "日本語 Bonjour",
        "Bonjour 😀",
        "<genfile file='x'/> Bonjour",
        "a" * 600,
        "Bonjour. " * 150,
        "1 234 567,89 $ & 50 %",
    ],
)
def test_odd_texts_are_spoken(pico: Pico, text: str) -> None:
    assert seconds(pico, text)[0] > 0.3


def test_the_same_text_is_always_the_same_sound(pico: Pico) -> None:
    one, two, three = pico.speak([utterance("Bonjour."), utterance("Merci."), utterance("Bonjour.")])
    assert np.array_equal(one.samples, three.samples)
    (again,) = pico.speak([utterance("Bonjour.")])
    assert np.array_equal(one.samples, again.samples)
    assert not np.array_equal(one.samples[: len(two.samples)], two.samples[: len(one.samples)])


def test_both_voices_at_once(pico: Pico) -> None:
    french, english = pico.speak([utterance("Vigilance."), utterance("Vigilance.", "en")])
    assert len(french.samples) != len(english.samples)


def test_it_works_from_any_folder(pico: Pico, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert seconds(pico, "Bonjour.")[0] > 0.3


def test_a_voice_without_its_files(found: Runtime, tmp_path: Path) -> None:
    with pytest.raises(VoiceFailed, match="Pico answers"):
        list(Pico(found.pico_library, tmp_path).speak([utterance("Bonjour.")]))


def test_a_voice_that_hangs_is_ended(pico: Pico, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = tmp_path / "stuck"
    os.mkfifo(stuck)
    monkeypatch.setattr(engines, "_START_S", 0.3)
    monkeypatch.setattr(engines, "_SENTENCE_S", 0.0)
    # It waits to read a program that never comes.
    monkeypatch.setattr(pico_program, "__file__", str(stuck))
    with pytest.raises(VoiceFailed, match="took too long"):
        list(pico.speak([utterance("Bonjour.")]))
