"""How often something may be done."""

from __future__ import annotations

from ivr.limits import RateLimit


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
