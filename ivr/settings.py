"""Where the line keeps its things and on which ports it answers. Nothing is read at import time."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ivr.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class Address:
    """A host and a port, written HOST:PORT."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, field: str) -> Address:
        """Read HOST:PORT; raises BadInput that names `field`."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise BadInput(field=field, problem=f"{text!r} is not HOST:PORT", mend="write it as 127.0.0.1:5060")
        return cls(host=host.strip("[]"), port=int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One line's settings. Two lines run side by side when their state folders and ports differ."""

    #: Everything the line writes: database, sounds, recordings, Asterisk's own state.
    state: Path
    sip: Address = Address(host="127.0.0.1", port=5060)
    http: Address = Address(host="127.0.0.1", port=8080)
    #: FastAGI and AMI have neither encryption nor (FastAGI) authentication: they stay on loopback.
    agi: Address = Address(host="127.0.0.1", port=4573)
    ami: Address = Address(host="127.0.0.1", port=5038)
    #: First and last UDP port for media; two per leg.
    rtp: tuple[int, int] = (10000, 12000)
    #: Where the service's clock starts; None is the real time.
    now: datetime | None = None
    #: Load the demo directory, with its published passwords.
    demo: bool = True

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        return f"sqlite+aiosqlite:///{self.state / 'omnivigil.sqlite3'}"

    @property
    def sounds(self) -> Path:
        """Built sounds, named by content."""
        return self.state / "sounds"

    @property
    def spool(self) -> Path:
        """Voice messages and requests that are on disk before they are in the database."""
        return self.state / "spool"
