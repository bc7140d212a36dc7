"""Phones for tests and the command line: real PJSIP in its own process, driven by plain calls.

with PhoneFarm(folder, server="127.0.0.1:5060") as farm:
    phone = farm.phone("6001", password="demo-6001").register()
    call = phone.dial("611")
    call.wait_answered()
    call.press("1")
    print(call.wait_ended().reason)
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sipsim import interpreter
from sipsim.ear import Ear
from sipsim.errors import FarmFailed, PhoneTimeout, RegistrationFailed
from sipsim.patience import patient
from sipsim.recognise import Heard, Recogniser
from sipsim.records import Answering, Caller, Codec, Ending, Event

T = TypeVar("T")

_START_S = patient(10.0)
_REPLY_S = patient(5.0)
_CLOSE_S = 6.0
#: For the registrar's word, one event of a call, a prompt, and the end of a call, where nothing else is said.
_REGISTERED_S = patient(5.0)
_EVENT_S = patient(10.0)
_HEARD_S = patient(20.0)
_ENDED_S = patient(30.0)
#: How often a growing recording is listened to, in seconds; PJSIP writes it every quarter of a second.
_LISTEN_EVERY_S = 0.25
_PACKAGES = Path(__file__).parents[1]


class PhoneFarm:
    """Phones of one process, at most 30 calls together. Loss is the process's: use one farm per kind of network."""

    def __init__(
        self,
        folder: Path,
        *,
        server: str = "127.0.0.1:5060",
        tx_drop_pct: int = 0,
        rx_drop_pct: int = 0,
        suppress_silence: bool = False,
        port: int = 0,
        recogniser: Recogniser | None = None,
    ) -> None:
        """Start the process. `folder` gets the recordings and `farm.log`; raises FarmFailed.

        Percentages of RTP packets to lose on the way out and in; `recogniser` lets its calls tell what they hear.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.server, self.folder, self.recogniser = server, folder, recogniser
        self._events: list[Event] = []
        self._replies: dict[int, dict[str, Any]] = {}
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self._over = False
        options = {
            "server": server,
            "tx_drop_pct": tx_drop_pct,
            "rx_drop_pct": rx_drop_pct,
            "suppress_silence": suppress_silence,
            "port": port,
        }
        with (folder / "farm.err").open("wb") as errors:
            self._process = subprocess.Popen(
                [interpreter.find(), "-m", "sipsim.farm", str(folder), json.dumps(options)],
                cwd=_PACKAGES,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True, name="phone-farm")
        self._reader.start()
        try:
            self._wait(lambda: self._replies.get(0), _START_S, "a phone process")
        except (PhoneTimeout, FarmFailed) as error:
            self.close()
            raise FarmFailed(str(error)) from error

    def __enter__(self) -> PhoneFarm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def phone(
        self,
        name: str,
        *,
        password: str | None = None,
        codec: Codec = "PCMU",
        answering: Answering | None = None,
    ) -> Phone:
        """A phone called `name` at the server; without a password it cannot register, and comes in by the trunk."""
        how = answering or Answering()
        self.command("phone", name=name, password=password, codec=codec, answering=_plain(how))
        return Phone(self, name)

    def close(self) -> None:
        """Hang up, unregister and end the process."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(_CLOSE_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    # For Phone and PhoneCall ----------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def command(self, do: str, **arguments: Any) -> Any:
        """Do one thing in the process. Raises FarmFailed with its reason."""
        number = next(self._ids)
        line = json.dumps({"id": number, "do": do, "with": arguments}) + "\n"
        try:
            assert self._process.stdin is not None  # noqa: S101 - it was opened above
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise FarmFailed(f"{do}: the phone process is gone; see {self.folder / 'farm.err'}") from error
        reply = self._wait(lambda: self._replies.pop(number, None), _REPLY_S, f"the reply to {do}")
        if "error" in reply:
            raise FarmFailed(f"{do} {arguments}: {reply['error']}")
        return reply["ok"]

    def events(self, phone: str, call: int | None = None) -> list[Event]:
        """What happened to a phone so far, or to one of its calls."""
        with self._changed:
            return [one for one in self._events if one.phone == phone and (call is None or one.call == call)]

    def last_events(self, count: int) -> list[Event]:
        """What happened last to any phone, in order."""
        with self._changed:
            return self._events[-count:]

    def wait(self, look: Callable[[], T | None], timeout_s: float, what: str) -> T:
        """What `look` finds, looked for at every event. Raises PhoneTimeout."""
        return self._wait(look, timeout_s, what)

    def _wait(self, look: Callable[[], T | None], timeout_s: float, what: str) -> T:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while (found := look()) is None:
                left = deadline - time.monotonic()
                if self._over:
                    raise FarmFailed(f"waiting for {what}: the process ended; see {self.folder / 'farm.err'}")
                if left <= 0:
                    last = ", ".join(f"{one.phone} {one.kind}" for one in self._events[-6:])
                    raise PhoneTimeout(f"no sign of {what} within {timeout_s:g} s; last events: {last or 'none'}")
                self._changed.wait(left)
            return found

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was opened above
        for line in self._process.stdout:
            message = json.loads(line)
            with self._changed:
                if "event" in message:
                    kind = message.pop("event")
                    self._events.append(Event(kind=kind, **message))
                else:
                    self._replies[message.get("id", 0)] = message
                self._changed.notify_all()
        with self._changed:
            self._over = True
            self._changed.notify_all()


