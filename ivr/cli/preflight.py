"""What must be true of the machine before the line can run; each lack is told with its mend."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import structlog
from sipsim import interpreter
from sipsim.errors import FarmFailed
from sqlalchemy import make_url

from ivr import proxies
from ivr.asterisk import guard, runtime
from ivr.desk.contradictions import contradictions
from ivr.desk.load import DeskError
from ivr.errors import BadInput
from ivr.host.ports import check_ports, taken
from ivr.notify import config as notice_config
from ivr.notify import health as notice_health
from ivr.prepare import load
from ivr.settings import Settings
from ivr.store.engine import StoreUnavailable, open_store

log = structlog.get_logger()

#: Free space, in bytes, that the embedded Asterisk and the sounds need on first use.
FIRST_USE_BYTES = 700_000_000
#: Free space, in bytes, below which voice messages would soon be lost.
RUNNING_BYTES = 100_000_000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at: what, how it is, and how to mend it when it is not well. A remark hinders no line."""

    what: str
    well: bool
    state: str
    mend: str = ""
    remark: bool = False


def check_demo_is_private(settings: Settings) -> None:
    """Refuse published passwords on an address that others can reach. Raises BadInput."""
    named = proxies.read(os.environ)
    if not settings.demo:
        return
    for field, address in (("--sip", settings.sip), ("--http", settings.http)):
        if not address.loopback:
            raise BadInput(
                field=field,
                problem=f"the demo's passwords are public and {address.host} can be reached by others",
                mend=f"use --no-demo, or a loopback address such as 127.0.0.1:{address.port}",
            )
    if named:
        raise BadInput(
            field=proxies.VARIABLE,
            problem="the demo's passwords are public, and a proxy lets others reach the console",
            mend="use --no-demo, or name no proxy",
        )


def check_internal_addresses(settings: Settings) -> None:
    """FastAGI has no authentication and AMI no encryption: loopback only. Raises BadInput."""
    for field, address in (("--agi", settings.agi), ("--ami", settings.ami)):
        if not address.loopback:
            raise BadInput(field=field, problem=f"{address} can be reached by others", mend="use a loopback address")


