from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from ivr.prompts.audio import NotAudio
from ivr.prompts.catalog import Utterance
from ivr.prompts.engines import PAUSE_S, CoreSounds, Pico, Piper, VoiceFailed, Voices
from tests.unit.prompts.voice import HummingVoice

#: A program with Piper's command line: a tone for each line of standard input, as long as the line.
PIPER = """#!{python}
import array, math, pathlib, sys, time, wave
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = pathlib.Path(arguments["--output_dir"])
with pathlib.Path(__file__).with_name("runs").open("a") as runs:
    runs.write(arguments["--model"] + "\\n")
for line in sys.stdin:
    text = line.strip()
    if text == "Crash.":
        sys.exit("piper: bad model")
    if text == "Skip.":
        continue
    with wave.open(str(folder / f"{{time.monotonic_ns()}}.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(22050)
        count = 22050 * len(text) // 100
        out.writeframes(array.array("h", (int(9000 * math.sin(n / 9)) for n in range(count))).tobytes())
"""


def utterance(text: str, language: str = "fr", prompt: str = "welcome") -> Utterance:
    return Utterance(desk="small", id=prompt, language=language, text=text, voice=language)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "piper"
    path.write_text(PIPER.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    models = {language: tmp_path / f"{language}.onnx" for language in ("fr", "en")}
    for language, model in models.items():
        model.write_text(f"model of {language}")
    return models


class TestPiper:
    def test_each_text_gets_its_own_sound(self, program: Path, models: dict[str, Path]) -> None:
        texts = ["Un texte assez long pour voir.", "Court.", "Un autre. Court.", "Un texte moyen."]
        spoken = list(Piper(models).speak([utterance(text) for text in texts]))
        expected = [len(texts[0]) / 100, 0.06, 0.09 + PAUSE_S + 0.06, len(texts[3]) / 100]
        assert [pcm.seconds for pcm in spoken] == pytest.approx(expected, abs=0.02)

    def test_a_model_is_loaded_once(self, program: Path, models: dict[str, Path]) -> None:
        wishes = [utterance(f"Texte {n}.", language) for n in range(5) for language in ("fr", "en")]
        assert len(list(Piper(models).speak(wishes))) == 10
        assert sorted((program / "runs").read_text().split()) == sorted(str(model) for model in models.values())

    def test_another_model_has_other_sounds(self, program: Path, models: dict[str, Path]) -> None:
        before = Piper(models).identity(utterance("Bonjour."))
        models["fr"].write_text("a better model")
        assert Piper(models).identity(utterance("Bonjour.")) != before

    def test_a_language_without_model_is_left_to_the_next(self, program: Path, models: dict[str, Path]) -> None:
        del models["en"]
        piper, next_one = Piper(models), HummingVoice()
        voices = Voices([piper, next_one])
        english, french = voices.choose(utterance("Hello.", "en")), voices.choose(utterance("Bonjour."))
        assert english is not None
        assert french is not None
        assert (english[0], french[0]) == (next_one, piper)

    def test_no_program(self, tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(VoiceFailed, match="no piper program"):
            Piper(models)

    def test_no_model(self, program: Path, tmp_path: Path) -> None:
        with pytest.raises(VoiceFailed, match=r"gone\.onnx is no file"):
            Piper({"fr": tmp_path / "gone.onnx"})

    @pytest.mark.parametrize(("text", "problem"), [("Crash.", "piper: bad model"), ("Skip.", "spoke 0 of 1 sentences")])
    def test_its_failures_are_told(self, program: Path, models: dict[str, Path], text: str, problem: str) -> None:
        with pytest.raises(VoiceFailed, match=problem):
            list(Piper(models).speak([utterance(text)]))

    def test_nothing_to_say(self, program: Path, models: dict[str, Path]) -> None:
        with pytest.raises(NotAudio, match="nothing to say"):
            list(Piper(models).speak([utterance("« »")]))


class TestPico:
    def test_without_its_library_the_mend_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(VoiceFailed, match=r"libttspico\.so\.0 is missing, mend: run \./omnivigil doctor"):
            list(Pico(tmp_path / "libttspico.so.0", tmp_path).speak([utterance("Bonjour.")]))

    def test_a_library_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "libttspico.so.0").write_text("not a library")
        with pytest.raises(VoiceFailed, match=r"engine: pico, problem: OSError: .*libttspico\.so\.0"):
            list(Pico(tmp_path / "libttspico.so.0", tmp_path).speak([utterance("Bonjour.")]))

    def test_it_speaks_french_and_english_only(self, tmp_path: Path) -> None:
        pico = Pico(tmp_path, tmp_path)
        assert pico.identity(utterance("Bonjour.")) is not None
        assert pico.identity(utterance("Hallo.", "de")) is None

    def test_a_new_pronunciation_makes_new_sounds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pico = Pico(tmp_path, tmp_path)
        before = [pico.identity(utterance(text)) for text in ("Faites *57.", "Bonjour.")]
        monkeypatch.setattr("ivr.prompts.pronunciation.SAID", {"fr": ((r"\*", "astérisque "),)})
        after = [pico.identity(utterance(text)) for text in ("Faites *57.", "Bonjour.")]
        assert after[0] != before[0]
        assert after[1] == before[1]


class TestCoreSounds:
    def test_only_what_is_recorded(self, core_sounds: Path) -> None:
        core = CoreSounds(core_sounds)
        assert core.identity(CoreSounds.utterance("digit-3", "fr")) is not None
        assert core.identity(CoreSounds.utterance("digit-3", "de")) is None
        assert core.identity(utterance("3", prompt="digit-3")) is None

    def test_speakers_differ(self, core_sounds: Path) -> None:
        core = CoreSounds(core_sounds)
        (pcm,) = core.speak([CoreSounds.utterance("beep", "en")])
        assert pcm.seconds == pytest.approx(0.3)
