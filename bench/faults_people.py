"""Who loads a line while it is hurt: callers who recognise prompts, technicians, systems that open tickets.

Who comes, when and what they want is decided by a seed; what becomes of them is written down as they saw it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import aiohttp
import numpy as np
from sipsim.audio import RATE, Samples, write_wav
from sipsim.errors import FarmFailed, PhoneTimeout
from sipsim.phones import Phone, PhoneFarm
from sipsim.raw import CallFailed, RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from bench.faults_line import HurtLine

NUMBER: Final = "18446664844"
#: What a caller may hear nothing for, in seconds.
LIMIT_S: Final = 5.0
TECHNICIANS: Final = ("7001", "7002")
#: A caller gives up dialling after this long, in seconds.
_DIAL_S: Final = 16.0
_LOOK_S: Final = 0.7
#: Each area has ten thousand callers.
_AREAS: Final = ("514", "438", "450", "579", "418", "581", "819", "873")
_ACCEPTED: Final = frozenset({"callback-accepted", "callback-accepted-later"})

Wish = Literal["wait", "callback", "english", "brief"]
_WISHES: Final[tuple[Wish, ...]] = ("wait", "callback", "english", "brief")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A caller to come: how long after the one before, and what they want."""

    after_s: float
    number: str
    wish: Wish
    stay_s: float


def plans(seed: int, rate: float) -> Iterator[Plan]:
    """Callers without end; the same for the same seed."""
    chance = random.Random(f"callers {seed}")
    for n in itertools.count():
        wish = chance.choices(_WISHES, (5, 3, 1, 1))[0]
        # Whoever wants to be called back stays until it is offered.
        stay_s = chance.uniform(*{"brief": (0.3, 3), "callback": (30, 45)}.get(wish, (12, 25)))
        yield Plan(
            after_s=chance.expovariate(rate),
            number=f"1{_AREAS[n // 10_000 % len(_AREAS)]}555{n % 10_000:04}",
            wish=wish,
            stay_s=stay_s,
        )


@dataclass(kw_only=True)
class Visit:
    """A call as its caller saw it; times by time.perf_counter."""

    plan: Plan
    dialled: float
    answered: float | None = None
    failure: str = ""
    ended: float = 0.0
    by_line: bool = False
    heard: tuple[str, ...] = ()
    #: Stretches of more than LIMIT_S without any sound.
    silences: tuple[tuple[float, float], ...] = ()
    #: Told that they will be called back.
    promised: bool = False

    @property
    def settled(self) -> bool:
        """Whether there was a reason to hang up on them: their message was taken, or a callback was spoken of."""
        return any(one.startswith("callback-") or "received" in one or "settled" in one for one in self.heard)


def silences(signal: Samples, began: float, ended: float) -> list[tuple[float, float]]:
    """Stretches of a call without any sound for more than LIMIT_S, music included; from when to when, as `began` is."""
    frames = signal[: len(signal) // 160 * 160].reshape(-1, 160)
    loud = np.flatnonzero(np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1)) > 50)
    moments = [began, *(round(began + (int(place) + 1) * 160 / RATE, 2) for place in loud), ended]
    return [(a, b) for a, b in itertools.pairwise(moments) if b - a > LIMIT_S]


async def visit(line: HurtLine, known: Recogniser, plan: Plan) -> Visit:
    """One caller, from dialling to hanging up."""
    made = Visit(plan=plan, dialled=time.perf_counter())
    call = RawCall(line.server, NUMBER, plan.number)
    try:
        async with asyncio.timeout(_DIAL_S):
            await call.__aenter__()
    except (CallFailed, TimeoutError, OSError) as error:
        made.failure, made.ended = str(error) or "no answer", time.perf_counter()
        return made
    made.answered = call.answered_at
    try:
        await _converse(call, known, plan, made)
    finally:
        made.ended = made.ended or time.perf_counter()
        # Whoever is cut by a crash hears nothing and is told nothing; they are judged by when it was.
        signal = await asyncio.to_thread(call.heard)
        made.silences = tuple(silences(signal, call.answered_at, made.ended))
        await call.__aexit__(None, None, None)
    return made


async def _converse(call: RawCall, known: Recogniser, plan: Plan, made: Visit) -> None:
    listening = known.listening()
    until = call.answered_at + plan.stay_s
    pressed: set[str] = set()
    chosen = plan.wish == "brief"

    async def press(key: str, why: str) -> None:
        pressed.add(why)
        await call.press(key)

    while time.perf_counter() < until:
        made.by_line = await call.ended_by_line(_LOOK_S)
        if made.by_line:
            made.ended = time.perf_counter()
            break
        if chosen and plan.wish != "callback":
            continue
        found = await asyncio.to_thread(lambda: listening.hear(call.heard()))
        made.heard = tuple(one.prompt_id for one in found)
        if not chosen and ("menu" in made.heard or time.perf_counter() > call.answered_at + 8):
            chosen = True
            if plan.wish == "english":
                await press("9", "english")
                await asyncio.sleep(1)
            await press("2", "support")
        for prompt in ("callback-offer", "callback-confirm"):
            if plan.wish == "callback" and prompt in made.heard and prompt not in pressed:
                await press("1", prompt)
                # They wait to hear what becomes of it.
                until = max(until, time.perf_counter() + 15)
    made.ended = made.ended or time.perf_counter()
    found = await asyncio.to_thread(lambda: listening.hear(call.heard()))
    made.heard = tuple(one.prompt_id for one in found)
    made.promised = any(one.complete for one in found if one.prompt_id in _ACCEPTED)


