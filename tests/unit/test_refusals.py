"""Refusals are counted one by one and told by one line a minute."""

from __future__ import annotations

from structlog.testing import capture_logs

from ivr.refusals import Refusals


def test_a_storm_is_counted_and_told_by_one_line() -> None:
    now, counted = 0.0, list[str]()
    refusals = Refusals(count=counted.append, monotonic=lambda: now)
    with capture_logs() as lines:
        for _ in range(500):
            refusals.note("page-texts", desk="omnivigil")
        refusals.note("status-sms")
        now = 60.0
        refusals.note("page-texts", desk="omnivigil")
    assert len(counted) == 502
    told = [(line["reason"], line["times"]) for line in lines]
    assert told == [("page-texts", 1), ("status-sms", 1), ("page-texts", 500)]


def test_a_budget_that_nears_its_end_is_told() -> None:
    used = dict[str, float]()
    refusals = Refusals(used=used.__setitem__, monotonic=lambda: 0.0)
    with capture_logs() as lines:
        for n in range(1, 11):
            refusals.spent("status page, hour", n, 10)
    assert used == {"status page, hour": 1.0}
    assert [(line["used"], line["most"]) for line in lines] == [(8, 10)]
