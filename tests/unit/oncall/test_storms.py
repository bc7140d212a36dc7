"""A storm of emergencies hides no customer's: what is paged for together, and who is rung first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk.oncall import OnCall
from ivr.oncall import storms
from ivr.oncall.escalation import PROMISE
from ivr.oncall.storms import BUNDLE_AGAIN, BUNDLE_TAKES, MOST_KNOWN, STORM, Due, Standing

MOST_OTHERS = OnCall(first_turn=date(2026, 1, 5), fallback="14185550161").strangers_an_hour
NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def place(known: bool, at: datetime, standing: list[Standing]) -> storms.Placed:
    return storms.placed(known, at, standing, strangers=MOST_OTHERS)


def one(
    number: int, *, known: bool = False, bundle: bool = False, ago: timedelta = timedelta(), taken: bool = False
) -> Standing:
    left = NOW - ago
    return Standing(id=number, known=known, bundle=bundle, left_at=left, taken_at=left if taken else None)


class TestPlacing:
    def test_the_first_are_alone_then_there_is_one_bundle(self) -> None:
        others = [one(n) for n in range(MOST_OTHERS)]
        for n in range(MOST_OTHERS):
            assert place(False, NOW, others[:n]) == "alone"
        assert place(False, NOW, others) == "begins"
        assert place(False, NOW, [*others, one(99, bundle=True)]) == 99

    def test_strangers_take_no_customers_page(self) -> None:
        others = [*(one(n) for n in range(60)), one(99, bundle=True)]
        assert place(True, NOW, others) == "alone"
        known = [one(100 + n, known=True) for n in range(MOST_KNOWN)]
        assert place(True, NOW, [*others, *known[:-1]]) == "alone"
        assert place(True, NOW, [*others, *known]) == "begins"
        assert place(False, NOW, known) == "alone"

    def test_what_was_taken_lately_counts_for_strangers_only(self) -> None:
        taken = [one(n, taken=True, ago=STORM - timedelta(seconds=1)) for n in range(MOST_OTHERS)]
        assert place(False, NOW, taken) == "begins"
        assert place(False, NOW, [replace(each, left_at=NOW - STORM) for each in taken]) == "alone"
        assert place(True, NOW, [replace(each, known=True) for each in taken] * 3) == "alone"

    def test_a_bundle_that_is_old_or_taken_takes_no_more(self) -> None:
        others = [one(n) for n in range(MOST_OTHERS)]
        old = one(99, bundle=True, ago=BUNDLE_TAKES)
        assert place(False, NOW, [*others, old]) == "begins"
        assert place(False, NOW, [*others, one(99, bundle=True, taken=True)]) == "begins"


class TestPaging:
    def test_a_strangers_bundle_rests_after_the_last_was_taken(self) -> None:
        def may(*, known: bool = False, bundle: bool = True, ago: timedelta | None = None) -> bool:
            last = NOW - ago if ago is not None else None
            return storms.may_page(known=known, bundle=bundle, last_taken=last, now=NOW)

        assert may()
        assert not may(ago=BUNDLE_AGAIN - timedelta(seconds=1))
        assert may(ago=BUNDLE_AGAIN)
        assert may(ago=timedelta(), known=True)
        assert may(ago=timedelta(), bundle=False)
        assert BUNDLE_AGAIN < PROMISE

    def test_the_last_texts_are_kept_for_customers(self) -> None:
        def may(sent: int, *, known: bool, first: bool = False, every_min: int = 5) -> bool:
            return storms.may_text(sent, known=known, first=first, every_min=every_min)

        assert [may(n, known=False, first=True) for n in (19, 20)] == [True, False]
        assert [may(n, known=True) for n in (24, 25)] == [True, False]
        assert [may(n, known=True, first=True) for n in (29, 30)] == [True, False]
        # Who wants to be paged every minute is.
        assert may(60, known=True, every_min=1)


class TestRinging:
    def test_the_newest_customer_first_and_nobody_a_second_time_before(self) -> None:
        def due(number: int, *, known: bool, minutes: int, rung: bool = False) -> Due:
            left = NOW + timedelta(minutes=minutes)
            return Due(id=number, emergency=number, number="1", known=known, left_at=left, rung=rung)

        calls = [
            due(1, known=False, minutes=0),
            due(2, known=False, minutes=1),
            due(3, known=True, minutes=2),
            due(4, known=True, minutes=3),
            due(5, known=True, minutes=4, rung=True),
            due(6, known=False, minutes=-9, rung=True),
        ]
        assert [each.id for each in storms.in_order(calls)] == [4, 3, 1, 2, 5, 6]

    def test_of_two_pages_of_one_emergency_to_one_phone_the_later_is_made(self) -> None:
        base = Due(id=1, emergency=7, number="1", known=True, left_at=NOW, rung=False)
        later, elsewhere, other = replace(base, id=2), replace(base, id=3, number="2"), replace(base, id=4, emergency=8)
        assert storms.overtaken([base, later, elsewhere, other]) == {1}

    @settings(deadline=None)
    @given(
        st.lists(st.booleans(), max_size=200),
        st.integers(min_value=0, max_value=200),
    )
    def test_however_many_there_are_a_customer_is_rung_for_within_the_half_hour(
        self, storm: list[bool], at: int
    ) -> None:
        """Where nobody answers, each place in line is 90 s at the most: 40 of ringing, and what a voicemail is told."""
        arrivals = [*storm[:at], True, *storm[at:]]
        standing: list[Standing] = []
        for n, known in enumerate(arrivals):
            found = place(known, NOW, standing)
            if not isinstance(found, int):
                standing.append(one(n + 1, known=known, bundle=found == "begins"))
        calls = [
            Due(id=each.id, emergency=each.id, number="1", known=each.known, left_at=each.left_at, rung=False)
            for each in standing
        ]
        line = storms.in_order(calls)
        ahead = [n for n, each in enumerate(line) if each.known]
        assert max(ahead) * timedelta(seconds=90) < PROMISE / 2
        assert len(line) <= MOST_KNOWN + MOST_OTHERS + 2
