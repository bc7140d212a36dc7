"""Sounds as calls ask for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ivr.prompts import build
from ivr.prompts.audio import Pcm
from ivr.prompts.catalog import PromptMissing, Utterance
from ivr.prompts.engines import VoiceFailed
from tests.unit.prompts.conftest import Line
from tests.unit.prompts.voice import HummingVoice, sound_files

SOON = {"department": "Aide", "opening": "lundi à 8 heures"}
FAR = {"department": "Aide", "opening": "le mardi 5 janvier à 8 heures"}


async def test_what_was_built_is_found(line: Line, voice: HummingVoice) -> None:
    sounds = line.built()
    said = len(voice.spoken)
    stem = await sounds.of("small", "closed-department", "fr", SOON)
    assert all(file.is_file() for file in sound_files(stem))
    assert stem.startswith(str(line.folder / "ov/fr/closed-department-"))
    assert len(voice.spoken) == said


async def test_another_process_finds_it_too(line: Line, voice: HummingVoice) -> None:
    built = line.built()
    expected = await built.of("small", "welcome", "en", {})
    said = len(voice.spoken)
    opened = line.sounds()
    opened.open()
    assert await opened.of("small", "welcome", "en", {}) == expected == opened.fixed("small", "welcome", "en")
    assert len(voice.spoken) == said


async def test_a_second_call_costs_a_look_into_a_dictionary(line: Line, voice: HummingVoice) -> None:
    sounds = line.built()
    first = await sounds.of("small", "menu", "fr", {})
    voice.asked = 0
    assert await sounds.of("small", "menu", "fr", {}) == first
    assert voice.asked == 0


async def test_what_names_somebody_is_not_kept(line: Line, voice: HummingVoice) -> None:
    sounds = line.built()
    stem = await sounds.of("small", "closed-department", "fr", FAR)
    assert all(file.is_file() for file in sound_files(stem))
    await sounds.forget("small", "closed-department", "fr", FAR)
    assert not any(file.exists() for root in (line.folder, line.cache) for file in root.rglob(f"*{Path(stem).name}*"))
    said = len(voice.spoken)
    assert await sounds.of("small", "closed-department", "fr", FAR) == stem
    assert len(voice.spoken) == said + 1


async def test_what_a_killed_service_left_of_it_goes_at_the_next_start(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    stem = await line.built().of("small", "closed-department", "fr", FAR)
    kept = await line.sounds().of("small", "closed-department", "fr", SOON)
    monkeypatch.setattr(build, "NAMING_PEOPLE", ("closed-department",))
    line.built()
    assert not any(file.exists() for root in (line.folder, line.cache) for file in root.rglob(f"*{Path(stem).name}*"))
    assert all(file.is_file() for file in sound_files(kept))


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_digits_are_the_recorded_ones(line: Line, voice: HummingVoice, language: str) -> None:
    """A ticket's number is read digit by digit."""
    sounds = line.built()
    for digit in "0123456789":
        stem = await sounds.of("small", f"digit-{digit}", language, {})
        assert Path(stem).name.startswith(f"digit-{digit}-")
        assert all(file.stat().st_size > 0 for file in sound_files(stem))
    assert not set("0123456789") & set(voice.spoken)


async def test_languages_and_desks_do_not_mix(line: Line) -> None:
    sounds = line.built()
    assert await sounds.of("small", "welcome", "fr", {}) != await sounds.of("small", "welcome", "en", {})
    with pytest.raises(PromptMissing, match="nonsense"):
        await sounds.of("small", "nonsense", "fr", {})


class TestNotBuiltAhead:
    async def test_it_is_spoken_once(self, line: Line, voice: HummingVoice) -> None:
        sounds = line.built()
        voice.spoken.clear()
        stems = await asyncio.gather(*(sounds.of("small", "closed-department", "fr", FAR) for _ in range(20)))
        assert voice.spoken == ["Aide : le mardi 5 janvier à 8 heures."]
        assert len(set(stems)) == 1
        assert all(file.is_file() for file in sound_files(stems[0]))

    async def test_it_is_there_after_a_restart(self, line: Line, voice: HummingVoice) -> None:
        stem = await line.built().of("small", "closed-department", "fr", FAR)
        voice.spoken.clear()
        opened = line.sounds()
        opened.open()
        assert await opened.of("small", "closed-department", "fr", FAR) == stem
        assert voice.spoken == []

    async def test_without_a_manifest_all_is_looked_for(self, line: Line, voice: HummingVoice) -> None:
        stem = await line.built().of("small", "welcome", "fr", {})
        (line.folder / "ov" / "manifest.json").write_text("{")
        voice.spoken.clear()
        opened = line.sounds()
        opened.open()
        assert await opened.of("small", "welcome", "fr", {}) == stem
        assert voice.spoken == []


class SlowVoice(HummingVoice):
    """Speaks when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()
        self.let.set()

    def speak(self, utterances: Sequence[Utterance]) -> Iterator[Pcm]:
        assert self.let.wait(30)
        return super().speak(utterances)


class TestTooLate:
    @pytest.fixture
    def slow(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> SlowVoice:
        monkeypatch.setattr(build, "_CALL_WAITS_S", 0.05)
        slow = SlowVoice()
        line.engines = [slow]
        return slow

    async def test_the_caller_hears_the_text_without_opening(self, line: Line, slow: SlowVoice) -> None:
        sounds = line.built()
        slow.let.clear()
        try:
            stem = await sounds.of("small", "closed-department", "fr", FAR)
            assert Path(stem).name.startswith("closed-department-no-opening-")
            assert all(file.is_file() for file in sound_files(stem))
        finally:
            slow.let.set()
        # It is spoken all the same, and the next caller hears it.
        await asyncio.gather(*sounds._making.values())
        later = await sounds.of("small", "closed-department", "fr", FAR)
        assert not Path(later).name.startswith("closed-department-no-opening-")

    async def test_a_prompt_without_such_a_variant_fails(self, line: Line, slow: SlowVoice) -> None:
        sounds = line.sounds()
        slow.let.clear()
        try:
            with pytest.raises(TimeoutError):
                await sounds.of("small", "welcome", "fr", {})
        finally:
            slow.let.set()
            await asyncio.gather(*sounds._making.values())


async def test_a_voice_that_fails_on_a_call(line: Line, voice: HummingVoice) -> None:
    sounds = line.built()
    voice.broken = True
    stem = await sounds.of("small", "closed-department", "fr", FAR)
    assert Path(stem).name.startswith("closed-department-no-opening-")
    with pytest.raises(VoiceFailed):
        await sounds.of("small", "ringing-department", "fr", {"department": "Nuit"})
