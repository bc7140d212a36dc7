"""Which place is due to a caller, and who reaches a partner first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_scripts.partner import dial_string, partner_first
from ivr.calls.place import place_since
from ivr.desk.load import load_desks
from ivr.desk.menu import Destination
from ivr.desk.schema import Desk
from ivr.directory.book import Book
from ivr.directory.people import Endpoint, Identity, Partner

NOON = datetime(2026, 11, 25, 17, tzinfo=UTC)
ELITE = Partner(id=1, name="Réseaux Boréal", tier="elite", phone="14185550151")


def at(*minutes: int) -> list[datetime]:
    return [NOON + timedelta(minutes=one) for one in minutes]


class TestPlace:
    @pytest.mark.parametrize(
        ("joined", "place"),
        [
            ([], 1),
            (at(1, 2), 1),  # all came later
            (at(-3, -2, -1), 4),
            (at(-1, 1), 2),
            (at(0), 2),  # at the same moment: who is there stays ahead
            (at(3, -2, 1), 3),  # the first one holds a place that is older than their wait
        ],
    )
    def test_behind_everyone_who_was_there(self, joined: list[datetime], place: int) -> None:
        assert place_since(joined, NOON) == place

    @given(st.lists(st.integers(-60, 60), max_size=20))
    def test_nobody_who_was_there_is_overtaken_and_nobody_else_is_waited_for(self, minutes: list[int]) -> None:
        joined = at(*minutes)
        place = place_since(joined, NOON)
        assert 1 <= place <= len(joined) + 1
        assert all(moment > NOON for moment in joined[place - 1 :])
        assert place == 1 or joined[place - 2] <= NOON


@pytest.fixture(scope="module")
def desk() -> Desk:
    return load_desks()["omnivigil"]


def to(**values: Any) -> Destination:
    given_: dict[str, Any] = {
        "kind": "queue",
        "department": "support",
        "language": "fr",
        "queue": "support",
        "reason": "chosen",
    }
    return Destination(**(given_ | values))


class TestPartnerFirst:
    @pytest.mark.parametrize(
        ("values", "first"),
        [
            ({}, True),
            ({"reason": "service-code"}, True),  # 611
            ({"reason": "operator-asked"}, False),  # 0 is our own person
            ({"reason": "operator-not-understood"}, False),
            ({"kind": "ring", "department": "ventes", "queue": None}, False),
            ({"kind": "message", "queue": None}, False),  # closed
        ],
    )
    def test_ov17_for_support_on_option_2_and_611(self, desk: Desk, values: dict[str, Any], first: bool) -> None:
        found = partner_first(desk, to(**values), Identity(by="number", partner=ELITE))
        assert found == (ELITE if first else None)

    @pytest.mark.parametrize(
        "partner",
        [
            None,
            Partner(id=1, name="x", tier="standard", phone="14185550151"),
            Partner(id=1, name="x", tier="elite", phone=None),
        ],
    )
    def test_ov17_only_elite_partners_who_have_a_number(self, desk: Desk, partner: Partner | None) -> None:
        assert partner_first(desk, to(), Identity(partner=partner)) is None

    def test_a_desk_that_does_not_say_so_does_not(self) -> None:
        hotline = load_desks()["hotline-2024"]
        department = hotline.menu.operator
        there = to(department=department, queue=hotline.departments[department].queue)
        assert partner_first(hotline, there, Identity(partner=ELITE)) is None

    def test_the_partners_own_phone_or_else_the_trunk(self) -> None:
        phone = Endpoint(
            name="6101", kind="customer", language="fr", ha1="0" * 32, caller_id="14185550151", display="Boréal"
        )
        assert dial_string(ELITE, Book(endpoints=MappingProxyType({"6101": phone}))) == "PJSIP/6101"
        assert dial_string(ELITE, Book()) == "PJSIP/14185550151@trunk"
