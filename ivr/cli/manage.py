"""`./omnivigil status`, `stop` and `logs`: how a line is, its end, and what it wrote."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import re
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.table import Table

from ivr import VERSION
from ivr.asterisk.glance import Glance, glance
from ivr.asterisk.process import gone
from ivr.errors import BadInput, OmnivigilError, Unavailable
from ivr.process import control
from ivr.settings import Settings

#: The service answers its state within this, in seconds.
_HEALTH_S = 5.0
#: A log is looked at for new lines this often, in seconds.
_FOLLOW_S = 0.3
#: Without a time, so many lines of a log are shown.
_LAST = 50
#: Components of /healthz that say something even when all is well.
_ALWAYS_TELLING = frozenset({"notices"})
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_ASTERISK_TIME = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")


@dataclass(frozen=True, kw_only=True)
class LineStatus:
    """How the line of a state folder is."""

    #: Calls are taken.
    on_the_air: bool
    #: ok, degraded (calls are taken, something is wrong), unavailable, or stopped.
    status: str
    state: str
    version: str
    #: The supervisor's process, and when it began (ISO 8601).
    pid: int | None = None
    since: str | None = None
    sip: str | None = None
    http: str | None = None
    database: str | None = None
    desks: tuple[Mapping[str, Any], ...] = ()
    #: Calls that go on; None when Asterisk does not say.
    calls: int | None = None
    #: Who is logged in: phone, name, queues, and whether they paused in all of them.
    technicians: tuple[Mapping[str, Any], ...] = ()
    #: Component to what is wrong with it.
    wrong: Mapping[str, str] = field(default_factory=dict)
    #: Component to what there is to know about it.
    notes: Mapping[str, str] = field(default_factory=dict)


async def look(state: Path) -> LineStatus:
    """Return how the line on a state folder is, asked of its supervisor, its service and its Asterisk."""
    known = await control.facts(state)
    try:
        settings = Settings.read(control.settings_file(state))
    except (OSError, ValueError, TypeError, KeyError):
        settings = None
    if known is None or settings is None:
        return LineStatus(on_the_air=False, status="stopped", state=str(state), version=VERSION)
    taken, health = await asyncio.to_thread(_health, settings)
    components: Mapping[str, str] = health.get("components", {})
    seen = await _glance(settings)
    since = known.get("since")
    return LineStatus(
        on_the_air=taken,
        status=health.get("status", "unavailable"),
        state=str(state),
        version=str(known.get("version")),
        pid=known.get("pid"),
        since=datetime.fromtimestamp(since, UTC).astimezone().isoformat(timespec="seconds") if since else None,
        sip=str(settings.sip),
        http=str(settings.http),
        database=_database(settings),
        desks=await asyncio.to_thread(_desks, settings),
        calls=seen.calls if seen is not None else None,
        technicians=_technicians(seen) if seen is not None else (),
        wrong={name: told for name, told in components.items() if told != "ok" and name not in _ALWAYS_TELLING},
        notes={name: told for name, told in components.items() if name in _ALWAYS_TELLING},
    )


def _health(settings: Settings) -> tuple[bool, Mapping[str, Any]]:
    """Return whether calls are taken, and what the service says of itself."""
    # Not by a proxy that the environment names: it is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Told())
    try:
        with opener.open(f"http://{settings.http}/healthz", timeout=_HEALTH_S) as answer:
            return answer.status == 200, json.loads(answer.read(1 << 20))
    except (OSError, ValueError) as error:
        return False, {"status": "unavailable", "components": {"service": f"does not answer: {error}"}}


class _Told(urllib.request.HTTPErrorProcessor):
    """A refusal has a body that says why."""

    def http_response(self, request: Any, response: Any) -> Any:
        return response


async def _glance(settings: Settings) -> Glance | None:
    try:
        secrets = json.loads((settings.state / "secrets.json").read_text())
        return await glance(settings.ami, secrets["ami_witness"])
    except (Unavailable, OSError, ValueError, KeyError):
        return None


def _database(settings: Settings) -> str:
    if settings.database is None:
        return "SQLite, in the state folder"
    from sqlalchemy import make_url

    return make_url(settings.database).render_as_string(hide_password=True)


def _desks(settings: Settings) -> tuple[Mapping[str, Any], ...]:
    from ivr.prepare import load

    try:
        desks, _ = load(settings)
    except OmnivigilError:
        return ()
    return tuple({"id": desk.id, "name": desk.name, "numbers": list(desk.numbers)} for desk in desks.values())


def _technicians(seen: Glance) -> tuple[Mapping[str, Any], ...]:
    by_phone: dict[str, dict[str, Any]] = {}
    for member in seen.members:
        phone = member.interface.partition("/")[2] or member.interface
        one = by_phone.setdefault(phone, {"phone": phone, "name": member.name, "queues": [], "paused": True})
        one["queues"].append(member.queue)
        one["paused"] = one["paused"] and member.paused
    return tuple(by_phone.values())


def tell_status(console: Console, found: LineStatus, *, as_json: bool) -> None:
    """For a person, or for a program."""
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False, indent=1))  # noqa: T201 - what the option is for
        return
    if found.status == "stopped":
        console.print(f"No line runs on {found.state}. Start it with ./omnivigil up.", markup=False)
        return
    style = {"ok": "green", "degraded": "yellow"}.get(found.status, "red")
    told = {"ok": "on the air", "degraded": "on the air, degraded"}.get(found.status, "calls are not taken")
    table = Table(
        show_header=False, title=f"omnivigil {found.version}: {told}", title_justify="left", title_style=style
    )
    table.add_row("since", f"{found.since} (process {found.pid})")
    table.add_row("phones and trunks", str(found.sip))
    table.add_row("console and API", f"http://{found.http}")
    table.add_row("state, database", f"{found.state}; {found.database}")
    for desk in found.desks:
        table.add_row("desk", f"{desk['name']}: {', '.join(desk['numbers'])}")
    table.add_row("calls now", "?" if found.calls is None else str(found.calls))
    table.add_row("technicians", ", ".join(_who(one) for one in found.technicians) or "nobody is logged in (*22)")
    for name, what in found.wrong.items():
        table.add_row(name, what, style="red")
    for name, what in found.notes.items():
        table.add_row(name, what)
    console.print(table)


def _who(one: Mapping[str, Any]) -> str:
    paused = ", paused" if one["paused"] else ""
    return f"{one['name']} ({one['phone']}; {', '.join(one['queues'])}{paused})"


async def stop(console: Console, state: Path, *, drain_s: float | None) -> None:
    """End a running line, and wait until its process is gone. Raises NotRunning, and Refused with the reason."""
    known = await control.facts(state)
    words = ("stop",) if drain_s is None else ("drain", str(round(drain_s)))
    async for line in control.ask(state, *words, ends=True):
        console.print(line, markup=False)
    if known is not None:
        await gone(int(known["pid"]))
        if known.get("asterisk") is None:
            console.print("Its Asterisk is watched by a unit of its own, and goes on.")
        if known.get("started_again_by"):
            console.print("systemd may start it again: systemctl stop ends the unit.")
    console.print("Stopped.")


# ---- Logs -----------------------------------------------------------------------------------------------------------


def logs(state: Path, *, of_asterisk: bool, since_s: float | None, follow: bool) -> None:
    """Print a log's lines of the last `since_s` seconds, or its last ones; then, if asked, those that come.

    Raises BadInput when there is none.
    """
    path = state / "log" / ("asterisk/messages" if of_asterisk else "service.log")
    if not path.exists():
        mend = "start the line with ./omnivigil up, or name its folder with --state"
        raise BadInput(field="--state", problem=f"{path} is not there", mend=mend)
    with path.open("rb") as current:
        lines = [*(_old_lines(path, since_s) if since_s is not None else ()), *_decoded(current)]
        if since_s is not None:
            shown = _from(lines, datetime.now(UTC).timestamp() - since_s)
        else:
            shown = lines[-_LAST:]
        try:
            for line in shown:
                _put(line)
            if follow:
                _follow(path, current)
        except (KeyboardInterrupt, BrokenPipeError):
            return


def _old_lines(path: Path, since_s: float) -> Iterator[str]:
    """Of the logs that were turned over in that time."""
    began = time.time() - since_s
    old = [one for one in path.parent.glob(f"{path.name}.[0-9]*") if one.stat().st_mtime >= began]
    for one in sorted(old, key=lambda one: one.stat().st_mtime):
        with gzip.open(one, "rb") if one.suffix == ".gz" else one.open("rb") as file:
            yield from _decoded(file)


def _decoded(file: Iterable[bytes]) -> Iterator[str]:
    for line in file:
        yield line.decode(errors="replace").rstrip("\n")


def _from(lines: list[str], began: float) -> list[str]:
    """The lines since a moment; one without a time is of the line before it."""
    for index, line in enumerate(lines):
        at = written_at(line)
        if at is not None and at >= began:
            return lines[index:]
    return []


def written_at(line: str) -> float | None:
    """Return when a line was written, in seconds since 1970; None for one that does not say."""
    try:
        if line.startswith("{"):
            return datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
        found = _ASTERISK_TIME.match(line)
        if found:
            return datetime.fromisoformat(found[1]).astimezone().timestamp()
        return None
    except (ValueError, TypeError, KeyError):
        return None


def readable(line: str) -> str:
    """A line for a person: the time on this machine, the level, what happened and its facts; nothing that a terminal
    would obey."""
    try:
        facts = json.loads(line) if line.startswith("{") else None
        if isinstance(facts, dict):
            at = datetime.fromisoformat(facts.pop("timestamp")).astimezone()
            told = f"{at:%Y-%m-%d %H:%M:%S} {facts.pop('level', 'info'):<8}{facts.pop('event', '')}"
            exception = facts.pop("exception", None)
            told += "".join(f" {name}={value}" for name, value in facts.items())
            line = told + (f"\n{exception}" if exception else "")
    except (ValueError, TypeError, KeyError):
        pass
    return "\n".join(_UNPRINTABLE.sub("?", one) for one in line.split("\n"))


def _put(line: str) -> None:
    print(readable(line) if sys.stdout.isatty() else line, flush=True)  # noqa: T201 - what the command is for


def _follow(path: Path, current: BinaryIO) -> None:
    """Lines as they come, also when the log is turned over, until Ctrl-C."""
    rest = b""
    while True:
        while chunk := current.readline():
            rest += chunk
            if rest.endswith(b"\n"):
                _put(rest.decode(errors="replace").rstrip("\n"))
                rest = b""
        time.sleep(_FOLLOW_S)
        with contextlib.suppress(FileNotFoundError):
            if not os.path.samestat(path.stat(), os.fstat(current.fileno())):
                new = path.open("rb")
                current.close()
                current = new
