"""What Whisper writes of silence, hiss and music is left out; two words in twenty seconds are not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivr.transcribing.engine import said


@dataclass(frozen=True)
class Heard:
    """A piece, and what the engine thinks of it."""

    text: str
    no_speech_prob: float = 0.02
    avg_logprob: float = -0.3
    compression_ratio: float = 1.1


@pytest.mark.parametrize(
    "invented",
    [
        pytest.param(Heard("Sous-titrage ST' 501", 0.71, -1.2), id="credits, of hiss"),
        pytest.param(Heard("Thank you for watching.", 0.93, -0.2), id="thanks, of silence, and sure of them"),
        pytest.param(Heard("la la la la la la la la la", 0.3, -0.4, 4.8), id="the same over and over, of music"),
        pytest.param(Heard("   "), id="nothing at all"),
    ],
)
def test_inventions_are_no_words(invented: Heard) -> None:
    assert said([invented]) == ""
    assert said([Heard(" Bonjour, "), invented, Heard(" c’est urgent.")]) == "Bonjour, c’est urgent."


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param(Heard("Plus rien.", 0.55, -0.9), id="two words on a bad line"),
        pytest.param(Heard("Rappelez-moi.", 0.7, -0.5), id="far from the telephone, and sure"),
        pytest.param(Heard("Au secours", 0.1, -1.6), id="shouted"),
    ],
)
def test_words_stay(heard: Heard) -> None:
    assert said([heard]) == heard.text


def test_the_engine_is_given_speech_alone_and_the_callers_language(tmp_path: Path) -> None:
    """In its own process, with an engine of the tests' own in place of faster-whisper."""
    (tmp_path / "faster_whisper.py").write_text(
        "from types import SimpleNamespace as S\n"
        "class WhisperModel:\n"
        "    def __init__(self, folder, **given): assert given['local_files_only'] and folder == 'model'\n"
        "    def transcribe(self, file, *, language, vad_filter, vad_parameters, condition_on_previous_text):\n"
        "        assert vad_filter and not condition_on_previous_text, 'it would make words of noise'\n"
        "        def one(text, doubt):\n"
        "            return S(text=text, no_speech_prob=doubt, avg_logprob=-1.1, compression_ratio=1)\n"
        "        return iter([one(f' {file} in {language} ', 0.1), one('Merci.', 0.8)]), None\n"
    )
    program = [sys.executable, "-m", "ivr.transcribing.engine", "model", "m.wav", "en"]
    done = subprocess.run(
        program, capture_output=True, text=True, check=False, env={"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}
    )
    assert (done.returncode, done.stdout) == (0, "m.wav in en"), done.stderr
