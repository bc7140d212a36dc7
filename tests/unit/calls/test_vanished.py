"""Callers of whom nothing is heard any more: how far they came, and whether anybody had answered them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ivr.calls.model import Call, answered_to_nobody, outcome

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)


def call(**facts: Any) -> Call:
    """A call so far."""
    values: dict[str, Any] = {"id": "a", "linkedid": "1.1", "channel": "PJSIP/trunk-1", "desk": "omnivigil"}
    values |= {"dialled": "18446664844", "ani": "14185550101", "endpoint": None, "customer_id": None, "identity": {}}
    return Call(**(values | {"started_at": NOW} | facts))


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({}, ("hung-up-in-menu", "vanished in the menu")),
        ({"department": "ventes"}, ("abandoned", "vanished before anybody answered")),
        ({"department": "support", "queued_at": NOW}, ("abandoned", "vanished in the queue")),
        (
            {"department": "support", "queued_at": NOW, "answered_at": NOW},
            ("answered", "vanished while talking"),
        ),
    ],
)
def test_how_far_they_came(facts: dict[str, Any], wanted: tuple[str, str]) -> None:
    """Cause 44; of one who hung up nothing changes."""
    assert outcome(call(**facts), 44) == wanted
    assert "vanished" not in outcome(call(**facts), 16)[1]


@pytest.mark.parametrize(
    ("cause", "after_s", "queued", "wanted"),
    [
        (44, 0.0, True, True),
        (44, 50.0, True, True),
        (44, 53.0, True, True),
        # They were heard after the answer.
        (44, 53.1, True, False),
        # They hung up themselves; a department's phones are none of a queue.
        (16, 10.0, True, False),
        (None, 10.0, True, False),
        (44, 10.0, False, False),
    ],
)
def test_whether_a_technician_was_given_silence(cause: int | None, after_s: float, queued: bool, wanted: bool) -> None:
    """The last packet came `rtp_timeout` before the end: an answer after it was heard by nobody."""
    one = call(queued_at=NOW if queued else None, answered_at=NOW)
    assert answered_to_nobody(one, cause, NOW + timedelta(seconds=after_s), silent_s=50.0) == wanted


def test_who_was_never_answered_was_not_given_silence() -> None:
    assert not answered_to_nobody(call(queued_at=NOW), 44, NOW, silent_s=50.0)
