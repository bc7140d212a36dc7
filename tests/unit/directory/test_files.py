"""The directory's lists as files: each heading, each word people use, each mend, and round trips."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.directory import csv_cells, files
from ivr.directory.csv_columns import LISTS, headings, kind_of
from ivr.errors import BadInput
from ivr.lists.sheets import plain


def values(name: str, *lines: str) -> list[dict[str, object]]:
    (drafts,) = files.read({name: "\r\n".join(lines).encode("windows-1252")}).lists.values()
    return [one.values for one in drafts]


def errors(**texts: str) -> list[BadInput]:
    return files.read({f"{name}.csv": text.encode() for name, text in texts.items()}).errors


class TestCells:
    @pytest.mark.parametrize(
        ("cell", "number", "extension"),
        [
            ("418 555-0101", "418 555-0101", None),
            ("418\u00a0555\u20110101", "418 555-0101", None),
            ("418\u202f555\u20130101", "418 555-0101", None),
            ("\u202a+14185550101\u202c", "+14185550101", None),
            ("'4185550101", "4185550101", None),
            ("4185550101,00", "4185550101", None),
            ("418 555-0101 poste 22", "418 555-0101", "22"),
            ("418 555-0101, poste\u00a022", "418 555-0101", "22"),
            ("418 555-0101 (Poste : 22)", "418 555-0101", "22"),
            ("418-555-0101 ext. 22", "418-555-0101", "22"),
            ("418-555-0101 x22", "418-555-0101", "22"),
            ("418-555-0101 #22", "418-555-0101", "22"),
            ("poste 22", "poste 22", None),
        ],
    )
    def test_numbers_as_people_write_them(self, cell: str, number: str, extension: str | None) -> None:
        assert csv_cells.telephone(cell) == (number, extension)

    @pytest.mark.parametrize("cell", ["4,18556E+09", "4.18556E+09", "1,41856E+10"])
    def test_a_number_that_excel_rounded_is_lost(self, cell: str) -> None:
        with pytest.raises(csv_cells.Cell, match="rounded"):
            csv_cells.telephone(cell)

    def test_several_in_one_cell(self) -> None:
        cell = "418 555-0101, poste 22; 581 555-0199\r\n+33 1 42 68 53 00 / 418 555-0102"
        assert csv_cells.telephones(cell) == [
            ("418 555-0101", "22"),
            ("581 555-0199", None),
            ("+33 1 42 68 53 00", None),
            ("418 555-0102", None),
        ]

    @pytest.mark.parametrize(
        ("number", "written"),
        [("+14185550101", "+1 418 555-0101"), ("+33142685300", "+33 1 42 68 53 00"), ("+99", "+99")],
    )
    def test_numbers_are_written_for_people(self, number: str, written: str) -> None:
        assert csv_cells.written_number(number) == written

    def test_penalties(self) -> None:
        assert csv_cells.weighted("Français, anglais:2", "language", csv_cells.LANGUAGES) == [
            {"language": "fr", "penalty": 0},
            {"language": "en", "penalty": 2},
        ]
        with pytest.raises(csv_cells.Cell, match="penalty"):
            csv_cells.weighted("support:beaucoup", "queue")

    def test_an_address_in_two_lines(self) -> None:
        assert csv_cells.lines("120, rue du Cap\r\nQuébec  (Québec)") == "120, rue du Cap, Québec (Québec)"


class TestLists:
    def test_no_heading_means_two_columns_and_each_kind_has_its_own(self) -> None:
        for one in LISTS:
            for column in one.columns:
                assert headings(one.kind)[plain(column.name)] == column.name

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("accounts.csv", "accounts"),
            ("Comptes.CSV", "accounts"),
            ("numéros.txt", "numbers"),
            ("Téléphones.csv", "phones"),
            ("notes.csv", None),
        ],
    )
    def test_names_of_files(self, name: str, kind: str | None) -> None:
        assert kind_of(name) == kind

    def test_in_french_as_excel_saves_it(self) -> None:
        assert values(
            "comptes.csv",
            "sep=;",
            "Numéro de compte;Nom;Adresse;Téléphone;Partenaire;Langue;Droits d'appel",
            '="00123";Café « Été »;"1, rue A\nQuébec";418 555-0101;boreal;Français;locaux, sans frais',
        ) == [
            {
                "key": "00123",
                "name": "Café « Été »",
                "address": "1, rue A, Québec",
                "phone": "418 555-0101",
                "partner": "boreal",
                "language": "fr",
                "dial_rights": ["local", "toll-free"],
            }
        ]

    def test_an_empty_cell_empties_and_a_column_that_is_not_there_says_nothing(self) -> None:
        assert values("accounts.csv", "key;name;language", "C-1;Essai;") == [
            {"key": "C-1", "name": "Essai", "language": None}
        ]

    def test_what_is_left_out_is_told(self) -> None:
        drafts = files.read(
            {
                "numbers.csv": b"number;account;vendeur\r\n418 555-0101 poste 22;C-1;Luc\r\n",
                "notes.csv": b"a;b\r\n",
            }
        )
        assert drafts.lists["numbers"][0].values["shared"] is True
        assert len(drafts.notes) == 3
        assert any("numbers.csv, row 2, column number: extension 22" in note for note in drafts.notes)

    def test_every_wrong_cell_at_once(self) -> None:
        found = errors(
            accounts="key;name\r\nC-1;\r\n;Essai\r\n",
            numbers="number;account\r\n4,18556E+09;C-1\r\n",
            staff="key;nom;queues\r\na;A;support:x\r\n",
        )
        assert [(one.facts["file"], one.facts["row"], one.facts["column"]) for one in found] == [
            ("accounts.csv", 2, "name"),
            ("accounts.csv", 3, "key"),
            ("numbers.csv", 2, "number"),
            ("staff.csv", 2, "queues"),
        ]

    def test_a_list_twice(self) -> None:
        (one,) = errors(accounts="key;name\r\nC-1;A\r\n", comptes="key;name\r\nC-2;B\r\n")
        assert "again" in one.problem

    @pytest.mark.parametrize("french", [False, True])
    def test_the_template_can_be_read(self, french: bool) -> None:
        drafts = files.read(files.template(french=french))
        assert not drafts.notes
        assert not drafts.errors
        assert {kind: len(rows) for kind, rows in drafts.lists.items()} == {
            one.kind: 1 + len(one.examples) for one in LISTS
        }
        assert all(draft.values for rows in drafts.lists.values() for draft in rows)


class TestYaml:
    def test_the_same_as_csv(self) -> None:
        text = """
