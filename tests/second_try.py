"""Calls are made in real time: what a test of one knows is kept when it fails, and a call that failed while the machine
stood still is made once more.

Only a wait that came to nothing is tried again, and only when this process was stopped for longer than a phone's
buffers last. What was heard, answered or written is judged the first time. Every second try is told, and a run with
more than `MOST` of them has failed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from sipsim.errors import FarmFailed, PhoneTimeout, RegistrationFailed
from sipsim.phones import PhoneFarm
from sipsim.raw import CallFailed, RawCall
from sipsim.recognise import Recogniser

#: Tests that make calls.
_CALLS = ("tests/calls/", "tests/integration/sipsim/")
#: How long this process must have been stopped, in seconds, for a second try.
STALL_S = 0.5
#: With more second tries than this a run has failed.
MOST = 3
_LOOK_S = 0.02
_TAIL = 30
_KEPT = Path("var") / "test-evidence"
_PROPERTY = "second try"
_error = pytest.StashKey[BaseException]()


class StallProbe(threading.Thread):
    """Sleeps for a moment, again and again, and knows how much longer than that it ever took."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="stall probe")
        self.longest_s = 0.0

    def begin(self) -> None:
        """Forget what was before."""
        self.longest_s = 0.0

    def run(self) -> None:
        while True:
            began = time.monotonic()
            time.sleep(_LOOK_S)
            self.longest_s = max(self.longest_s, time.monotonic() - began - _LOOK_S)


class SecondTries:
    """The plugin: in the process that runs a test, and in the one that tells of all."""

    def __init__(self, probe: StallProbe | None = None) -> None:
        self._probe = probe or StallProbe()
        self._told: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test that makes calls, once more where that is fair."""
        if not item.nodeid.startswith(_CALLS):
            return None
        if not self._probe.is_alive():
            self._probe.start()
        self._probe.begin()
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        error = item.stash.get(_error, None)
        if error is not None and may_be_tried_again(error, self._probe.longest_s):
            why = f"{str(error).splitlines()[0]}; this process was stopped for {self._probe.longest_s:.1f} s"
            _begin_again(item)
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            reports[-1].user_properties.append((_PROPERTY, f"{item.nodeid}: {why}"))
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep what a failed call knows, and tell where."""
        report = yield
        if call.excinfo is not None and report.failed and item.nodeid.startswith(_CALLS):
            item.stash[_error] = call.excinfo.value
            load = " ".join(f"{one:.1f}" for one in os.getloadavg())
            report.sections.append(("machine", f"load {load}; longest stall {self._probe.longest_s:.2f} s"))
            with contextlib.suppress(Exception):  # what cannot be told must not hide the failure
                report.sections.extend(_evidence(item, call.excinfo))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the second tries of all processes."""
        self._told += [str(value) for name, value in report.user_properties if name == _PROPERTY]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Too many of them, and nobody may say that all is well."""
        if len(self._told) > MOST:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell them."""
        if self._told:
            most = f", more than {MOST}: this run has failed" if len(self._told) > MOST else ""
            terminalreporter.section(f"{len(self._told)} second tries{most}")
            for one in self._told:
                terminalreporter.line(one)


def may_be_tried_again(error: BaseException, stalled_s: float) -> bool:
    """Whether a failure says no more than that something did not come in time, on a machine that stood still."""
    return stalled_s > STALL_S and _only_waited(error)


def _only_waited(error: BaseException) -> bool:
    match error:
        case RegistrationFailed() | FarmFailed():
            return isinstance(error.__cause__, PhoneTimeout) or "no sign of" in str(error)
        case PhoneTimeout():
            return re.search(r"^no sign of|: [\d.]+ s passed; ", str(error)) is not None
        case CallFailed():
            return error.status == 408
        case AssertionError():
            return re.match(r"waited [\d.]+ s for ", str(error)) is not None
    return False


def _begin_again(item: pytest.Item) -> None:
    """Forget the first try: fixtures that failed are made anew."""
    del item.stash[_error]
    assert isinstance(item, pytest.Function)
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        for definition in definitions:
            if definition.cached_result is not None and definition.cached_result[2] is not None:
                definition.cached_result = None
    item._initrequest()


def _evidence(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> list[tuple[str, str]]:
    """What the test had in its hands: recordings and what is heard on them, phones' last events, ends of logs."""
    held = list(_held(item, excinfo))
    folder = item.config.rootpath / _KEPT / re.sub(r"\W+", "-", item.nodeid).strip("-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ears = [one for one in held if isinstance(one, Recogniser)]
    ears += [farm.recogniser for farm in held if isinstance(farm, PhoneFarm) and farm.recogniser is not None]
    for n, call in enumerate(one for one in held if isinstance(one, RawCall)):
        call.save(folder / f"raw-call-{n}.wav")
    told = []
    for farm in (one for one in held if isinstance(one, PhoneFarm)):
        for wav in farm.folder.glob("*.wav"):
            shutil.copy(wav, folder / f"{farm.folder.name}-{wav.name}")
        told.append((f"phones in {farm.folder.name}", "\n".join(map(str, farm.last_events(_TAIL)))))
    for wav in sorted(folder.glob("*.wav")) if ears else []:
        heard = [f"{one.start_s:6.1f} s {one.prompt_id} ({one.language})" for one in ears[0].recognise(wav)]
        told.append((f"heard in {wav}", "\n".join(heard) or "no prompt"))
    states = {str(one.state) for one in held if hasattr(one, "state") and hasattr(one, "ami")}
    for log in (log for state in sorted(states) for log in _logs(Path(state))):
        with log.open(errors="replace") as lines:
            told.append((f"end of {log}", "".join(deque(lines, _TAIL))))
    return told


def _held(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> Iterator[Any]:
    """Fixtures and local variables, and what they hold of the line and its phones, each once."""
    funcargs: dict[str, object] = getattr(item, "funcargs", {})
    frames = (dict(entry.frame.f_locals) for entry in excinfo.traceback)
    seen: set[int] = set()
    for one in _opened([*funcargs.values(), *(value for found in frames for value in found.values())]):
        if id(one) not in seen:
            seen.add(id(one))
            yield one


def _opened(values: Iterable[object]) -> Iterator[object]:
    for one in values:
        yield one
        if isinstance(one, (list, tuple)):
            yield from one
        for name in ("line", "known", "phones", "carrier", "callers", "farm"):
            inner = getattr(one, name, None)
            yield from inner if isinstance(inner, list) else [inner]


def _logs(state: Path) -> list[Path]:
    return [path for path in (state / "up.log", *sorted((state / "log").rglob("*"))) if path.is_file()]
