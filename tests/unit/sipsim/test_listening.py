"""Recordings: read while they grow, and what is in them beside prompts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sipsim.audio import RATE, Samples, read_ulaw, read_wav
from sipsim.ear import Ear
from sipsim.errors import RecordingUnusable, SoundsUnusable
from sipsim.matching import Sound
from sipsim.recognise import Recogniser
from sipsim.survey import Stretch, between
from sipsim.voices import babble, write_wav

from tests.unit.sipsim.distortions import call, losing, silence, through


def _sound(prompt_id: str, samples: Samples) -> Sound:
    return Sound(prompt_id=prompt_id, language="fr", text=prompt_id, desk="", samples=samples)


WELCOME, MENU = _sound("welcome", babble(1, 1.6)), _sound("menu", babble(2, 7.0))


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser([WELCOME, MENU])


def test_an_ear_hears_a_prompt_soon_after_it_begins_and_the_same_in_the_end(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    parts = (silence(1), WELCOME.samples, MENU.samples[: 3 * RATE], silence(9), MENU.samples, silence(1))
    recording = call(*parts)
    path = tmp_path / "growing.wav"
    ear = Ear(recogniser, path)
    noticed: dict[float, float] = {}
    for end in range(RATE // 4, len(recording) + RATE // 4, RATE // 4):
        write_wav(path, recording[:end])
        for one in ear.listen():
            noticed.setdefault(round(one.start_s, 1), end / RATE)
    assert list(noticed) == [1.0, 2.6, 14.6]
    assert all(at - start < 1.0 for start, at in noticed.items())
    whole = recogniser.recognise(recording)
    assert [(one.prompt_id, one.complete) for one in whole] == [("welcome", True), ("menu", False), ("menu", True)]
    assert [(one.prompt_id, one.complete) for one in ear.listen()] == [(one.prompt_id, one.complete) for one in whole]
    assert [one.start_s for one in ear.listen()] == pytest.approx([one.start_s for one in whole], abs=0.002)


@pytest.mark.parametrize("step", [700, RATE, 3 * RATE])
def test_what_is_heard_while_it_grows_is_what_is_heard_at_once(recogniser: Recogniser, step: int) -> None:
    cut = MENU.samples[: 3 * RATE]
    recording = losing(0.02, call(silence(1), WELCOME.samples, cut, WELCOME.samples, MENU.samples, silence(1)), 1)
    listening = recogniser.listening()
    for end in range(0, len(recording) + step, step):
        assert listening.hear(recording[:end]) == recogniser.recognise(recording[:end])
    assert [one.prompt_id for one in listening.hear(recording)] == ["welcome", "menu"] * 2


def test_a_recording_that_was_changed_is_heard_anew(recogniser: Recogniser) -> None:
    """What is late is put where it belongs; and nothing says that it must be the same recording."""
    recording = call(silence(1), WELCOME.samples, MENU.samples)
    missing = recording.copy()
    missing[RATE : 2 * RATE] = 0
    listening = recogniser.listening()
    for samples in (missing, recording, recording[: 2 * RATE], MENU.samples, silence(0), recording):
        assert listening.hear(samples) == recogniser.recognise(samples)
    assert [one.prompt_id for one in listening.hear(recording)] == ["welcome", "menu"]


def test_a_recording_is_read_while_its_header_has_no_length_yet(tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    write_wav(path, babble(1, 1))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = bytes(4)
    path.write_bytes(content[:-1])
    assert len(read_wav(path)) == RATE - 1
    assert len(read_wav(path, RATE // 2)) == RATE // 2 - 1


def test_a_recording_in_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.wav"
    path.write_bytes(b"RIFF" + bytes(60))
    with pytest.raises(RecordingUnusable, match=r"other\.wav"):
        read_wav(path)


def test_mu_law_is_that_of_everybody(tmp_path: Path) -> None:
    """ITU-T G.711, against FFmpeg's."""
    path = tmp_path / "all.ulaw"
    path.write_bytes(bytes(range(256)))
    ours = read_ulaw(path)
    assert np.array_equal(through("pcm_mulaw", ours), ours)
    assert (int(np.min(ours)), int(np.max(ours))) == (-32124, 32124)


def test_silences_and_unknown_sounds_lie_between_the_prompts(recogniser: Recogniser) -> None:
    music = babble(77, 4.0)
    recording = call(silence(2.5), WELCOME.samples, silence(1.0), music, silence(3))
    heard = recogniser.recognise(recording)
    found = between(recording, heard)
    assert found[0] == Stretch(kind="silence", start_s=0.0, end_s=2.5)
    assert found[-1].kind == "silence"
    assert found[-1].end_s == pytest.approx(12.1, abs=0.1)
    unknown = [one for one in found if one.kind == "unknown"]
    assert min(one.start_s for one in unknown) == pytest.approx(5.1, abs=0.15)
    assert between(silence(1), []) == []
    assert between(silence(0), []) == []


def test_sounds_come_from_the_lines_manifest(tmp_path: Path) -> None:
    (tmp_path / "ov/fr").mkdir(parents=True)
    (tmp_path / "ov/fr/menu-1.ulaw").write_bytes(bytes(range(256)) * 60)
    entry = {"desk": "omnivigil", "id": "menu", "language": "fr", "text": "Faites le 2."}
    (tmp_path / "ov/manifest.json").write_text(json.dumps({"ov/fr/menu-1": entry}))
    (one,) = Recogniser.load(tmp_path).recognise(read_ulaw(tmp_path / "ov/fr/menu-1.ulaw"))
    assert (one.prompt_id, one.language, one.desk, one.text) == ("menu", "fr", "omnivigil", "Faites le 2.")


@pytest.mark.parametrize("content", [None, "{", '{"ov/fr/menu-1": {}}'])
def test_sounds_that_cannot_be_read_are_an_error_that_names_them(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "ov").mkdir()
    if content is not None:
        (tmp_path / "ov/manifest.json").write_text(content)
    with pytest.raises(SoundsUnusable, match=r"manifest\.json"):
        Recogniser.load(tmp_path)
