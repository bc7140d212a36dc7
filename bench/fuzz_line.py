"""An Asterisk of its own for hostile messages: the line's configuration, no service, loopback only."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ivr.asterisk import process
from ivr.asterisk.folders import Folders
from ivr.asterisk.process import AsteriskProcess
from ivr.cli.up import ensure_runtime
from ivr.directory.demo import demo_password
from ivr.prepare import prepare
from ivr.settings import Address, Settings

#: The trunk's only address, and one that is nobody's.
TRUNK, STRANGER = "127.0.0.1", "127.0.0.2"
_CHALLENGE = re.compile(r'realm="([^"]*)".*?nonce="([^"]*)"(?:.*?opaque="([^"]*)")?', re.I)


def settings_on(state: Path, *, ports: tuple[int, int, int, int], rtp: tuple[int, int], hep: int) -> Settings:
    """Settings of a line of its own; `ports` are SIP's, HTTP's, AGI's and AMI's."""
    sip, http, agi, ami = (Address(host=TRUNK, port=port) for port in ports)
    return Settings(state=state, sip=sip, http=http, agi=agi, ami=ami, rtp=rtp, hep=Address(host=TRUNK, port=hep))


@contextlib.asynccontextmanager
async def hostile_line(settings: Settings, console: Console) -> AsyncIterator[AsteriskProcess]:
    """Asterisk with the line's configuration, until the block ends. Of loopback only 127.0.0.1 is the trunk."""
    asterisk = await start(settings, console)
    try:
        yield asterisk
    finally:
        await asterisk.stop()


async def start(settings: Settings, console: Console) -> AsteriskProcess:
    """The same, for who ends it himself."""
    settings.state.mkdir(parents=True, exist_ok=True)
    found = await ensure_runtime(settings, console)
    await prepare(settings, found, lambda _: None)
    file = Folders.below(settings).etc / "pjsip.conf"
    text, changed = re.subn(r"^match = 127\.0\.0\.0/8$", f"match = {TRUNK}/32", file.read_text(), flags=re.M)
    assert changed
    file.write_text(text)
    return await process.start(found, settings)


def alive(asterisk: AsteriskProcess) -> bool:
    """Whether the process is there; a zombie is not."""
    try:
        status = Path(f"/proc/{asterisk.pid}/status").read_text()
    except OSError:
        return False
    return "State:\tZ" not in status


def rss_mb(asterisk: AsteriskProcess) -> float:
    """Its resident memory in megabytes; 0 when it is gone."""
    with contextlib.suppress(OSError, IndexError):
        pages = int(Path(f"/proc/{asterisk.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


@dataclass(kw_only=True)
class Client:
    """A UDP socket on a loopback address that says SIP to the line. Blocking, with time-outs in seconds."""

    server: tuple[str, int]
    host: str = STRANGER
    nonces: dict[str, tuple[float, str]] = field(default_factory=dict)
    rung_by: str = ""

    def __post_init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self.socket.bind((self.host, 0))
        self.port: int = self.socket.getsockname()[1]

    def close(self) -> None:
        """Say no more."""
        self.socket.close()

    def send(self, message: bytes) -> None:
        """One datagram; one that is too long for UDP is not sent."""
        with contextlib.suppress(OSError):
            self.socket.sendto(message, self.server)

    def drain(self) -> Iterator[bytes]:
        """What has come and was not read."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                came = self.socket.recv(65535)
                if came.startswith(b"INVITE"):
                    self.rung_by = came.decode(errors="replace")
                yield came

    def ask(self, message: bytes, within_s: float = 10.0) -> str:
        """The final answer to a message, which is sent again as RFC 3261 (section 17.1) has it; "" when none comes."""
        found = re.search(rb"^Call-ID: *(\S+)", message, re.M | re.I)
        assert found is not None
        deadline, again, pause = time.monotonic() + within_s, 0.0, 0.5
        while (now := time.monotonic()) < deadline:
            if now >= again:
                self.send(message)
                again, pause = now + pause, 2 * pause
            self.socket.settimeout(max(0.001, min(again, deadline) - now))
            try:
                answer = self.socket.recv(65535)
            except OSError:
                continue
            if answer.startswith(b"SIP/2.0 1"):
                again = deadline
            elif answer.startswith(b"SIP/2.0") and found[1] in answer:
                return answer.decode(errors="replace")
            elif answer.startswith(b"INVITE"):
                self.rung_by = answer.decode(errors="replace")
        return ""

    def ringing(self, within_s: float) -> str:
        """The INVITE that rings whoever is registered here, the last that came; "" when none comes."""
        deadline = time.monotonic() + within_s
        while not self.rung_by and (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            with contextlib.suppress(OSError):
                if (came := self.socket.recv(65535)).startswith(b"INVITE"):
                    self.rung_by = came.decode(errors="replace")
        return self.rung_by

    def request(
        self,
        method: str,
        name: str,
        token: str,
        *headers: str,
        to: str = "611",
        body: bytes = b"",
        transport: str = "UDP",
        sequence: int = 1,
        tag: str = "",
    ) -> bytes:
        """A whole request from an account or number. `token` makes Call-ID, branch and tag; `headers` come last."""
        host, port = self.server
        lines = [
            f"{method} sip:{to}@{host}:{port} SIP/2.0",
            f"Via: SIP/2.0/{transport} {self.host}:{self.port};branch=z9hG4bK{token}{sequence}{method};rport",
            "Max-Forwards: 70",
            f"From: <sip:{name}@{host}>;tag={token}",
            f"To: <sip:{to}@{host}>{tag}",
            f"Call-ID: {token}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{name}@{self.host}:{self.port}>",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def options(self, token: str, within_s: float = 5.0) -> float | None:
        """Seconds until OPTIONS is answered, by whatever status; None when it is not."""
        began = time.perf_counter()
        if self.ask(self.request("OPTIONS", "nobody", token), within_s):
            return time.perf_counter() - began
        return None

    def authorization(self, name: str, method: str, uri: str, token: str) -> str:
        """The header by which a demo phone proves who it is; its challenge is kept for a while."""
        known = self.nonces.get(name)
        if known is None or time.monotonic() - known[0] > 15:
            challenge = self.ask(self.request("REGISTER", name, f"{token}c", to=name))
            found = _CHALLENGE.search(challenge)
            assert found is not None, challenge
            self.nonces[name] = known = (time.monotonic(), found[2])
        realm, nonce = "omnivigil", known[1]
        ha1 = _md5(f"{name}:{realm}:{demo_password(name)}")
        answer = _md5(f"{ha1}:{nonce}:00000001:{token}:auth:{_md5(f'{method}:{uri}')}")
        return (
            f'Authorization: Digest username="{name}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{answer}", algorithm=MD5, qop=auth, nc=00000001, cnonce="{token}"'
        )


def say_by_tcp(server: tuple[str, int], message: bytes, host: str = STRANGER, within_s: float = 5.0) -> str:
    """The first that is answered on a connection of its own; "" when nothing is."""
    with socket.socket() as link:
        link.bind((host, 0))
        link.settimeout(within_s)
        try:
            link.connect(server)
            link.sendall(message)
            return link.recv(65535).decode(errors="replace")
        except OSError:
            return ""


async def until_dead(asterisk: AsteriskProcess, within_s: float) -> bool:
    """Whether it ends within so many seconds."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asterisk.wait()), within_s)
        return True
    return not alive(asterisk)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
