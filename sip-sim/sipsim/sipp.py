"""Load: SIPp, bounded in calls and in time, ended by its process id, judged by its own statistics."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sipsim.errors import LoadFailed

SCENARIOS = Path(__file__).parents[1] / "scenarios"

#: After its own limit SIPp gets this long to end its calls, in seconds, before it is killed.
_GRACE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to send. SIPp's digits skip sequence numbers: Asterisk must run with strictrtp=no, never in production."""

    #: How SIPp is run: its path, after a loader where it needs one.
    sipp: Sequence[str]
    #: HOST:PORT of the line.
    server: str
    #: The number dialled.
    number: str
    calls: int
    #: Calls begun a second, and open at most.
    rate: float
    limit: int
    #: No call begins after this many seconds.
    seconds: int
    scenario: Path = SCENARIOS / "menu.xml"
    caller: str = "4185550100"
    #: A display name, sent as it is: any bytes, as `os.fsdecode` gives them.
    display: str = ""
    digit: str = "2"
    #: Further keywords of the scenario.
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What SIPp counted."""

    calls: int
    good: int
    failed: int
    #: Seconds it took, and calls begun a second over all of it.
    seconds: float
    rate: float


def run(load: Load, folder: Path) -> Outcome:
    """Place the calls; `folder` gets SIPp's files. Raises LoadFailed when SIPp itself fails, not when calls do."""
    folder.mkdir(parents=True, exist_ok=True)
    statistics = folder / "statistics.csv"
    statistics.unlink(missing_ok=True)
    with (folder / "sipp.out").open("wb") as output:
        process = subprocess.Popen(
            _command(load, statistics, folder), cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            code = process.wait(load.seconds + _GRACE_S)
        except subprocess.TimeoutExpired:
            code = _end(process)
        finally:
            if process.poll() is None:
                _end(process)
    # 0: all calls went well. 1: some failed. 97: its time was over. The rest are SIPp's own failures.
    if code not in (0, 1, 97, -signal.SIGUSR1, -signal.SIGKILL) or not statistics.exists():
        last = (folder / "sipp.out").read_text(errors="replace").strip().splitlines()[-3:]
        raise LoadFailed(f"sipp ended with {code}: {' | '.join(last)}")
    return read_statistics(statistics)


def _command(load: Load, statistics: Path, folder: Path) -> list[str]:
    keys = {"caller": load.caller, "display": load.display, "digit": load.digit, **load.keys}
    return [
        *load.sipp,
        load.server,
        *("-sf", str(load.scenario), "-s", load.number, "-i", "127.0.0.1", "-mi", "127.0.0.1"),
        *("-m", str(load.calls), "-r", str(max(1, round(load.rate * 10))), "-rp", "10000"),
        *("-l", str(load.limit), "-timeout", f"{load.seconds}s", "-recv_timeout", "20000", "-nostdin"),
        *("-trace_stat", "-stf", str(statistics), "-fd", "1"),
        *("-trace_err", "-error_file", str(folder / "errors.log")),
        *(word for name, value in keys.items() for word in ("-key", name, value)),
    ]


def _end(process: subprocess.Popen[bytes]) -> int:
    """Ask it to end its calls, then end it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGUSR1)
    try:
        return process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def read_statistics(path: Path) -> Outcome:
    """The last line of SIPp's statistics. Raises LoadFailed when there is none."""
    with path.open(newline="", encoding="utf-8", errors="replace") as handle:
        rows = list(csv.DictReader(handle, delimiter=";"))
    try:
        last = rows[-1]
        calls = int(last["TotalCallCreated"])
        seconds = _seconds(last["ElapsedTime(C)"])
        return Outcome(
            calls=calls,
            good=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            seconds=seconds,
            rate=calls / seconds if seconds else 0.0,
        )
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise LoadFailed(f"{path} holds no statistics: {error!r}") from error


def _seconds(text: str) -> float:
    """Of HH:MM:SS, with a fraction after a point or a further colon (in microseconds)."""
    hours, minutes, seconds, *fraction = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds) + (int(fraction[0]) / 1e6 if fraction else 0.0)
