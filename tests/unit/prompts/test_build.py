from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivr.errors import BadInput
from ivr.prompts.build import BuildError
from ivr.prompts.engines import Recordings, VoiceFailed
from tests.unit.prompts.conftest import NOW, Line, desk_of
from tests.unit.prompts.voice import HummingVoice, files_below, sound_files, tone, write_wav


def test_every_sound_of_the_manifest_is_there(line: Line) -> None:
    line.built()
    manifest = json.loads((line.folder / "ov" / "manifest.json").read_text())
    for name in manifest:
        assert all(file.stat().st_size > 0 for file in sound_files(str(line.folder / name))), name
    welcome = [entry for name, entry in manifest.items() if name.startswith("ov/fr/welcome-")]
    assert welcome == [{"desk": "small", "id": "welcome", "language": "fr", "text": "Bonjour."}]
    for language in ("fr", "en"):
        digits = {
            entry["text"] for entry in manifest.values() if (entry["language"], entry["id"][:6]) == (language, "digit-")
        }
        assert digits == set("0123456789")


def test_what_desks_share_is_of_none(line: Line) -> None:
    line.desks["other"] = desk_of(id="other", numbers=["15145550199"])
    line.built()
    manifest = json.loads((line.folder / "ov" / "manifest.json").read_text())
    assert {entry["desk"] for entry in manifest.values() if entry["id"] == "invalid"} == {""}


class TestCache:
    def test_a_second_start_makes_and_touches_nothing(self, line: Line, voice: HummingVoice) -> None:
        first = line.sounds().build(line.calendars, NOW)
        assert first.made == first.sounds > 20
        said = len(voice.spoken)
        stamps = {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in _sounds(line.folder)}
        second = line.sounds().build(line.calendars, NOW)
        assert (second.sounds, second.made) == (first.sounds, 0)
        assert len(voice.spoken) == said
        assert {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in _sounds(line.folder)} == stamps

    def test_another_lines_sounds_are_taken_over(self, line: Line, voice: HummingVoice, tmp_path: Path) -> None:
        line.built()
        said = len(voice.spoken)
        line.folder = tmp_path / "second" / "sounds"
        line.built()
        assert len(voice.spoken) == said

    def test_a_changed_text_alone_is_made_anew(self, line: Line, voice: HummingVoice) -> None:
        line.built()
        voice.spoken.clear()
        texts = desk_of().model_dump()["texts"] | {"welcome": {"fr": "Allô.", "en": "Hello."}}
        line.desks["small"] = desk_of(texts=texts)
        line.built()
        assert voice.spoken == ["Allô."]

    def test_a_damaged_sound_is_made_anew(self, line: Line, voice: HummingVoice) -> None:
        built = line.built()
        stem = built.fixed("small", "welcome", "fr")
        whole = files_below(line.folder)
        voice.spoken.clear()
        # The line's file and the cache's are one.
        with sound_files(stem)[0].open("r+b") as file:
            file.write(b"\0" * 64)
        line.built()
        assert voice.spoken == ["Bonjour."]
        assert files_below(line.folder) == whole

    def test_another_voice_has_other_sounds(self, line: Line) -> None:
        before = line.built().fixed("small", "welcome", "fr")

        class Hoarse(HummingVoice):
            def identity(self, utterance: object) -> str | None:
                return "hoarse"

        line.engines = [Hoarse()]
        assert line.built().fixed("small", "welcome", "fr") != before


def _sounds(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and file.name != "manifest.json"]


class TestRecordings:
    def record(self, folder: Path, name: str) -> None:
        write_wav(folder / name, tone(1.5, rate=8000).samples, 8000)

    def seconds(self, stem: str) -> float:
        return Path(f"{stem}.ulaw").stat().st_size / 8000

    def test_recordings_win(self, line: Line, voice: HummingVoice, tmp_path: Path) -> None:
        self.record(tmp_path / "rec", "fr/welcome.wav")
        line.engines.insert(0, Recordings(tmp_path / "rec"))
        built = line.built()
        assert self.seconds(built.fixed("small", "welcome", "fr")) == pytest.approx(1.5, abs=0.05)
        assert "Bonjour." not in voice.spoken
        assert "Hello." in voice.spoken

    def test_a_desks_own_recording_wins_over_the_common_one(self, line: Line, tmp_path: Path) -> None:
        self.record(tmp_path / "rec", "fr/small.invalid.wav")
        line.desks["other"] = desk_of(id="other", numbers=["15145550199"])
        line.engines.insert(0, Recordings(tmp_path / "rec"))
        built = line.built()
        assert self.seconds(built.fixed("small", "invalid", "fr")) == pytest.approx(1.5, abs=0.05)
        assert self.seconds(built.fixed("other", "invalid", "fr")) < 0.5

    def test_a_recorded_digit_wins_over_the_supplied_one(self, line: Line, tmp_path: Path) -> None:
        self.record(tmp_path / "rec", "fr/digit-7.wav")
        line.engines.insert(0, Recordings(tmp_path / "rec"))
        built = line.built()
        assert self.seconds(built.fixed("small", "digit-7", "fr")) == pytest.approx(1.5, abs=0.05)
        assert self.seconds(built.fixed("small", "digit-7", "en")) < 0.5

    def test_a_new_recording_is_heard(self, line: Line, tmp_path: Path) -> None:
        self.record(tmp_path / "rec", "fr/welcome.wav")
        line.engines.insert(0, Recordings(tmp_path / "rec"))
        before = line.built().fixed("small", "welcome", "fr")
        write_wav(tmp_path / "rec" / "fr/welcome.wav", tone(0.7, rate=8000).samples, 8000)
        line.engines[0] = Recordings(tmp_path / "rec")
        after = line.built().fixed("small", "welcome", "fr")
        assert after != before
        assert self.seconds(after) == pytest.approx(0.7, abs=0.05)

    def test_a_text_that_varies_is_left_to_the_voice(self, line: Line, voice: HummingVoice, tmp_path: Path) -> None:
        self.record(tmp_path / "rec", "fr/closed-department.wav")
        line.engines.insert(0, Recordings(tmp_path / "rec"))
        line.built()
        assert "Aide : lundi à 8 heures." in voice.spoken


