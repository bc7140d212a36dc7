"""Desk files taken into force while the line runs, with a call that goes on meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from tests.calls.line import OPEN, REPOSITORY, Line, hear, start_line, stop_line, wait_for
from tests.calls.queueing import NUMBER, desks
from tests.plain_http import NO_TLS


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Line]:
    """A line with desk files of its own, whose menu has more patience than a busy machine needs."""
    folder = desks(tmp_path / "desks")
    edit(folder / "omnivigil.yaml", ("attempts: 2", "attempts: 5"), ("wait_s: 5\n", "wait_s: 20\n"))
    line = start_line(tmp_path / "line", now=OPEN, options=("--desks", str(folder)))
    yield line
    stop_line(line)


def edit(file: Path, *pairs: tuple[str, str]) -> None:
    """As an editor saves it."""
    text = file.read_text(encoding="utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after, 1)
    file.write_text(text, encoding="utf-8")


async def reload(line: Line, *words: str) -> subprocess.CompletedProcess[str]:
    """`./omnivigil reload`."""
    command = [str(REPOSITORY / "omnivigil"), "reload", "--state", line.state, *words]
    return await asyncio.to_thread(subprocess.run, command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


def health(line: Line) -> dict[str, Any]:
    """What /healthz says."""
    answer = httpx.get(f"http://127.0.0.1:{line.http}/healthz", timeout=5, verify=NO_TLS)
    found: dict[str, Any] = answer.json()
    return found


async def test_new_menu_and_queue_are_in_force_while_a_caller_keeps_the_old_and_a_broken_file_changes_nothing(
    own: Line, tmp_path: Path
) -> None:
    known = await asyncio.to_thread(Recogniser.load, Path(own.state) / "sounds")
    file = tmp_path / "desks" / "omnivigil.yaml"
    async with RawCall(own.server, NUMBER, "4185550142") as before:
        await asyncio.to_thread(hear, known, before.heard, "menu")
        # Sales are waited for in a queue that Asterisk does not have yet, and are reached by another key.
        await asyncio.to_thread(
            edit,
            file,
            ('    phones: ["7101"]', "    queue: ventes"),
            ("\nservices:", "\n  ventes: {}\n\nservices:"),
            ('"1": ventes', '"1": comptabilite'),
            ('"3": comptabilite', '"3": ventes'),
            ("13:00-17:00", "13:00-18:00"),
        )
        done = await reload(own)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "omnivigil: menu.keys.1: ventes → comptabilite" in done.stdout
        assert "omnivigil: queues.ventes.strategy: added: rrmemory" in done.stdout
        assert "Warning: omnivigil: texts.closed-hours.fr says other times" in done.stdout

        # Whoever called before has the menu that they heard.
        await before.press("1")
        await asyncio.to_thread(wait_for, lambda: own.call_from("14185550142")["department"] == "ventes", "sales", 30)
        assert not before._sip.bye.is_set()
        async with RawCall(own.server, NUMBER, "4185550143") as after:
            await asyncio.to_thread(hear, known, after.heard, "menu")
            await after.press("3")
            await asyncio.to_thread(
                wait_for, lambda: own.call_from("14185550143")["department"] == "ventes", "sales", 30
            )
    # Asterisk refuses members of queues that it does not have.
    own.api("PUT", "/v1/queues/ventes/members/7001")
    assert [one["endpoint"] for one in own.api("GET", "/v1/queues/ventes/members")] == ["7001"]

    # A half-saved file: nothing changes, and everybody is told, whoever asks.
    whole = await asyncio.to_thread(file.read_text, encoding="utf-8")
    await asyncio.to_thread(file.write_text, whole[: len(whole) // 2], encoding="utf-8")
    refused = await reload(own)
    assert refused.returncode == 1
    assert "omnivigil.yaml:" in refused.stderr
    told = health(own)
    assert (told["status"], "omnivigil.yaml:" in told["components"]["desks"]) == ("degraded", True)

    # A service that starts meanwhile has the last good ones: no crash loop.
    service = own.service_pid()
    os.kill(service, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: own.service_pid() != service and own.healthy(), "a service", 60)
    assert health(own)["components"]["desks"].startswith("degraded")
    assert own.api("GET", "/v1/queues/ventes")["id"] == "ventes"

    # Mended; the signal that means so to daemons does it.
    await asyncio.to_thread(file.write_text, whole, encoding="utf-8")
    os.kill(own.pid, signal.SIGHUP)
    await asyncio.to_thread(wait_for, lambda: health(own)["components"]["desks"] == "ok", "all well", 60)