class Phone:
    """One phone of a farm."""

    def __init__(self, farm: PhoneFarm, name: str) -> None:
        self.farm, self.name = farm, name
        self._taken: set[int] = set()

    def register(self, timeout_s: float = _REGISTERED_S) -> Phone:
        """Register and wait for the registrar's word. Raises RegistrationFailed."""
        self._register(renew=True, timeout_s=timeout_s)
        return self

    def unregister(self, timeout_s: float = _REGISTERED_S) -> None:
        """Be reachable no more."""
        self._register(renew=False, timeout_s=timeout_s)

    def _register(self, *, renew: bool, timeout_s: float) -> None:
        before = len(self._registrations())
        self.farm.command("register", name=self.name, renew=renew)
        try:
            said = self.farm.wait(lambda: self._registrations()[before:] or None, timeout_s, "a registrar")[-1].facts
        except PhoneTimeout as error:
            raise RegistrationFailed(f"{self.name}: {error}") from error
        if said["status"] != 200:
            raise RegistrationFailed(f"{self.name} at {self.farm.server}: {said['status']} {said['reason']}")

    def _registrations(self) -> list[Event]:
        return [one for one in self.farm.events(self.name) if one.kind == "registration"]

    def answering(self, how: Answering) -> None:
        """Change what it does when it rings."""
        self.farm.command("answering", name=self.name, answering=_plain(how))

    def dial(self, target: str, *, caller: Caller | None = None, headers: Mapping[str, str] | None = None) -> PhoneCall:
        """Call a number, or a whole `sip:` URI. `caller` says another From than the phone's own."""
        escaped = target.replace("#", "%23")
        if target.startswith("sip:"):
            uri = target
        else:
            uri = f"sip:{escaped}@{self.farm.server}"
        from_ = caller.uri() if caller is not None else None
        number = self.farm.command("dial", name=self.name, uri=uri, caller=from_, headers=dict(headers or {}))
        self._taken.add(number)
        return PhoneCall(self, number)

    def wait_ringing(self, timeout_s: float = _EVENT_S) -> PhoneCall:
        """The next call that comes in and was not returned yet. Raises PhoneTimeout."""

        def look() -> int | None:
            numbers = (one.call for one in self.farm.events(self.name) if one.kind == "incoming")
            return next((number for number in numbers if number is not None and number not in self._taken), None)

        number = self.farm.wait(look, timeout_s, f"a call to {self.name}")
        self._taken.add(number)
        return PhoneCall(self, number)

    def rung(self) -> int:
        """How many calls came in so far."""
        return len({one.call for one in self.farm.events(self.name) if one.kind == "incoming"})


