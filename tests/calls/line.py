"""A whole line for call tests: `./omnivigil up` with ports of its own, and eyes on it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
from sipsim.audio import RATE, Samples
from sipsim.patience import patient
from sipsim.recognise import Heard, Recogniser

from tests.calls import prepared
from tests.plain_http import NO_TLS

#: Lines that this process started, by pid.
_started: dict[int, subprocess.Popen[bytes]] = {}

REPOSITORY = Path(__file__).parents[2]
T = TypeVar("T")

#: For what should come, where the line has promised no time for it.
_COMES_S = patient(15.0)
#: For a prompt, and for a line to take calls.
_HEARD_S = patient(45.0)
_UP_S = patient(60.0)

#: A Wednesday morning in Toronto, an afternoon in Paris: every desk is open.
OPEN = "2026-11-25T10:00:00-05:00"
#: A Saturday: every desk is closed until Monday.
CLOSED = "2026-11-28T10:00:00-05:00"


@dataclass(frozen=True, kw_only=True)
class Line:
    """Where a running line answers. Plain data, so that test processes can share one."""

    state: str
    sip: int
    http: int
    agi: int
    ami: int
    pid: int

    @property
    def server(self) -> tuple[str, int]:
        """For RawCall."""
        return "127.0.0.1", self.sip

    @property
    def address(self) -> str:
        """For PhoneFarm."""
        return f"127.0.0.1:{self.sip}"

    def api(self, method: str, path: str, **options: Any) -> Any:
        """One request with the demo's token; its JSON."""
        answer = self.raw_api(method, path, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def raw_api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request with the demo's token."""
        token = (Path(self.state) / "demo-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        url = f"http://127.0.0.1:{self.http}{path}"
        return httpx.request(method, url, headers=headers, timeout=10, verify=NO_TLS, **options)

    def call_from(self, ani: str, *, after: float = 0) -> dict[str, Any]:
        """The latest call from this number, with its timeline, once there is one."""

        def look() -> dict[str, Any] | None:
            items = self.api("GET", "/v1/calls", params={"ani": ani, "limit": 1})["items"]
            return self.api("GET", f"/v1/calls/{items[0]['id']}") if items else None

        return wait_for(look, f"a call from {ani}")

    def ended_call_from(self, ani: str) -> dict[str, Any]:
        """The same, once it has ended and is whole."""

        def look() -> dict[str, Any] | None:
            call = self.call_from(ani)
            return call if call["ended_at"] is not None else None

        return wait_for(look, f"the end of the call from {ani}")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look into the database."""
        uri = f"file:{self.state}/omnivigil.sqlite3?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as database:
            return database.execute(query, values).fetchall()

    def service_pid(self) -> int:
        """The process of the service, found below the supervisor's."""

        def look() -> int | None:
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"serve" in words and any(word.startswith(self.state.encode()) for word in words):
                    return int(folder.name)
            return None

        return wait_for(look, "the service's process")

    def healthy(self) -> bool:
        """Whether calls are taken."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.http}/healthz", timeout=2, verify=NO_TLS).status_code == 200
        except httpx.HTTPError:
            return False

    def sound(self, prompt: str, language: str = "fr") -> Path:
        """What a prompt sounds like, as G.711 bytes; any of them, when it has variables."""
        return next((Path(self.state) / "sounds" / "ov" / language).glob(f"{prompt}-??????????.ulaw"))

    def log(self, name: str = "service.log") -> str:
        """A log of the line's."""
        return (Path(self.state) / "log" / name).read_text(errors="replace")


def wait_for(look: Callable[[], T | None], what: str, within_s: float = _COMES_S) -> T:
    """What `look` finds; fails the test when it finds nothing in time. An empty list is nothing.

    Give `within_s` where the line has promised a time.
    """
    deadline = time.monotonic() + within_s
    while True:
        began = time.monotonic()
        found = look()
        if found is not None and found is not False and not (isinstance(found, list) and not found):
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within_s} s for {what}")
        # A look that costs much, such as listening to a minute of audio, leaves most of the time to others.
        time.sleep(max(0.1, 2 * (time.monotonic() - began)))


def after_menu(heard: list[Heard]) -> list[str]:
    """What was said once the menu was left; of the menu itself, which a key cut, too little may have been heard."""
    return [one for one in prompts(heard) if one not in ("welcome", "language-offer", "menu")]


def prompts(heard: list[Heard]) -> list[str]:
    """The ids of what was heard, in order."""
    return [one.prompt_id for one in heard]


def silences(signal: Samples, longer_than_s: float = 2.0) -> list[tuple[float, float]]:
    """Stretches, from second to second, in which nothing at all was heard, music included."""
    frames = signal[: len(signal) // 160 * 160].reshape(-1, 160)
    loud = np.flatnonzero(np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1)) > 50)
    edges = itertools.pairwise([-1, *loud.tolist(), len(frames)])
    step = 160 / RATE
    return [((a + 1) * step, b * step) for a, b in edges if (b - a - 1) * step > longer_than_s]


