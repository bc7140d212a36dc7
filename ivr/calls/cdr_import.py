"""Calls that were taken while the service was away, from the lines Asterisk itself writes.

Asterisk appends one line per leg to `cdr-custom/calls.csv` (see dialplan/cdr_custom.conf.j2). What the
service saw is richer and stands; only calls it knows nothing of, or lost sight of, are entered from there.
The lines have callers' numbers: once read, they are kept for a day more, for the operator who looks into a fault.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from ivr.asterisk.contract import UserField, cdr_rows
from ivr.calls import cdr_store
from ivr.calls.adoption import Identify
from ivr.calls.asterisk_events import caller_endpoint
from ivr.calls.log import CallLog
from ivr.errors import Unavailable
from ivr.isolation import apart
from ivr.store.engine import Store
from ivr.ticks import rest

log = structlog.get_logger()

#: A new file begins after this time, in seconds, and at this size, in bytes; the one before it is kept as long.
_OLDEST_S = 86_400.0
_LARGEST = 20_000_000


@dataclass(frozen=True, kw_only=True)
class CallLine:
    """One line: a leg of a call. `userfield` is desk/department/call id, as far as it was known."""

    linkedid: str
    uniqueid: str
    channel: str
    number: str
    userfield: str
    start: datetime
    end: datetime
    answered_channel: str
    last_application: str

    @property
    def desk(self) -> str:
        return UserField.read(self.userfield).desk

    @property
    def department(self) -> str | None:
        return UserField.read(self.userfield).department

    @property
    def endpoint(self) -> str | None:
        return caller_endpoint(self.channel)

    @property
    def outcome(self) -> tuple[str, str]:
        """Result and reason, as far as the line tells."""
        if self.department is None:
            # Gone before the first decision, even before the service was asked.
            return "hung-up-in-menu", "caller hung up"
        if self.answered_channel:
            return "answered", "recovered: the service was away"
        if self.last_application == "Record":
            return "message", "recovered: the service was away"
        return "abandoned", "recovered: the service was away"


def parse(text: str, shift: timedelta) -> list[CallLine]:
    """The lines of the callers' own legs; others, and what is no line of ours, are passed over.

    `shift` is how far the service's clock is from Asterisk's.
    """
    lines = []
    for row in cdr_rows(text):
        if row["linkedid"] != row["uniqueid"]:
            continue
        try:
            start, end = (datetime.fromisoformat(moment).astimezone() + shift for moment in (row["start"], row["end"]))
        except ValueError:
            continue
        lines.append(
            CallLine(
                linkedid=row["linkedid"],
                uniqueid=row["uniqueid"],
                channel=row["channel"],
                number=row["src"],
                userfield=row["userfield"],
                start=start,
                end=end,
                answered_channel=row["dstchannel"],
                last_application=row["lastapp"],
            )
        )
    return lines


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Offsets (bytes) read of the file and of the one before it, and the file's start (seconds since 1970)."""

    offset: int = 0
    before: int = 0
    began: float = 0.0

    @classmethod
    def read(cls, path: Path) -> Reached:
        """Return what `write` wrote; the start of the file where it did not, or where the disk took half of it."""
        try:
            found = json.loads(path.read_text())
            # An earlier version wrote the place alone.
            if isinstance(found, int):
                return cls(offset=found)
            return cls(**found)
        except (FileNotFoundError, ValueError, TypeError):
            return cls()

    def write(self, path: Path) -> None:
        """Whole or not at all. Raises OSError."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self)))
        partial.rename(path)


class Recovery:
    """Reads what Asterisk has appended since the last time; the place reached is kept beside the file."""

    def __init__(
        self,
        file: Path,
        store: Store,
        calls: CallLog,
        *,
        shift: timedelta,
        identify: Identify,
        desks: Collection[str],
        counted: Callable[[str, str], None] = lambda desk, result: None,
    ) -> None:
        """`counted` is told desk and result of each call that was entered or given its true end."""
        self._file = file
        self._before = file.with_name(file.name + ".before")
        self._reached = file.with_suffix(".reached")
        self._store = store
        self._calls = calls
        self._shift = shift
        self._identify = identify
        self._desks = desks
        self._counted = counted

    async def run(self, every_s: float = 5.0) -> None:
        """Recover, again and again, until cancelled."""
        while True:
            try:
                await self.once()
            except (Unavailable, OSError) as error:
                log.warning("CDR recovery postponed", error=str(error))
            await rest(every_s)

    async def once(self) -> int:
        """Enter what the service has not seen; how many calls. Raises StoreUnavailable, OSError."""
        text, reached = await asyncio.to_thread(self._read)
        lines = {line.linkedid: line for line in parse(text, self._shift) if line.desk in self._desks}
        lines = {linkedid: line for linkedid, line in lines.items() if self._calls.id_of(linkedid) is None}
        try:
            recovered = await self._enter(lines)
        except Unavailable:
            raise
        except Exception:
            # One of them is in the way: all of the others are entered.
            recovered = []
            for linkedid, line in lines.items():
                with apart("CDR recovery failed for one call", linkedid):
                    recovered += await self._enter({linkedid: line})
        if recovered:
            log.info("calls recovered from Asterisk's CDR", calls=len(recovered))
            for line in recovered:
                self._counted(line.desk, line.outcome[0])
        await asyncio.to_thread(self._turn, reached, time.time())
        return len(recovered)

    async def _enter(self, lines: Mapping[str, CallLine]) -> list[CallLine]:
        """Enter them in one transaction; those that the database did not have, or not to their end."""
        recovered: list[CallLine] = []
        if not lines:
            return recovered
        async with self._store.unit() as unit:
            await unit.alone("recovery of calls")
            known = await cdr_store.known(unit, lines)
            for linkedid, line in lines.items():
                if linkedid not in known:
                    await cdr_store.add(unit, row_of(line, self._identify), timeline_of(line), leg_of(line))
                elif known[linkedid]:
                    result, reason = line.outcome
                    await cdr_store.correct(unit, linkedid, line.end, result, reason)
                else:
                    continue
                recovered.append(line)
        return recovered

    def _read(self) -> tuple[str, Reached]:
        """Whole lines that are new, and the places after them."""
        reached = Reached.read(self._reached)
        # Asterisk may have had the file open when it was renamed.
        old, before = _lines_after(self._before, reached.before)
        new, offset = _lines_after(self._file, reached.offset)
        return old + new, replace(reached, before=before, offset=offset)

    def _turn(self, reached: Reached, now: float) -> None:
        """Begin a new file once this one is read and a day old, and drop the one before that. Raises OSError."""
        if self._before.exists() and abs(now - self._before.stat().st_mtime) > _OLDEST_S:
            self._before.unlink()
            reached = replace(reached, before=0)
        if reached.offset == 0 or reached.began == 0.0:
            reached = replace(reached, began=now)
        due = abs(now - reached.began) > _OLDEST_S or reached.offset > _LARGEST
        if due and reached.offset == self._file.stat().st_size:
            # Should the power fail between the two, lines are read a second time, which does no harm.
            Reached(before=reached.offset, began=now).write(self._reached)
            self._file.rename(self._before)
        elif reached != Reached.read(self._reached):
            reached.write(self._reached)


def row_of(line: CallLine, identify: Identify) -> dict[str, object]:
    """The call's row."""
    ani, identity = identify(line.number, line.endpoint, line.desk)
    result, reason = line.outcome
    return {
        "id": uuid.uuid4().hex,
        "linkedid": line.linkedid,
        "channel": line.channel,
        "desk": line.desk,
        "dialled": "",
        "ani": ani,
        "endpoint": line.endpoint,
        "customer_id": identity.customer.id if identity.customer is not None else None,
        "identity": identity.facts(),
        "department": line.department,
        "started_at": line.start,
        "ended_at": line.end,
        "result": result,
        "reason": reason,
    }


def _lines_after(file: Path, start: int) -> tuple[str, int]:
    """Whole lines of a file after a place, and the place after them; one that shrank is read from its start."""
    try:
        with file.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(start if start <= size else 0)
            base = handle.tell()
            data = handle.read()
    except FileNotFoundError:
        return "", 0
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode(errors="replace"), base + len(whole)


def leg_of(line: CallLine) -> dict[str, object]:
    """The caller's own leg."""
    return {
        "uniqueid": line.uniqueid,
        "channel": line.channel,
        "role": "caller",
        "endpoint": line.endpoint,
        "started_at": line.start,
        "ended_at": line.end,
    }


def timeline_of(line: CallLine) -> list[dict[str, object]]:
    """The little that is known of when."""
    result, reason = line.outcome
    started = {"kind": "started", "at": line.start, "facts": {"channel": line.channel}}
    ended = {"kind": "ended", "at": line.end, "facts": {"result": result, "reason": reason}}
    return [{"seq": seq, **event} for seq, event in enumerate((started, ended))]
