"""A call is made a second time only where the machine is to blame, and what failed tells what it knows."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sipsim.errors import FarmFailed, PhoneTimeout, RegistrationFailed
from sipsim.raw import CallFailed

from tests import second_try

REPOSITORY = Path(__file__).parents[2]
STALLED = second_try.STALL_S + 0.1

CONFTEST = """
from tests.second_try import SecondTries, StallProbe

class Stalled(StallProbe):
    def begin(self):
        self.longest_s = 0.8

def pytest_configure(config):
    config.pluginmanager.register(SecondTries(Stalled()), "second-tries")
"""
TESTS = """
import itertools
import pytest

tries = {{}}

@pytest.fixture(scope="module")
def line():
    tries["line"] = tries.get("line", 0) + 1
    assert tries["line"] > 1, "waited 15 s for a line" if {slow_line} else "not now"

@pytest.mark.parametrize("n", range({count}))
def test_waits(n):
    tries[n] = tries.get(n, 0) + 1
    assert tries[n] > 1, "waited 15 s for the queue"

def test_content():
    tries["content"] = tries.get("content", 0) + 1
    assert tries["content"] > 1, "['menu'] is not ['welcome']"

def test_needs(line):
    pass
"""


def _run(folder: Path, **how: object) -> subprocess.CompletedProcess[str]:
    (folder / "tests" / "calls").mkdir(parents=True)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "tests" / "calls" / "test_calls.py").write_text(TESTS.format(**how))
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "sip-sim")])
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/calls"]
    return subprocess.run(
        words, cwd=folder, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )


def test_waits_are_tried_again_and_told_and_content_is_not(tmp_path: Path) -> None:
    done = _run(tmp_path, count=2, slow_line=True)
    assert done.returncode == 1
    assert "1 failed, 3 passed" in done.stdout
    assert "3 second tries" in done.stdout
    assert "test_waits[0]: waited 15 s for the queue; this process was stopped for 0.8 s" in done.stdout
    assert "FAILED tests/calls/test_calls.py::test_content" in done.stdout
    # What failed for good says how the machine was.
    assert "longest stall 0.80 s" in done.stdout


def test_more_than_a_few_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    done = _run(tmp_path / "few", count=second_try.MOST + 1, slow_line=False)
    assert f"{second_try.MOST + 1} second tries, more than {second_try.MOST}: this run has failed" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize(
    "error",
    [
        PhoneTimeout("no sign of a call to 6001 within 40 s; last events: none"),
        PhoneTimeout("menu was not heard: 80 s passed; heard no prompt"),
        CallFailed(408, "no answer"),
        FarmFailed("no sign of a phone process within 40 s"),
        AssertionError("waited 60.0 s for the places ('held 1',); last seen []"),
    ],
    ids=str,
)
def test_a_wait_that_came_to_nothing_is_tried_again_on_a_machine_that_stood_still(error: BaseException) -> None:
    assert second_try.may_be_tried_again(error, STALLED)
    assert not second_try.may_be_tried_again(error, second_try.STALL_S)


@pytest.mark.parametrize(
    "error",
    [
        PhoneTimeout("menu was not heard: the call ended; heard goodbye (fr) at 1.0 s"),
        PhoneTimeout("not answered: 486 Busy Here"),
        CallFailed(486, "Busy Here"),
        RegistrationFailed("6001 at 127.0.0.1:5060: 401 Unauthorized"),
        FarmFailed("dial: the phone process is gone"),
        AssertionError("assert ['menu'] == ['welcome']"),
        TimeoutError(),
        KeyError("ticket"),
    ],
    ids=repr,
)
def test_what_was_answered_heard_or_written_is_judged_the_first_time(error: BaseException) -> None:
    assert not second_try.may_be_tried_again(error, 60.0)


def test_the_probe_sees_that_the_process_was_stopped() -> None:
    probe = second_try.StallProbe()
    probe.start()
    probe.begin()
    # Holding the interpreter does to the probe's thread what a stopped process does.
    before = sys.getswitchinterval()
    sys.setswitchinterval(5)
    try:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
    finally:
        sys.setswitchinterval(before)
    time.sleep(0.1)
    assert probe.longest_s > 0.2