def hear(
    recogniser: Recogniser,
    signal: Callable[[], Samples],
    prompt: str,
    within_s: float = _HEARD_S,
    *,
    whole: bool = False,
    times: int = 1,
    language: str | None = None,
) -> Heard:
    """Listen until a prompt has begun, so many times, or is over; fails with what was heard instead."""
    heard: list[Heard] = []
    listening = recogniser.listening()

    def look() -> Heard | None:
        heard[:] = listening.hear(signal())
        mine = [one for one in heard if one.may_be(prompt) and language in (None, one.language)]
        found = [one for one in mine if one.complete or not whole]
        return found[times - 1] if len(found) >= times else None

    try:
        return wait_for(look, f"the prompt {prompt}", within_s)
    except AssertionError as error:
        raise AssertionError(f"{error}; heard {[(h.start_s, h.prompt_id, h.language) for h in heard]}") from None


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, UDP and TCP; kept apart from those that other lines are given."""
    found: list[int] = []
    with closing(socket.socket()) as first:
        first.bind(("127.0.0.1", 0))
    while len(found) < count:
        with closing(socket.socket()) as tcp, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in found:
                found.append(port)
    return found


def start_line(state: Path, *, now: str, options: tuple[str, ...] = (), wait: bool = True, command: str = "up") -> Line:
    """Start a line and wait until calls are taken. End it with `stop_line`.

    The demo, and a line on another database, prepare all by themselves.
    """
    state.mkdir(parents=True, exist_ok=True)
    if command == "up" and not {"--database-url", "--no-demo"} & set(options):
        prepared.copy_into(state)
    sip, http, agi, ami = free_ports(4)
    # Each line has its own stretch of media ports, found by its SIP port.
    first = 20000 + (sip * 7) % 400 * 100
    words = [
        str(REPOSITORY / "omnivigil"),
        command,
        *("--state", str(state)),
        *("--sip", f"127.0.0.1:{sip}"),
        *("--http", f"127.0.0.1:{http}"),
        *("--agi", f"127.0.0.1:{agi}"),
        *("--ami", f"127.0.0.1:{ami}"),
        *("--rtp", f"{first}-{first + 98}"),
        *("--now", now),
        *options,
    ]
    line = Line(state=str(state), sip=sip, http=http, agi=agi, ami=ami, pid=_run(words, state))
    if wait:
        _wait_until_up(line)
    return line


def start_again(line: Line) -> Line:
    """Start a line whose supervisor was killed, by the words that started it."""
    words = _started.pop(line.pid).args
    assert isinstance(words, list)
    again = replace(line, pid=_run(words, Path(line.state)))
    _wait_until_up(again)
    return again


def _run(words: list[str], state: Path) -> int:
    with (state / "up.log").open("ab") as output:
        process = subprocess.Popen(
            words, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    _started[process.pid] = process
    return process.pid


def _wait_until_up(line: Line) -> None:
    def up() -> bool:
        if not is_running(line.pid):
            raise AssertionError(f"the line ended: {line.log('../up.log')[-3000:]}")
        return line.healthy()

    try:
        wait_for(up, f"the line; see {line.state}/up.log", _UP_S)
    except AssertionError:
        stop_line(line)
        raise


def stop_line(line: Line) -> None:
    """End a line as Ctrl-C does, and what it started by force should that not do."""
    with suppress(ProcessLookupError):
        os.kill(line.pid, signal.SIGINT)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and is_running(line.pid):
        time.sleep(0.1)
    if is_running(line.pid):
        os.killpg(line.pid, signal.SIGKILL)
    if (process := _started.pop(line.pid, None)) is not None:
        process.wait(5)


def is_running(pid: int) -> bool:
    """Whether a line's process is there."""
    if (process := _started.get(pid)) is not None:
        return process.poll() is None
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@contextmanager
def running_line(state: Path, *, now: str, options: tuple[str, ...] = (), command: str = "up") -> Iterator[Line]:
    """A line of one test's own."""
    line = start_line(state, now=now, options=options, command=command)
    try:
        yield line
    finally:
        stop_line(line)


def write(line: Line, path: Path) -> None:
    """For other test processes."""
    path.write_text(json.dumps(asdict(line)))


def read(path: Path) -> Line:
    """What `write` wrote."""
    return Line(**json.loads(path.read_text()))
