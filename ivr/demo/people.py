"""The simulated people: real phones that dial, press, talk, answer and hang up, on a line on this machine."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import structlog
from sipsim.errors import SimulatorError
from sipsim.phones import Phone, PhoneCall, PhoneFarm
from sipsim.records import Answering, Caller
from sipsim.voices import person

from ivr.demo.plan import INCIDENT, QUIET_S, WORDS, Visit, visits
from ivr.directory.demo import demo_password
from ivr.settings import Settings

log = structlog.get_logger()

_TECHNICIANS: Final = ("7001", "7002")
_DEPARTMENTS: Final = ("7101", "7103", "7104", "7105", "7106")
#: The customers' phones: one whose calls go out badly, one it calls, one that wants to be called back.
_BAD, _CALLED, _PATIENT = "6001", "6002", "6003"
#: Into the greeting, in seconds, people know which key they want. Not scaled: the line speaks no faster.
_THINKS_S = 2.5
#: A call long enough for a verdict, in seconds (250 packets), and how long a message takes to be said.
_HEARD_S = 11.0
_MESSAGE_S = 6.0
#: Processes of callers, and how many calls each has at a time: PJSIP's bindings have four, and one may linger.
_PROCESSES, _EACH = 3, 3
#: Asked this often, in seconds, whether a callback was offered.
_LOOK_S = 0.5


class People:
    """Everybody of a demo. `play` runs until `stop` is set."""

    def __init__(self, settings: Settings, *, speed: float, seed: int, number: str, is_open: bool) -> None:
        self.stop = threading.Event()
        self._settings, self._speed, self._seed, self._is_open = settings, speed, seed, is_open
        self._number = number
        token = (settings.state / "demo-token").read_text().strip()
        self._api = httpx.Client(
            base_url=f"http://{settings.http}", headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        self._free: queue.Queue[Phone] = queue.Queue()
        self._bad_call = threading.Lock()
        self._callback = threading.Lock()

    def play(self, folder: Path) -> None:
        """Be everybody. Raises FarmFailed when the phones' processes cannot be started."""
        server = str(self._settings.sip)
        _, self._voice = person("someone", folder, seed=self._seed, seconds=8.0)
        with (
            # One process of phones has eight accounts at most, and four calls.
            PhoneFarm(folder / "phones", server=server) as self._phones,
            PhoneFarm(folder / "departments", server=server) as departments,
            # One packet in ten is lost on its way out: *57 has something to find.
            PhoneFarm(folder / "bad", server=server, tx_drop_pct=10) as self._behind_bad_network,
            contextlib.ExitStack() as callers,
            ThreadPoolExecutor(_PROCESSES * _EACH + len(_TECHNICIANS) + 4, thread_name_prefix="demo") as pool,
        ):
            try:
                for number in range(_PROCESSES):
                    farm = callers.enter_context(PhoneFarm(folder / f"callers-{number}", server=server))
                    trunk = farm.phone("trunk")
                    for _ in range(_EACH):
                        self._free.put(trunk)
                for name in _DEPARTMENTS:
                    self._registered(departments, name, Answering(after_s=2.0, play=self._voice))
                self._play(pool)
            finally:
                self.stop.set()
        self._api.close()

    def _play(self, pool: ThreadPoolExecutor) -> None:
        self._registered(self._phones, _CALLED, Answering(after_s=0.5, play=self._voice))
        self._bad = self._registered(self._behind_bad_network, _BAD, Answering(how="busy"))
        self._patient = self._registered(self._phones, _PATIENT, Answering(after_s=1.0, play=self._voice))
        lengths = visits(self._seed + 1, is_open=True)
        for name in _TECHNICIANS:
            phone = self._registered(self._phones, name, Answering(after_s=1.5, play=self._voice))
            pool.submit(self._told, self._technician, phone, [next(lengths).talk_s for _ in range(200)])
        pool.submit(self._told, self._incidents)
        began = time.monotonic()
        for visit in visits(self._seed, is_open=self._is_open):
            if self.stop.wait(max(0.0, began + visit.at_s / self._speed - time.monotonic())):
                return
            pool.submit(self._told, self._visit, visit)

    def _registered(self, farm: PhoneFarm, name: str, answering: Answering) -> Phone:
        return farm.phone(name, password=demo_password(name), answering=answering).register()

    def _told(self, act: Callable[..., None], *what: Any) -> None:
        """What one person cannot do, the others do all the same."""
        try:
            act(*what)
        except (SimulatorError, httpx.HTTPError, OSError) as error:
            if not self.stop.is_set():
                log.warning("somebody in the demo gave up", who=act.__name__.strip("_"), error=str(error)[:200])
        except Exception:
            if not self.stop.is_set():
                log.exception("somebody in the demo failed", who=act.__name__.strip("_"))

    # Those who call ------------------------------------------------------------------------------

    def _visit(self, visit: Visit) -> None:
        alone = {"bad-call": (self._bad_call, self._report_bad_call), "callback": (self._callback, self._asks)}
        if visit.kind in alone:
            lock, act = alone[visit.kind]
            if lock.acquire(blocking=False):
                # Who is on the phone already does not call a second time.
                try:
                    act()
                finally:
                    lock.release()
        else:
            self._calls_by_trunk(visit)

    def _calls_by_trunk(self, visit: Visit) -> None:
        try:
            trunk = self._free.get_nowait()
        except queue.Empty:
            return
        try:
            self._stays(trunk.dial(self._number, caller=Caller(number=visit.number)), visit)
        finally:
            self._free.put(trunk)

    def _stays(self, call: PhoneCall, visit: Visit) -> None:
        """Through the menu; then until somebody hangs up, or patience is at its end."""
        call.wait_answered(15)
        self.stop.wait(_THINKS_S)
        if visit.english:
            call.press("9")
            self.stop.wait(_THINKS_S)
        call.press(visit.key)
        if visit.kind == "voice-message":
            # The closed line is heard out, a key chooses no emergency, and the message follows the tone.
            self.stop.wait(4 * _THINKS_S)
            call.press("2")
            self.stop.wait(2 * _THINKS_S)
            call.play(self._voice, loop=True)
            self._until_ended(call, _MESSAGE_S)
        else:
            call.play(self._voice, loop=True)
            self._until_ended(call, visit.patience_s / self._speed if visit.kind == "impatient" else 3600.0)
        call.hang_up()

    def _until_ended(self, call: PhoneCall, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not call.ended and time.monotonic() < until and not self.stop.wait(0.25):
            pass

    def _report_bad_call(self) -> None:
        """*57 right after a call that was bad (OV-21)."""
        call = self._bad.dial(_CALLED)
        call.wait_answered(15)
        call.play(self._voice, loop=True)
        self._until_ended(call, _HEARD_S)
        call.hang_up()
        if not self.stop.is_set():
            self._bad.dial("*57").wait_ended(30)

    def _asks(self) -> None:
        """Waits for the offer, takes it and hangs up, which is a yes (OV-9); then the phone rings."""
        rung = self._patient.rung()
        call = self._patient.dial(self._number)
        call.wait_answered(15)
        self.stop.wait(_THINKS_S)
        call.press("2")
        while not call.ended and not self.stop.wait(_LOOK_S):
            if self._offered():
                # The offer is said after that; its key counts from its first word on.
                self.stop.wait(_THINKS_S)
                call.press("1")
                self.stop.wait(2 * _THINKS_S)
                break
        call.hang_up()
        until = time.monotonic() + 3600 / self._speed
        while self._patient.rung() == rung and time.monotonic() < until and not self.stop.wait(_LOOK_S):
            pass
        if self._patient.rung() > rung and not self.stop.is_set():
            ringing = self._patient.wait_ringing(1)
            ringing.wait_answered(15)
            self.stop.wait(2 * _THINKS_S)
            ringing.press("1")
            self._until_ended(ringing, 3600.0)

    def _offered(self) -> bool:
        calls = self._api.get("/v1/calls", params={"limit": 20}).json()["items"]
        mine = next((one for one in calls if one["endpoint"] == _PATIENT and one["ended_at"] is None), None)
        if mine is None:
            return False
        timeline = self._api.get(f"/v1/calls/{mine['id']}").json()["timeline"]
        return any(one["kind"] == "callback-offered" for one in timeline)

    # Those who are called ------------------------------------------------------------------------

    def _technician(self, phone: Phone, lengths: list[float]) -> None:
        """Log in, unless a demo before has left them logged in, and hold one conversation after the other."""
        if not self._is_logged_in(phone.name):
            phone.dial("*22").wait_ended(15)
        for talk_s in lengths:
            call = self._next_call(phone)
            if call is None:
                return
            with contextlib.suppress(SimulatorError):
                call.wait_answered(20)
                self._until_ended(call, talk_s / self._speed)
                call.hang_up()

    def _is_logged_in(self, name: str) -> bool:
        queues = self._api.get("/v1/queues").raise_for_status().json()
        return any(member["endpoint"] == name for queue in queues for member in queue["members"])

    def _next_call(self, phone: Phone) -> PhoneCall | None:
        while not self.stop.is_set():
            with contextlib.suppress(SimulatorError):
                return phone.wait_ringing(1.0)
        return None

    def _incidents(self) -> None:
        """Operations: something breaks, is found, and works again (OV-26)."""
        desk = self._api.get("/v1/desks").json()[0]["id"]
        while not self.stop.is_set():
            path = "/v1/incidents"
            for word in WORDS:
                if self.stop.wait(word.after_s / self._speed):
                    return
                said: dict[str, Any] = {"stage": word.stage, "texts": word.texts}
                if path == "/v1/incidents":
                    said |= {"desk": desk, "title": INCIDENT, "impact": "major", "services": ["messagerie"]}
                answer = self._api.post(path, json=said)
                answer.raise_for_status()
                if path == "/v1/incidents":
                    path = f"/v1/incidents/{answer.json()['id']}/updates"
            self.stop.wait(QUIET_S / self._speed)
