"""Recognising prompts: which, in which language, from when, how much of it; and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from sipsim.audio import RATE, Samples
from sipsim.matching import Sound
from sipsim.recognise import Heard, Recogniser
from sipsim.voices import babble

from tests.unit.sipsim.distortions import call, losing, silence, slipping, standing_still, through

#: What every sound of the made-up line begins with that shares a beginning.
_SHARED = babble(100, 2.0)


def _sound(prompt_id: str, language: str, samples: Samples) -> Sound:
    return Sound(prompt_id=prompt_id, language=language, text=f"{prompt_id} {language}", desk="", samples=samples)


SOUNDS = {
    "welcome": _sound("welcome", "fr", babble(1, 1.6)),
    "menu": _sound("menu", "fr", babble(2, 7.0)),
    "menu-en": _sound("menu", "en", babble(3, 6.0, pitch=150)),
    "goodbye": _sound("goodbye", "fr", babble(4, 1.2)),
    "closed-today": _sound("closed", "fr", call(_SHARED, babble(101, 2.0))),
    "closed-monday": _sound("closed-for-long", "fr", call(_SHARED, babble(102, 2.5))),
    "short-closed": _sound("closed-short", "fr", call(_SHARED, silence(0.1))),
    **{f"digit-{n}": _sound(f"digit-{n}", "fr", babble(200 + n, 0.36)) for n in range(10)},
}


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(SOUNDS.values())


def _said(heard: list[Heard]) -> list[tuple[str, str, bool]]:
    return [(one.prompt_id, one.language, one.complete) for one in heard]


@pytest.mark.parametrize("offset_s", [0.0, 0.3, 1.0037, 5.5551])
@pytest.mark.parametrize("key", ["welcome", "menu", "menu-en", "goodbye", "closed-today", "digit-7"])
def test_a_whole_prompt_is_found_where_it_begins(recogniser: Recogniser, key: str, offset_s: float) -> None:
    sound = SOUNDS[key]
    (one,) = recogniser.recognise(call(silence(offset_s), sound.samples, silence(1)))
    assert (one.prompt_id, one.language, one.complete) == (sound.prompt_id, sound.language, True)
    assert one.start_s == pytest.approx(offset_s, abs=0.002)
    assert one.matched_s == pytest.approx(len(sound.samples) / RATE, abs=0.2)
    assert one.also == ()


@pytest.mark.parametrize("cut_s", [0.8, 1.5, 3.0, 5.0, 6.5])
def test_a_cut_prompt_is_partial_up_to_the_cut(recogniser: Recogniser, cut_s: float) -> None:
    heard = recogniser.recognise(call(silence(0.5), SOUNDS["menu"].samples[: int(cut_s * RATE)], silence(1)))
    assert _said(heard) == [("menu", "fr", False)]
    assert heard[0].matched_s == pytest.approx(cut_s, abs=0.25)


def test_one_prompt_cut_by_the_next(recogniser: Recogniser) -> None:
    parts = (SOUNDS["menu"].samples[: 2 * RATE], SOUNDS["menu-en"].samples, SOUNDS["menu-en"].samples[:RATE])
    heard = recogniser.recognise(call(*parts))
    assert _said(heard) == [("menu", "fr", False), ("menu", "en", True), ("menu", "en", False)]
    assert [one.start_s for one in heard] == pytest.approx([0, 2, 8], abs=0.002)


def test_digits_said_one_after_the_other(recogniser: Recogniser) -> None:
    keys = ["digit-1", "digit-0", "digit-0", "digit-4", "digit-2", "digit-7"]
    heard = recogniser.recognise(call(silence(0.4), *(SOUNDS[key].samples for key in keys), silence(0.4)))
    assert [one.prompt_id for one in heard] == keys


class TestBeginningsThatAreShared:
    def test_what_follows_decides(self, recogniser: Recogniser) -> None:
        heard = recogniser.recognise(
            call(SOUNDS["closed-monday"].samples, silence(0.3), SOUNDS["closed-today"].samples, silence(0.3))
        )
        assert _said(heard) == [("closed-for-long", "fr", True), ("closed", "fr", True)]
        assert all(one.also == () for one in heard)

    def test_when_nothing_follows_it_may_be_any(self, recogniser: Recogniser) -> None:
        (one,) = recogniser.recognise(call(silence(0.3), _SHARED[: int(1.2 * RATE)], silence(1)))
        assert {one.prompt_id, *one.also} == {"closed", "closed-for-long", "closed-short"}
        assert one.may_be("closed")
        assert not one.may_be("menu")
        assert not one.complete


@pytest.mark.parametrize("codec", ["pcm_mulaw", "pcm_alaw", "g722"])
def test_codecs_change_nothing(recogniser: Recogniser, codec: str) -> None:
    recording = call(silence(0.7), SOUNDS["menu-en"].samples, silence(0.5), SOUNDS["welcome"].samples, silence(1))
    heard = recogniser.recognise(through(codec, through("pcm_mulaw", recording)))
    assert _said(heard) == [("menu", "en", True), ("welcome", "fr", True)]
    assert [one.start_s for one in heard] == pytest.approx([0.7, 7.2], abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_two_percent_of_lost_packets_change_nothing(recogniser: Recogniser, seed: int) -> None:
    recording = call(silence(0.7), SOUNDS["menu"].samples, silence(0.5), SOUNDS["welcome"].samples, silence(1))
    heard = recogniser.recognise(losing(0.02, recording, seed))
    assert _said(heard) == [("menu", "fr", True), ("welcome", "fr", True)]
    assert [one.start_s for one in heard] == pytest.approx([0.7, 8.2], abs=0.06)


def test_slips_of_a_jitter_buffer_change_nothing(recogniser: Recogniser) -> None:
    recording = call(silence(0.7), SOUNDS["menu"].samples, silence(0.5), SOUNDS["menu-en"].samples, silence(1))
    heard = recogniser.recognise(slipping(recording, 2.21, 4.0, 5.5, 9.33))
    assert _said(heard) == [("menu", "fr", True), ("menu", "en", True)]
    assert [one.start_s for one in heard] == pytest.approx([0.7, 8.18], abs=0.06)


@pytest.mark.parametrize("for_s", [0.13, 0.265, 0.39])
@pytest.mark.parametrize("at_s", [1.5, 3.0, 5.0])
def test_a_line_that_stood_still_was_heard_to_the_end(recogniser: Recogniser, at_s: float, for_s: float) -> None:
    """A machine without time for Asterisk: a caller hears a gap, and all of the prompt."""
    recording = call(silence(0.7), SOUNDS["menu"].samples, silence(0.5), SOUNDS["welcome"].samples, silence(1))
    heard = recogniser.recognise(standing_still(recording, at_s, for_s))
    assert _said(heard) == [("menu", "fr", True), ("welcome", "fr", True)]


def test_a_recording_that_begins_late_still_tells_the_prompt(recogniser: Recogniser) -> None:
    (one,) = recogniser.recognise(call(SOUNDS["menu"].samples[int(0.25 * RATE) :], silence(1)))
    assert (one.prompt_id, one.complete) == ("menu", True)
    assert one.start_s == pytest.approx(-0.25, abs=0.002)


class TestNothing:
    def test_in_an_empty_recording(self, recogniser: Recogniser) -> None:
        assert recogniser.recognise(silence(0)) == []
        assert recogniser.recognise(silence(0.01)) == []

    def test_in_silence(self, recogniser: Recogniser) -> None:
        assert recogniser.recognise(silence(20)) == []

    def test_in_noise(self, recogniser: Recogniser) -> None:
        noise = np.random.default_rng(3).normal(0, 2000, 30 * RATE).astype(np.float32)
        assert recogniser.recognise(noise) == []

    def test_in_music(self, recogniser: Recogniser) -> None:
        moment = np.arange(30 * RATE) / RATE
        notes = 220 * 2 ** (np.random.default_rng(4).integers(0, 24, 60) / 12)
        turns = np.cumsum(np.repeat(notes, RATE // 2)) / RATE
        music = 5000 * np.sin(2 * np.pi * turns) * np.exp(-4 * (moment % 0.5))
        assert recogniser.recognise(music.astype(np.float32)) == []

    @pytest.mark.parametrize("seed", range(300, 306))
    def test_in_other_speech(self, recogniser: Recogniser, seed: int) -> None:
        assert recogniser.recognise(babble(seed, 20, pitch=100 + 10 * (seed % 6))) == []

    def test_for_who_knows_no_sounds(self) -> None:
        assert Recogniser([]).recognise(babble(1, 3)) == []


def test_a_person_can_be_known_as_well(recogniser: Recogniser) -> None:
    technician = _sound("technician", "", babble(50, 3.0))
    recording = call(silence(1), technician.samples, technician.samples)
    assert recogniser.recognise(recording) == []
    assert [one.prompt_id for one in recogniser.knowing(technician).recognise(recording)] == ["technician"] * 2