accounts:
  - key: 00123
    name: Essai inc.
    dial_rights: [local, national]
numbers:
  - {number: "418 555-0101", account: 00123}
staff:
  - {key: nadia, name: Nadia, phone: 7900, queues: [support, "ventes:1"], languages: fr}
"""
        lists = files.read({"directory.yaml": text.encode()}).lists
        assert lists["accounts"][0].values == {
            "key": "00123",
            "name": "Essai inc.",
            "dial_rights": ["local", "national"],
        }
        assert lists["numbers"][0].values == {"number": "418 555-0101", "account": "00123"}
        assert lists["staff"][0].values["queues"] == [
            {"queue": "support", "penalty": 0},
            {"queue": "ventes", "penalty": 1},
        ]

    @pytest.mark.parametrize(
        ("text", "line", "said"),
        [
            ("accounts:\n  - {key: C-1\n", None, "no YAML"),
            ("accounts: x\n", 1, "is no list"),
            ("comptoirs: []\n", 1, "no list of the directory"),
            ("accounts:\n  - key: C-1\n    nom de famille: x\n", 3, "nothing that accounts have"),
            ("accounts:\n  - key: C-1\n    name: {fr: x}\n", 3, "neither a text nor a list"),
            ("accounts:\n  - key: C-1\n    key: C-2\n", 3, "twice"),
            ("- a\n", 1, "no mapping"),
            ("a: \x00", None, "no YAML"),
        ],
    )
    def test_mends_name_the_line(self, text: str, line: int | None, said: str) -> None:
        (error,) = files.read({"directory.yaml": text.encode()}).errors
        assert said in error.problem
        if line is not None:
            assert error.facts["row"] == line

    def test_an_entry_without_what_it_needs(self) -> None:
        (error,) = files.read({"d.yaml": b"accounts:\n  - key: C-1\n  - {key: C-2, name: B}\n"}).errors
        assert error.field == "d.yaml, row 2, column name"


class TestLoading:
    def test_a_folder(self, tmp_path: Path) -> None:
        for name in ("accounts.csv", "phones-secrets.csv", "read.me"):
            (tmp_path / name).write_text("key;name\r\n")
        assert list(files.load(tmp_path)) == ["accounts.csv"]

    @pytest.mark.parametrize(
        ("name", "said"), [("list.xlsx", "workbook"), ("nowhere", "there is no"), ("", "holds no list")]
    )
    def test_mends(self, tmp_path: Path, name: str, said: str) -> None:
        with pytest.raises(BadInput, match=said):
            files.load(tmp_path / name if name else tmp_path)
