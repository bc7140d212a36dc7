"""Caller ID comes from strangers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.numbers import normalise as numbers_normalise
from ivr.numbers.normalise import normalise


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("4185550101", "CA", "14185550101"),
        ("14185550101", "CA", "14185550101"),
        ("+14185550101", "CA", "14185550101"),
        ("(418) 555-0101", "CA", "14185550101"),
        ("0972596990", "FR", "33972596990"),
        ("33972596990", "FR", "33972596990"),
        ("0033972596990", "FR", "33972596990"),
        # Foreign callers, as trunks deliver them: international, with and without the plus.
        ("+33612345678", "CA", "33612345678"),
        ("33612345678", "CA", "33612345678"),
        ("14185550101", "FR", "14185550101"),
    ],
)
def test_every_usual_form_is_the_same_number(written: str, region: str, number: str) -> None:
    assert normalise(written, region) == number


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        "",
        " ",
        "anonymous",
        "Anonymous",
        "unknown",
        "restricted",
        "1" * 40,
        "0000000000",
        "6001",
        "611",
        "911",
        "555-0101",
        '418"5550101',
        "'; DROP TABLE calls; --",
        "4185550101\r\nAction: Originate",
        "4185550101\n",
        "${SHELL(id)}",
        "$[1+1]",
        "+",
        "++14185550101",
        "+0",
        "((((((((((",
        "4185550101;ext=5",
        "sip:4185550101@example.com",
        "418555O101",
        "4185550101é",
        "418\xa05550101",
        # Digits of other scripts.
        "٤١٨٥٥٥٠١٠١",
        "４１８５５５０１０１",
        "4185550101\x00",
        # Latin-1 and broken UTF-8, as a lenient decoder leaves them.
        "Mont\xe9al",
        "4185550101\udce9",
    ],
)
def test_what_is_not_plainly_a_number_is_none(hostile: str | None) -> None:
    assert normalise(hostile, "CA") is None


@given(st.text(max_size=60), st.sampled_from(["CA", "FR"]))
def test_nothing_makes_it_fail_and_all_it_gives_is_a_number(text: str, region: str) -> None:
    number = normalise(text, region)
    assert number is None or (number.isascii() and number.isdigit() and 7 <= len(number) <= 15)


@pytest.mark.parametrize("region", ["CA", "US", "FR", "BE", "GB", "IT"])
@given(
    number=st.from_regex(r"\+?(1|33|32|44|39|0|00|011)?[0-9]{6,11}", fullmatch=True)
    | st.from_regex(r"(\+?1|\+?33)?(418|514|6|9)[0-9]{7,8}", fullmatch=True)
)
def test_the_short_way_gives_what_the_long_way_gives(region: str, number: str) -> None:
    usual = numbers_normalise._usual(number, region)
    if usual is not None:
        assert usual == (numbers_normalise._read(number, region) or numbers_normalise._read(f"+{number}", region))
