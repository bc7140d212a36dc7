"""The command line against a bare Asterisk."""

from __future__ import annotations

from pathlib import Path

from sipsim.cli import app
from typer.testing import CliRunner

from tests.integration.sipsim.conftest import Bare


def _sim(asterisk: Bare, *words: str) -> tuple[int, str]:
    words = ("call", "--server", asterisk.server, "--state", str(asterisk.folder), *words)
    result = CliRunner(env={"COLUMNS": "120"}).invoke(app, words)
    return result.exit_code, result.output


def test_a_call_is_told_step_by_step(asterisk: Bare, tmp_path: Path) -> None:
    code, told = _sim(asterisk, "--dial", "110", "--press", "9@menu", "--keep", str(tmp_path / "kept"))
    assert code == 0, told
    menu, pressed, goodbye = (told.index(words) for words in ("menu fr", "pressed", "goodbye en"))
    assert menu < pressed < goodbye
    assert "s of it" in told
    assert "ended by the line" in told
    assert "200" in told
    assert "cause 16" in told
    assert list((tmp_path / "kept").glob("*.wav"))


def test_a_call_that_lasts_is_hung_up(asterisk: Bare) -> None:
    code, told = _sim(asterisk, "--dial", "102", "--as", "6001", "--seconds", "3")
    assert code == 0, told
    assert "ended by this phone" in told
    assert "silence" in told


def test_a_refused_phone_is_one_sentence(asterisk: Bare) -> None:
    code, told = _sim(asterisk, "--as", "6001", "--password", "wrong")
    assert code == 1
    assert told.startswith("sim: 6001 at ")
    assert "401" in told


def test_a_refused_call_is_one_sentence(asterisk: Bare) -> None:
    code, told = _sim(asterisk, "--dial", "104")
    assert code == 1
    assert "not answered: 486" in told
