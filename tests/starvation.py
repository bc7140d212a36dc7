"""A busy machine, without the work: stops a test run again and again, as a starved scheduler does.

    python -m tests.starvation [--stopped SECONDS] [--running SECONDS] [PYTEST ARGUMENTS]

The test process stands still (SIGSTOP) for about `--stopped` seconds, half as long to half as long again, and then runs
for as long as `--running` says, while what it talks to (PostgreSQL, Asterisk, clients it started) goes on. What fails
here and passes without it waits for less than it says, or takes slow for wrong. Costs no processor time.

Without arguments it runs what makes no calls, all of it in one process.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

#: What makes no calls: on real phones a stop is a hole in the sound, which a test may well hear.
_DEFAULT = ("--ignore=tests/integration/sipsim", "tests/unit", "tests/conversations", "tests/integration")


def starved(command: Sequence[str], *, stopped_s: float, running_s: float, chance: random.Random) -> int:
    """Run a command that stands still again and again; its exit code, or minus the signal that ended it."""
    with subprocess.Popen(command) as process:
        try:
            while not _ends_within(process, running_s * chance.uniform(0.5, 1.5)):
                os.kill(process.pid, signal.SIGSTOP)
                time.sleep(stopped_s * chance.uniform(0.5, 1.5))
                os.kill(process.pid, signal.SIGCONT)
        finally:
            # Who is interrupted must not leave a process that stands still for ever.
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
    return process.returncode


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def main(words: Sequence[str]) -> int:
    """Run pytest on a machine that is starved; the exit code of pytest."""
    parser = argparse.ArgumentParser(prog="python -m tests.starvation", description="Run pytest on a starved machine.")
    parser.add_argument("--stopped", type=float, default=0.6, help="seconds that it stands still (default: 0.6)")
    parser.add_argument("--running", type=float, default=0.6, help="seconds that it runs in between (default: 0.6)")
    parser.add_argument("--seed", type=int, default=7, help="of the lengths (default: 7)")
    given, rest = parser.parse_known_args(words)
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", *(rest or _DEFAULT)]
    return starved(command, stopped_s=given.stopped, running_s=given.running, chance=random.Random(given.seed))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
