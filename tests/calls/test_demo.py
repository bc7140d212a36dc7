"""`./omnivigil demo`: what its people did within a minute, as the API tells it, and that it ends by itself."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.calls import line as lines
from tests.calls.line import OPEN, Line, wait_for


def test_people_of_all_kinds_use_the_line_and_then_it_ends(tmp_path: Path) -> None:
    options = ("--speed", "12", "--for", "75s", "--seed", "1")
    with lines.running_line(tmp_path / "line", now=OPEN, options=options, command="demo") as line:
        seen: set[str] = set()

        def everything() -> bool:
            seen.update(_happened(line))
            return seen >= {"answered", "english", "ticket", "trace", "callback", "incident"}

        try:
            wait_for(everything, "everything of the demo", 80)
        except AssertionError as error:
            pytest.fail(f"{error}; only {sorted(seen)}; {(tmp_path / 'line' / 'up.log').read_text()[-2000:]}")
        began = time.monotonic()
        wait_for(lambda: not lines.is_running(line.pid), "the demo's own end", 110)
        assert time.monotonic() - began < 110
    told = (tmp_path / "line" / "up.log").read_text()
    assert "The demo's time is over." in told
    assert "Stopped." in told
    assert "Traceback" not in told


def _happened(line: Line) -> set[str]:
    """What has been, so far."""
    if not line.healthy():
        return set()
    calls = line.api("GET", "/v1/calls", params={"limit": 100})["items"]
    traces = line.api("GET", "/v1/call-traces")["items"]
    incidents = line.api("GET", "/v1/incidents")["items"]
    found = {
        "answered": any(one["answered_by"] in ("7001", "7002") for one in calls),
        "english": any(one["language"] == "en" for one in calls),
        "ticket": bool(line.api("GET", "/v1/tickets")["items"]),
        "trace": any(one["device"] == "6001" for one in traces),
        "callback": bool(line.api("GET", "/v1/callbacks")["items"]),
        "incident": any(len(one["updates"]) >= 2 for one in incidents),
    }
    return {name for name, there in found.items() if there}
