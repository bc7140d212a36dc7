"""What files change in the directory, and every mend; no database."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.directory import bulk_import, files, queries
from ivr.directory.bulk_import import REFERS, TABLES, Plan, There
from ivr.directory.desk_references import Known
from ivr.directory.import_diff import plan
from ivr.directory.sip_passwords import ha1
from ivr.errors import AllBadInput, BadInput
from ivr.lists.sheets import Sheet

KNOWN = Known(
    region="CA",
    desks=("omnivigil",),
    queues=("support", "sales"),
    departments={"ventes": ("7101",)},
    languages=("fr", "en"),
    dialled=frozenset({"611", "18446664844"}),
)
WHOLE = {
    "partners": "key;name;tier\r\nboreal;Réseaux Boréal;élite\r\n",
    "warned": "partner;name;role;mobile\r\nRéseaux Boréal;Sylvie;administratrice;418 555-0161\r\n",
    "accounts": "key;name;partner\r\nC-1;Clinique;Réseaux Boréal\r\nC-2;Boutique;\r\n",
    "contacts": "account;name;kind;phones\r\nC-1;Julie Tremblay;admin;418 555-0101 poste 22\r\nC-2;Marc;admin;\r\n",
    "numbers": "number;account;contact\r\n418 555-0101;C-1;Julie Tremblay\r\n418 555-0102;C-2;\r\n",
    "phones": "name;account;contact;caller_id\r\n6001;C-1;Julie Tremblay;418 555-0101\r\n7001;;;\r\n7002;;;\r\n",
    "staff": "key;name;phone;queues;languages\r\nnadia;Nadia;7001;support, sales:1;fr\r\n;Luc Roy;7002;;\r\n",
}


def nobody() -> There:
    return There(seq=0, rows={kind: {} for kind in TABLES}, people={}, consoles=[], others_phones=frozenset({"6666"}))


def compared(there: There, texts: dict[str, str], *, prune: bool = False) -> Plan:
    drafts = files.read({f"{name}.csv": text.encode() for name, text in texts.items()})
    return plan(there, drafts, provider="main", known=KNOWN, prune=prune)


def mends(there: There, texts: dict[str, str], *, prune: bool = False) -> list[BadInput]:
    with pytest.raises(AllBadInput) as raised:
        compared(there, texts, prune=prune)
    return list(raised.value.errors)


def done(there: There, made: Plan) -> There:
    """What there is once a plan was carried out."""
    ids: dict[int, int] = {}
    rows: dict[Any, dict[str, Any]] = {kind: dict(found) for kind, found in there.rows.items()}
    parts = (made.added, made.changed)
    for number, row in enumerate((row for part in parts for found in part.values() for row in found), 1000):
        if row.get("id", 0) < 0:
            ids[row["id"]] = number
    for kind, (table, column) in TABLES.items():
        for part in parts:
            for row in part.get(kind, []):
                final = {c.name: row.get(c.name) for c in table.columns} | {
                    name: ids.get(row[name], row[name]) for name in ("id", *REFERS, "technician_id") if name in row
                }
                rows[kind][queries.key_of(kind, str(final[column]))] = final
        for row in made.removed.get(kind, []):
            del rows[kind][queries.key_of(kind, row[column])]
    people = there.people | {ids.get(number, number): list(found) for number, found in made.people.items()}
    return There(seq=1, rows=rows, people=people, consoles=[], others_phones=there.others_phones)


def whole() -> There:
    return done(nobody(), compared(nobody(), WHOLE))


def changes(made: Plan) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(one.what, one.kind, one.key, one.fields) for one in made.changes]


class TestWhole:
    def test_keys_and_owners_may_be_names(self) -> None:
        there = whole()
        rows = bulk_import.told(there)
        assert rows["warned"][0]["partner"] == "boreal"
        assert rows["accounts"][0]["partner"] == "boreal"
        assert [one["key"] for one in rows["contacts"]] == ["c-1-julie-tremblay", "c-2-marc"]
        assert rows["numbers"][0] == {"number": "+14185550101", "account": "C-1", "contact": "c-1-julie-tremblay"}
        assert rows["phones"][1]["kind"] == "technician"
        assert [one["key"] for one in rows["staff"]] == ["luc-roy", "nadia"]
        assert rows["staff"][1]["queues"] == ["support", {"queue": "sales", "penalty": 1}]

    def test_the_same_again_changes_nothing(self) -> None:
        made = compared(whole(), WHOLE)
        assert changes(made) == []
        assert made.secrets == {}
        assert made.unchanged == {"partners": 1, "accounts": 2, "contacts": 2, "numbers": 2, "phones": 3, "staff": 2}

    def test_new_phones_get_a_secret_of_ours_unless_they_bring_one(self) -> None:
        made = compared(
            nobody(), {"phones": "name;kind;secret\r\n7001;technicien;\r\n7002;technicien;tr0ub4dor&3x\r\n"}
        )
        assert set(made.secrets) == {"7001"}
        kept = {row["name"]: row["ha1"] for row in made.added["phones"]}
        assert kept == {"7001": ha1("7001", made.secrets["7001"]), "7002": ha1("7002", "tr0ub4dor&3x")}

    def test_a_secret_that_is_given_again_changes_nothing_and_another_does(self) -> None:
        texts = {"phones": "name;kind;secret\r\n7002;technicien;tr0ub4dor&3x\r\n"}
        there = done(nobody(), compared(nobody(), texts))
        assert changes(compared(there, texts)) == []
        other = {"phones": texts["phones"].replace("3x", "4x")}
        assert changes(compared(there, other)) == [("changed", "phones", "7002", ("secret",))]

    def test_a_column_that_is_not_there_leaves_what_is_there(self) -> None:
        there = whole()
        made = compared(there, {"accounts": "key;name\r\nC-1;Clinique du Cap\r\n"})
        assert changes(made) == [("changed", "accounts", "C-1", ("name",))]
        assert bulk_import.told(done(there, made))["accounts"][0]["partner"] == "boreal"

    def test_an_empty_cell_empties(self) -> None:
        made = compared(whole(), {"accounts": "key;name;partner\r\nC-1;Clinique;\r\n"})
        assert changes(made) == [("changed", "accounts", "C-1", ("partner",))]

    def test_staff_change_phones(self) -> None:
        there = whole()
        swapped = {"staff": "key;name;phone\r\nnadia;Nadia;7002\r\nluc-roy;Luc Roy;7001\r\n"}
        made = compared(there, swapped)
        assert {(key, fields) for _, _, key, fields in changes(made)} == {
            ("nadia", ("phone",)),
            ("luc-roy", ("phone",)),
        }
        assert [one["phone"] for one in bulk_import.told(done(there, made))["staff"]] == ["7001", "7002"]

    def test_whom_to_warn_changes_with_its_partner_alone(self) -> None:
        made = compared(
            whole(), {"warned": "partner;name;role\r\nboreal;Sylvie;administrateur\r\nboreal;Karim;niveau 3\r\n"}
        )
        assert changes(made) == [("changed", "partners", "boreal", ("people",))]

    def test_a_number_with_an_extension_is_a_shared_line(self) -> None:
        made = compared(whole(), {"numbers": "number;account;contact\r\n418 555-0101 poste 22;C-1;Julie Tremblay\r\n"})
        assert changes(made) == [("changed", "numbers", "+14185550101", ("contact",))]
        assert len(made.notes) == 1

    def test_the_same_row_twice_is_one(self) -> None:
        row = "418 555-0199;C-1\r\n"
        made = compared(whole(), {"numbers": f"number;account\r\n{row}{row}"})
        assert changes(made) == [("added", "numbers", "+14185550199", ())]


class TestPruning:
    def test_what_a_list_does_not_have_is_removed_and_what_no_list_is_about_stays(self) -> None:
        made = compared(whole(), {"numbers": "number;account\r\n418 555-0101;C-1\r\n"}, prune=True)
        assert ("removed", "numbers", "+14185550102", ()) in changes(made)
        assert all(kind == "numbers" for _, kind, _, _ in changes(made))

    def test_without_prune_nothing_is(self) -> None:
        assert changes(compared(whole(), {"numbers": "number;account\r\n"})) == []

    def test_what_is_still_used_is_named(self) -> None:
        (error,) = mends(whole(), {"accounts": "key;name\r\nC-2;Boutique\r\n"}, prune=True)
        assert error.field == "account C-1"
        assert "number +14185550101, phone 6001" in error.problem

    def test_an_account_goes_with_its_last_administrator_where_nothing_else_is_left(self) -> None:
        texts = {"accounts": "key;name\r\nC-1;Clinique\r\n", "numbers": "number;account\r\n418 555-0101;C-1\r\n"}
        removed = {
            (kind, key) for what, kind, key, _ in changes(compared(whole(), texts, prune=True)) if what == "removed"
        }
        assert removed == {("accounts", "C-2"), ("contacts", "c-2-marc"), ("numbers", "+14185550102")}

    def test_everything(self) -> None:
        heads = {name: text.split("\r\n")[0] + "\r\n" for name, text in WHOLE.items()}
        there = whole()
        gone = done(there, compared(there, heads, prune=True))
        assert all(not rows for rows in bulk_import.told(gone).values())


class TestMends:
    def test_every_wrong_cell_of_every_file_at_once(self) -> None:
        found = mends(
            nobody(),
            {
                "partners": "key;name;tier\r\nBoréal;Réseaux;or\r\n",
                "accounts": "key;name;partner;phone;language\r\nC-1;Clinique;Estrie;12;klingon\r\nC-2/;Z;;;\r\n",
                "contacts": "account;name;email\r\nC-1;Julie;julie\r\nC-7;Marc;\r\n",
                "numbers": "number;account\r\n418 555-0101;C-1\r\n844 666-4844;C-1\r\n4,18556E+09;C-1\r\n",
                "phones": "name;account;codecs\r\n6001;C-1;opus\r\nudp;C-1;\r\n611;C-1;\r\n6666;C-1;\r\n",
                "staff": "key;name;phone;queues\r\na;A;6001;support\r\nb;B;7777;dessert\r\n",
            },
        )
        places = {(one.facts["file"], one.facts["row"], one.facts["column"]) for one in found}
        assert places == {
            ("partners.csv", 2, "key"),
            ("partners.csv", 2, "tier"),
            ("accounts.csv", 2, "partner"),
            ("accounts.csv", 2, "phone"),
            ("accounts.csv", 2, "language"),
            ("accounts.csv", 3, "key"),
            ("contacts.csv", 2, "email"),
            ("contacts.csv", 3, "account"),
            ("numbers.csv", 3, "number"),
            ("numbers.csv", 4, "number"),
            ("phones.csv", 2, "codecs"),
            ("phones.csv", 3, "name"),
            ("phones.csv", 4, "name"),
            ("phones.csv", 5, "name"),
            ("staff.csv", 3, "phone"),
            ("staff.csv", 3, "queues"),
        }
        assert all(one.mend for one in found)

    @pytest.mark.parametrize(
        ("texts", "field", "said"),
        [
            ({"contacts": "account;name;kind\r\nC-1;Julie Tremblay;utilisateur\r\n"}, "kind", "no administrator left"),
            (
                {"contacts": "key;account;name;kind\r\nc-1-julie-tremblay;C-2;J;admin\r\n"},
                None,
                "no administrator left",
            ),
            ({"numbers": "number;account;contact\r\n418 555-0101;C-2;\r\n"}, "account", "shown by phone 6001"),
            ({"phones": "name;kind;account\r\n7001;client;C-1\r\n"}, None, "of kind customer"),
            ({"staff": "key;name;phone\r\nzoe;Zoé;7001\r\n"}, "phone", "7001 is"),
            ({"staff": "key;name;phone\r\nnadia;Nadia;7001\r\nluc-roy;Luc Roy;7001\r\n"}, "phone", "7001 is nadia's"),
            ({"staff": "key;name;account\r\nnadia;Nadia;personne\r\n"}, "account", "no account personne"),
            ({"phones": "name;secret\r\n7001;7001-7001-7001\r\n"}, "secret", "easily guessed"),
            ({"accounts": "key;name\r\nC-9;A\r\nC-9;B\r\n"}, "key", "says otherwise"),
            ({"warned": "partner;name;role\r\nestrie;N;x\r\n"}, "partner", "no partner estrie"),
            ({"warned": "partner;name;role;mobile\r\nboreal;N;x;12\r\n"}, "mobile", "telephone number"),
            ({"accounts": "key;name;desk\r\nC-1;Clinique;hotline\r\n"}, "desk", "no desk hotline"),
        ],
    )
    def test_rules_of_single_entries_hold_for_all(self, texts: dict[str, str], field: str | None, said: str) -> None:
        found = mends(whole(), texts)
        assert any(said in one.problem and (field is None or one.facts["column"] == field) for one in found), found

    def test_a_name_of_two_is_to_be_said_by_its_key(self) -> None:
        texts = {"contacts": "key;account;name\r\na;C-1;Ann\r\nb;C-1;Ann\r\n"}
        there = done(whole(), compared(whole(), texts))
        (error,) = mends(there, {"numbers": "number;account;contact\r\n418 555-0101;C-1;Ann\r\n"})
        assert "name of 2" in error.problem

    def test_one_wrong_account_is_told_once_and_not_for_all_that_is_its(self) -> None:
        found = mends(nobody(), WHOLE | {"accounts": "key;name;phone\r\nC-1;Clinique;12\r\nC-2;B;\r\n"})
        assert [one.facts["column"] for one in found] == ["phone"]


#: Names as people may write them, and as spreadsheets would run them.
NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")) | st.sampled_from("='+-@\";,0123456789"),
    min_size=1,
    max_size=20,
).filter(lambda text: text == " ".join(text.split()) and text.strip("\u2007"))


class TestRoundTrip:
    @settings(deadline=None)
    @given(st.lists(NAMES, min_size=1, max_size=4), st.booleans(), st.booleans())
    def test_an_export_changes_nothing(self, names: list[str], in_yaml: bool, french: bool) -> None:
        drafts = files.Drafts()
        for kind in ("partners", "accounts", "contacts"):
            sheet = Sheet(kind, {}, [], sparse=True)
            drafts.lists[kind] = [
                files.Draft(
                    {"key": f"k{n}", "name": name} | ({"account": f"k{n}"} if kind == "contacts" else {}), sheet, n
                )
                for n, name in enumerate(names)
                if kind != "partners" or name not in names[:n]
            ]
        there = nobody()
        with contextlib.suppress(AllBadInput):
            # What the directory does not take cannot be exported.
            there = done(there, plan(there, drafts, provider="main", known=KNOWN))
        rows = bulk_import.told(there)
        written = {"all.yaml": files.as_yaml(rows)} if in_yaml else files.as_csv(rows, french=french)
        read = files.read(written)
        assert read.errors == []
        assert changes(plan(there, read, provider="main", known=KNOWN, prune=True)) == []
