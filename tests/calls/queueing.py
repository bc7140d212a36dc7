"""A line with a busy queue: callers in it, technicians at it, and a carrier that calls go out to."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sipsim.audio import RATE
from sipsim.patience import patient
from sipsim.phones import Phone, PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Heard, Recogniser
from sipsim.records import Answering

from tests.calls import short_voice
from tests.calls.line import OPEN, REPOSITORY, Line, free_ports, hear, running_line, wait_for

#: Accounting, on these lines a telephone outside.
ACCOUNTING = "15145559103"
NUMBER = "18446664844"
_count = itertools.count(1000)
#: For what should come of a queue or of a callback, where the line has promised no time for it.
_PLACES_S = patient(15.0)
_STATE_S = patient(30.0)
_ATTEMPT_S = patient(45.0)


def desks(folder: Path, *, suited_s: int = 20, **changes: Any) -> Path:
    """The built-in desks, the main queue's callback offered at once and carried out quickly, with `changes`.

    Accounting is outside. After `suited_s` in line, technicians are rung who do not speak the caller's language.
    """
    folder.mkdir(parents=True)
    for file in (REPOSITORY / "ivr" / "desk" / "desks").iterdir():
        shutil.copy(file, folder)
    rules = {"mode": "technician_first", "waiting": 1, "ring_s": 10, "pause_s": 12, "attempts": 2} | changes
    block = "    announce_s: 10\n    callback:\n" + "".join(f"      {name}: {value}\n" for name, value in rules.items())
    path = folder / "omnivigil.yaml"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"    callback:\n(      .*\n)+", block, text).replace(
        "wrapup_s: 15", f"wrapup_s: 1\n    suited_s: {suited_s}"
    )
    text = text.replace('phones: ["7103"]', f'phones: ["tel:+{ACCOUNTING}"]')
    path.write_text(text, encoding="utf-8")
    return folder


@dataclass
class Busy:
    """The line, its queue and everyone around it."""

    line: Line
    known: Recogniser
    phones: PhoneFarm
    carrier: PhoneFarm
    callers: list[RawCall] = field(default_factory=list)
    #: How far each caller has been listened to, in samples.
    _marks: WeakKeyDictionary[RawCall, int] = field(default_factory=WeakKeyDictionary)

    def places(self) -> list[str]:
        """Who stands in the queue, in order: a caller's number, or `held NUMBER`."""
        found = []
        for place in self.line.api("GET", "/v1/queues/support")["places"]:
            if place["callback"] is not None:
                row = self.line.raw_api("GET", f"/v1/callbacks/{place['callback']}")
                found.append(f"held {row.json()['number'] if row.status_code == 200 else '?'}")
            elif place["call_id"] is not None:
                found.append(self.line.api("GET", f"/v1/calls/{place['call_id']}")["ani"])
            else:
                found.append("?")
        return found

    def until_places(self, *wanted: str, within_s: float = _PLACES_S) -> None:
        """Wait until these stand there, in this order."""
        seen: list[list[str]] = []

        def look() -> bool:
            seen.append(self.places())
            return seen[-1] == list(wanted)

        try:
            wait_for(look, f"the places {wanted}", within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; last seen {seen[-1]}") from None

    def until_answered(self, number: str, by: str, *, within_s: float) -> None:
        """Wait until a technician has answered who calls from a number."""
        wait_for(lambda: self.line.call_from(number)["answered_by"] == by, f"an answer by {by}", within_s)

    async def at_menu(self, number: str) -> RawCall:
        """Somebody calls, and hears the menu."""
        call = await RawCall(self.line.server, NUMBER, number).__aenter__()
        self.callers.append(call)
        await self.hear(call, "menu")
        return call

    async def caller(self, number: str, *, language_key: str = "") -> RawCall:
        """Somebody calls, presses 2 and stands in the queue."""
        before = len(self.places())
        call = await self.asks(number, language_key=language_key)
        await asyncio.to_thread(wait_for, lambda: len(self.places()) > before, f"{number} in the queue")
        return call

    async def asks(self, number: str, *, language_key: str = "") -> RawCall:
        """Somebody calls and presses 2; where a technician is free, they may be answered before they are seen."""
        call = await RawCall(self.line.server, NUMBER, number).__aenter__()
        self.callers.append(call)
        await self.hear(call, "welcome")
        if language_key:
            await call.press(language_key)
            await self.hear(call, "menu")
        await call.press("2")
        return call

    async def hear(self, call: RawCall, prompt: str, *, language: str | None = None) -> Heard:
        """Listen until a prompt begins, after the one listened for last."""
        mark = self._marks.get(call, 0)
        found = await asyncio.to_thread(hear, self.known, lambda: call.heard()[mark:], prompt, language=language)
        self._marks[call] = mark + int((found.start_s + 0.2) * RATE)
        return found

    def heard(self, call: RawCall) -> list[str]:
        """What a caller has heard so far."""
        return [one.prompt_id for one in self.known.recognise(call.heard())]

    async def ask(self, call: RawCall) -> None:
        """Press 1 when it is offered, and agree to the number."""
        await self.hear(call, "callback-offer")
        await call.press("1")
        await self.hear(call, "callback-confirm")
        await call.press("1")
        assert await call.ended_by_line(30)

    def callback(self, number: str) -> dict[str, Any]:
        """The latest request for a number."""
        found: dict[str, Any] = self.line.api("GET", "/v1/callbacks", params={"number": number})["items"][0]
        return found

    def until_state(self, number: str, state: str, within_s: float = _STATE_S) -> dict[str, Any]:
        """Wait until the request is in a state."""

        def look() -> dict[str, Any] | None:
            one = self.callback(number)
            return one if one["state"] == state else None

        try:
            return wait_for(look, f"{number} {state}", within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.callback(number)}") from None

    def until_attempted(self, number: str, attempts: int, within_s: float = _ATTEMPT_S) -> dict[str, Any]:
        """Wait until so many attempts came to nothing, and it waits for the next one."""

        def look() -> dict[str, Any] | None:
            one = self.callback(number)
            return one if (one["state"], one["attempts"]) == ("pending", attempts) else None

        try:
            return wait_for(look, f"{attempts} attempts at {number}", within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.callback(number)}") from None

    def until_interrupted(self, number: str, attempts: int, within_s: float = _ATTEMPT_S) -> dict[str, Any]:
        """Wait until so many attempts were interrupted; the next one may have begun at once."""

        def look() -> dict[str, Any] | None:
            one = self.callback(number)
            over = one["attempts"] == attempts + 1 or (one["state"], one["attempts"]) == ("pending", attempts)
            return one if over else None

        return wait_for(look, f"{attempts} interrupted attempts at {number}", within_s)

    def technician(self, name: str = "7001", how: Answering | None = None) -> Phone:
        """A technician at work."""
        phone = self.phones.phone(name, password=f"demo-{name}", answering=how or Answering()).register()
        self.line.api("PUT", f"/v1/queues/support/members/{name}")
        return phone

    def paused(self, name: str, paused: bool) -> None:
        """Pause a technician, or let them go on."""
        self.line.api("PUT", f"/v1/queues/support/members/{name}/pause", json={"paused": paused})

    def break_is_kept(self, name: str) -> bool:
        """Whether Asterisk has on disk that a technician is paused: it writes once a second."""
        path = f"file:{self.line.state}/asterisk/lib/astdb.sqlite3?mode=ro"
        with closing(sqlite3.connect(path, uri=True)) as database:
            rows = database.execute("select value from astdb where key = '/Queue/PersistentMembers/support'").fetchall()
        # interface;penalty;paused;…
        return any(f"PJSIP/{name};0;1;" in str(value) for (value,) in rows)

    def reachable(self, name: str) -> bool:
        """Whether the queue knows that a technician's phone is there."""
        members = self.line.api("GET", "/v1/queues/support/members")
        return any(one["endpoint"] == name and one["status"] in ("idle", "in use") for one in members)

    def customer(self, number: str, how: Answering | None = None) -> Phone:
        """Somebody whom the carrier can reach."""
        return self.carrier.phone(number, answering=how or Answering())

    async def gone(self, *calls: RawCall) -> None:
        """Callers hang up."""
        for call in calls:
            self.callers.remove(call)
            await call.__aexit__(None, None, None)


def asterisk_pid(line: Line) -> int:
    """The process of the line's Asterisk."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"-C" in words and any(word.startswith(f"{line.state}/asterisk/etc".encode()) for word in words):
            return int(folder.name)
    raise AssertionError("no Asterisk")


def kill(line: Line, *what: str) -> None:
    """kill -9; returns once the line takes calls again."""
    returned(line, what, kill_only(line, *what))


def kill_only(line: Line, *what: str) -> dict[str, int]:
    """kill -9; returns at once, with the processes there were."""
    before = {"service": line.service_pid(), "asterisk": asterisk_pid(line)}
    for one in what:
        os.kill(before[one], signal.SIGKILL)
    return before


def returned(line: Line, what: tuple[str, ...], before: dict[str, int]) -> None:
    """Wait until the line takes calls again."""

    def back() -> bool:
        try:
            now = {"service": line.service_pid(), "asterisk": asterisk_pid(line)}
        except AssertionError:
            return False
        return all(now[one] != before[one] for one in what) and line.healthy()

    wait_for(back, f"the return of {what}", 60)


def new_number() -> str:
    """A number that no other test calls from."""
    return f"1514555{next(_count):04}"


@contextmanager
def busy_line(folder: Path, *, now: str = OPEN, real_voice: bool = False, **changes: Any) -> Iterator[tuple[Line, int]]:
    """A line of its own, and the port of its carrier. Again in the same folder, it is the same line started anew.

    With the `real_voice` its prompts last as long as in life, where a test acts while one is spoken.
    """
    at_desks, carrier = folder / "desks", folder / "carrier.port"
    if not at_desks.exists():
        desks(at_desks, **changes)
        carrier.write_text(str(free_ports(1)[0]))
    port = int(carrier.read_text())
    voice = () if real_voice else short_voice.option()
    options = ("--desks", str(at_desks), "--outbound", f"127.0.0.1:{port}", *voice)
    with running_line(folder / "line", now=now, options=options) as line:
        yield line, port


@asynccontextmanager
async def people(folder: Path, running: tuple[Line, int]) -> AsyncIterator[Busy]:
    """Phones around it; everyone hangs up at the end."""
    line, port = running
    known = Recogniser.load(Path(line.state) / "sounds")
    with (
        PhoneFarm(folder / "phones", server=line.address, recogniser=known) as phones,
        PhoneFarm(folder / "carrier", server=line.address, port=port, recogniser=known) as carrier,
    ):
        around = Busy(line=line, known=known, phones=phones, carrier=carrier)
        try:
            yield around
        finally:
            await around.gone(*around.callers)


@asynccontextmanager
async def busy(folder: Path, running: tuple[Line, int]) -> AsyncIterator[Busy]:
    """The same, and nobody waits any more at the end, nor is to be called back."""
    line = running[0]
    async with people(folder, running) as around:
        try:
            yield around
        finally:
            for member in line.api("GET", "/v1/queues/support/members"):
                line.api("DELETE", f"/v1/queues/support/members/{member['endpoint']}")
    await asyncio.to_thread(wait_for, lambda: _nobody(line), "the end of all callbacks", 60)


def _nobody(line: Line) -> bool:
    """Cancel what can be; an attempt that is under way comes to its end, now that its phones are gone."""
    for one in line.api("GET", "/v1/callbacks", params={"state": "pending"})["items"]:
        line.raw_api("POST", f"/v1/callbacks/{one['id']}/cancel", json={})
    states = ("pending", "dialling", "connected")
    return not any(line.api("GET", "/v1/callbacks", params={"state": state})["items"] for state in states)
