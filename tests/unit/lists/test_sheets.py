"""Lists as Excel saves them, in French Canada and elsewhere, and ours as it opens them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.errors import AllBadInput, BadInput
from ivr.lists.sheets import read_sheet, write_sheet

COLUMNS = {
    "partner": "partner",
    "partenaire": "partner",
    "account": "account",
    "compte": "account",
    "number": "number",
    "numero": "number",
    "note": "note",
}
FRENCH = "partenaire;compte;numéro\r\nRéseaux Boréal;C-1001;418 555-0101\r\n"
ENGLISH = "partner;account;number\r\nRéseaux Boréal;C-1001;418 555-0101\r\n"
ROW = {"partner": "Réseaux Boréal", "account": "C-1001", "number": "418 555-0101"}


def rows(data: bytes) -> list[tuple[int, dict[str, str]]]:
    return [(row.number, row.cells) for row in read_sheet("list.csv", data, COLUMNS).rows]


def errors(data: bytes) -> list[BadInput]:
    with pytest.raises(AllBadInput) as raised:
        read_sheet("list.csv", data, COLUMNS)
    return list(raised.value.errors)


class TestDialects:
    @pytest.mark.parametrize(
        "data",
        [
            FRENCH.encode("windows-1252"),
            FRENCH.encode("utf-8-sig"),
            FRENCH.encode(),
            FRENCH.replace(";", "\t").encode("utf-16"),
            FRENCH.replace(";", "\t").encode("utf-16-le"),
            ENGLISH.replace(";", ",").encode(),
            ENGLISH.replace("\r\n", "\r").encode(),
            ENGLISH.replace("\r\n", "\n").encode(),
            ENGLISH.strip().encode(),
            ENGLISH.replace("\r\n", ";;;\r\n").encode() + b";;;;;\r\n",
            ENGLISH.replace("account", ' "Account" ').replace("C-1001", ' "C-1001" ').encode(),
            ENGLISH.replace("account", "\u00a0ACCOUNT :").encode(),
        ],
        ids=[
            "ansi",
            "bom",
            "utf-8",
            "unicode",
            "unicode-no-mark",
            "commas",
            "mac",
            "unix",
            "no-end",
            "trailing",
            "spaces",
            "heading",
        ],
    )
    def test_each_says_the_same(self, data: bytes) -> None:
        assert rows(data) == [(2, ROW)]

    def test_a_line_that_names_the_separator_is_none_of_the_rows(self) -> None:
        assert rows(b"sep=;\r\n" + ENGLISH.encode()) == [(2, ROW)]
        assert rows(b"SEP=|\r\n" + ENGLISH.replace(";", "|").encode()) == [(2, ROW)]

    def test_rows_are_counted_as_the_spreadsheet_does(self) -> None:
        data = 'account;note;number\r\nC-1;"deux\r\nlignes ; avec ""guillemets""";1\r\n;;\r\n\r\nC-2;;2\r\n'
        assert rows(data.encode()) == [
            (2, {"account": "C-1", "note": 'deux\r\nlignes ; avec "guillemets"', "number": "1"}),
            (5, {"account": "C-2", "number": "2"}),
        ]

    def test_empty_rows_before_the_headings(self) -> None:
        assert rows(b"\r\n;;\r\n" + ENGLISH.encode()) == [(4, ROW)]

    @pytest.mark.parametrize("cell", ['="00123"', '"=""00123"""', "00123", "'00123"])
    def test_what_must_not_become_a_number(self, cell: str) -> None:
        ((_, cells),) = rows(f"account;number\r\nC-1;{cell}\r\n".encode())
        assert cells["number"].lstrip("'") == "00123"

    def test_a_formula_may_hold_the_separator(self) -> None:
        assert rows(b'account;note\r\nC-1;="a;b ""c"""\r\n') == [(2, {"account": "C-1", "note": 'a;b "c"'})]

    def test_an_apostrophe_that_kept_a_formula_from_running_is_gone(self) -> None:
        assert rows(b"account;number\r\nC-1;'+14185550101\r\n") == [(2, {"account": "C-1", "number": "+14185550101"})]

    def test_headings_that_mean_nothing_to_us_are_left_out_and_told(self) -> None:
        sheet = read_sheet("list.csv", b"account;vendeur\r\nC-1;Luc\r\n", COLUMNS)
        assert sheet.ignored == ("vendeur",)
        assert sheet.rows[0].cells == {"account": "C-1"}

    def test_an_empty_file_has_no_rows(self) -> None:
        assert rows(b"") == []