class PhoneCall:
    """One call of a phone."""

    def __init__(self, phone: Phone, number: int) -> None:
        self.phone, self.number = phone, number
        self._ear: Ear | None = None
        self._acted_on: float = -1.0

    # What happened ---------------------------------------------------------------------------------------

    @property
    def events(self) -> list[Event]:
        """Everything so far, in order."""
        return self.phone.farm.events(self.phone.name, self.number)

    def first(self, kind: str) -> Event | None:
        """The first event of a kind."""
        return next((one for one in self.events if one.kind == kind), None)

    def wait_for(self, kind: str, timeout_s: float = _EVENT_S) -> Event:
        """The first event of a kind, once there is one. Raises PhoneTimeout."""
        return self.phone.farm.wait(lambda: self.first(kind), timeout_s, f"{kind} on {self.phone.name}'s call")

    def wait_answered(self, timeout_s: float = _EVENT_S) -> Event:
        """Wait until the call is answered and heard. Raises PhoneTimeout, at once when it ended instead."""

        def look() -> Event | None:
            return self.first("ended") or (self.first("recording") and self.first("answered"))

        found = self.phone.farm.wait(look, timeout_s, f"an answer to {self.phone.name}")
        if self.first("answered") is None:
            raise PhoneTimeout(f"not answered: {found.facts['status']} {found.facts['reason']}")
        return found

    def wait_ended(self, timeout_s: float = _ENDED_S) -> Ending:
        """How it ended, once it has and its recording is whole. Raises PhoneTimeout."""
        self.wait_for("closed", timeout_s)
        ended, answered = self.wait_for("ended"), self.first("answered")
        return Ending(talked_s=ended.at - answered.at if answered else 0.0, **ended.facts)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.first("ended") is not None

    @property
    def recording(self) -> Path:
        """WAV of what was heard, 16-bit mono at 8 kHz; it grows while the call lasts. Raises PhoneTimeout."""
        return Path(self.wait_for("recording").facts["path"])

    @property
    def began(self) -> float:
        """Monotonic time of the recording's start."""
        return self.wait_for("recording").at

    def offset(self, event: Event) -> float:
        """Where in the recording an event falls, in seconds."""
        return event.at - self.began

    @property
    def codec(self) -> str:
        """The codec agreed on last."""
        self.wait_for("media")
        return str([one for one in self.events if one.kind == "media"][-1].facts["codec"])

    @property
    def digits(self) -> str:
        """The keys that the other side pressed."""
        return "".join(one.facts["digit"] for one in self.events if one.kind == "digit")

    # What was heard ---------------------------------------------------------------------------------------

    def heard(self) -> list[Heard]:
        """The prompts so far; of a call that ended, all of them. The last may be the beginning of more."""
        if self._ear is None:
            if self.phone.farm.recogniser is None:
                raise FarmFailed("this farm was given no recogniser")
            self._ear = Ear(self.phone.farm.recogniser, self.recording)
        return self._ear.listen()

    def wait_heard(self, prompt_id: str | None, *, language: str | None = None, timeout_s: float = _HEARD_S) -> Heard:
        """The next prompt of this id (None: any) that began after the one returned last, once recognised.

        Raises PhoneTimeout, saying what was heard instead; at once when the call is over.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            over = self.ended or time.monotonic() > deadline
            heard = self.heard()
            for one in heard:
                wanted = (prompt_id is None or one.may_be(prompt_id)) and language in (None, one.language)
                if wanted and one.start_s > self._acted_on + _LISTEN_EVERY_S:
                    self._acted_on = one.start_s
                    return one
            if over:
                instead = ", ".join(f"{one.prompt_id} ({one.language}) at {one.start_s:.1f} s" for one in heard)
                why = "the call ended" if self.ended else f"{timeout_s:g} s passed"
                raise PhoneTimeout(f"{prompt_id or 'a prompt'} was not heard: {why}; heard {instead or 'no prompt'}")
            time.sleep(_LISTEN_EVERY_S)

    def stats(self) -> Mapping[str, int]:
        """RTP packets `received`, `lost` and `sent` so far."""
        found: Mapping[str, int] = self.phone.farm.command("stats", call=self.number)
        return found

    # What it does ----------------------------------------------------------------------------------------

    def press(self, digits: str) -> Event:
        """Press keys (RFC 4733), one after the other."""
        self.phone.farm.command("press", call=self.number, digits=digits)
        return [one for one in self.events if one.kind == "pressed"][-1]

    def press_when_heard(
        self,
        prompt_id: str | None,
        digits: str,
        *,
        language: str | None = None,
        after_s: float = 0.0,
        timeout_s: float = _HEARD_S,
    ) -> Heard:
        """Press keys `after_s` seconds after a prompt began, or as soon as it is recognised: half a second into it.

        As `wait_heard` otherwise.
        """
        heard = self.wait_heard(prompt_id, language=language, timeout_s=timeout_s)
        time.sleep(max(0.0, self.began + heard.start_s + after_s - time.monotonic()))
        self.press(digits)
        return heard

    def pick_up(self) -> None:
        """Answer a call that rings."""
        self.phone.farm.command("pick_up", call=self.number)

    def play(self, wav: Path, *, loop: bool = False) -> None:
        """Let the other side hear a 16-bit mono WAV."""
        self.phone.farm.command("play", call=self.number, path=str(wav), loop=loop)

    def hold(self) -> None:
        """Put the other side on hold."""
        self.phone.farm.command("hold", call=self.number, hold=True)

    def resume(self) -> None:
        """Take it back."""
        self.phone.farm.command("hold", call=self.number, hold=False)

    def transfer(self, to: str) -> None:
        """Send the other side to a number (REFER); what becomes of it is told by `transfer` events."""
        self.phone.farm.command("transfer", call=self.number, uri=f"sip:{to}@{self.phone.farm.server}")

    def connect(self, other: PhoneCall) -> None:
        """Send the other side to whom another call of this phone is with (Replaces)."""
        self.phone.farm.command("connect", call=self.number, other=other.number)

    def hang_up(self, status: int = 0, timeout_s: float = _EVENT_S) -> Ending:
        """End it, or refuse it with a SIP status. Harmless on a call that is over."""
        self.phone.farm.command("hangup", call=self.number, status=status)
        return self.wait_ended(timeout_s)


def _plain(how: Answering) -> dict[str, Any]:
    return {**asdict(how), "play": str(how.play) if how.play else None}
