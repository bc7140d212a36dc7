"""What commands beside a running line find and tell."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivr.cli import manage
from ivr.cli.preflight import findings
from ivr.cli.up import next_steps
from ivr.desk.load import load_desks
from ivr.errors import BadInput
from ivr.process import control
from ivr.process.control import Say
from ivr.settings import Address, Settings


async def test_the_supervisor_tells_of_itself_and_ends_when_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert await control.facts(tmp_path) is None
    settings = Settings(state=tmp_path, http=Address(host="127.0.0.1", port=1))
    settings.write(control.settings_file(tmp_path))

    async def obey(words: list[str], say: Say) -> None:
        assert words == ["status"]
        say(json.dumps({"pid": os.getpid(), "since": 0, "version": "9"}))

    async with await control.listen(tmp_path, obey):
        assert await control.running_settings(tmp_path) == (os.getpid(), settings)
        found = await manage.look(tmp_path)
    assert (found.on_the_air, found.status, found.pid, found.version) == (False, "unavailable", os.getpid(), "9")
    assert "does not answer" in found.wrong["service"]
    assert [desk["id"] for desk in found.desks] == ["omnivigil", "hotline-2024"]
    assert (await manage.look(tmp_path)).status == "stopped"


def test_whoever_holds_the_folder_is_named_while_it_lives(tmp_path: Path) -> None:
    assert control.holder(tmp_path) is None
    handle = control.hold(tmp_path, "service")
    assert control.holder(tmp_path) == os.getpid()
    with pytest.raises(BadInput, match=f"process {os.getpid()}"):
        control.hold(tmp_path, "service")
    # Another unit on the same folder is no obstacle, and what a dead one left neither.
    os.close(control.hold(tmp_path, "asterisk"))
    os.close(handle)
    os.close(control.hold(tmp_path, "service"))


def test_doctor_finds_its_own_line_well(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    found = {one.what: one for one in findings(settings, [], running=4711)}
    assert found["ports"].well
    assert "4711" in found["line"].state


def _line(at: datetime, event: str) -> str:
    return json.dumps({"event": event, "level": "info", "timestamp": at.isoformat()})


def test_logs_since_a_time_reach_into_those_turned_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    folder = tmp_path / "log"
    folder.mkdir()
    with gzip.open(folder / "service.log.20261128T020000.gz", "wt") as old:
        old.write(
            _line(now - timedelta(hours=2), "long ago") + "\n" + _line(now - timedelta(minutes=5), "before") + "\n"
        )
    (folder / "service.log").write_text("Traceback of nobody\n" + _line(now, "now") + "\n")
    manage.logs(tmp_path, of_asterisk=False, since_s=600, follow=False)
    told = capsys.readouterr().out
    assert "long ago" not in told
    assert told.index("before") < told.index("Traceback") < told.index('"now"')
    manage.logs(tmp_path, of_asterisk=False, since_s=None, follow=False)
    assert "before" not in capsys.readouterr().out
    with pytest.raises(BadInput, match="messages is not there"):
        manage.logs(tmp_path, of_asterisk=True, since_s=None, follow=False)


def test_a_terminal_obeys_nothing_that_is_in_a_log() -> None:
    told = manage.readable(json.dumps({"event": "x\x1b[2J", "level": "info", "timestamp": "2026-11-28T02:00:00+00:00"}))
    assert "\x1b" not in told
    assert manage.readable("[2026-11-28 02:00:00.000] NOTICE \x1b]0;x\x07") == "[2026-11-28 02:00:00.000] NOTICE ?]0;x?"
    assert manage.written_at("{broken") is None
    at = manage.written_at("[2026-11-28 02:00:00.123] NOTICE")
    assert at == time.mktime((2026, 11, 28, 2, 0, 0, 0, 0, -1))


def _settings(now: str, state: Path) -> Settings:
    shift = (datetime.fromisoformat(now) - datetime.now(UTC)).total_seconds()
    return Settings(state=state, sip=Address(host="127.0.0.1", port=5070), clock_shift_s=shift)


def test_a_newcomer_is_told_how_to_hear_a_technician(tmp_path: Path) -> None:
    """With the ports and the folder that this line has; on a closed line, first how to open it."""
    main = next(iter(load_desks().values()))
    words = ["up", "--sip", "127.0.0.1:5070", "--now", "2026-11-28T10:00:00-05:00"]
    by_day = dict(next_steps(_settings("2026-11-25T10:00:00-05:00", tmp_path), main, words))
    assert by_day["hear a technician answer"] == (
        f"./omnivigil sim call --dial 611 --as 6001 --technician 7001 --server 127.0.0.1:5070 --state {tmp_path}"
    )
    assert not any("closed" in what for what in by_day)
    closed = next(how for what, how in next_steps(_settings(words[-1], tmp_path), main, words) if "closed" in what)
    assert closed == "./omnivigil up --sip 127.0.0.1:5070 --now 2026-11-30T09:00:00-05:00"
    demo = [how for _, how in next_steps(_settings(words[-1], tmp_path), main, ["demo"])]
    assert not any("sim call" in how for how in demo)


async def test_stop_waits_until_the_process_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    (tmp_path / "run").mkdir()
    child = await asyncio.create_subprocess_exec("sleep", "60")

    async def obey(words: list[str], say: Say) -> None:
        if words == ["status"]:
            say(json.dumps({"pid": child.pid, "asterisk": "runs", "started_again_by": "systemd"}))
            return
        child.terminate()
        say("The line ends now.")

    async with await control.listen(tmp_path, obey):
        await manage.stop(Console(), tmp_path, drain_s=None)
    assert await child.wait() != 0
    told = capsys.readouterr().out
    assert "systemctl stop" in told
    assert told.rstrip().endswith("Stopped.")
    with pytest.raises(control.NotRunning):
        await manage.stop(Console(), tmp_path, drain_s=None)
