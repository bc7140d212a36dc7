"""A line of the campaign's own: started by `./omnivigil up`, hurt by pid, watched from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

REPOSITORY = Path(__file__).parents[1]
#: A Wednesday morning: every desk is open.
OPEN = "2026-11-25T10:00:00-05:00"
_START_S = 120.0
_STOP_S = 30.0


class LineLost(Exception):
    """The line did not come (back) up."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, for UDP and TCP."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                if port not in found:
                    found.append(port)
    return found


def quick_desks(folder: Path) -> Path:
    """The built-in desks; callbacks are offered at once and carried out quickly."""
    shutil.copytree(REPOSITORY / "ivr" / "desk" / "desks", folder)
    rules = "mode: technician_first", "waiting: 1", "ring_s: 10", "pause_s: 12", "attempts: 2"
    block = "    announce_s: 10\n    callback:\n" + "".join(f"      {rule}\n" for rule in rules)
    file = folder / "omnivigil.yaml"
    text = re.sub(r"    callback:\n(      .*\n)+", block, file.read_text("utf-8")).replace(
        "wrapup_s: 15", "wrapup_s: 1"
    )
    file.write_text(text, "utf-8")
    return folder


@dataclass(kw_only=True)
class HurtLine:
    """The line. Whatever is started here is ended by its pid in `end`."""

    folder: Path
    #: The trunk for calls to the outside: the campaign's carrier.
    carrier: int
    database: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Pairs of media ports, and calls from trunks that they carry; all callers come from one address.
    pairs: int = 49
    calls: int = 27
    state: Path = Path()
    sip: int = 0
    http: int = 0
    agi: int = 0
    ami: int = 0
    up: subprocess.Popen[bytes] | None = None
    #: How often `up` was started.
    starts: int = 0

    def __post_init__(self) -> None:
        self.state = self.folder / "line"
        self.state.mkdir(parents=True, exist_ok=True)
        self.sip, self.http, self.agi, self.ami = free_ports(4)
        self.desks = quick_desks(self.folder / "desks")

    @property
    def server(self) -> tuple[str, int]:
        """For RawCall."""
        return "127.0.0.1", self.sip

    def start(self) -> None:
        """Start `up`; returns at once."""
        first = 20000 + (self.sip * 7) % 400 * 100
        words = [
            str(REPOSITORY / "omnivigil"),
            "up",
            *("--state", str(self.state), "--now", OPEN, "--desks", str(self.desks)),
            *("--sip", f"127.0.0.1:{self.sip}", "--http", f"127.0.0.1:{self.http}"),
            *("--agi", f"127.0.0.1:{self.agi}", "--ami", f"127.0.0.1:{self.ami}"),
            *("--rtp", f"{first}-{first + 2 * self.pairs}", "--outbound", f"127.0.0.1:{self.carrier}"),
            *("--calls", str(self.calls), "--calls-per-source", str(self.calls)),
            *(("--database-url", self.database) if self.database else ()),
        ]
        environment = {**os.environ, **self.environment}
        environment.pop("OMNIVIGIL_DATABASE_URL", None)
        with (self.folder / "up.log").open("ab") as output:
            self.up = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
            )
        self.starts += 1

    async def until_up(self, within_s: float = _START_S) -> None:
        """Wait until calls are taken. Raises LineLost."""
        deadline = time.monotonic() + within_s
        while not await self.healthy():
            if self.up is not None and self.up.poll() is not None:
                raise LineLost(f"up ended with {self.up.returncode}: {self.log('up.log')[-600:]}")
            if time.monotonic() > deadline:
                raise LineLost(f"not healthy within {within_s:g} s: {self.log('up.log')[-600:]}")
            await asyncio.sleep(0.1)

    async def healthy(self) -> bool:
        """Whether /healthz says that calls are taken."""
        try:
            status, _ = await self.request("GET", "/healthz", within_s=2)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        return status == 200

    async def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        *,
        within_s: float = 10.0,
    ) -> tuple[int, Any]:
        """One request with the demo's token: its status, and its JSON if it has any."""
        token = await asyncio.to_thread(self._token)
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        url = f"http://127.0.0.1:{self.http}{path}"
        timeout = aiohttp.ClientTimeout(total=within_s)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, json=json, headers=sent, params=params) as answer,
        ):
            body = None
            if answer.content_type == "application/json":
                body = await answer.json()
            return answer.status, body

    def _token(self) -> str:
        with contextlib.suppress(OSError):
            return (self.state / "demo-token").read_text().strip()
        return ""

    def service(self) -> int | None:
        """The service's process."""
        return self._process(lambda words: b"serve" in words and any(self._mine(word) for word in words))

    def asterisk(self) -> int | None:
        """Asterisk's."""
        etc = f"{self.state}/asterisk/etc".encode()
        return self._process(
            lambda words: b"-C" in words and b"-rx" not in words and any(etc in word for word in words)
        )

    def _mine(self, word: bytes) -> bool:
        return word.startswith(f"{self.state}/".encode())

    def _process(self, fits: Any) -> int | None:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if fits((folder / "cmdline").read_bytes().split(b"\0")):
                    return int(folder.name)
        return None

    def processes(self) -> list[int]:
        """Every process of this line, by the state folder in its command; the supervisor's first."""
        found = [self.up.pid] if self.up is not None and self.up.poll() is None else []
        wanted = f"{self.state}/".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if any(wanted in word for word in words) and int(folder.name) not in (*found, os.getpid()):
                    found.append(int(folder.name))
        return found

    def log(self, name: str) -> str:
        """A log: up.log, or one of the state folder's."""
        file = self.folder / name if name == "up.log" else self.state / "log" / name
        with contextlib.suppress(OSError):
            return file.read_text(errors="replace")
        return ""

    def unasked_restarts(self) -> int:
        """How often the service ended by itself, with an exit code of its own."""
        return len(re.findall(r"service exited; restarting.*reason=.?exit code [1-9]", self.log("up.log")))

    async def cli(self, command: str) -> str:
        """What Asterisk's own command line answers; "" when it does not run."""
        from ivr.asterisk import process, runtime
        from ivr.settings import Settings

        settings = Settings(state=self.state)
        return await process.cli(runtime.find(runtime.folders(self.state)), settings, command)

    def stop(self) -> None:
        """End it as Ctrl-C does, by force what is left after that."""
        if self.up is not None and self.up.poll() is None:
            self.up.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.up.wait(_STOP_S)
        self.kill_all()

    def kill_all(self) -> None:
        """kill -9 of all of it, the supervisor first: as when the power goes."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.up is not None:
            self.up.wait(10)
        deadline = time.monotonic() + 5
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)

    def lock(self) -> sqlite3.Connection:
        """Hold SQLite's write lock until the connection is closed."""
        other = sqlite3.connect(
            self.state / "omnivigil.sqlite3", timeout=10, isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")
        return other


def limit(pid: int, soft: int) -> tuple[int, int]:
    """Set how many descriptors a process may have; what it was before."""
    import resource

    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, before[1]))
    return before


def descriptors(pid: int) -> int:
    """How many a process has open; 0 when it is gone."""
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def resident_mb(pid: int) -> float:
    """Resident memory in megabytes; 0 when it is gone."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


def mounted_image(folder: Path, megabytes: int) -> bool:
    """Mount an ext4 image of its own at `folder`; False where that is not allowed."""
    image = folder.with_suffix(".ext4")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with image.open("wb") as file:
            file.truncate(megabytes * 1_000_000)
        run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        run("mount", "-o", "loop", str(image), str(folder))
    except (OSError, subprocess.CalledProcessError):
        image.unlink(missing_ok=True)
        return False
    return True


def run(*words: str) -> None:
    """Run a program of the system's. Raises CalledProcessError, OSError."""
    subprocess.run(words, check=True, capture_output=True, timeout=60)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
