"""One line, one state folder: a second one is refused before it touches anything; commands beside a line know it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
from pathlib import Path

from sipsim.phones import PhoneFarm
from sipsim.raw import RawCall

from ivr.cli.up import next_steps
from ivr.desk.load import load_desks
from ivr.process import control
from tests.calls.conftest import SharedPhones
from tests.calls.line import REPOSITORY, Line, wait_for

NUMBER = "18446664844"


async def _run(*words: str) -> subprocess.CompletedProcess[str]:
    """A command of the newcomer's, to its end."""
    environment = {**os.environ, "COLUMNS": "200"}
    command = [str(REPOSITORY / "omnivigil"), *words]
    return await asyncio.to_thread(
        subprocess.run, command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=240
    )


async def test_a_second_up_on_the_same_folder_is_refused_and_the_first_ones_call_goes_on(open_line: Line) -> None:
    asterisk = (Path(open_line.state) / "run" / "asterisk.pid").read_text()
    etc = Path(open_line.state) / "asterisk" / "etc" / "pjsip.conf"
    rendered = etc.stat().st_mtime_ns
    async with RawCall(open_line.server, NUMBER, "4185550142") as call:
        await asyncio.to_thread(wait_for, lambda: len(call.media.frames) > 50, "sound")
        other = await _run("up", "--state", open_line.state, "--http", "127.0.0.1:1", "--sip", "127.0.0.1:2")
        assert other.returncode == 2
        assert f"(process {open_line.pid})" in other.stderr
        assert "./omnivigil stop" in other.stderr
        before = len(call.media.frames)
        await asyncio.to_thread(wait_for, lambda: len(call.media.frames) > before + 50, "sound after that")
        assert not call._sip.bye.is_set()

        status = json.loads((await _run("status", "--json", "--state", open_line.state)).stdout)
        assert status["on_the_air"]
        assert status["pid"] == open_line.pid == control.holder(Path(open_line.state))
        assert status["calls"] >= 1
        assert status["http"].endswith(f":{open_line.http}")
        doctor = await _run("doctor", "--state", open_line.state)
        assert doctor.returncode == 0, doctor.stdout
    assert (Path(open_line.state) / "run" / "asterisk.pid").read_text() == asterisk
    assert etc.stat().st_mtime_ns == rendered


async def test_what_up_tells_a_newcomer_to_type_reaches_a_technician(
    open_line: Line, farm: PhoneFarm, technicians: None
) -> None:
    """As it stands, for somebody who has logged in nobody; and nobody is left logged in."""
    assert isinstance(farm, SharedPhones)
    for name in ("6001", "7001"):
        await asyncio.to_thread(farm.take, name)
    found = await control.running_settings(Path(open_line.state))
    assert found is not None
    steps = dict(next_steps(found[1], next(iter(load_desks().values())), ["up"]))
    words = shlex.split(steps["hear a technician answer"])
    done = await _run(*words[1:], "--seconds", "25")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7001 is logged in" in done.stdout
    calls = open_line.api("GET", "/v1/calls", params={"limit": 20})["items"]
    assert any(one["answered_by"] == "7001" and one["endpoint"] == "6001" for one in calls)
    assert open_line.api("GET", "/v1/queues/support/members") == []