@dataclass(kw_only=True)
class Crowd:
    """Callers who keep coming until it is closed; at most `most` at a time."""

    line: HurtLine
    known: Recogniser
    seed: int
    rate: float
    most: int = 20
    #: Whether some ask to be called back; without, they wait as the others do.
    callbacks: bool = True
    visits: list[Visit] = field(default_factory=list)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled."""
        for coming in plans(self.seed, self.rate):
            plan = coming
            await asyncio.sleep(plan.after_s)
            if len(self._under_way) < self.most:
                if plan.wish == "callback" and not self.callbacks:
                    plan = replace(plan, wish="wait", stay_s=plan.stay_s / 2)
                task = asyncio.create_task(self._one(plan), name=f"caller {plan.number}")
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def _one(self, plan: Plan) -> None:
        self.visits.append(await visit(self.line, self.known, plan))

    async def over(self) -> None:
        """Wait until the last one has hung up."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=90)


async def first_sound(line: HurtLine, number: str, within_s: float) -> tuple[float, float] | None:
    """Dial again and again until somebody answers and says something; None when nobody does.

    When that call was dialled (perf_counter), and how many seconds later its first sound came.
    """
    deadline = time.perf_counter() + within_s
    while time.perf_counter() < deadline:
        dialled = time.perf_counter()
        try:
            async with asyncio.timeout(3):
                call = await RawCall(line.server, NUMBER, number).__aenter__()
        except (CallFailed, TimeoutError, OSError):
            await asyncio.sleep(max(0.0, 0.3 - (time.perf_counter() - dialled)))
            continue
        try:
            while time.perf_counter() < call.answered_at + LIMIT_S + 1:
                await asyncio.sleep(0.1)
                frames = call.media.frames
                if any(len(set(frame.payload)) > 4 for frame in frames[-10:]):
                    return dialled, frames[-1].at - dialled
        finally:
            await call.__aexit__(None, None, None)
    return None


@dataclass(kw_only=True)
class Technicians:
    """Two phones at the queue that answer, talk some seconds and hang up; they register again when told to."""

    line: HurtLine
    folder: Path
    talk_s: float = 10.0
    #: Whom they had on the telephone, as their phones showed it.
    talked: list[str] = field(default_factory=list)
    _farm: PhoneFarm | None = None
    _phones: list[Phone] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self) -> None:
        """Register and log in. Raises FarmFailed."""
        self._farm = await asyncio.to_thread(PhoneFarm, self.folder, server=f"127.0.0.1:{self.line.sip}")
        speech = self.folder / "speech.wav"
        moments = np.arange(RATE) / RATE
        write_wav(
            speech,
            (9000 * np.sin(2 * np.pi * 300 * moments) * (1 + np.sin(2 * np.pi * 3 * moments)) / 2).astype(np.float32),
        )
        for name in TECHNICIANS:
            how = Answering(how="answer", after_s=0.5, play=speech)
            phone = self._farm.phone(name, password=f"demo-{name}", answering=how)
            self._phones.append(phone)
        await self.again()
        self._tasks = [asyncio.create_task(self._work(phone)) for phone in self._phones]

    async def again(self) -> None:
        """Register anew, as phones do after a while, and be in the queue."""
        for phone in self._phones:
            with contextlib.suppress(FarmFailed, PhoneTimeout):
                await asyncio.to_thread(phone.register)
        for name in TECHNICIANS:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                await self.line.request("PUT", f"/v1/queues/support/members/{name}")

    async def _work(self, phone: Phone) -> None:
        while True:
            try:
                call = await asyncio.to_thread(phone.wait_ringing, 5.0)
                await asyncio.to_thread(call.wait_answered, 5.0)
                self.talked += [str(event.facts.get("remote", "")) for event in call.events[:1]]
                await asyncio.sleep(self.talk_s)
                await asyncio.to_thread(call.hang_up)
            except PhoneTimeout:
                continue
            except FarmFailed:
                return

    async def end(self) -> None:
        """Go home."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._farm is not None:
            await asyncio.to_thread(self._farm.close)


@dataclass(kw_only=True)
class Systems:
    """Opens tickets, each under a key and asked for until it is said to be open; tells of an incident."""

    line: HurtLine
    every_s: float = 2.0
    news_every_s: float = 30.0
    #: Numbers of tickets, by their keys: these were acknowledged.
    opened: dict[str, int] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)
    _incident: int | None = None

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(self._tickets(), self._news())

    async def _tickets(self) -> None:
        for n in itertools.count():
            await asyncio.sleep(self.every_s)
            key = f"faults-{n}"
            for _ in itertools.count():
                if await self.open(key):
                    break
                await asyncio.sleep(0.5)

    async def open(self, key: str) -> bool:
        """Ask for a ticket; whether one is there now."""
        fields = {"kind": "incident", "observed": key, "language": "fr", "requester_email": "julie@clinique.example"}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            headers = {"Idempotency-Key": key}
            status, ticket = await self.line.request("POST", "/v1/tickets", fields, headers)
            if status in (200, 201):
                if self.opened.setdefault(key, ticket["number"]) != ticket["number"]:
                    self.doubled.append(key)
                return True
        return False

    async def _news(self) -> None:
        """What partners are sent as text messages; each is another text."""
        for n in itertools.count(1):
            texts = {
                "fr": f"Nous cherchons encore, nouvelle numéro {n}.",
                "en": f"We are still looking, news number {n}.",
            }
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                if self._incident is None:
                    title = {"fr": "Panne d’essai", "en": "Trial outage"}
                    told = {"desk": "omnivigil", "title": title, "texts": texts, "sms_partners": True}
                    status, made = await self.line.request("POST", "/v1/incidents", told)
                    self._incident = made["id"] if status == 201 else None
                else:
                    told = {"stage": "identified", "texts": texts, "sms_partners": True}
                    await self.line.request("POST", f"/v1/incidents/{self._incident}/updates", told)
            await asyncio.sleep(self.news_every_s)
