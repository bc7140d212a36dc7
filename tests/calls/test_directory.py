"""The directory changes while the line runs: each change is known to calls and to Asterisk, and cuts no call."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock
from sipsim.errors import RegistrationFailed
from sipsim.phones import Phone, PhoneFarm
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from tests.calls.conftest import log_out_all
from tests.calls.line import REPOSITORY, Line, hear, prompts, wait_for
from tests.plain_http import NO_TLS

NUMBER = "18446664844"
#: It says 5 s; a machine that runs every other test beside this one has more.
LIVE_S = 60.0


class Directory:
    """The directory's API, with a token of its own."""

    def __init__(self, line: Line) -> None:
        words = [str(REPOSITORY / "omnivigil"), "token", "live", "--scope", "directory:write", "--state", line.state]
        told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
        self._headers = {"Authorization": f"Bearer {told.splitlines()[-1]}"}
        self._url = f"http://127.0.0.1:{line.http}/v1/directory/"

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = httpx.request(method, self._url + path, json=body, headers=self._headers, timeout=30, verify=NO_TLS)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def forget(self) -> None:
        """What the test entered, in an order in which it can go."""
        phones = [f"phones/{name}" for name in ("7900", "6900", "6901", "6902")]
        for path in ("staff/nadia", *phones, "numbers/+14185550188", "accounts/C-9"):
            with suppress(httpx.HTTPStatusError):
                self("DELETE", path)


@pytest.fixture
def directory(open_line: Line) -> Iterator[Directory]:
    """Emptied of what the test entered."""
    api = Directory(open_line)
    yield api
    api.forget()


def _registers(farm: PhoneFarm, name: str, secret: str, how: Answering | None = None) -> Phone:
    """A phone that Asterisk may not know yet."""
    phone = farm.phone(name, password=secret, answering=how)

    def look() -> Phone | None:
        try:
            return phone.register()
        except RegistrationFailed:
            return None

    return wait_for(look, f"{name} to register", LIVE_S)


def _refused(phone: Phone) -> bool:
    try:
        phone.register()
    except RegistrationFailed:
        return True
    return False


def _dials(phone: Phone, known: Recogniser, code: str) -> list[str]:
    call = phone.dial(code)
    call.wait_ended()
    return prompts(known.recognise(call.recording))


def _members(line: Line) -> set[str]:
    return {one["endpoint"] for one in line.api("GET", "/v1/queues/support/members")}


async def test_what_changes_is_live_and_cuts_no_call(
    farm: PhoneFarm,
    open_line: Line,
    known_prompts: Recogniser,
    directory: Directory,
    shared: Path,
    tmp_path: Path,
) -> None:
    """One call is up from the first change to the last: accounts, numbers, phones, staff, secrets, deletions."""
    await asyncio.to_thread(_all_of_it, farm, open_line, known_prompts, directory, shared, tmp_path)


def _all_of_it(
    farm: PhoneFarm, line: Line, known: Recogniser, directory: Directory, shared: Path, tmp_path: Path
) -> None:
    directory("PUT", "accounts/C-9", {"name": "Essai inc.", "language": "fr"})
    ours = {name: directory("PUT", f"phones/{name}", {"account": "C-9"})["secret"] for name in ("6901", "6902")}
    _registers(farm, "6902", ours["6902"], Answering())
    going_on = _registers(farm, "6901", ours["6901"]).dial("6902")
    going_on.wait_answered()

    directory("PUT", "numbers/+14185550188", {"account": "C-9"})
    secret = directory("PUT", "phones/6900", {"account": "C-9"})["secret"]
    phone = _registers(farm, "6900", secret, Answering(how="ring"))
    call = phone.dial("611")
    call.wait_answered()
    assert _account(line, lambda one: one["endpoint"] == "6900") == "C-9"
    call.hang_up()
    # What Asterisk knows, calls knew before.
    asyncio.run(_call_from_the_network(line, "4185550188"))
    assert _account(line, lambda one: one["ani"] == "14185550188") == "C-9"

    with _technicians(shared, line):
        _a_technician(farm, line, known, directory)

    renewed = directory("POST", "phones/6900/secret")["secret"]
    wait_for(lambda: _logged(line, "phone unregistered", "6900"), "6900 to be unregistered", LIVE_S)
    assert _refused(phone)
    with PhoneFarm(tmp_path / "renewed", server=line.address) as others:
        again = others.phone("6900", password=renewed).register()
        directory("DELETE", "phones/6900")
        wait_for(lambda: _logged(line, '"gone"', "6900"), "6900 to be unregistered", LIVE_S)
        assert _refused(again)

    assert not going_on.ended
    assert line.api("GET", "/healthz")["components"]["directory"] == "ok"
    going_on.hang_up()


