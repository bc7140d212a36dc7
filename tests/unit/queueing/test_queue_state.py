"""Who arrived before whom, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ivr.desk.load import load_desks
from ivr.queueing.queue_state import QueueWatch

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


def test_a_clock_that_is_set_back_lets_nobody_pass_those_who_wait() -> None:
    now = NOW
    watch = QueueWatch(dict(next(iter(load_desks().values())).queues), lambda: now)

    def joins(uniqueid: str, position: int) -> None:
        channel = f"PJSIP/trunk-{uniqueid}"
        facts = {"queue": "support", "uniqueid": uniqueid, "channel": channel, "position": str(position)}
        watch.enter({"event": "QueueCallerJoin", **facts})

    def arrived(uniqueid: str) -> datetime:
        at = watch.arrived_at(uniqueid)
        assert at is not None
        return at

    joins("1", 1)
    now = NOW - timedelta(hours=2)
    joins("2", 2)
    now = NOW + timedelta(minutes=10)
    joins("3", 3)
    now = NOW
    joins("4", 4)
    assert [arrived(one) for one in "1234"] == sorted(arrived(one) for one in "1234")
    # Back to where they stood, as after a key.
    assert [watch.places("support").position_for(arrived(one), besides=one) for one in "1234"] == [1, 2, 3, 4]
    assert arrived("3") == NOW + timedelta(minutes=10)