class TestLacks:
    def test_all_are_named_at_once(self, line: Line, voice: HummingVoice, tmp_path: Path) -> None:
        texts = desk_of().model_dump()["texts"]
        del texts["menu"]
        line.desks["small"] = desk_of(texts=texts)
        voice.languages = ("fr",)
        voice.mute = {"Bonjour.", "Ce choix n’est pas offert."}
        line.core_sounds = tmp_path / "nothing"
        (tmp_path / "rec" / "fr").mkdir(parents=True)
        (tmp_path / "rec" / "fr" / "goodbye.wav").write_text("no audio")
        write_wav(tmp_path / "rec" / "fr" / "no-answer.wav", (tone(1).samples * 0), 16000)
        line.engines.insert(0, Recordings(tmp_path / "rec"))
        with pytest.raises(BuildError) as caught:
            line.built()
        lacks = str(caught.value.facts["prompts"]).split("; ")
        told = dict(lack.split(": ", 1) for lack in lacks)
        assert told["menu (small, fr)"] == told["menu (small, en)"] == "no text"
        assert told["welcome (small, en)"] == "no voice or recording says it"
        assert told["welcome (small, fr)"] == told["invalid (small, fr)"] == "has no sound"
        assert told["digit-0 (every desk, en)"] == told["beep (every desk, fr)"] == "no voice or recording says it"
        assert told["goodbye (small, fr)"].startswith(str(tmp_path / "rec" / "fr" / "goodbye.wav"))
        assert told["no-answer (small, fr)"] == "nothing is heard in it"
        assert "transfer-human (small, fr)" not in told

    def test_nothing_is_announced_as_built(self, line: Line, voice: HummingVoice) -> None:
        voice.mute = {"Bonjour."}
        with pytest.raises(BuildError):
            line.built()
        assert not (line.folder / "ov" / "manifest.json").exists()

    def test_a_voice_that_does_not_work_is_told_as_such(self, line: Line, voice: HummingVoice) -> None:
        voice.broken = True
        with pytest.raises(VoiceFailed, match="is hoarse"):
            line.built()

    def test_what_was_made_before_a_failure_is_kept(self, line: Line, voice: HummingVoice) -> None:
        voice.mute = {"Bonjour."}
        with pytest.raises(BuildError):
            line.built()
        voice.mute.clear()
        voice.spoken.clear()
        line.built()
        assert voice.spoken == ["Bonjour."]


@pytest.mark.parametrize("where", ["cache", "state"])
def test_a_folder_that_takes_no_files_is_named(line: Line, tmp_path: Path, where: str) -> None:
    (tmp_path / where).write_text("in the way")
    with pytest.raises(BadInput, match=rf"{tmp_path}/{where}\b.* cannot be written"):
        line.built()


def test_progress_counts_to_the_end(line: Line) -> None:
    told: list[str] = []
    report = line.sounds().build(line.calendars, NOW, told.append)
    assert told[-1] == f"speaking {report.made} of {report.made}"
    assert len(told) == report.made


class TestHoldMusic:
    def test_it_is_there_in_every_format(self, line: Line) -> None:
        line.built()
        assert {file.suffix for file in (line.folder / "moh").glob("*")} >= {".ulaw", ".alaw", ".g722", ".sln16"}

    def test_an_older_one_is_not_played_beside_it(self, line: Line) -> None:
        (line.folder / "moh").mkdir(parents=True)
        (line.folder / "moh" / "old.ulaw").write_bytes(b"old")
        line.built()
        assert not (line.folder / "moh" / "old.ulaw").exists()
