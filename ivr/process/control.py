"""How a running line is asked and told what to do: a socket in its state folder, one line of words each way.

Only who may enter the state folder can reach it. The supervisor, or the service by a socket of its own, answers each
request with lines of progress and, as the last one, `ok` or `failed: REASON`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from ivr.errors import BadInput, OmnivigilError
from ivr.settings import Settings

Say = Callable[[str], None]
#: Carries a request out: its words, and whom to tell how it goes. Raises OmnivigilError.
Obey = Callable[[list[str], Say], Awaitable[None]]

#: Who listens: the supervisor, and the service, which has the desk files.
SUPERVISOR, SERVICE = "control", "service"

_LONGEST = 1000
#: A supervisor says how it is within this, in seconds.
_ANSWERS_S = 5.0


def settings_file(state: Path) -> Path:
    """Return where a line's settings are, for its other processes."""
    return state / "run" / "settings.json"


class NotRunning(OmnivigilError):
    """No line runs on this state folder."""


class Refused(OmnivigilError):
    """The line could not do that."""


def socket_of(state: Path, of: str = SUPERVISOR) -> Path:
    """Return where it is."""
    return state / "run" / f"{of}.sock"


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A name for the socket that is short, however deep the state folder: addresses have 107 characters."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def listen(state: Path, obey: Obey, of: str = SUPERVISOR) -> asyncio.Server:
    """Take requests until the server is closed. Raises OSError."""
    path = socket_of(state, of)
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _reachable(path) as name:
            door.bind(name)
        path.chmod(0o600)
    except OSError:
        door.close()
        raise

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(text: str) -> None:
            writer.write(text.replace("\n", " ").encode() + b"\n")

        # A drain is cancelled by the end that it brought about.
        with contextlib.suppress(OSError, ValueError, asyncio.CancelledError):
            words = (await reader.readline()).decode(errors="replace").split()
            try:
                await obey(words, say)
                say("ok")
            except OmnivigilError as error:
                say(f"failed: {error}")
            await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, sock=door, limit=_LONGEST)


async def ask(state: Path, *words: str, ends: bool = False, of: str = SUPERVISOR) -> AsyncIterator[str]:
    """Have a running line do something; its lines of progress. What `ends` the line is done when the line has ended.

    Raises NotRunning, and Refused with the reason.
    """
    try:
        with _reachable(socket_of(state, of)) as name:
            reader, writer = await asyncio.open_unix_connection(name)
    except OSError as error:
        mend = "start it with ./omnivigil up, or name its folder with --state"
        raise NotRunning(state=str(state), mend=mend) from error
    try:
        writer.write(" ".join(words).encode() + b"\n")
        await writer.drain()
        while line := (await reader.readline()).decode(errors="replace").rstrip("\n"):
            if line == "ok":
                return
            if line.startswith("failed: "):
                raise Refused(reason=line.removeprefix("failed: "))
            yield line
        if not ends:
            raise Refused(reason="the line's supervisor or service ended meanwhile; see its log")
    finally:
        writer.close()


def hold(state: Path, what: str) -> int:
    """Be the only one on a state folder, as long as this process lives, whatever program it becomes.

    A copy of the process that is to live on without it closes the descriptor. Raises BadInput when another one is, with
    its pid, and where the folder cannot be written.
    """
    path = _lock(state, what)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        mend = "name a folder that this user can write"
        problem = f"{state} cannot be written: {error.strerror}"
        raise BadInput(field="--state", problem=problem, mend=mend) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        pid = holder(state, what)
        problem = f"a line runs on {state} already" + (f" (process {pid})" if pid is not None else "")
        mend = "see ./omnivigil status; end it with ./omnivigil stop, or name another folder and other ports"
        raise BadInput(field="--state", problem=problem, mend=mend) from None
    # Only who asks reads it: a full disk keeps nobody from taking calls.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    os.set_inheritable(handle, True)
    return handle


def _lock(state: Path, what: str) -> Path:
    return state / "run" / f"{what}.lock"


def holder(state: Path, what: str = "service") -> int | None:
    """The process that noted itself as the only one on a folder, if there still is such a process."""
    try:
        pid = int(_lock(state, what).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError, OverflowError):
        return None
    return pid


def held_since(state: Path, what: str = "service") -> float | None:
    """Return when that was, in seconds since 1970."""
    try:
        return _lock(state, what).stat().st_mtime
    except OSError:
        return None


async def running_settings(state: Path) -> tuple[int, Settings] | None:
    """The process of the supervisor on a state folder, and what it runs with; None when none runs there."""
    known = await facts(state)
    try:
        if known is not None:
            return (int(known["pid"]), Settings.read(settings_file(state)))
        return None
    except (OSError, ValueError, TypeError, KeyError):
        return None


async def facts(state: Path) -> dict[str, Any] | None:
    """Return what the supervisor on a state folder says of itself; None when none runs there."""
    try:
        async with asyncio.timeout(_ANSWERS_S):
            told = [line async for line in ask(state, "status")]
        known: dict[str, Any] = json.loads(told[0])
    except (NotRunning, Refused, TimeoutError, ValueError, IndexError):
        return None
    return known
