"""What the supervisor does about an Asterisk that is frozen or cannot start, and that nothing it does cuts a call."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from sipsim.raw import RawCall

from ivr.asterisk.silence import DEAF_S, FROZEN_S
from ivr.cli import manage
from ivr.process import control
from tests.calls.line import (
    OPEN,
    REPOSITORY,
    Line,
    free_ports,
    is_running,
    start_again,
    start_line,
    stop_line,
    wait_for,
)
from tests.calls.queueing import NUMBER, Busy, asterisk_pid, new_number, people
from tests.plain_http import NO_TLS


@pytest.fixture
def own(tmp_path: Path) -> Iterator[list[Line]]:
    """A line that may be hurt, the latest of its supervisors last."""
    lines = [start_line(tmp_path / "line", now=OPEN)]
    yield lines
    stop_line(lines[-1])


@pytest.fixture
async def around(own: list[Line], tmp_path: Path) -> AsyncIterator[Busy]:
    """Phones on it."""
    async with people(tmp_path, (own[0], free_ports(1)[0])) as found:
        yield found


def components(line: Line) -> dict[str, str]:
    """What /healthz says of each."""
    answer = httpx.get(f"http://127.0.0.1:{line.http}/healthz", timeout=5, verify=NO_TLS)
    found: dict[str, str] = answer.json()["components"]
    return found


def alive(line: Line) -> bool:
    """Whether the service answers."""
    try:
        return httpx.get(f"http://127.0.0.1:{line.http}/livez", timeout=5, verify=NO_TLS).status_code == 200
    except httpx.HTTPError:
        return False


async def goes_on(*calls: RawCall) -> None:
    """Each call still is heard, and nobody has hung up."""
    for call in calls:
        before = len(call.media.frames)
        await asyncio.to_thread(wait_for, lambda: len(call.media.frames) > before + 20, "sound")  # noqa: B023
        assert not call._sip.bye.is_set()


async def restart(line: Line, *words: str) -> list[str]:
    """What `./omnivigil restart` tells."""
    return [told async for told in control.ask(Path(line.state), "restart", *words)]


def is_there(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


#: Four services are loaded one after the other, on whatever machine this is.
@pytest.mark.timeout(600)
async def test_calls_outlive_a_restart_and_the_supervisor(own: list[Line], around: Busy) -> None:
    """One who waits and one who talks: new code and configuration, a killed supervisor, one that begins anew."""
    line = own[0]
    around.technician("7001")
    around.paused("7001", True)
    talking = await around.caller(new_number())
    around.paused("7001", False)
    await asyncio.to_thread(wait_for, lambda: around.places() == [], "the technician's answer")
    waiting = await around.caller(new_number())
    asterisk, service = asterisk_pid(line), line.service_pid()

    # The dialplan is written anew; what was spoilt in it is whole again, and Asterisk has it.
    dialplan = Path(line.state) / "asterisk" / "etc" / "extensions.conf"
    dialplan.write_text("[nothing]\n")
    assert (await restart(line))[-1] == "Calls are taken by the new service."
    assert line.service_pid() != service
    assert "[from-trunk]" in dialplan.read_text()
    await goes_on(talking, waiting)
    await asyncio.to_thread(wait_for, lambda: len(around.places()) == 1, "the place of who waits")

    service = line.service_pid()
    os.kill(line.pid, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: not is_running(line.pid), "the supervisor's end")
    own.append(await asyncio.to_thread(start_again, line))
    around.line = line = own[-1]
    # The old one answers for a moment after its supervisor's end.
    await asyncio.to_thread(wait_for, lambda: not is_there(service) and line.healthy(), "a service", 60)
    await goes_on(talking, waiting)
    await asyncio.to_thread(wait_for, lambda: len(around.places()) == 1, "the place of who waits")

    service = line.service_pid()
    await restart(line, "all")
    await asyncio.to_thread(wait_for, lambda: not is_there(service) and line.healthy(), "a new one", 60)
    assert is_running(line.pid)
    await goes_on(talking, waiting)
    assert asterisk_pid(line) == asterisk

    one, other = await asyncio.gather(restart(line), restart(line), return_exceptions=True)
    assert isinstance(one, control.Refused) != isinstance(other, control.Refused)
    await goes_on(talking, waiting)

    # `./omnivigil stop` comes back once all is gone.
    await manage.stop(Console(), Path(line.state), drain_s=None)
    assert not is_running(line.pid)
    assert not is_running(asterisk)


async def test_an_asterisk_that_is_frozen_or_cannot_start_comes_back(own: list[Line], around: Busy) -> None:
    """It is found by its silence and killed; while its configuration is away, it is tried again and again."""
    line = own[0]
    frozen, service = asterisk_pid(line), line.service_pid()
    os.kill(frozen, signal.SIGSTOP)
    await asyncio.to_thread(wait_for, lambda: not is_there(frozen), "its end", 60)
    told = re.search(r"Asterisk unresponsive; killing it .*frozen.* silent_s=([\d.]+)", line.log("../up.log"))
    assert told is not None
    assert FROZEN_S <= float(told[1]) < 10 < DEAF_S
    await asyncio.to_thread(wait_for, line.healthy, "the line", 60)

    etc = Path(line.state) / "asterisk" / "etc"
    etc.rename(etc.with_name("away"))
    os.kill(asterisk_pid(line), signal.SIGKILL)

    def tried() -> bool:
        return line.log("../up.log").count("Asterisk cannot start") >= 3

    await asyncio.to_thread(wait_for, tried, "three tries", 60)
    assert "cannot start" in components(line)["asterisk"]
    assert line.service_pid() == service
    # One that begins meanwhile answers too, and waits.
    os.kill(service, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: line.service_pid() != service and alive(line), "a service", 60)
    assert "cannot start" in components(line)["asterisk"]
    etc.with_name("away").rename(etc)
    await asyncio.to_thread(wait_for, line.healthy, "the line", 60)
    async with RawCall(line.server, NUMBER, new_number()):
        pass


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[list[Line]]:
    """A line whose Asterisk is watched by a process of its own, as by a unit of its own."""
    state = tmp_path / "line"
    state.mkdir()
    words = [str(REPOSITORY / "omnivigil"), "asterisk", "--state", str(state)]
    with (
        (tmp_path / "asterisk.log").open("wb") as output,
        subprocess.Popen(words, stdout=output, stderr=output) as other,
    ):
        try:
            lines = [start_line(state, now=OPEN, options=("--no-with-asterisk",))]
            yield lines
            stop_line(lines[-1])
        finally:
            other.terminate()


async def test_the_line_ends_and_begins_anew_beside_its_asterisk(apart: list[Line]) -> None:
    """A caller who hears the menu is led to a person meanwhile."""
    asterisk = asterisk_pid(apart[0])
    async with RawCall(apart[0].server, NUMBER, new_number()) as call:
        os.kill(apart[0].pid, signal.SIGTERM)
        await asyncio.to_thread(wait_for, lambda: not is_running(apart[0].pid), "its end", 60)
        await goes_on(call)
    apart.append(await asyncio.to_thread(start_again, apart[0]))
    assert asterisk_pid(apart[-1]) == asterisk
    async with RawCall(apart[-1].server, NUMBER, new_number()) as call:
        await goes_on(call)
