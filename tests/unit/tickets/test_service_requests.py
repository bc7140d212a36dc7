"""What service requests cost, to the cent, and until when what must be done."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.desk.hours import Calendar
from ivr.errors import BadInput
from ivr.tickets.service_requests import Quote, details_of, quote
from tests.unit.tickets.conftest import local

NOW = local("2026-11-25T09:00")


def ask(calendar: Calendar, kind: str, now: Any = NOW, **details: Any) -> Quote:
    checked = details_of(kind, details)
    assert checked is not None
    return quote(kind, checked, now=now, calendar=calendar)


def at(text: str) -> str:
    return local(text).isoformat()


class TestInterventions:
    @pytest.mark.parametrize(
        ("kind", "start", "end", "total"),
        [
            ("planned-intervention", "2026-12-05T09:00", "2026-12-05T11:00", "180.00"),  # a Saturday
            ("planned-intervention", "2026-12-05T09:00", "2026-12-05T09:30", "45.00"),
            ("planned-intervention", "2026-12-05T09:00", "2026-12-05T09:10", "45.00"),  # minimum
            ("planned-intervention", "2026-12-05T09:00", "2026-12-05T09:31", "46.50"),
            ("planned-intervention", "2026-12-05T09:00", "2026-12-05T09:30:01", "45.03"),  # 45.025
            ("planned-intervention", "2026-12-07T16:00", "2026-12-07T19:00", "180.00"),  # one hour was within hours
            ("planned-intervention", "2026-12-07T12:00", "2026-12-07T13:00", "90.00"),  # lunch
            ("planned-intervention", "2026-12-07T09:00", "2026-12-07T11:00", "0.00"),
            ("unplanned-intervention", "2026-11-25T18:00", "2026-11-25T18:20", "150.00"),  # minimum
            ("unplanned-intervention", "2026-11-25T18:00", "2026-11-25T19:00", "150.00"),
            ("unplanned-intervention", "2026-11-25T18:00", "2026-11-25T20:15", "337.50"),
            # The night on which clocks go back has one more hour.
            ("unplanned-intervention", "2026-11-01T00:00", "2026-11-01T06:00", "1050.00"),
        ],
    )
    def test_ov30_fees(self, calendar: Calendar, kind: str, start: str, end: str, total: str) -> None:
        found = ask(calendar, kind, start=at(start), end=at(end))
        assert found.total == Decimal(total)
        assert found.refused is None
        for fee in found.fees:
            assert fee.reason.fr
            assert fee.reason.en

    def test_ov30_the_minimum_is_told(self, calendar: Calendar) -> None:
        [fee] = ask(calendar, "planned-intervention", start=at("2026-12-05T09:00"), end=at("2026-12-05T09:10")).fees
        assert fee.reason.fr == "30 min hors des heures ouvrables à 90 $/h (minimum 30 min)"

    @pytest.mark.parametrize(
        ("now", "start", "refused"),
        [
            ("2026-11-25T09:00", "2026-12-03T09:00", False),  # 48 working hours to the second
            ("2026-11-25T09:00:01", "2026-12-03T09:00", True),
            ("2026-11-25T09:00", "2026-12-03T08:59:59", True),
            ("2026-11-25T09:00", "2026-11-27T18:00", True),  # 48 hours, but few of them working
            ("2026-11-25T09:00", "2026-11-20T18:00", True),
        ],
    )
    def test_ov30_48_working_hours_ahead(self, calendar: Calendar, now: str, start: str, refused: bool) -> None:
        end = (local(start) + timedelta(hours=1)).isoformat()
        found = ask(calendar, "planned-intervention", now=local(now), start=at(start), end=end)
        assert (found.refused is not None) is refused
        if found.refused is not None:
            assert "150 $/h" in found.refused.fr
            assert "2026-12-03 09:00" in found.refused.fr

    def test_ov30_until_when_to_ask(self, calendar: Calendar) -> None:
        found = ask(calendar, "planned-intervention", start=at("2026-12-05T09:00"), end=at("2026-12-05T10:00"))
        assert found.deadlines[0].at == local("2026-11-27T08:00")

    def test_ov30_unplanned_may_be_refused(self, calendar: Calendar) -> None:
        found = ask(calendar, "unplanned-intervention", start=at("2026-11-25T18:00"), end=at("2026-11-25T19:00"))
        assert "refusée" in found.conditions[0].fr

    @pytest.mark.parametrize(
        ("details", "field"),
        [
            ({}, "details.start"),
            ({"start": "2026-12-05T09:00-05:00"}, "details.end"),
            ({"start": "2026-12-05T09:00-05:00", "end": "2026-12-05T09:00-05:00"}, "details.end"),
            ({"start": "2026-12-05T09:00-05:00", "end": "2027-02-05T09:00-05:00"}, "details.end"),
            ({"start": "2026-12-05T09:00", "end": "2026-12-05T10:00"}, "details.start"),  # which time zone?
            ({"start": "9999-12-05T09:00Z", "end": "9999-12-05T10:00Z"}, "details.start"),
            ({"start": "2060-12-05T09:00Z", "end": "2060-12-05T10:00Z"}, "details.start"),
            ({"start": "0001-01-01T00:00+14:00", "end": "0001-01-01T00:00Z"}, "details.start"),
            ({"work": "party"}, "details.work"),
            ({"colour": "red"}, "details.colour"),
            ({"a\nb": "red"}, "details.a�b"),
        ],
    )
    def test_what_is_wrong_is_named(self, calendar: Calendar, details: dict[str, Any], field: str) -> None:
        with pytest.raises(BadInput) as refused:
            ask(calendar, "planned-intervention", **details)
        assert refused.value.field == field
        assert refused.value.mend


class TestReturns:
    @pytest.mark.parametrize(
        ("details", "total"),
        [
            ({}, "-159.99"),  # 199.99 less 40.00 (39.998)
            ({"returned_on": "2026-11-20"}, "-159.99"),  # the tenth day
            ({"returned_on": "2026-11-21"}, "25.00"),
            ({"unfit": True}, "25.00"),
            ({"our_error": True}, "-199.99"),
            ({"our_error": True, "unfit": True, "returned_on": "2027-01-01"}, "-199.99"),
            ({"delivery_refused": True, "received_on": None, "returned_on": None}, "-159.99"),
        ],
    )
    def test_ov32_what_is_refunded(self, calendar: Calendar, details: dict[str, Any], total: str) -> None:
        given_ = {"price": "199.99", "received_on": "2026-11-10", "returned_on": "2026-11-12"} | details
        assert ask(calendar, "return", **given_).total == Decimal(total)

    def test_ov32_ten_days_and_the_reasons(self, calendar: Calendar) -> None:
        found = ask(calendar, "return", price="100", received_on="2026-11-10", returned_on="2026-11-12")
        assert found.deadlines[0].at == date(2026, 11, 20)
        assert [fee.reason.fr for fee in found.fees] == ["Remboursement de l’achat", "Frais de retour de 20 %"]
        assert "expéditeur" in found.conditions[0].fr

    @pytest.mark.parametrize(
        ("details", "field"),
        [
            ({}, "details.price"),
            ({"price": "100"}, "details.received_on"),
            ({"price": "100", "received_on": "2026-11-10"}, "details.returned_on"),
            ({"price": "100", "received_on": "2026-11-10", "returned_on": "2026-11-09"}, "details.returned_on"),
            ({"price": "-1"}, "details.price"),
            ({"price": "1.001"}, "details.price"),
            ({"price": "NaN"}, "details.price"),
            ({"price": "1e9"}, "details.price"),
            ({"received_on": "9999-12-31"}, "details.received_on"),
        ],
    )
    def test_what_is_wrong_is_named(self, calendar: Calendar, details: dict[str, Any], field: str) -> None:
        with pytest.raises(BadInput) as refused:
            ask(calendar, "return", **details)
        assert refused.value.field == field

    @settings(max_examples=200)
    @given(st.decimals(0, 1_000_000, places=2))
    def test_ov32_refund_and_fee_are_whole_cents_and_make_the_price(self, price: Decimal) -> None:
        # The calendar is of no matter to a return.
        found = ask(None, "return", price=str(price), received_on="2026-11-10", returned_on="2026-11-12")  # type: ignore[arg-type]
        refund, fee = (one.amount for one in found.fees)
        assert -refund == price
        assert fee == fee.quantize(Decimal("0.01"))
        assert abs(fee - price * Decimal("0.2")) <= Decimal("0.005")


class TestTheOthers:
    def test_ov33_fifteen_days_and_what_the_box_holds(self, calendar: Calendar) -> None:
        found = ask(calendar, "rma", accepted_on="2026-11-25")
        assert found.deadlines[0].at == date(2026, 12, 10)
        assert "adaptateur de courant" in found.conditions[-1].fr
        assert ask(calendar, "rma").deadlines == ()

    @pytest.mark.parametrize(
        ("day", "last"),
        [("2026-11-01", date(2026, 11, 30)), ("2026-12-31", date(2026, 12, 31)), ("2028-02-10", date(2028, 2, 29))],
    )
    def test_ov31_a_removed_service_is_billed_to_the_end_of_the_month(
        self, calendar: Calendar, day: str, last: date
    ) -> None:
        assert ask(calendar, "remove-service", remove_on=day).deadlines[0].at == last

    def test_ov34_a_temporary_number_is_billed_monthly_unless_removed(self, calendar: Calendar) -> None:
        found = ask(calendar, "temporary-number", ported_on="2026-11-25")
        assert found.deadlines[0].at == date(2026, 11, 25)
        assert "chaque mois" in found.conditions[0].fr

    def test_ov31_whom_to_ask(self, calendar: Calendar) -> None:
        assert "service@omnivigil.com" in ask(calendar, "change-request").conditions[0].fr
        assert "service@omnivigil.com" in ask(calendar, "transfer").conditions[0].fr
        assert "partenaire" in ask(calendar, "add-service").conditions[0].fr

    def test_a_kind_without_details(self) -> None:
        assert details_of("problem", {}) is None
        with pytest.raises(BadInput, match="leave details out"):
            details_of("problem", {"start": 1})
