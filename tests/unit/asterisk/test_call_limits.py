"""How many calls at once: never more than the media ports carry, and something left for emergencies."""

from __future__ import annotations

import pytest

from ivr.asterisk.admission import limits_of
from ivr.errors import BadInput


@pytest.mark.parametrize("legs", [24, 25, 49, 80, 250, 1000, 9500])
def test_the_ports_carry_every_limit_with_something_left(legs: int) -> None:
    ports = (10000, 10000 + 2 * legs - 1)
    most = (legs - max(8, legs // 10)) * 2 // 3
    limits = limits_of(ports, calls=most, phone=8)
    with pytest.raises(BadInput):
        limits_of(ports, calls=most + 1, phone=8)
    assert 0 < limits.source <= limits.trunks < limits.ordinary < limits.service < legs
    # Emergencies: two legs each.
    assert legs - limits.service >= 4
    # Who answers needs legs as well.
    assert limits.ordinary - limits.trunks >= limits.trunks // 2


def test_what_the_operator_says_is_taken() -> None:
    limits = limits_of((10000, 12000), calls=100, source=30, phone=2)
    assert (limits.trunks, limits.source, limits.phone) == (100, 30, 2)
    assert limits_of((10000, 12000), calls=10, source=30, phone=2).source == 10


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("--rtp", {"rtp": (10000, 10010)}),
        ("--calls", {"calls": 601}),
        ("--calls", {"calls": 0}),
        ("--calls-per-source", {"source": 0}),
        ("--calls-per-phone", {"phone": 0}),
    ],
)
def test_a_limit_that_is_none_names_its_option(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(BadInput) as refused:
        limits_of(**({"rtp": (10000, 12000), "calls": 100, "phone": 8} | changes))  # type: ignore[arg-type]
    assert refused.value.facts["field"] == field
    assert refused.value.facts["mend"]
