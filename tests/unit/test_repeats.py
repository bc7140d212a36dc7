"""A component that is away is told by one line a minute of each kind; every other failure is told whenever it comes."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from ivr.errors import Unavailable
from ivr.repeats import Repeats
from ivr.store.engine import StoreUnavailable


class World:
    """A processor and its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.repeats = Repeats(lambda: self.now)

    def say(self, event: str, method: str = "warning", **facts: Any) -> dict[str, Any] | None:
        try:
            return dict(self.repeats(None, method, {"event": event, **facts}))
        except structlog.DropEvent:
            return None


def test_a_database_that_is_away_is_one_line_a_minute_of_each_part() -> None:
    world = World()
    said = 0
    for tick in range(30):
        world.now = tick * 0.5
        for part in ("spool", "claims", "paging"):
            error = str(StoreUnavailable(problem=f"connection refused at {tick}"))
            said += world.say("waits for the database", part=part, error=error) is not None
    assert said == 3
    world.now = 60.0
    again = world.say("waits for the database", part="spool", error=str(StoreUnavailable(problem="x")))
    assert again is not None
    assert again["not_told"] == 29


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable(problem="gone"),
        Unavailable(component="Asterisk's manager"),
        ExceptionGroup("both", [StoreUnavailable(problem="gone")]),
    ],
)
def test_what_is_merely_away_has_no_traceback(error: Exception) -> None:
    world = World()
    line = world.say("background task of a call failed", "error", exc_info=error)
    assert line is not None
    assert "exc_info" not in line
    assert line["error"] == str(error)
    assert world.say("background task of a call failed", "error", exc_info=error) is None


def test_every_other_failure_is_told_each_time_with_its_traceback() -> None:
    world = World()
    for _ in range(3):
        line = world.say("spooled request cannot be entered", "exception", exc_info=KeyError("x"))
        assert line is not None
        assert isinstance(line["exc_info"], KeyError)
        assert world.say("message cannot be read", error="[Errno 13] Permission denied") is not None
        assert world.say("spooled request entered", "info", ticket="T1") is not None


def test_what_is_remembered_is_bounded() -> None:
    world = World()
    for number in range(5000):
        assert world.say(f"kind {number}", error=str(Unavailable())) is not None
    assert len(world.repeats._said) <= 1000