class TestMends:
    def test_all_that_is_wrong_is_told_at_once_with_its_row(self) -> None:
        found = errors(b'accuont;number\r\nC-1;1;2;3\r\nC-2;"2\r\n')
        assert {(one.facts["row"], one.facts["column"]) for one in found} == {(1, "accuont"), (2, None), (3, None)}
        assert any("write « account »" in one.mend for one in found)

    def test_a_column_twice(self) -> None:
        (one,) = errors(b"compte;account\r\nC-1;C-2\r\n")
        assert "again" in one.problem
        assert one.facts["column"] == "account"

    def test_a_column_that_is_needed(self) -> None:
        with pytest.raises(AllBadInput, match="has no column « account »"):
            read_sheet("list.csv", b"number\r\n1\r\n", COLUMNS, required=["account"])

    def test_bytes_that_are_no_text(self) -> None:
        with pytest.raises(BadInput, match="CSV UTF-8"):
            rows(b"account\r\n\x81\x8d\r\n")

    @pytest.mark.parametrize("data", [b'account\r\n"C-1\r\nC-2\r\n', b'account\r\n"C"-1\r\n'])
    def test_a_quotation_mark_too_few(self, data: bytes) -> None:
        (one,) = errors(data)
        assert one.facts["row"] == 2
        assert "quotation mark" in one.problem


class TestOurs:
    #: What a cell of the directory may be: no controls, nothing unseen at its ends.
    texts = st.text(
        st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zs", "Zl", "Zp"), include_characters=" '=+-@\"")
    ).map(str.strip)

    @settings(deadline=None)
    @given(st.lists(st.tuples(texts, texts, texts), max_size=5))
    def test_whatever_is_written_is_read_as_it_was(self, cells: list[tuple[str, str, str]]) -> None:
        read = [cells for _, cells in rows(write_sheet(["account", "number", "note"], cells))]
        assert read == [
            {name: cell for name, cell in zip(("account", "number", "note"), row, strict=True) if cell}
            for row in cells
            if any(row)
        ]

    @settings(deadline=None)
    @given(st.sampled_from(["=cmd|' /C calc'!A0", "+1+2", "-3", "@SUM(1)", "'=1"]) | texts)
    def test_no_cell_is_run_as_a_formula(self, cell: str) -> None:
        line = write_sheet(["account"], [[cell]]).decode("utf-8-sig").split("\r\n")[1]
        opened = line[1:-1].replace('""', '"') if line.startswith('"') else line
        assert opened[:1] not in {"+", "-", "@"}
        assert not opened.startswith("=") or opened == f'="{cell}"'

    @pytest.mark.parametrize(
        ("cell", "written"),
        [
            ("00123", '"=""00123"""'),
            ("14185550101", '"=""14185550101"""'),
            ("3-4", '"=""3-4"""'),
            ("1E5", '"=""1E5"""'),
            ("mars-1", '"=""mars-1"""'),
            ("6001", "6001"),
            ("+1 418 555-0101", "+1 418 555-0101"),
            ("120, rue du Cap", '"120, rue du Cap"'),
        ],
    )
    def test_excel_changes_none(self, cell: str, written: str) -> None:
        line = write_sheet(["account"], [[cell]]).decode("utf-8-sig").split("\r\n")[1]
        assert line == written

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_any_bytes_are_a_list_or_bad_input(self, data: bytes) -> None:
        with contextlib.suppress(BadInput):
            read_sheet("list.csv", data, COLUMNS)
