"""How often something may be done."""

from __future__ import annotations

from ivr.rate_limit import RateLimit, Seldom


class TestRateLimit:
    def test_a_thousand_in_a_minute(self) -> None:
        limit = RateLimit(10, 60)
        assert sum(limit.allows("6001", second * 0.06) for second in range(1000)) == 10
        assert limit.allows("6002", 30)
        assert limit.allows("6001", 61)

    def test_names_are_forgotten(self) -> None:
        limit = RateLimit(10, 60)
        for number in range(1000):
            limit.allows(str(number), float(number))
        assert len(limit._times) <= 62


class TestSeldom:
    def test_the_first_is_told_at_once_and_then_once_a_minute_how_many(self) -> None:
        seldom = Seldom(60)
        assert [seldom.due("garbage", second) for second in (0, 1, 2, 59.9)] == [1, 0, 0, 0]
        assert seldom.due("other", 3) == 1
        assert seldom.due("garbage", 60) == 4

    def test_names_without_an_end_take_no_memory_without_one(self) -> None:
        seldom = Seldom(60, most=10)
        assert sum(seldom.due(str(number), 1) for number in range(1000)) == 11
        assert len(seldom._told) == 11
