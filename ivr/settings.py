"""Where the line keeps its things and on which ports it answers. Nothing is read at import time."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from ivr.clock import Clock, system_clock
from ivr.errors import BadInput
from ivr.trunks import Trunk


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
        """Return whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if ":" in self.host:
            return f"[{self.host}]:{self.port}"
        return f"{self.host}:{self.port}"


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
    #: How far the service's clock is from the real one, in seconds, so that closed hours can be dialled.
    clock_shift_s: float = 0.0
    #: Load the demo directory, with its published passwords.
    demo: bool = True
    #: Whose calls come in by the trunk; loopback always does.
    trunks: tuple[Trunk, ...] = ()
    #: Where calls to the outside go, by SIP; without it phones hear that there is no way out.
    outbound: Address | None = None
    #: Where Asterisk sends its copies of SIP and RTCP (HEP); UDP at the service's AGI address when None.
    hep: Address | None = None
    #: A Homer server that gets the same copies.
    homer: Address | None = None
    #: A folder of desk files instead of the ones that come with the product.
    desks: Path | None = None
    #: A folder of recorded prompts that win over the voice engines.
    recordings: Path | None = None
    #: A Piper voice model per language, as in {"fr": "voice.onnx"}.
    piper_models: tuple[tuple[str, str], ...] = ()
    #: A folder with a faster-whisper model, which writes voice messages down.
    transcribe: Path | None = None
    #: The database's URL as `database_url_of` gives it, maybe with a password; SQLite in the state folder when None.
    database: str | None = None
    #: Calls at once from trunks, in all and from one address, and from one phone's account. When None, the first two
    #: are what this machine carries (`ivr.asterisk.admission`).
    calls: int | None = None
    calls_per_source: int | None = None
    calls_per_phone: int = 8
    #: A call of which nothing was heard for so many seconds, neither RTP nor RTCP, ends; 0 for never.
    rtp_timeout_s: int = 50
    #: Audio is heard from hosts that do no SIP with us and that no SDP names, as far as strict RTP lets it in.
    rtp_from_anywhere: bool = False
    #: Only the load generator, whose sequence numbers skip, needs this off.
    strict_rtp: bool = True
    #: Whether Asterisk's configuration follows the directory while the line runs. Benchmarks put other ways of
    #: answering beside ours into it, and those must stay.
    live_configuration: bool = True

    def write(self, path: Path) -> None:
        """Hand these settings to another process of the line, whole or not at all. Only the owner may read them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.touch(mode=0o600)
        partial.chmod(0o600)
        partial.write_text(json.dumps(asdict(self), default=str, indent=1))
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> Settings:
        """The settings that `write` wrote."""
        values = json.loads(path.read_text())
        for name in ("sip", "http", "agi", "ami"):
            values[name] = Address(**values[name])
        for name in ("outbound", "hep", "homer"):
            values[name] = Address(**values[name]) if values[name] is not None else None
        for name in ("state", "desks", "recordings", "transcribe"):
            values[name] = Path(values[name]) if values[name] is not None else None
        values["rtp"] = tuple(values["rtp"])
        # As an older version wrote it, whose line goes on under new code (`./omnivigil restart`).
        plain = [{"host": host} for host in values.pop("trunk_hosts", ())]
        values["trunks"] = tuple(Trunk(**one) for one in values.get("trunks", plain))
        values["piper_models"] = tuple((language, model) for language, model in values["piper_models"])
        return cls(**values)

    @property
    def clock(self) -> Clock:
        """The service's clock."""
        shift = timedelta(seconds=self.clock_shift_s)
        return lambda: system_clock() + shift

    @property
    def hep_collector(self) -> Address:
        """Return where the service collects Asterisk's copies of SIP and RTCP; loopback, like AGI."""
        return self.hep or Address(host=self.agi.host, port=self.agi.port)

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        return self.database or f"sqlite+aiosqlite:///{self.state / 'omnivigil.sqlite3'}"

    @property
    def sounds(self) -> Path:
        """Built sounds, named by content."""
        return self.state / "sounds"

    @property
    def on_air(self) -> Path:
        """Return what the held streams tell to all who wait."""
        return self.state / "on-air"

    @property
    def announcements(self) -> Path:
        """The sounds of announcements, which unlike other sounds cannot all be made again."""
        return self.state / "announcements"

    @property
    def mails(self) -> Path:
        """E-mails as they came in."""
        return self.state / "mails"

    @property
    def spool(self) -> Path:
        """Voice messages and requests that are on disk before they are in the database."""
        return self.state / "spool"


def database_url_of(text: str) -> str:
    """SQLAlchemy's URL for a PostgreSQL URL as libpq reads it (postgresql://USER:PASSWORD@HOST:PORT/DATABASE).

    Its `sslmode` is kept, and so are several hosts, of which the one is served that may be written to
    (?host=a:5432&host=b:5432&target_session_attrs=read-write).
    Raises BadInput, which does not repeat the text: there may be a password in it.
    """
    # Here and not above: the line's supervisor reads settings and has no database.
    from sqlalchemy import exc, make_url

    field, mend = "--database-url", "write it as postgresql://omnivigil:PASSWORD@db.example:5432/omnivigil"
    try:
        url = make_url(text)
    except (exc.ArgumentError, ValueError) as error:
        raise BadInput(field=field, problem="this is no URL of a database", mend=mend) from error
    if url.drivername not in ("postgresql", "postgres", "postgresql+asyncpg"):
        problem = f"{url.drivername} is not served; PostgreSQL is, and without this SQLite in the state folder"
        raise BadInput(field=field, problem=problem, mend=mend)
    if not url.database:
        raise BadInput(field=field, problem="it names no database", mend=mend)
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
    if unknown := sorted(set(query) - {"ssl", "host", "port", "target_session_attrs"}):
        problem = f"{', '.join(unknown)} is not known there; sslmode, host, port and target_session_attrs are"
        raise BadInput(field=field, problem=problem, mend="leave it out")
    if query.get("target_session_attrs", "primary") not in ("read-write", "primary", "any"):
        mend = "write read-write or primary: the line writes"
        raise BadInput(field=field, problem="target_session_attrs leads to a server that only reads", mend=mend)
    return url.set(drivername="postgresql+asyncpg", query=query).render_as_string(hide_password=False)
