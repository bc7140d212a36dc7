"""How many calls at once: never more than the machine carries, and something left for emergencies."""

from __future__ import annotations

import pytest

from ivr.asterisk.admission import carried, is_one_address, limits_of
from ivr.errors import BadInput

#: A machine where the ports alone count.
LARGE = carried(descriptors=1_000_000, processors=100)


@pytest.mark.parametrize("legs", [24, 25, 49, 80, 250, 1000, 9500])
def test_the_ports_carry_every_limit_with_something_left(legs: int) -> None:
    ports = (10000, 10000 + 2 * legs - 1)
    most = (legs - max(8, legs // 10)) * 2 // 3
    limits = limits_of(ports, carried=LARGE, calls=most, phone=8)
    assert limits_of(ports, carried=LARGE, phone=8) == limits
    with pytest.raises(BadInput):
        limits_of(ports, carried=LARGE, calls=most + 1, phone=8)
    assert 0 < limits.source <= limits.trunks < limits.ordinary < limits.service < legs
    # Emergencies: two legs each.
    assert legs - limits.service >= 4
    # Who answers needs legs as well.
    assert limits.ordinary - limits.trunks >= limits.trunks // 2


@pytest.mark.parametrize(
    ("descriptors", "processors", "legs"), [(65_536, 1, 250), (65_536, 2, 500), (65_536, 8, 1000), (1024, 8, 96)]
)
def test_without_a_word_of_the_operator_the_machine_says_it(descriptors: int, processors: int, legs: int) -> None:
    """Ports for 1000 legs, on machines that are smaller than that and on one that is not."""
    limits = limits_of((10000, 11999), carried=carried(descriptors=descriptors, processors=processors), phone=8)
    assert legs * 0.88 < limits.service + 1 < legs
    assert limits.trunks == limits.ordinary * 2 // 3


def test_what_the_operator_says_is_taken() -> None:
    limits = limits_of((10000, 12000), carried=LARGE, calls=100, source=30, phone=2)
    assert (limits.trunks, limits.source, limits.phone) == (100, 30, 2)
    assert limits_of((10000, 12000), carried=LARGE, calls=10, source=30, phone=2).source == 10
    # They know their processors; what cannot be opened cannot be wished for.
    slow = carried(descriptors=65_536, processors=1)
    assert limits_of((10000, 12000), carried=slow, calls=600, phone=2).trunks == 600
    with pytest.raises(BadInput):
        limits_of((10000, 12000), carried=carried(descriptors=1024, processors=1), calls=600, phone=2)


@pytest.mark.parametrize(
    ("hosts", "one"),
    [
        ((), False),
        (("203.0.113.7",), True),
        (("203.0.113.7/32",), True),
        (("203.0.113.0/28",), False),
        (("203.0.113.7", "203.0.113.8"), False),
        (("2001:db8::7",), True),
        (("sip.carrier.example",), False),
    ],
)
def test_the_only_trunk_has_all_of_the_calls(hosts: tuple[str, ...], one: bool) -> None:
    """Nobody else's share can be taken by it."""
    assert is_one_address(hosts) is one
    limits = limits_of((10000, 12000), carried=LARGE, calls=100, phone=8, one_trunk=one)
    assert limits.source == (100 if one else 75)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("--rtp", {"rtp": (10000, 10010)}),
        ("--calls", {"calls": 601}),
        ("--calls", {"calls": 0}),
        ("--calls-per-source", {"source": 0}),
        ("--calls-per-phone", {"phone": 0}),
        ("RLIMIT_NOFILE", {"carried": carried(descriptors=256, processors=4), "calls": None}),
    ],
)
def test_a_limit_that_is_none_names_its_option(field: str, changes: dict[str, object]) -> None:
    given = {"rtp": (10000, 12000), "carried": LARGE, "calls": 100, "phone": 8} | changes
    with pytest.raises(BadInput) as refused:
        limits_of(**given)  # type: ignore[arg-type]
    assert refused.value.facts["field"] == field
    assert refused.value.facts["mend"]
