"""What callers hear when the service is not there: always a way to a person or the message box, within 5 s."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from ivr.asterisk.folders import Folders
from ivr.retention.log_rotation import LARGEST
from ivr.settings import Settings
from tests.calls.line import OPEN, Line, hear, prompts, running_line, wait_for

NUMBER = "18446664844"
#: What a caller may wait, in seconds.
LIMIT_S = 5.0


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line whose service may be hurt."""
    with running_line(tmp_path_factory.mktemp("faults") / "line", now=OPEN) as running:
        yield running


@pytest.fixture(scope="module")
def known(line: Line) -> Recogniser:
    """Its prompts."""
    return Recogniser.load(Path(line.state) / "sounds")


@contextmanager
def service_killed(line: Line) -> Iterator[None]:
    """Kill the service; afterwards wait until it is back."""
    pid = line.service_pid()
    os.kill(pid, signal.SIGKILL)
    yield
    _wait_until_back(line, pid)


@contextmanager
def service_frozen(line: Line) -> Iterator[None]:
    """Freeze the service; afterwards wait until another one is there."""
    pid = line.service_pid()
    os.kill(pid, signal.SIGSTOP)
    yield
    _wait_until_back(line, pid)


def _wait_until_back(line: Line, pid: int) -> None:
    wait_for(lambda: line.service_pid() != pid and line.healthy(), "the service's return", 60)


async def _rescued(call: RawCall, known: Recogniser, since_s: float) -> None:
    found = await asyncio.to_thread(hear, known, call.heard, "fallback-queue")
    assert found.start_s - since_s < LIMIT_S
    # Nobody is logged in here, so the queue leads on to the message box.
    await asyncio.to_thread(hear, known, call.heard, "fallback-message")


@pytest.mark.smoke
async def test_killed_in_mid_call(line: Line, known: Recogniser) -> None:
    """The service dies while it speaks: the caller is taken to the queue."""
    async with RawCall(line.server, NUMBER, "5145550001") as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        since_s = len(call.heard()) / 8000
        with service_killed(line):
            await _rescued(call, known, since_s)


async def test_frozen_in_mid_call(line: Line, known: Recogniser) -> None:
    """The service stops answering without dying: it is found, killed, and the caller taken to the queue."""
    async with RawCall(line.server, NUMBER, "5145550002") as call:
        await asyncio.to_thread(hear, known, call.heard, "welcome")
        since_s = len(call.heard()) / 8000
        with service_frozen(line):
            await _rescued(call, known, since_s)
    assert "service frozen; killing it" in line.log("../up.log")


async def test_not_listening(line: Line, known: Recogniser) -> None:
    """A call that comes in while there is no service."""
    with service_killed(line):
        async with RawCall(line.server, NUMBER, "5145550003") as call:
            await _rescued(call, known, 0)


async def test_a_message_left_without_the_service_becomes_a_ticket(line: Line, known: Recogniser) -> None:
    """The dialplan's own message box: the recording enters when the service is back; the call is on record too."""
    speech = line.sound("menu").read_bytes()[: 8000 * 4]
    with service_killed(line):
        async with RawCall(line.server, NUMBER, "4185550101") as call:
            await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
            await asyncio.sleep(0.5)
            # Whoever said nothing is asked again, and not thanked for it.
            await call.press("#")
            await asyncio.to_thread(hear, known, call.heard, "fallback-again")
            await asyncio.to_thread(hear, known, call.heard, "beep", whole=True, times=2)
            await call.speak(speech)
            await call.press("#")
            await asyncio.to_thread(hear, known, call.heard, "fallback-received")

    def ticket() -> object:
        found = line.rows("select ticket_number from messages where number = '14185550101'")
        return found[0] if found else None

    await asyncio.to_thread(wait_for, ticket, "the message's ticket", 60)
    # The number is in no file's name, and in none beside it once the message is entered.
    ((file,),) = line.rows("select file from messages where number = '14185550101'")
    assert "4185550101" not in file
    note = (Folders.below(Settings(state=Path(line.state))).messages / file).with_suffix(".from")
    await asyncio.to_thread(wait_for, lambda: not note.exists(), "the end of the note of the number")
    record = await asyncio.to_thread(line.call_from, "14185550101")
    assert record["result"] is not None
    assert record["identity"]["customer"]["account"] == "C-1001"


@contextmanager
def no_room_for_messages(line: Line) -> Iterator[None]:
    """Nothing can be written where messages are kept: not even a folder can be made there."""
    messages = Folders.below(Settings(state=Path(line.state))).messages
    aside = messages.rename(messages.with_name("aside"))
    messages.touch()
    try:
        yield
    finally:
        messages.unlink()
        aside.rename(messages)


async def test_nobody_is_thanked_for_a_message_that_the_disk_did_not_take(line: Line, known: Recogniser) -> None:
    """The service is away, and nothing can be written: the caller is told that there is no message."""
    with service_killed(line), no_room_for_messages(line):
        async with RawCall(line.server, NUMBER, "5145550005") as call:
            await asyncio.to_thread(hear, known, call.heard, "fallback-nothing")
            assert "fallback-received" not in prompts(known.recognise(call.heard()))


