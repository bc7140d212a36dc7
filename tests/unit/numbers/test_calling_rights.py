"""What phones may dial: rights as dialplan patterns. Toll fraud looks like an ordinary number."""

from __future__ import annotations

import re

import pytest

from ivr.errors import BadInput
from ivr.numbers.calling_rights import PREMIUM_PATTERNS, RIGHTS, Right, patterns, rights_of


def matches(pattern: str, number: str) -> bool:
    """As Asterisk reads a pattern."""
    signs = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]", "!": ".*"}
    return re.fullmatch("".join(signs.get(sign, re.escape(sign)) for sign in pattern[1:]), number) is not None


def allowed(rights: tuple[Right, ...], number: str) -> bool:
    if any(matches(pattern.replace("[2-9]", "N"), number) for pattern in PREMIUM_PATTERNS):
        return False
    return any(matches(pattern.replace("[2-9]", "N"), number) for right in rights for pattern in patterns(right))


@pytest.mark.parametrize(
    ("number", "needed"),
    [
        ("14185550199", "local"),
        ("15145550199", "local"),
        ("18005550199", "toll-free"),
        ("14165550199", "national"),
        ("12125550199", "united-states"),
        ("18765550199", "international"),  # Jamaica, though it looks like a call next door
        ("18095550199", "international"),
        ("12425550199", "international"),
        ("011442079460000", "international"),
    ],
)
def test_each_destination_needs_its_own_right(number: str, needed: Right) -> None:
    assert allowed((needed,), number)
    others = tuple(right for right in RIGHTS if right != needed and (needed, right) != ("local", "national"))
    assert not allowed(others, number)


@pytest.mark.parametrize("code", [870, 878, 881, 882, 883, 979])
def test_codes_of_no_country_are_refused_with_every_right(code: int) -> None:
    """Satellites, international networks and the world's own premium rate: toll fraud's networks."""
    assert not allowed(RIGHTS, f"011{code}123456789")


@pytest.mark.parametrize("area", [800, 833, 844, 855, 866, 877, 888])
def test_every_toll_free_code_is_one(area: int) -> None:
    assert allowed(("toll-free",), f"1{area}5550199")


@pytest.mark.parametrize("area", [263, 354, 367, 418, 438, 450, 468, 514, 579, 581, 819, 873])
def test_every_area_of_quebec_is_local(area: int) -> None:
    assert allowed(("local",), f"1{area}5550199")
    assert not allowed(("toll-free", "united-states", "international"), f"1{area}5550199")


@pytest.mark.parametrize(
    "number",
    [
        "19005550199",
        "15149765555",
        "12129761234",
        "0114420",
        "141855501990",
        "1118555",
        "011881612345678",
        "011870773123456",
        "011979123456789",
    ],
)
def test_premium_numbers_and_what_is_no_number_are_refused_with_every_right(number: str) -> None:
    assert not allowed(RIGHTS, number)


def test_a_right_that_there_is_not_is_named() -> None:
    assert rights_of(["national", "local", "local"]) == ("local", "national")
    with pytest.raises(BadInput, match="moon"):
        rights_of(["local", "moon"])