def check_state(state: Path, *, before: bool = False) -> None:
    """The state folder can be made, written to and has room. Raises BadInput.

    A line that ran there `before` starts all the same: it takes calls on a full disk, and away it takes none.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        probe = state / ".write-probe"
        with probe.open("wb") as handle:
            handle.write(b"x" * 4096)
            handle.flush()
            os.fsync(handle.fileno())
        probe.unlink()
        problem, cause = None, None
    except OSError as error:
        problem, cause = f"{state} cannot be written: {error.strerror}", error
        mend = "free some space or name a folder on a writable disk"
    if problem is None and (free := shutil.disk_usage(state).free) < RUNNING_BYTES:
        problem = f"only {free // 1_000_000} MB are free on the disk of {state}"
        mend = "free some space or name a folder on another disk"
    if problem is None:
        return
    if not before:
        raise BadInput(field="--state", problem=problem, mend=mend) from cause
    log.warning("preflight check failed; starting anyway", field="--state", problem=problem, mend=mend)


def check_database(settings: Settings) -> None:
    """The database answers, when it is a server and not a file in the state folder. Raises BadInput."""
    if settings.database is None:
        return
    try:
        asyncio.run(_ping(settings.database))
    except StoreUnavailable as error:
        told = make_url(settings.database).render_as_string(hide_password=True)
        problem = f"{told} cannot be used: {error.facts['problem']}"
        mend = "start the server, or mend the URL; the user must own the database"
        raise BadInput(field="--database-url", problem=problem, mend=mend) from error


async def _ping(url: str) -> None:
    store = open_store(url)
    try:
        await store.ping()
    finally:
        await store.close()


def check_notices(settings: Settings, *, running: bool = False) -> None:
    """What the environment says of e-mail, SMS and webhooks can be used. Raises BadInput.

    A line that is `running` has its own address for mail.
    """
    config = notice_config.read(os.environ, demo=settings.demo)
    if not running and config.mail is not None and (problem := taken(config.mail, socket.SOCK_STREAM)) is not None:
        mend = "stop what uses it, or choose another"
        raise BadInput(field="OMNIVIGIL_MAIL_LISTEN", problem=f"{config.mail} {problem}", mend=mend)


def findings(settings: Settings, runtimes: list[Path], *, running: int | None = None) -> list[Finding]:
    """Everything `./omnivigil doctor` looks at, in the order a newcomer would mend it.

    `running` is the process of the line that runs with these settings: it has its ports, and that is well.
    """
    found = [_python(), _state(settings), _packages(), _asterisk(runtimes), _guard(settings, runtimes)]
    if running is not None:
        found.append(Finding(what="line", well=True, state=f"runs (process {running}); see ./omnivigil status"))
    for check, what in ((check_demo_is_private, "demo secrets"), (check_ports, "ports"), (check_database, "database")):
        if running is not None and check is check_ports:
            state = f"this line's: SIP {settings.sip}, console and API {settings.http}"
            found.append(Finding(what=what, well=True, state=state))
            continue
        try:
            check(settings)
            found.append(Finding(what=what, well=True, state="well"))
        except BadInput as error:
            found.append(Finding(what=what, well=False, state=f"{error.field}: {error.problem}", mend=error.mend))
    found += [_desks(settings), _notices(settings, running=running is not None), _public(settings), _simulator()]
    return found


def _python() -> Finding:
    return Finding(what="Python", well=sys.version_info >= (3, 11), state=sys.version.split()[0], mend="install 3.11+")


def _state(settings: Settings) -> Finding:
    try:
        check_state(settings.state)
    except BadInput as error:
        return Finding(what="state folder", well=False, state=error.problem, mend=error.mend)
    free = shutil.disk_usage(settings.state).free // 1_000_000
    return Finding(what="state folder", well=True, state=f"{settings.state}, {free} MB free")


def _packages() -> Finding:
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    return Finding(
        what="Debian's package tools",
        well=not missing,
        state=f"missing: {', '.join(missing)}" if missing else "present",
        mend="use a Debian machine or the Docker image; not needed where Asterisk 22.10.1 is installed",
    )


def _asterisk(runtimes: list[Path]) -> Finding:
    try:
        found = runtime.find(runtimes)
    except runtime.RuntimeMissing as error:
        mend = "run ./omnivigil up, which unpacks it without root"
        return Finding(what="Asterisk, voices", well=False, state=f"missing: {error.facts['missing']}", mend=mend)
    version = ".".join(map(str, found.version))
    return Finding(what="Asterisk, voices", well=True, state=f"Asterisk {version} in {found.root}")


def _guard(settings: Settings, runtimes: list[Path]) -> Finding:
    """Check that the guard, which keeps away messages that Asterisk would stumble over, can be built and loaded."""
    loaded = True
    with contextlib.suppress(runtime.RuntimeMissing):
        loaded = runtime.find(runtimes).preloads
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(dir=settings.state) as folder:
        if loaded and guard.build(Path(folder)) is not None:
            return Finding(what="Asterisk's guard", well=True, state="can be built and loaded")
    mend = "install a C compiler (apt install gcc); keep the state folder on a disk without noexec"
    return Finding(what="Asterisk's guard", well=False, state="missing: phones behind NAT are not served", mend=mend)


def _notices(settings: Settings, *, running: bool) -> Finding:
    """Without any configuration notices wait, and that is well."""
    try:
        check_notices(settings, running=running)
    except BadInput as error:
        state = f"{error.field}: {error.problem}"
        return Finding(what="notices", well=False, state=state, mend=error.mend)
    state = notice_health.configured(notice_config.read(os.environ, demo=settings.demo))
    return Finding(what="notices", well=True, state=state)


def _public(settings: Settings) -> Finding:
    """Return where readers of the status page, its feeds and e-mails find the line."""
    try:
        url = notice_config.read(os.environ, demo=settings.demo).public_url
    except BadInput:
        return Finding(what="public address", well=True, state="not known: see the notices")
    lack = "none: links of feeds and JSON are relative; set OMNIVIGIL_PUBLIC_URL once others reach the line"
    return Finding(what="public address", well=True, state=url or lack)


def _desks(settings: Settings) -> Finding:
    """Return what callers hear says what is so."""
    try:
        doubts = contradictions(load(settings)[0])
    except DeskError as error:
        state = f"{error.file}:{error.line}: {error.field}: {error.problem}"
        return Finding(what="desk files", well=False, state=state, mend=error.mend)
    mend = "change the text or the hours, then ./omnivigil reload"
    return Finding(what="desk files", well=not doubts, state="; ".join(doubts) or "well", mend=mend)


def _simulator() -> Finding:
    try:
        interpreter.find()
    except FarmFailed:
        mend = "run ./omnivigil test or ./omnivigil sim, which install them"
        state = "not installed; only tests need them"
        return Finding(what="simulated phones", well=False, state=state, mend=mend, remark=True)
    return Finding(what="simulated phones", well=True, state="present")
