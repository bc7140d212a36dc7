"""How far a call came decides its result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ivr.calls.model import Call, outcome
from ivr.calls.sanitize import plain, plain_text

NOW = datetime(2026, 12, 24, 16, 59, tzinfo=UTC)


def call(**values: Any) -> Call:
    given: dict[str, Any] = {
        "id": "a",
        "linkedid": "1.1",
        "channel": "PJSIP/trunk-1",
        "desk": "omnivigil",
        "dialled": "18446664844",
        "ani": None,
        "endpoint": None,
        "customer_id": None,
        "identity": {},
        "started_at": NOW,
    }
    return Call(**(given | values))


@pytest.mark.parametrize(
    ("values", "state", "result"),
    [
        ({}, "menu", "hung-up-in-menu"),
        ({"department": "ventes"}, "ringing", "abandoned"),
        ({"department": "support", "queued_at": NOW}, "queue", "abandoned"),
        ({"department": "support", "queued_at": NOW, "answered_at": NOW}, "talking", "answered"),
    ],
)
def test_state_and_result(values: dict[str, Any], state: str, result: str) -> None:
    assert call(**values).state == state
    assert outcome(call(**values), 16)[0] == result
    assert call(**values, ended_at=NOW).state == "ended"


def test_a_channel_that_broke_in_the_menu_is_a_failure() -> None:
    assert outcome(call(), 38) == ("failed", "channel ended with cause 38")
    assert outcome(call(), None)[0] == outcome(call(), 0)[0] == "hung-up-in-menu"


class TestPlain:
    def test_text_that_databases_refuse_is_mended(self) -> None:
        assert plain_text("a\x00b\udce9c") == "ab?c"
        assert plain_text("é«»") == "é«»"

    def test_long_text_is_cut(self) -> None:
        assert len(plain_text("x" * 10_000)) == 500

    def test_what_json_does_not_know_becomes_text_or_nothing(self) -> None:
        assert plain({"a": float("nan"), "b": (1, "x"), "c": NOW, 3: True}) == {
            "a": None,
            "b": [1, "x"],
            "c": str(NOW),
            "3": True,
        }
