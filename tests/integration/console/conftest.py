"""The console over ASGI: the API's own line, with the demo's accounts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest

from ivr.directory.demo import load_demo
from ivr.directory.demo_accounts import demo_account_password, demo_accounts
from ivr.store.engine import Store
from tests.integration.api.conftest import (  # noqa: F401 - fixtures
    NOW,
    Line,
    app,
    cache,
    desks,
    line,
    sounds,
    sounds_folder,
    world,
)
from tests.integration.databases import Filling


@dataclass
class Browser:
    """A client that keeps cookies, finds the token that forms carry, and sends it."""

    http: httpx.AsyncClient
    csrf: str = ""

    async def get(self, path: str, **more: object) -> httpx.Response:
        answer = await self.http.get(path, **more)  # type: ignore[arg-type]
        found = re.search(r'data-csrf="([0-9a-f]+)"', answer.text)
        if found:
            self.csrf = found[1]
        return answer

    async def post(self, path: str, **fields: object) -> httpx.Response:
        return await self.http.post(path, data={"csrf": self.csrf, **fields})

    async def sign_in(self, name: str, password: str | None = None, **more: str) -> httpx.Response:
        await self.get("/console/sign-in")
        told = {"name": name, "password": demo_account_password(name) if password is None else password}
        answer = await self.post("/console/sign-in", **told, **more)
        if answer.status_code == 303:
            await self.get("/console/account")
        return answer


@pytest.fixture(scope="session")
def filling() -> Filling:
    """The demo directory and its accounts, whose passwords take their time to be hashed."""

    async def fill(store: Store) -> None:
        async with store.unit() as unit:
            await load_demo(unit)
            await demo_accounts(unit, NOW)

    return Filling(name="console", fill=fill)


Browsers = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def browser(line: Line) -> AsyncIterator[Browsers]:  # noqa: F811
    """Makes browsers, signed in as somebody or as nobody."""
    opened: list[httpx.AsyncClient] = []

    async def make(name: str | None = None, source: str = "127.0.0.1") -> Browser:
        assert line.app is not None
        transport = httpx.ASGITransport(app=line.app, client=(source, 40000))
        opened.append(httpx.AsyncClient(transport=transport, base_url="http://console.test"))
        made = Browser(opened[-1])
        if name is not None:
            answer = await made.sign_in(name)
            assert answer.status_code == 303, answer.text
        return made

    yield make
    for client in opened:
        await client.aclose()