async def test_where_no_message_can_be_kept_the_caller_is_taken_to_a_person(line: Line, known: Recogniser) -> None:
    """The disk is full before or while somebody speaks: they are not asked again and again, but taken to the queue."""
    with no_room_for_messages(line):
        async with RawCall(line.server, NUMBER, "5145550007") as call:
            await asyncio.to_thread(hear, known, call.heard, "menu")
            await call.press("2")
            await asyncio.to_thread(hear, known, call.heard, "fallback-queue")
            # Nobody is logged in here.
            await asyncio.to_thread(hear, known, call.heard, "fallback-nothing")
            assert "message-record" not in prompts(known.recognise(call.heard()))
    async with RawCall(line.server, NUMBER, "5145550008") as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
        with no_room_for_messages(line):
            await call.press("#")
            await asyncio.to_thread(hear, known, call.heard, "fallback-queue")
            assert {"message-silence", "message-short"}.isdisjoint(prompts(known.recognise(call.heard())))


async def test_killed_while_a_message_is_recorded(line: Line, known: Recogniser) -> None:
    """What was said before and after the service died is kept, and the caller is thanked, not asked again."""
    speech = line.sound("menu").read_bytes()[: 8000 * 6]
    async with RawCall(line.server, NUMBER, "4185550103") as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
        speaking = asyncio.create_task(call.speak(speech))
        await asyncio.sleep(2)
        with service_killed(line):
            await speaking
            await call.press("#")
            await asyncio.to_thread(hear, known, call.heard, "fallback-received")
            assert "fallback-message" not in prompts(known.recognise(call.heard()))

    def ticket() -> object:
        found = line.rows("select ticket_number from messages where number = '14185550103'")
        return found[0] if found else None

    await asyncio.to_thread(wait_for, ticket, "the message's ticket", 60)


def test_hostile_connections_to_the_conversations_port(line: Line) -> None:
    """Connections that send nothing, garbage, or a megabyte do not disturb the service."""
    pid = line.service_pid()
    for sent in (b"", b"GET / HTTP/1.1\r\n\r\n", b"agi_network: yes\n" * 60_000, b"\xff\x00" * 5000, b"agi_"):
        with closing(socket.create_connection(("127.0.0.1", line.agi), 5)) as connection:
            try:
                connection.sendall(sent)
            except OSError:
                continue
    assert line.healthy()
    assert line.service_pid() == pid


def test_secrets_are_private(line: Line) -> None:
    """What lets others in is readable by its owner only, and in no log."""
    state = Path(line.state)
    token = (state / "demo-token").read_text().strip()
    for name in ("demo-token", "secrets.json", "asterisk/etc/manager.conf", "asterisk/etc/pjsip.conf"):
        assert (state / name).stat().st_mode & 0o077 == 0, name
    for log in state.glob("log/**/*"):
        if log.is_file():
            assert token not in log.read_text(errors="replace")


async def test_nothing_of_the_line_is_open_to_other_users(line: Line, known: Recogniser) -> None:
    """Messages, database, logs, whatever process made them; unpacked programs apart, which hold nothing of ours."""
    async with RawCall(line.server, NUMBER, "5145550009") as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        await asyncio.to_thread(hear, known, call.heard, "beep", whole=True)
        await call.speak(line.sound("menu").read_bytes()[: 8000 * 4])
    await asyncio.to_thread(_all_private, line)


def _all_private(line: Line) -> None:
    state = Path(line.state)
    kept = "select file from messages where number = '15145550009'"
    ((name,),) = wait_for(lambda: line.rows(kept), "the message's ticket", 60)
    paths = [state, *(path for path in state.rglob("*") if "runtime" not in path.relative_to(state).parts)]
    assert name in {path.name for path in paths}
    assert [
        str(path.relative_to(state)) for path in paths if not path.is_symlink() and path.stat().st_mode & 0o077
    ] == []


def _compressed(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}.2*.gz"))


def test_logs_are_turned_over(line: Line) -> None:
    """What strangers made Asterisk write goes aside, small, and Asterisk goes on in a new file; so does the service."""
    logs = {name: Path(line.state) / "log" / name for name in ("service.log", "asterisk/security", "asterisk/messages")}
    for path in logs.values():
        os.truncate(path, LARGEST + 1)
    for path in logs.values():
        wait_for(partial(_compressed, path), f"the old {path.name}", 60)
        wait_for(path.exists, f"the new {path.name}")
        assert path.stat().st_size < LARGEST
    pids = (line.service_pid(), int((Path(line.state) / "run" / "asterisk.pid").read_text()))
    written = {str(fd.readlink()) for pid in pids for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
    assert {str(path) for path in logs.values()} <= written
    assert not list((Path(line.state) / "log" / "asterisk").glob("queue_log*"))


async def test_a_log_that_cannot_be_written_ends_nothing(line: Line, known: Recogniser) -> None:
    """The service's log has no room from its start on; a call goes as ever, and the service is not started again."""
    log = Path(line.state) / "log" / "service.log"
    log.rename(log.with_name("aside"))
    log.symlink_to("/dev/full")
    try:
        with service_killed(line):
            pass
        pid = line.service_pid()
        async with RawCall(line.server, NUMBER, "5145550006") as call:
            await asyncio.to_thread(hear, known, call.heard, "menu")
        record = await asyncio.to_thread(line.ended_call_from, "15145550006")
        assert record["result"] == "hung-up-in-menu"
        assert line.service_pid() == pid
    finally:
        log.unlink()
        log.with_name("aside").rename(log)
    with service_killed(line):
        pass