async def test_calls_are_answered_while_a_file_is_imported(
    open_line: Line, known_prompts: Recogniser, directory: Directory, tmp_path: Path
) -> None:
    """A call is up from before the import, others come during it; all are on record, and the import is whole.

    Its accounts stay on the line, which is other tests' too: nobody has a number or a phone of them.
    """
    many = tmp_path / "many"
    rows = [f"C-9{n:04d};Client {n}" for n in range(2000)]
    await asyncio.to_thread(_write, many, {"accounts.csv": ["account;name", *rows]})
    async with RawCall(open_line.server, NUMBER, "4185550170") as before:
        await asyncio.to_thread(hear, known_prompts, before.heard, "menu")
        importing = asyncio.create_task(asyncio.to_thread(_directory_command, open_line, "import", many))
        heard = 0
        while not importing.done() or not heard:
            async with RawCall(open_line.server, NUMBER, "4185550171") as call:
                await asyncio.to_thread(hear, known_prompts, call.heard, "menu")
            heard += 1
        await importing
        await before.press("9")
        await asyncio.to_thread(hear, known_prompts, before.heard, "menu", language="en")
    calls = await asyncio.to_thread(open_line.api, "GET", "/v1/calls", params={"limit": 200})
    assert sum(one["ani"] == "14185550171" for one in calls["items"]) == heard
    assert directory("GET", "accounts/C-91999")["name"] == "Client 1999"


def _write(folder: Path, lists: dict[str, list[str]]) -> None:
    folder.mkdir(exist_ok=True)
    for name, lines in lists.items():
        (folder / name).write_text("\n".join([*lines, ""]), encoding="utf-8")


def _directory_command(line: Line, *words: object) -> None:
    run = [REPOSITORY / "omnivigil", "directory", *words, "--state", line.state]
    subprocess.run(list(map(str, run)), capture_output=True, text=True, check=True, timeout=300)


def _a_technician(farm: PhoneFarm, line: Line, known: Recogniser, directory: Directory) -> None:
    """Put on duty, reached, and gone again."""
    own = directory("PUT", "phones/7900", {"kind": "technician", "language": "fr"})["secret"]
    directory("PUT", "staff/nadia", {"name": "Nadia", "phone": "7900", "queues": ["support"]})
    nadia = _registers(farm, "7900", own, Answering())
    wait_for(lambda: _dials(nadia, known, "*22") == ["technician-login"] or None, "Nadia to be staff", LIVE_S)
    asyncio.run(_reached(line, known, nadia))
    assert _dials(nadia, known, "*22") == ["technician-logout"]
    nadia.unregister()
    assert _dials(nadia, known, "*22") == ["technician-unregistered"]
    assert "7900" not in _members(line)
    nadia.register()
    assert _dials(nadia, known, "*22") == ["technician-login"]
    directory("DELETE", "staff/nadia")
    wait_for(lambda: "7900" not in _members(line), "Nadia to be logged out", LIVE_S)


@contextmanager
def _technicians(shared: Path, line: Line) -> Iterator[None]:
    """The technicians alone, as the fixture of that name has them, for no longer than need be."""
    with FileLock(shared / "technicians.lock"):
        log_out_all(line)
        yield
        log_out_all(line)


def _account(line: Line, which: Callable[[dict[str, Any]], bool]) -> str | None:
    def look() -> dict[str, Any] | None:
        return next((one for one in line.api("GET", "/v1/calls", params={"limit": 50})["items"] if which(one)), None)

    found: str | None = wait_for(look, "the call")["account"]
    return found


async def _call_from_the_network(line: Line, number: str) -> None:
    async with RawCall(line.server, NUMBER, number):
        pass


async def _reached(line: Line, known: Recogniser, technician: Phone) -> None:
    async with RawCall(line.server, NUMBER, "4185550188") as call:
        await asyncio.to_thread(hear, known, call.heard, "menu")
        await call.press("2")
        ringing = await asyncio.to_thread(technician.wait_ringing, 60)
        await asyncio.to_thread(ringing.wait_answered, 30)
        await asyncio.to_thread(ringing.hang_up)


def _logged(line: Line, what: str, endpoint: str) -> bool:
    return any(what in row and f'"{endpoint}"' in row for row in line.log().splitlines())
