"""What the dialplan refused is counted each time and told now and then."""

from __future__ import annotations

from structlog.testing import capture_logs

from ivr.calls.refusals import enter
from ivr.refusals import Refusals


def event(**fields: str) -> dict[str, str]:
    return {"event": "UserEvent", "userevent": "OvRefused", **fields}


def test_every_refusal_is_counted_and_told_with_who_it_was() -> None:
    counted: list[str] = []
    refusals = Refusals(counted.append)
    with capture_logs() as lines:
        for _ in range(1000):
            enter(event(reason="source", source="192.0.2.7"), refusals)
        enter(event(reason="phone", account="6001"), refusals)
    assert counted == ["source"] * 1000 + ["phone"]
    assert [(one["reason"], one.get("source"), one.get("account")) for one in lines] == [
        ("source", "192.0.2.7", None),
        ("phone", None, "6001"),
    ]


def test_what_is_no_reason_or_no_name_is_not_told() -> None:
    counted: list[str] = []
    refusals = Refusals(counted.append)
    with capture_logs() as lines:
        enter(event(reason="<script>"), refusals)
        enter({"event": "UserEvent", "userevent": "OvLeg", "reason": "full"}, refusals)
        enter(event(reason="contact", account="60\n01", source='"x" <y>'), refusals)
    assert counted == ["contact"]
    assert "account" not in lines[0]
    assert "source" not in lines[0]
