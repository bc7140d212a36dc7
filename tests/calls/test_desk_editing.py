"""A desk changed on the console's pages while a call goes on: the next caller hears it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sipsim.raw import RawCall
from sipsim.recognise import Recogniser

from ivr.directory.demo_accounts import demo_account_password
from tests.calls.line import OPEN, Line, hear, start_line, stop_line
from tests.calls.queueing import NUMBER, desks
from tests.html_forms import fields
from tests.plain_http import NO_TLS

AT = "/console/menu/desk/omnivigil"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Line]:
    """A line with desk files of its own, whose menu has more patience than a busy machine needs."""
    folder = desks(tmp_path / "desks")
    file = folder / "omnivigil.yaml"
    text = file.read_text(encoding="utf-8").replace("attempts: 2", "attempts: 5").replace("wait_s: 5\n", "wait_s: 20\n")
    file.write_text(text, encoding="utf-8")
    line = start_line(tmp_path / "line", now=OPEN, options=("--desks", str(folder)))
    yield line
    stop_line(line)


class Administrator:
    """Somebody at the console, without scripts."""

    def __init__(self, line: Line) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{line.http}", timeout=60, verify=NO_TLS)
        self._csrf = ""
        self.get("/console/sign-in")
        self.post("/console/sign-in", 303, name="admin", password=demo_account_password("admin"))

    def get(self, path: str) -> str:
        answer = self._http.get(path)
        assert answer.status_code == 200, answer.text
        found = re.search(r'data-csrf="([0-9a-f]+)"', answer.text)
        assert found is not None
        self._csrf = found[1]
        return answer.text

    def post(self, path: str, status: int, **given: str) -> str:
        answer = self._http.post(path, data={"csrf": self._csrf, **given})
        assert answer.status_code == status, answer.text
        return answer.text

    def change(self, part: str, **typed: str) -> None:
        """Type into a page, look at what would change, and put it in force."""
        shown = self.post(f"{AT}/{part}/preview", 200, **fields(self.get(f"{AT}/{part}")) | typed)
        self.post(f"{AT}/{part}/put", 303, **fields(shown))

    def close(self) -> None:
        self._http.close()


async def test_hours_and_a_text_changed_at_the_console_are_heard_by_the_next_caller_while_a_call_goes_on(
    own: Line, tmp_path: Path
) -> None:
    known = await asyncio.to_thread(Recogniser.load, Path(own.state) / "sounds")
    async with RawCall(own.server, NUMBER, "4185550144") as before:
        await asyncio.to_thread(hear, known, before.heard, "menu")
        admin = await asyncio.to_thread(Administrator, own)
        new = {"exceptions/@0/date": OPEN[:10]}
        await asyncio.to_thread(lambda: admin.change("hours", **new))
        texts = fields(await asyncio.to_thread(admin.get, f"{AT}/texts"))
        welcome = next(name for name, value in texts.items() if value == "welcome").removesuffix("#key")
        said = "Bonjour et merci d’appeler la ligne de soutien, fermée pour l’inventaire."
        await asyncio.to_thread(lambda: admin.change("texts", **{f"{welcome}fr": said}))

        # Whoever called before has the hours that were in force then: support is open.
        await before.press("2")
        await asyncio.to_thread(hear, known, before.heard, "queue-wait")
        assert not before._sip.bye.is_set()

        known = await asyncio.to_thread(Recogniser.load, Path(own.state) / "sounds")
        async with RawCall(own.server, NUMBER, "4185550145") as after:
            welcomed = await asyncio.to_thread(hear, known, after.heard, "welcome")
            assert welcomed.text == said
            await asyncio.to_thread(hear, known, after.heard, "menu")
            await after.press("2")
            await asyncio.to_thread(hear, known, after.heard, "closed-emergency")

    file = await asyncio.to_thread((tmp_path / "desks" / "omnivigil.yaml").read_text, encoding="utf-8")
    assert f'  - date: "{OPEN[:10]}"\n' in file
    assert "# Dates that differ from their weekday; they win over the holidays.\nexceptions:\n" in file
    versions = own.api("GET", "/v1/desks/omnivigil/file/versions")
    assert [(one["by"], one["source"]) for one in versions] == [("admin", "console")] * 2 + [("start", "file")]
    # Put back while the line runs, with one button.
    page = await asyncio.to_thread(admin.get, f"{AT}/versions/1")
    await asyncio.to_thread(lambda: admin.post(f"{AT}/version/put", 303, **fields(page)))
    assert own.api("GET", "/v1/desks/omnivigil/hours")["departments"]["support"]["open"] is True
    admin.close()
