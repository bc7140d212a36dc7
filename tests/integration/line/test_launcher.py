"""The launcher's virtual environment: whatever a start that was broken off has left, the next one works."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The launcher, with locks that ask for nothing and a program that tells that it runs."""
    folder = tmp_path / "checkout"
    (folder / "requirements").mkdir(parents=True)
    (folder / "ivr").mkdir()
    shutil.copy(REPOSITORY / "omnivigil", folder)
    for name in ("run.txt", "uv.txt"):
        (folder / "requirements" / name).write_text("# nothing\n")
    (folder / "ivr" / "__init__.py").touch()
    (folder / "ivr" / "__main__.py").write_text("print('it runs')\n")
    return folder


def launch(checkout: Path) -> subprocess.Popen[str]:
    """The command as a newcomer gives it."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("OMNIVIGIL_")}
    return subprocess.Popen(
        [str(checkout / "omnivigil"), "up"],
        cwd=checkout,
        env=known | {"OMNIVIGIL_PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def runs(checkout: Path) -> bool:
    """Whether the command comes as far as the program."""
    out, told = launch(checkout).communicate(timeout=300)
    assert "it runs" in out, told
    return True


# Two environments are made, on whatever machine this is.
@pytest.mark.timeout(400)
def test_killed_while_the_environment_is_made(checkout: Path) -> None:
    """Killed as soon as there is a Python, before it has its pip; as versions left it that did not mark that."""
    first = launch(checkout)
    while not (checkout / ".venv" / "bin" / "python").exists():
        assert first.poll() is None
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=20)
    (checkout / ".venv" / ".unfinished").unlink()
    assert runs(checkout)
    # And now it is there at once.
    assert runs(checkout)


def test_an_environment_on_which_work_was_broken_off_is_not_built_upon(tmp_path: Path) -> None:
    """A package may be there by half, and pip takes it for whole."""
    launcher = runpy.run_path(str(REPOSITORY / "omnivigil"), run_name="launcher")
    (tmp_path / "bin").mkdir()
    assert not launcher["whole"](str(tmp_path))
    # Whatever it is asked for, it has.
    (tmp_path / "bin" / "python").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "bin" / "python").chmod(0o700)
    assert launcher["whole"](str(tmp_path))
    (tmp_path / ".unfinished").touch()
    assert not launcher["whole"](str(tmp_path))


def test_a_folder_of_somebody_else_is_left_alone(checkout: Path) -> None:
    """OMNIVIGIL_VENV names a folder that is no environment."""
    theirs = checkout / ".venv"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years of work")
    out, told = launch(checkout).communicate(timeout=60)
    assert "is no virtual environment" in told
    assert not out
    assert (theirs / "thesis.txt").read_text() == "years of work"
