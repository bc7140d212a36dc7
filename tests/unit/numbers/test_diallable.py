"""Which numbers are called back: whoever may ask us to dial will ask for what costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.numbers.diallable import ISLANDS, Refused, diallable

OWN = frozenset({"18446664844", "15145559999"})


def check(number: str | None, *allowed: str) -> str | Refused:
    return diallable(number, region="CA", allowed=allowed or ("CA", "US"), own=OWN)


@pytest.mark.parametrize(
    ("given_", "dialled"),
    [
        ("4185550101", "14185550101"),
        ("14185550101", "14185550101"),
        ("+14185550101", "14185550101"),
        ("2125551234", "12125551234"),
        ("8675551234", "18675551234"),
    ],
)
def test_people_are_called(given_: str, dialled: str) -> None:
    """Geographic and mobile numbers of Canada and the United States, however they are written."""
    assert check(given_) == dialled


@pytest.mark.parametrize(
    "number",
    [
        None,
        "",
        "0",
        "911",
        "611",
        "411",
        "19005551234",
        "9005551234",
        "5149761234",
        "5145551212",  # directory assistance
        "+12125551212",
        "01133142685300",
        "+33142685300",
        "+9991234567",  # no country's
        "18765551234",  # Jamaica
        "12684601234",  # Antigua
        "18095551234",  # Dominican Republic
        "18005551234",
        "18445551234",
        "18446664844",  # ours
        "5145559999",  # ours
        "anonymous",
        "5145550101;ext=9",
        "${EXTEN}",
        "514555010\n1",
        "9" * 40,
        "*58",
        "+",
    ],
)
def test_what_costs_or_is_no_person_is_refused(number: str | None) -> None:
    assert isinstance(check(number), Refused)


def test_regions_are_the_desks() -> None:
    assert check("2125551234", "CA") == Refused(reason="region US is not allowed")
    assert check("+33142685300", "FR") == "33142685300"


@pytest.mark.parametrize("number", ["18765551234", "12684601234", "18095551234", "17875551234", "16715551234"])
def test_the_islands_of_plus_1_are_never_called(number: str) -> None:
    """Even where somebody allowed them: Jamaica, Antigua, the Dominican Republic, Puerto Rico, Guam."""
    assert isinstance(check(number, "CA", "US", *ISLANDS), Refused)


def test_011_is_refused_though_the_country_is_allowed() -> None:
    """Whoever dials in does not choose a country; a caller ID with its country code may have one."""
    assert check("01133142685300", "CA", "FR") == Refused(reason="an international number")
    assert check("+33142685300", "CA", "FR") == "33142685300"


@given(st.text(max_size=20))
def test_what_is_dialled_is_digits(text: str) -> None:
    """Whatever was entered."""
    found = check(text)
    assert isinstance(found, Refused) or (found.isascii() and found.isdigit())
