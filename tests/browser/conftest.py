"""A browser on a running line: real pages, real calls underneath."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sipsim.phones import PhoneFarm
from sipsim.recognise import Recogniser

from ivr.desk.load import BUILT_IN
from ivr.directory.demo_accounts import demo_account_password
from ivr.tools import chromium as browsers
from tests.calls.line import OPEN, REPOSITORY, Line, running_line

SignIn = Callable[..., Page]

#: A browser, a line and its phones share two cores; what a page is slow with is measured by `bench console`.
expect.set_options(timeout=15_000)

#: Root may not have Chromium's sandbox; no page but ours is opened in it.
_NO_SANDBOX = ("--no-sandbox", "--disable-dev-shm-usage")
#: One that beeps, and may be used.
_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


#: Ways out that nothing listens at, so that pages offer what needs them.
_WRITING = {
    "PUBLIC_URL": "https://line.example",
    "SMTP_HOST": "127.0.0.1",
    "SMTP_PORT": "9",
    "SMTP_TLS": "none",
    "SMTP_FROM": "soutien@line.example",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "nothing-listens-there",
    "TWILIO_API": "http://127.0.0.1:9",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first one waits for its line to start."""
    for item in items:
        if "tests/browser" in item.nodeid:
            item.add_marker(pytest.mark.timeout(300))


def waits(line: Line, phone: str) -> bool:
    """Whether a phone waits in the support queue."""
    waiting = line.api("GET", "/v1/queues/support")["waiting"]
    return any(call["endpoint"] == phone for call in waiting)


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line of their own: what operations announce, every call on it hears. It may write, though nobody carries it."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in _WRITING.items():
            environment.setenv(f"OMNIVIGIL_{name}", value)
        folder = tmp_path_factory.mktemp("console")
        # Their own desk files, which pages may change.
        shutil.copytree(BUILT_IN, folder / "desks")
        with running_line(folder / "line", now=OPEN, options=("--desks", str(folder / "desks"))) as running:
            yield running


@pytest.fixture(scope="session")
def shipped(line: Line) -> Recogniser:
    """The line's prompts."""
    return Recogniser.load(Path(line.state) / "sounds")


@pytest.fixture
def farm(line: Line, shipped: Recogniser, tmp_path: Path) -> Iterator[PhoneFarm]:
    """Phones on it."""
    with PhoneFarm(tmp_path / "phones", server=line.address, recogniser=shipped) as phones:
        yield phones


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; `./omnivigil test` sees to it that there is one."""
    program = browsers.find(REPOSITORY / "var" / "chromium")
    assert program is not None, "no Chromium; ./omnivigil test unpacks one"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=program, args=[*_NO_SANDBOX, *_MICROPHONE])
        yield made
        made.close()


@pytest.fixture
def sign_in(chromium: Browser, line: Line) -> Iterator[SignIn]:
    """A page of somebody who has signed in; errors of its scripts fail the test."""
    contexts, wrong = [], []

    def page_of(name: str, *, language: str = "fr", port: int | None = None) -> Page:
        context = chromium.new_context(
            base_url=f"http://127.0.0.1:{port or line.http}", viewport={"width": 1280, "height": 900}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(f"/console/language/{language}?next=/console/sign-in")
        page.locator("input[name=name]").fill(name)
        page.locator("input[name=password]").fill(demo_account_password(name))
        page.locator("main form button").click()
        page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    yield page_of
    for context in contexts:
        context.close()
    assert wrong == []
