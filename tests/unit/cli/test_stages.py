"""The stages of `./omnivigil test`: what fails is told, and nothing is left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ivr.cli.test import _Stages


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def test_what_runs_beside_is_told_whole_and_its_failure_is_the_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stages = _Stages(tmp_path)
    with stages.beside("checks", [python("print('one')"), python("raise SystemExit(3)"), python("print('never')")]):
        assert stages.run("unit", python("print('unit')")) == 0
    assert stages.code == 3
    stages.tell()
    said = capfd.readouterr().out
    assert said.index("one") > said.index("checks, beside it")
    assert "never" not in said
    assert [line.split("s  ")[1] for line in said.splitlines() if " min " in line] == ["unit", "checks"]


def test_the_first_failure_is_the_one_that_counts(tmp_path: Path) -> None:
    stages = _Stages(tmp_path)
    with stages.beside("nothing", []):
        stages.run("first", python("raise SystemExit(5)"))
        stages.run("second", python("raise SystemExit(6)"))
    assert stages.code == 5


def test_who_interrupts_leaves_nothing_running(tmp_path: Path) -> None:
    stages = _Stages(tmp_path)
    hour = python("import time; time.sleep(3600)")
    with pytest.raises(KeyboardInterrupt), stages.beside("an hour", [hour, hour]):
        raise KeyboardInterrupt


def test_what_ran_beside_took_as_long_as_it_ran(tmp_path: Path) -> None:
    """Not as long as what it ran beside."""
    stages = _Stages(tmp_path)
    pid = tmp_path / "pid"
    short = f"import os; open({str(pid)!r} + '.partial', 'w').write(str(os.getpid())); "
    short += f"os.rename({str(pid)!r} + '.partial', {str(pid)!r})"
    long = f"import os, time; path = {str(pid)!r}\n"
    long += "while not os.path.exists(path) or os.path.exists('/proc/' + open(path).read()): time.sleep(0.01)\n"
    long += "time.sleep(1)"
    with stages.beside("short", [python(short)]):
        stages.run("long", python(long))
    took = dict(stages.took)
    assert took["short"] < took["long"]
