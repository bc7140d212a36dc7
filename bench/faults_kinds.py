"""What is done to a line: each kind hurts it and takes away what hurts, and returns then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import asyncpg
from sqlalchemy import make_url

from bench.faults_doubles import Mail, Twilio
from bench.faults_line import REPOSITORY, HurtLine, descriptors, limit, run
from ivr.tools.postgresql_server import Cluster, ServerFailed

#: Of an outage that is to last a while, in seconds.
_WHILE_S: Final = 8.0
#: A frozen Asterisk may stay so for this long, in seconds, before it is let go on.
_FROZEN_S: Final = 20.0


@dataclass(kw_only=True)
class Scene:
    """What can be hurt."""

    line: HurtLine
    mail: Mail
    twilio: Twilio
    #: The image of the state folder's own disk, when it has one.
    image: Path | None = None
    cluster: Cluster | None = None


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A fault. `cuts` when Asterisk itself is hurt: its calls are lost, and who dials meanwhile dials again."""

    name: str
    hurt: Callable[[Scene], Awaitable[None]]
    cuts: bool = False
    needs: Literal["", "sqlite", "postgresql", "image", "restart"] = ""


def _kill(pid: int | None, number: signal.Signals = signal.SIGKILL) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def _another(look: Callable[[], int | None], than: int | None, within_s: float = 30.0) -> bool:
    """Wait for another process in a killed one's place."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if (pid := await asyncio.to_thread(look)) is not None and pid != than:
            return True
        await asyncio.sleep(0.1)
    return False


async def _kill_service(scene: Scene) -> None:
    pid = scene.line.service()
    _kill(pid)
    await _another(scene.line.service, pid)


async def _kill_service_twice(scene: Scene) -> None:
    await _kill_service(scene)
    await asyncio.sleep(0.5)
    await _kill_service(scene)


async def _freeze_service(scene: Scene) -> None:
    pid = scene.line.service()
    _kill(pid, signal.SIGSTOP)
    if not await _another(scene.line.service, pid):
        _kill(pid, signal.SIGCONT)


async def _sigterm_service(scene: Scene) -> None:
    pid = scene.line.service()
    _kill(pid, signal.SIGTERM)
    await _another(scene.line.service, pid)


async def _kill_asterisk(scene: Scene) -> None:
    pid = scene.line.asterisk()
    _kill(pid)
    await _another(scene.line.asterisk, pid)


async def _freeze_asterisk_short(scene: Scene) -> None:
    pid = scene.line.asterisk()
    _kill(pid, signal.SIGSTOP)
    await asyncio.sleep(2)
    _kill(pid, signal.SIGCONT)


async def _freeze_asterisk(scene: Scene) -> None:
    pid = scene.line.asterisk()
    _kill(pid, signal.SIGSTOP)
    if not await _another(scene.line.asterisk, pid, _FROZEN_S):
        _kill(pid, signal.SIGCONT)


async def _kill_both(scene: Scene) -> None:
    service, asterisk = scene.line.service(), scene.line.asterisk()
    _kill(service)
    _kill(asterisk)
    await _another(scene.line.service, service)
    await _another(scene.line.asterisk, asterisk)


async def _kill_asterisk_then_service(scene: Scene) -> None:
    asterisk = scene.line.asterisk()
    _kill(asterisk)
    await asyncio.sleep(1)
    await _kill_service(scene)
    await _another(scene.line.asterisk, asterisk)


async def _without_descriptors(pid: int | None, more: int) -> None:
    if pid is None:
        return
    before = limit(pid, descriptors(pid) + more)
    await asyncio.sleep(_WHILE_S)
    with contextlib.suppress(ProcessLookupError):
        limit(pid, before[0])


async def _service_out_of_descriptors(scene: Scene) -> None:
    await _without_descriptors(scene.line.service(), 1)


async def _asterisk_out_of_descriptors(scene: Scene) -> None:
    await _without_descriptors(scene.line.asterisk(), 4)


async def _cut_ami(scene: Scene) -> None:
    for line in (await scene.line.cli("manager show connected")).splitlines():
        if found := re.match(r"service +\S+ +\d+ +\d+ +(\d+) ", line):
            await scene.line.cli(f"manager kick session {found[1]}")


async def _lock_database(scene: Scene) -> None:
    held = await asyncio.to_thread(scene.line.lock)
    await asyncio.sleep(_WHILE_S)
    held.close()


async def _lock_database_kill_service(scene: Scene) -> None:
    held = await asyncio.to_thread(scene.line.lock)
    await asyncio.sleep(1)
    await _kill_service(scene)
    await asyncio.sleep(2)
    held.close()


@contextlib.asynccontextmanager
async def _full_disk(scene: Scene) -> AsyncIterator[None]:
    """Only where the state folder has a disk of its own."""
    ballast = scene.line.state / "ballast"
    try:
        await asyncio.to_thread(_fill, ballast)
        yield
    finally:
        ballast.unlink(missing_ok=True)


def _fill(ballast: Path) -> None:
    disk = os.statvfs(ballast.parent)
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        # Nearly all of it in one go, then whatever there is.
        os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - 2_000_000))
        file.seek(0, os.SEEK_END)
        while True:
            file.write(bytes(4096))


async def _fill_disk(scene: Scene) -> None:
    async with _full_disk(scene):
        await asyncio.sleep(_WHILE_S)


async def _fill_disk_kill_service(scene: Scene) -> None:
    async with _full_disk(scene):
        _kill(scene.line.service())
        await asyncio.sleep(_WHILE_S)


async def _fill_disk_kill_asterisk(scene: Scene) -> None:
    async with _full_disk(scene):
        _kill(scene.line.asterisk())
        await asyncio.sleep(_WHILE_S)


async def _hang_disk(scene: Scene) -> None:
    await asyncio.to_thread(run, "fsfreeze", "-f", str(scene.line.state))
    try:
        await asyncio.sleep(4)
    finally:
        await asyncio.to_thread(run, "fsfreeze", "-u", str(scene.line.state))


async def _cut_power(scene: Scene) -> None:
    """kill -9 of all; what had not reached the disk is lost: the line starts from a copy that nobody synced."""
    await asyncio.to_thread(scene.line.kill_all)
    if scene.image is not None:
        await asyncio.to_thread(_swap, scene.line.state, scene.image)
    await asyncio.to_thread(scene.line.start)
    await scene.line.until_up()


def _swap(state: Path, image: Path) -> None:
    copy = image.with_suffix(".copy")
    run("cp", "--sparse=always", str(image), str(copy))
    run("umount", str(state))
    copy.rename(image)
    run("mount", "-o", "loop", str(image), str(state))


async def _kill_supervisor(scene: Scene) -> None:
    line = scene.line
    if line.up is not None:
        line.up.kill()
        await asyncio.to_thread(line.up.wait)
    await asyncio.sleep(3)
    await asyncio.to_thread(line.start)
    await line.until_up()


async def _restart(scene: Scene) -> None:
    words = [str(REPOSITORY / "omnivigil"), "restart", "--state", str(scene.line.state)]
    await asyncio.to_thread(subprocess.run, words, capture_output=True, timeout=120, check=False)
    await scene.line.until_up()


def _mail(how: str) -> Callable[[Scene], Awaitable[None]]:
    async def hurt(scene: Scene) -> None:
        scene.mail.how = how
        await asyncio.sleep(_WHILE_S)
        scene.mail.how = ""

    return hurt


def _sms(how: str, *, kill: bool = False) -> Callable[[Scene], Awaitable[None]]:
    async def hurt(scene: Scene) -> None:
        scene.twilio.how = how
        await asyncio.sleep(_WHILE_S / 2)
        if kill:
            await _kill_service(scene)
        await asyncio.sleep(_WHILE_S / 2)
        scene.twilio.how = ""

    return hurt


def _cluster(scene: Scene) -> Cluster:
    if scene.cluster is None:
        raise RuntimeError("this line has no PostgreSQL")
    return scene.cluster


async def _stop_server(scene: Scene, mode: str, away_s: float, *, kill_service: bool = False) -> None:
    cluster = _cluster(scene)
    with contextlib.suppress(ServerFailed):
        await asyncio.to_thread(cluster.stop, mode)
    try:
        if kill_service:
            await _kill_service(scene)
        await asyncio.sleep(away_s)
    finally:
        await asyncio.to_thread(cluster.start)


async def _pg_stopped(scene: Scene) -> None:
    await _stop_server(scene, "immediate", _WHILE_S)


async def _pg_restarted(scene: Scene) -> None:
    await _stop_server(scene, "fast", 0)


async def _pg_stopped_and_service_killed(scene: Scene) -> None:
    await _stop_server(scene, "immediate", 3, kill_service=True)


def _server_pids(scene: Scene) -> list[int]:
    postmaster = int((_cluster(scene).folder / "data" / "postmaster.pid").read_text().split("\n")[0])
    found = [postmaster]
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == postmaster:
                found.append(int(folder.name))
    return found


async def _pg_killed(scene: Scene) -> None:
    for pid in await asyncio.to_thread(_server_pids, scene):
        _kill(pid)
    await asyncio.sleep(3)
    await asyncio.to_thread(_cluster(scene).start)


async def _pg_frozen(scene: Scene) -> None:
    pids = await asyncio.to_thread(_server_pids, scene)
    for pid in pids:
        _kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(_WHILE_S)
    finally:
        for pid in pids:
            _kill(pid, signal.SIGCONT)


async def _sql(scene: Scene, *statements: str) -> None:
    url = make_url(_cluster(scene).url("postgres")).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _pg_backends_terminated(scene: Scene) -> None:
    await _sql(scene, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'omnivigil'")


async def _pg_read_only(scene: Scene) -> None:
    """As a primary that was demoted."""
    terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'omnivigil'"
    await _sql(scene, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()", terminate)
    try:
        await asyncio.sleep(_WHILE_S)
    finally:
        await _sql(
            scene,
            "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only",
            "SELECT pg_reload_conf()",
            terminate,
        )


KINDS: Final[tuple[Kind, ...]] = (
    Kind(name="kill_service", hurt=_kill_service),
    Kind(name="kill_service_twice", hurt=_kill_service_twice),
    Kind(name="freeze_service", hurt=_freeze_service),
    Kind(name="sigterm_service", hurt=_sigterm_service),
    Kind(name="service_out_of_descriptors", hurt=_service_out_of_descriptors),
    Kind(name="kill_asterisk", hurt=_kill_asterisk, cuts=True),
    Kind(name="freeze_asterisk_short", hurt=_freeze_asterisk_short, cuts=True),
    Kind(name="freeze_asterisk", hurt=_freeze_asterisk, cuts=True),
    Kind(name="asterisk_out_of_descriptors", hurt=_asterisk_out_of_descriptors, cuts=True),
    Kind(name="kill_both", hurt=_kill_both, cuts=True),
    Kind(name="kill_asterisk_then_service", hurt=_kill_asterisk_then_service, cuts=True),
    Kind(name="ami_cut", hurt=_cut_ami),
    Kind(name="supervisor_killed", hurt=_kill_supervisor),
    Kind(name="planned_restart", hurt=_restart, needs="restart"),
    Kind(name="power_cut", hurt=_cut_power, cuts=True),
    Kind(name="db_locked", hurt=_lock_database, needs="sqlite"),
    Kind(name="db_locked_and_service_killed", hurt=_lock_database_kill_service, needs="sqlite"),
    Kind(name="disk_full", hurt=_fill_disk, needs="image"),
    Kind(name="disk_full_and_service_killed", hurt=_fill_disk_kill_service, needs="image"),
    Kind(name="disk_full_and_asterisk_killed", hurt=_fill_disk_kill_asterisk, cuts=True, needs="image"),
    Kind(name="disk_hangs", hurt=_hang_disk, cuts=True, needs="image"),
    *(Kind(name=f"smtp_{how}", hurt=_mail(how)) for how in ("4xx", "drop", "hang")),
    *(
        Kind(name=f"twilio_{how}", hurt=_sms(how))
        for how in ("500", "429", "drop", "hang", "accept-500", "accept-hang", "accept-drop")
    ),
    Kind(name="twilio_accept-hang_and_service_killed", hurt=_sms("accept-hang", kill=True)),
    Kind(name="pg_stopped", hurt=_pg_stopped, needs="postgresql"),
    Kind(name="pg_stopped_and_service_killed", hurt=_pg_stopped_and_service_killed, needs="postgresql"),
    Kind(name="pg_restarted", hurt=_pg_restarted, needs="postgresql"),
    Kind(name="pg_killed", hurt=_pg_killed, needs="postgresql"),
    Kind(name="pg_frozen", hurt=_pg_frozen, needs="postgresql"),
    Kind(name="pg_read_only", hurt=_pg_read_only, needs="postgresql"),
    Kind(name="pg_backends_terminated", hurt=_pg_backends_terminated, needs="postgresql"),
)
