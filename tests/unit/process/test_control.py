"""How a running line is told what to do, and how it tells systemd how it is."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.errors import BadInput
from ivr.prepare import note_prepared, prepared_before
from ivr.process import control, systemd
from ivr.process.control import Say
from ivr.settings import Address, Settings


async def test_progress_comes_line_by_line_and_refusals_with_their_reason(tmp_path: Path) -> None:
    """However deep the folder: an address of a socket has 107 characters."""
    state = tmp_path / ("d" * 60) / ("e" * 60)
    (state / "run").mkdir(parents=True)

    async def obey(words: list[str], say: Say) -> None:
        say("one\nline")
        if words != ["restart"]:
            raise BadInput(field="request", problem=words[0], mend="ask for restart")

    async with await control.listen(state, obey):
        assert control.socket_of(state).stat().st_mode & 0o077 == 0
        assert [line async for line in control.ask(state, "restart")] == ["one line"]
        with pytest.raises(control.Refused, match="explode"):
            assert [line async for line in control.ask(state, "explode")]
        with pytest.raises(control.Refused):
            assert [line async for line in control.ask(state, "x" * 5000)]


async def test_a_drain_that_ends_with_the_line_is_no_error(tmp_path: Path) -> None:
    """Whoever asked sees the end of the connection, and the supervisor's log no traceback."""
    (tmp_path / "run").mkdir()
    errors: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    before = asyncio.all_tasks()

    async def obey(words: list[str], say: Say) -> None:
        say("No call goes on.")
        await asyncio.Event().wait()

    async with await control.listen(tmp_path, obey):
        told = []
        async for line in control.ask(tmp_path, "drain", ends=True):
            told.append(line)
            for task in asyncio.all_tasks() - before:
                task.cancel()
    assert told == ["No call goes on."]
    assert errors == []


async def test_no_line_runs_there(tmp_path: Path) -> None:
    with pytest.raises(control.NotRunning, match="--state"):
        assert [line async for line in control.ask(tmp_path, "restart")]


def test_one_supervisor_a_folder(tmp_path: Path) -> None:
    """Until its process has ended, however it does."""
    holding = (
        "import sys; from pathlib import Path; from ivr.process.control import hold; hold(Path(sys.argv[1]), 'service')"
    )
    code = f"{holding}; print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BadInput, match=r"runs on .* already"):
            control.hold(tmp_path, "service")
        other.kill()
    control.hold(tmp_path, "service")


def test_what_was_prepared_for_other_settings_is_not_enough(tmp_path: Path) -> None:
    """The clock alone may be another."""
    settings = Settings(state=tmp_path)
    assert not prepared_before(settings)
    note_prepared(settings)
    assert prepared_before(replace(settings, clock_shift_s=60.0))
    assert not prepared_before(replace(settings, sip=Address(host="127.0.0.1", port=5070)))
    (tmp_path / "run" / "prepared.json").write_text("{")
    assert not prepared_before(settings)


def test_systemd_is_told_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, nothing happens; a socket that is gone raises nothing."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.tell("READY=1")
    monkeypatch.chdir(tmp_path)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        name = f"omnivigil-test-{os.getpid()}"
        manager.bind("\0" + name)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        systemd.tell("READY=1")
        assert manager.recv(100) == b"READY=1"
    systemd.tell("WATCHDOG=1")
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert systemd.watchdog_s() == 30
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_s() is None
