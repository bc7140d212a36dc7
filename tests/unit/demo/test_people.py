"""The demo's technicians: a second demo on the same folder finds them logged in, and leaves them so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from sipsim.phones import Phone

from ivr.demo.people import People
from ivr.settings import Settings


@pytest.mark.parametrize(("members", "dialled"), [([], ["*22"]), (["7001"], []), (["7002"], ["*22"])])
def test_a_technician_logs_in_unless_logged_in_already(tmp_path: Path, members: list[str], dialled: list[str]) -> None:
    (tmp_path / "demo-token").write_text("token\n")
    people = People(Settings(state=tmp_path), speed=1.0, seed=1, number="1", is_open=True)
    queues = [{"id": "support", "members": [{"endpoint": name} for name in members]}]
    people._api.close()
    people._api = httpx.Client(
        base_url="http://line.test", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=queues))
    )
    codes: list[str] = []

    def dial(code: str) -> Any:
        codes.append(code)
        return SimpleNamespace(wait_ended=lambda timeout_s: None)

    people.stop.set()
    people._technician(cast(Phone, SimpleNamespace(name="7001", dial=dial)), [1.0])
    people._api.close()
    assert codes == dialled
