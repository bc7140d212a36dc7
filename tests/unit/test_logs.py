"""A log that cannot be written ends nothing; what was lost is counted, and told once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import structlog

from ivr import logs

LIMITED = """
import resource, signal, sys
import structlog
from ivr import logs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
logs.outlive_full_disk()
logs.configure()
log = structlog.get_logger()
log.info("before")
free = resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_FSIZE, (10, free))
for nth in range(3):
    log.info("lost", nth=nth)
print("not even print raises", flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (free, free))
log.info("after")
sys.exit(0 if logs.dropped() == 3 else 7)
"""


def test_nothing_ends_when_the_log_is_full() -> None:
    """Written to /dev/full, which has no room ever, as a process whose standard output it is too."""
    code = "from ivr import logs; import structlog; logs.outlive_full_disk(); logs.configure(); "
    code += "structlog.get_logger().error('x'); print('y'); import warnings; warnings.warn('z'); raise SystemExit(5)"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=full, timeout=60, check=False)
    assert done.returncode == 5


def test_what_was_lost_is_told_when_there_is_room_again(tmp_path: Path) -> None:
    """In one line, with how many; the line after it is whole."""
    file = tmp_path / "log"
    with file.open("wb") as output:
        done = subprocess.run([sys.executable, "-c", LIMITED], stdout=output, stderr=output, timeout=60, check=False)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["before", "lines of the log could not be written", "after"]
    assert lines[1]["lines"] == 3
    assert done.returncode == 0


def test_a_line_that_was_cut_does_not_spoil_the_next(tmp_path: Path) -> None:
    """A disk may take half a line."""
    file = tmp_path / "log"
    real = os.write
    with file.open("a") as output:
        stream = logs.SteadyStream(output, lambda lines: f"lost {lines}\n")
        room = 4

        def write(descriptor: int, data: bytes) -> int:
            nonlocal room
            if room <= 0:
                raise OSError(28, "no space")
            sent = real(descriptor, data[:room])
            room -= sent
            return sent

        os.write = write  # type: ignore[assignment]
        try:
            stream.write("abcdefgh\n")
            stream.write("gone\n")
            room = 1000
            stream.write("whole\n")
        finally:
            os.write = real
    assert file.read_text() == "abcd\nlost 2\nwhole\n"


def test_a_prompt_without_an_end_of_line_is_shown(tmp_path: Path) -> None:
    """Terminals are written to in pieces."""
    file = tmp_path / "log"
    with file.open("a") as output:
        stream = logs.SteadyStream(output, lambda lines: "")
        stream.write("PIN: ")
        assert file.read_text() == ""
        stream.flush()
    assert file.read_text() == "PIN: "


def test_a_stream_that_is_no_file_is_left_alone() -> None:
    """Such as one that a test captures."""
    stream = object()
    assert logs.steady(stream) is stream
    structlog.reset_defaults()
