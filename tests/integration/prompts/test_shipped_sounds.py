"""Every sound that the line comes with, measured as a telephone plays it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ivr.prompts.audio import FORMATS, PEAK_DBFS, Pcm, resampled
from ivr.prompts.engines import CoreSounds
from tests.integration.prompts.conftest import ShippedLine
from tests.unit.prompts.hearing import likeness, loudness_dbfs, played_file, silence_around


@pytest.fixture(scope="module")
def manifest(line: ShippedLine) -> dict[str, dict[str, str]]:
    entries: dict[str, dict[str, str]] = json.loads((line.folder / "ov" / "manifest.json").read_text())
    return entries


@pytest.mark.parametrize("extension", FORMATS)
def test_all_peak_alike_and_none_clips(line: ShippedLine, manifest: dict[str, dict[str, str]], extension: str) -> None:
    peaks = {name: played_file(str(line.folder / name), extension).peak_dbfs for name in manifest}
    off = {name: peak for name, peak in peaks.items() if abs(peak - PEAK_DBFS) > 1.0}
    assert off == {}


def test_none_begins_or_ends_with_silence(line: ShippedLine, manifest: dict[str, dict[str, str]]) -> None:
    around = {name: silence_around(played_file(str(line.folder / name), "sln16"), -45.0) for name in manifest}
    assert {name: both for name, both in around.items() if both[0] >= 0.05 or both[1] >= 0.15} == {}


def test_no_pause_makes_the_caller_think_it_is_over(line: ShippedLine, manifest: dict[str, dict[str, str]]) -> None:
    longest = {name: _longest_pause(played_file(str(line.folder / name), "ulaw")) for name in manifest}
    assert {name: pause for name, pause in longest.items() if pause > 0.75} == {}


def _longest_pause(pcm: Pcm) -> float:
    size = pcm.rate // 100
    moments = pcm.samples[: len(pcm.samples) // size * size].reshape(-1, size).astype(np.float64)
    loud = np.sqrt((moments**2).mean(axis=1))
    heard = np.flatnonzero(loud > loud.max() * 0.01)
    return float(np.diff(heard).max(initial=0)) / 100


def test_g722_sounds_like_the_source(line: ShippedLine, manifest: dict[str, dict[str, str]]) -> None:
    for name in list(manifest)[::12]:
        stem = str(line.folder / name)
        assert likeness(played_file(stem, "sln16"), played_file(stem, "g722")) > 0.985, name


def test_narrow_formats_sound_like_the_wide_one(line: ShippedLine, manifest: dict[str, dict[str, str]]) -> None:
    for name in list(manifest)[::12]:
        stem = str(line.folder / name)
        narrow = resampled(played_file(stem, "sln16"), 8000)
        for extension in ("ulaw", "alaw"):
            assert likeness(narrow, played_file(stem, extension)) > 0.995, name


def test_digits_and_voice_are_about_as_loud(line: ShippedLine, manifest: dict[str, dict[str, str]]) -> None:
    loudness = {name: loudness_dbfs(played_file(str(line.folder / name), "ulaw")) for name in manifest}
    # The studio's digits and words, of which some are very short.
    studio = {name for name, entry in manifest.items() if entry["id"] in CoreSounds.FILES}
    digits = [value for name, value in loudness.items() if name in studio and "/beep-" not in name]
    voice = [value for name, value in loudness.items() if name not in studio]
    assert min(digits) > -28
    assert max(digits) < -17
    assert min(voice) > -25
    assert max(voice) < -17


def test_texts_take_the_time_that_they_take_to_say(line: ShippedLine, manifest: dict[str, dict[str, str]]) -> None:
    for name, entry in manifest.items():
        length = Path(f"{line.folder / name}.ulaw").stat().st_size / 8000
        if len(entry["text"]) > 25:
            assert 9 < len(entry["text"]) / length < 22, entry


@pytest.mark.parametrize(("prompt", "longest_s"), [("welcome", 3.5), ("menu", 20.0), ("closed-emergency", 20.0)])
def test_the_caller_is_not_kept_waiting(
    line: ShippedLine, manifest: dict[str, dict[str, str]], prompt: str, longest_s: float
) -> None:
    for name, entry in manifest.items():
        if entry["id"] == prompt:
            assert Path(f"{line.folder / name}.ulaw").stat().st_size / 8000 < longest_s, name


def test_both_languages_are_offered_by_their_own_voice(line: ShippedLine, manifest: dict[str, dict[str, str]]) -> None:
    """OV-4"""
    offers = {entry["language"]: entry["text"] for entry in manifest.values() if entry["id"] == "language-offer"}
    assert offers == {"fr": "For service in English, press 9.", "en": "Pour le service en français, faites le 9."}


def test_a_second_start_makes_nothing(line: ShippedLine) -> None:
    stamps = {file: file.stat().st_mtime_ns for file in line.folder.rglob("*.*") if file.name != "manifest.json"}
    assert line.build().made == 0
    assert {
        file: file.stat().st_mtime_ns for file in line.folder.rglob("*.*") if file.name != "manifest.json"
    } == stamps


async def test_a_date_far_ahead_is_spoken_in_the_call(line: ShippedLine) -> None:
    """OV-8"""
    sounds = line.sounds()
    sounds.open()
    said = {"department": "Ventes", "opening": "le mardi 5 janvier à 8 heures"}
    stem = await sounds.of("omnivigil", "closed-department", "fr", said)
    assert played_file(stem, "ulaw").seconds > 4
