"""Phones run in a Python that has PJSIP's bindings, or say how to get one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from sipsim import interpreter
from sipsim.errors import FarmFailed

from ivr.tools import pjsip_python


@pytest.fixture
def without_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Python for which there is no wheel."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_our_own_where_it_has_the_bindings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is unpacked on Python 3.11 and 3.12."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert interpreter.find(tmp_path / "python") == sys.executable
    assert pjsip_python.ready(tmp_path)


@pytest.mark.usefixtures("without_bindings")
def test_the_embedded_one_where_ours_has_none(tmp_path: Path) -> None:
    """The mend is told until it is there."""
    with pytest.raises(FarmFailed, match="omnivigil sim"):
        interpreter.find(tmp_path / "python")
    (tmp_path / "python").touch()
    assert interpreter.find(tmp_path / "python") == str(tmp_path / "python")


@pytest.mark.usefixtures("without_bindings")
def test_other_bindings_than_the_locked_ones_are_replaced(tmp_path: Path) -> None:
    """A changed lock is a reason to unpack again."""
    (tmp_path / "python").touch()
    assert not pjsip_python.ready(tmp_path)
    (tmp_path / pjsip_python.LOCK.name).write_bytes(pjsip_python.LOCK.read_bytes())
    assert pjsip_python.ready(tmp_path)
    (tmp_path / pjsip_python.LOCK.name).write_bytes(b"pjsua2-python==2.10\n")
    assert not pjsip_python.ready(tmp_path)


def test_the_launcher_works_wherever_the_folder_is(tmp_path: Path) -> None:
    """The folder is made under another name than it is used by; spaces are no trouble."""
    root = tmp_path / "a folder"
    root.mkdir()
    launcher = root / "python"
    launcher.write_text(pjsip_python.launcher(root, ["/bin/echo", str(root / "lib")]))
    launcher.chmod(0o755)
    moved = root.rename(tmp_path / "another folder")
    said = subprocess.run([moved / "python", "-m", "x y"], capture_output=True, text=True, check=True).stdout
    assert said == f"{moved / 'lib'} -m x y\n"
