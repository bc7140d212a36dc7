"""Numbers as people, Word, Excel and their address books write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.directory.csv_cells import telephones
from ivr.directory.queries import _digits_of
from ivr.numbers.normalise import NotANumber, Written, normalise, read_direct, read_number

NUMBER = "14185550101"


@pytest.mark.parametrize(
    "text",
    [
        "418/555-0101",
        "418\u00a0555\u00a00101",
        "418\u202f555\u202f0101",
        "418\u2007555\u20090101",
        "418\u2011555\u20110101",
        "418\u2010555\u20120101",
        "418\u2013555\u20140101",
        "418\u2015555\u22120101",
        "(418) 555-0101",
        "1 (418) 555.0101",
        "+1 (0) 418 555-0101",
        "+1(0)4185550101",
        "001 418 555-0101",
        "00 1 418 555-0101",
        "tel:+1-418-555-0101",
        "TEL:+14185550101",
        "tel:418-555-0101;phone-context=+1",
        "Tél. : 418 555-0101",
        "Téléphone : 418 555-0101",
        "４１８５５５０１０１",
        "＋１（４１８）５５５－０１０１",
        "\u202a+1 418-555-0101\u202c",
        "\u200e418 555\u00ad-0101\ufeff",
        "'4185550101",
        "4185550101.0",
        "4185550101,00",
        "  418  555 - 0101 ",
        "418\t555\n0101",
        "418·555·0101",
    ],
)
def test_each_is_the_same_number(text: str) -> None:
    assert read_number(text, "CA") == Written(e164=NUMBER)
    assert read_direct(text, "CA") == NUMBER


@pytest.mark.parametrize(
    "text",
    [
        "418 555-0101 poste 22",
        "(418) 555-0101, poste\u00a022",
        "418 555-0101 ext. 22",
        "418 555-0101 Ext 22",
        "418-555-0101 extension 22",
        "418-555-0101x22",
        "418-555-0101 x 22",
        "418-555-0101 #22",
        "418-555-0101 (poste 22)",
        "418-555-0101 p. 22",
        "418-555-0101 int. 22",
        "418-555-0101 local 22",
        "tel:+14185550101;ext=22",
        "tel:418-555-0101;phone-context=+1;ext=22",
    ],
)
def test_an_extension_is_kept_and_refused_where_it_cannot_be(text: str) -> None:
    assert read_number(text, "CA") == Written(e164=NUMBER, extension="22")
    with pytest.raises(NotANumber) as refused:
        read_direct(text, "CA")
    assert "extension (22)" in refused.value.problem
    assert refused.value.mend


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+33 (0)1 42 68 53 00", "CA", "33142685300"),
        ("0033 1 42 68 53 00", "CA", "33142685300"),
        ("011 33 1 42 68 53 00", "CA", "33142685300"),
        ("01.42.68.53.00", "FR", "33142685300"),
        ("+44 (0) 20 7946 0018", "CA", "442079460018"),
    ],
)
def test_numbers_of_other_countries(text: str, region: str, number: str) -> None:
    assert read_number(text, region).e164 == number


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("4,18556E+09", "Excel has rounded"),
        ("4.185550101E+9", "Excel has rounded"),
        ("4E9", "Excel has rounded"),
        ("418 555-01O1", "« O »"),
        ("418 555-0101 ou 418 555-0102", "« o »"),
        ("418 555-0101; 418 555-0102", "« ; »"),
        ("٤١٨٥٥٥٠١٠١", "« ٤ »"),
        ("418\x00555", "U+0000"),
        ("${EXTEN}", "« $ »"),
        ("911", "is not a telephone number"),
        ("", "is not a telephone number"),
        ("555-0101", "is not a telephone number"),
        ("poste 22", "« p »"),
        ("9" * 61, "61 signs"),
        ("++14185550101", "is not a telephone number"),
        ("sip:4185550101@example.com", "« s »"),
    ],
)
def test_what_is_none_is_told_with_the_sign_and_the_mend(text: str, told: str) -> None:
    with pytest.raises(NotANumber) as refused:
        read_number(text, "CA")
    assert told in refused.value.problem
    assert refused.value.mend


_SPACES = st.sampled_from(["", " ", "\u00a0", "\u202f", "\u2007", "-", "\u2011", "\u2212", ".", "/", "\u200e"])


@given(st.lists(_SPACES, min_size=10, max_size=10), st.sampled_from(["", "+1", "1 ", "001 ", "tel:+1"]))
def test_signs_between_the_digits_mean_nothing(between: list[str], before: str) -> None:
    text = before + "".join(digit + sign for digit, sign in zip("4185550101", between, strict=True))
    assert read_number(text, "CA").e164 == NUMBER


@given(st.text(max_size=80), st.sampled_from(["CA", "FR"]))
def test_any_text_is_a_number_or_refused(text: str, region: str) -> None:
    with contextlib.suppress(NotANumber):
        found = read_number(text, region)
        assert normalise(f"+{found.e164}", region) == found.e164


@pytest.mark.parametrize(
    ("asked", "digits"),
    [
        ("555-0101", "5550101"),
        ("418\u00a0555\u20110101", "4185550101"),
        ("+1 (0) 418 555-0101 poste 22", "14185550101"),
        ("00 1 418 555-0101", "14185550101"),
        ("C-1001", None),
        ("418", None),
        ("Réseaux Boréal", None),
    ],
)
def test_what_is_searched_for(asked: str, digits: str | None) -> None:
    assert _digits_of(asked) == digits


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        ("418/555-0101", ["418 555-0101"]),
        ("418 555-0101/418 555-0102", ["418 555-0101", "418 555-0102"]),
        ("418 555-0101 / 418 555-0102", ["418 555-0101", "418 555-0102"]),
        ("418/555-0101, 418/555-0102", ["418 555-0101", "418 555-0102"]),
        ("tel:+1-418-555-0101;ext=22", ["+1-418-555-0101"]),
        ("418 555-0101, poste 22; 418 555-0102", ["418 555-0101", "418 555-0102"]),
    ],
)
def test_several_numbers_in_a_cell(cell: str, numbers: list[str]) -> None:
    assert [number for number, _ in telephones(cell)] == numbers
