"""Desk files: those that come with the product, and wrong ones, each of which is told where and how to mend it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ivr.desk.load import BUILT_IN, DeskError, Desks, load_desk, load_desks
from ivr.desk.publish import PUBLISHED, schema_text
from ivr.desk.schema import Desk, Queue

GOOD = """\
id: small
name: Small
timezone: America/Toronto
numbers: ["15145550100"]
languages: [fr]
menu:
  keys:
    "1": aide
  operator: aide
queues:
  attente: {}
departments:
  aide:
    name: {fr: Aide}
    email: aide@small.example
    queue: attente
hours:
  monday: ["08:00-12:00", "13:00-17:00"]
texts:
  welcome: {fr: Bonjour.}
"""


@pytest.fixture
def desk_file(tmp_path: Path) -> Callable[..., Path]:
    """`desk_file(old, new)`: the good file with something replaced."""

    def write(old: str = "", new: str = "", *, name: str = "small.yaml", text: str = GOOD) -> Path:
        assert old in text
        path = tmp_path / name
        path.write_text(text.replace(old, new, 1) if old else text, encoding="utf-8", newline="")
        return path

    return write


class TestBuiltIn:
    def test_ov1_numbers(self, desks: Desks, omnivigil: Desk) -> None:
        for dialled in ("18446664844", "8446664844", "+18446664844", "1-844-666-4844", "(844) 666-4844"):
            assert desks.by_number(dialled) is omnivigil

    def test_ov2_611_belongs_to_the_main_desk(self, desks: Desks, omnivigil: Desk) -> None:
        assert desks.by_number("611") is omnivigil
        assert omnivigil.service_codes == {"611": "support"}
        assert next(iter(desks.values())) is omnivigil

    def test_hl1_numbers(self, desks: Desks, hotline: Desk) -> None:
        for dialled in ("33972596990", "+33 9 72 59 69 90", "09.72.59.69.90"):
            assert desks.by_number(dialled) is hotline

    @pytest.mark.parametrize("dialled", ["", "911", "18446664845", "*", "anonymous", "${EXTEN}", "1" * 40])
    def test_ov1_any_other_number_is_nobody_s(self, desks: Desks, dialled: str) -> None:
        assert desks.by_number(dialled) is None

    def test_ov4_languages(self, omnivigil: Desk, hotline: Desk) -> None:
        assert (omnivigil.languages, hotline.languages) == (("fr", "en"), ("fr",))

    def test_ov7_only_support_takes_emergencies(self, omnivigil: Desk) -> None:
        assert [name for name, one in omnivigil.departments.items() if one.closed == "emergency"] == ["support"]

    def test_queues_have_one_owner(self, omnivigil: Desk, hotline: Desk) -> None:
        """OV-6, HL-1."""
        assert (set(omnivigil.queues), set(hotline.queues)) == ({"support"}, {"hl-logiciel", "hl-cloud"})

    def test_texts_are_typeset_for_reading_aloud(self, desks: Desks) -> None:
        """OV-1: typographic apostrophes, one space at a time, a sentence's end."""
        for desk in desks.values():
            for name, texts in desk.texts.items():
                for text in texts.values():
                    assert "'" not in text, name
                    assert "  " not in text, name
                    assert text[-1] in ".!?" or name == "ticket-number", name

    def test_the_menu_text_names_every_key(self, desks: Desks) -> None:
        """OV-1, HL-1: no choice is silent."""
        for desk in desks.values():
            for text in desk.texts["menu"].values():
                assert all(key in text for key in (*desk.menu.keys, desk.menu.operator_key))
                assert "étoile" in text or "star" in text

    @pytest.mark.parametrize("name", ["omnivigil.yaml", "hotline-2024.yaml"])
    def test_editors_find_the_schema(self, name: str) -> None:
        """OV-1: `desk.schema.json` beside the desk files."""
        first = (BUILT_IN / name).read_text(encoding="utf-8").splitlines()[0]
        assert first == f"# yaml-language-server: $schema={PUBLISHED.name}"
        assert PUBLISHED.parent == BUILT_IN

    def test_the_published_schema_is_current(self) -> None:
        """OV-1. Make it so with: python -m ivr.desk.publish"""
        assert PUBLISHED.read_text(encoding="utf-8") == schema_text()

    def test_the_published_schema_explains_the_fields(self) -> None:
        """OV-1."""
        published = json.loads(schema_text())
        assert published["properties"]["numbers"]["description"].startswith("As the network delivers them")
        assert published["$defs"]["Queue"]["properties"]["wrapup_s"]["description"].startswith("Seconds of rest")
        assert set(published["$defs"]["Queue"]["properties"]) == set(Queue.model_fields)


class TestGood:
    def test_a_desk_is_data(self, desk_file: Callable[..., Path]) -> None:
        """OV-1."""
        desk = load_desk(desk_file())
        assert (desk.id, desk.menu.keys, desk.departments["aide"].queue) == ("small", {"1": "aide"}, "attente")

    def test_digits_need_no_quotes(self, desk_file: Callable[..., Path]) -> None:
        """OV-2: 0611 is a code and no octal number."""
        text = GOOD.replace('"15145550100"', "15145550100").replace('"1": aide', "1: aide")
        desk = load_desk(desk_file("languages: [fr]", "languages: [fr]\nservice_codes: {0611: aide}", text=text))
        assert desk.numbers == ("15145550100",)
        assert desk.service_codes == {"0611": "aide"}

    def test_words_stay_words(self, desk_file: Callable[..., Path]) -> None:
        """OV-1: in YAML 1.1 `Yes` would be true."""
        assert load_desk(desk_file("Bonjour.", "Yes")).texts["welcome"]["fr"] == "Yes"

    @pytest.mark.parametrize("change", [("\n", "\r\n"), ("", "")])
    def test_files_of_other_systems(self, tmp_path: Path, change: tuple[str, str]) -> None:
        """OV-1: with a byte-order mark, with CR LF."""
        path = tmp_path / "desk.yaml"
        path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace(*change).encode())
        assert load_desk(path).id == "small"

    def test_anchors_are_followed(self, desk_file: Callable[..., Path]) -> None:
        """OV-5."""
        desk = load_desk(desk_file('monday: ["08:00-12:00"', 'tuesday: &day ["08:00-12:00"]\n  monday: ["08:00-12:00"'))
        assert len(desk.hours.tuesday) == 1


#: (what, replaced, by, line, field, in the problem, in the mend)
WRONG = [
    ("unknown field", "name: Small", "name: Small\ncolour: red", 3, "colour", "no such field", "remove"),
    ("misspelt field", "timezone:", "timezon:", 3, "timezon", "no such field", "did you mean timezone"),
    ("missing field", "id: small\n", "", 1, "id", "required", "add"),
    ("id", "id: small", "id: Très Petit", 1, "id", "does not fit", "lower-case"),
    ("id of asterisk's", "id: small", "id: queue", 1, "id", "another meaning", "another"),
    ("name on two lines", "name: Small", r'name: "a\r\nBcc: b"', 2, "name", "does not fit", "one line"),
    ("time zone", "America/Toronto", "America/Montréal", 3, "timezone", "time zone", "America/Toronto"),
    ("folder of zones", "America/Toronto", "America", 3, "timezone", "time zone", "America/Toronto"),
    ("zone outside", "America/Toronto", "../../etc/passwd", 3, "timezone", "time zone", "America/Toronto"),
    ("region", "languages: [fr]", "languages: [fr]\nregion: can", 6, "region", "does not fit", "two capital"),
    ("number", "15145550100", "1-514-555-0100", 4, "numbers.0", "does not fit", "digits"),
    ("number twice", '"15145550100"', '"15145550100", "15145550100"', 4, "numbers", "twice", "one of them"),
    ("no number", '["15145550100"]', "[]", 4, "numbers", "at least 1", ""),
    ("number as one word", '["15145550100"]', "15145550100", 4, "numbers", "tuple", ""),
    ("language", "[fr]", "[français]", 5, "languages.0", "does not fit", "fr or en"),
    ("no language", "[fr]", "[]", 5, "languages", "at least 1", ""),
    ("text missing", "[fr]", "[fr, en]", 20, "texts.welcome", "no text in 'en'", "add it"),
    ("name missing", "texts:\n  welcome: {fr: Bonjour.}\n", "", 14, "departments.aide.name", "no text in 'en'", "add"),
    ("key", '"1": aide', '"12": aide', 8, "menu.keys.12", "does not fit", "one key"),
    ("key with two meanings", '"1": aide', '"0": aide', 8, "menu.keys.0", "another meaning", "another key"),
    ("repeat is human", "  operator: aide", '  operator: aide\n  repeat: "0"', 6, "menu", "0", "one meaning"),
    ("no keys", '  keys:\n    "1": aide', "  keys: {}", 7, "menu.keys", "at least 1", ""),
    ("key to nowhere", '"1": aide', '"1": ventes', 8, "menu.keys.1", "no department 'ventes'", "one of: aide"),
    ("operator nowhere", "operator: aide", "operator: moi", 9, "menu.operator", "no department 'moi'", "aide"),
    (
        "trace nowhere",
        "hours:",
        "trace: {department: moi}\nhours:",
        17,
        "trace.department",
        "no department 'moi'",
        "aide",
    ),
    ("operator without queue", "queue: attente", 'phones: ["71"]', 9, "menu.operator", "no queue", "queue"),
    (
        "language key",
        "operator: aide",
        'operator: aide\n  languages: {"9": en}',
        10,
        "menu.languages.9",
        "'en'",
        "add it",
    ),
    ("attempts", "operator: aide", "operator: aide\n  attempts: 0", 10, "menu.attempts", "greater", ""),
    ("patience", "operator: aide", "operator: aide\n  wait_s: .nan", 10, "menu.wait_s", "number", ""),
    ("unknown queue", "queue: attente", "queue: attendre", 16, "departments.aide.queue", "'attendre'", "queues"),
    (
        "queue and phones",
        "queue: attente",
        'queue: attente\n    phones: ["71"]',
        13,
        "departments.aide",
        "both",
        "either",
    ),
    ("phone", "queue: attente", 'phones: ["SIP/71"]', 16, "departments.aide.phones.0", "does not fit", "7101"),
    ("queue of asterisk's", "attente: {}", "attente: {}\n  general: {}", 12, "queues.general", "another", "another"),
    (
        "callback to an island of +1",
        "attente: {}",
        "attente:\n    callback:\n      regions:\n        - CA\n        - JM",
        15,
        "queues.attente.callback.regions.JM",
        "island of +1",
        "remove it",
    ),
    (
        "callback to nowhere",
        "attente: {}",
        "attente:\n    callback: {regions: [CA, UK]}",
        12,
        "queues.attente.callback.regions.UK",
        "no country UK",
        "ISO 3166",
    ),
    ("strategy", "attente: {}", "attente: {strategy: any}", 11, "queues.attente.strategy", "ringall", ""),
    ("e-mail", "aide@small.example", r'"a@b.ca\nBcc: x@y.ca"', 15, "departments.aide.email", "not fit", "service@"),
    ("hours as a number", '"08:00-12:00"', "800", 18, "hours.monday.0", "not a time range", "08:00-12:00"),
    ("hours as a mapping", '"08:00-12:00"', "{start: 08:00, end: 07:00}", 18, "hours.monday.0", "time range", "08:00"),
    ("hour 25", "08:00-12:00", "08:00-25:00", 18, "hours.monday.0", "not a time range", "08:00-12:00"),
    ("past midnight", "13:00-17:00", "13:00-24:30", 18, "hours.monday.1", "after midnight", "24:00"),
    ("backwards", "08:00-12:00", "12:00-08:00", 18, "hours.monday.0", "before it starts", "24:00"),
    ("empty range", "08:00-12:00", "08:00-08:00", 18, "hours.monday.0", "before it starts", ""),
    ("overlap", "13:00-17:00", "11:59-17:00", 18, "hours.monday", "overlap", "order"),
    ("out of order", '"08:00-12:00", "13:00-17:00"', '"13:00-17:00", "08:00-12:00"', 18, "hours.monday", "order", ""),
    ("day", "monday:", "lundi:", 18, "hours.lundi", "no such field", "remove"),
    ("holidays", "texts:", "holidays: {country: XX}\ntexts:", 19, "holidays.country", "XX", "another"),
    ("province", "texts:", "holidays: {country: CA, subdivision: QU}\ntexts:", 19, "holidays.subdivision", "QU", "QC"),
    ("date", "texts:", "exceptions: [{date: 24/12/2026}]\ntexts:", 19, "exceptions.0.date", "not a date", "2026-12-24"),
    ("date as seconds", "texts:", "exceptions: [{date: 86400}]\ntexts:", 19, "exceptions.0.date", "not a date", "2026"),
    ("no such date", "texts:", "exceptions: [{date: 2026-02-30}]\ntexts:", 19, "exceptions.0.date", "day", ""),
    (
        "date twice",
        "texts:",
        "exceptions: [{date: 2026-12-24}, {date: 2026-12-24}]\ntexts:",
        19,
        "exceptions",
        "2026-12-24 is given twice",
        "one of them",
    ),
    ("calendar file", "texts:", "ical: [absent.ics]\ntexts:", 19, "ical", "absent.ics", "correct the name"),
    ("variable", "Bonjour.", '"Bonjour {name}."', 20, "texts.welcome.fr", "{name}", "no braces"),
    (
        "variable's insides",
        "welcome: {fr: Bonjour.}",
        'closed-department: {fr: "{opening.x}"}',
        20,
        "texts.closed-department.fr",
        "{opening.x}",
        "{opening}",
    ),
    ("half a brace", "Bonjour.", '"Bonjour {opening."', 20, "texts.welcome.fr", "braces", "no braces"),
    ("empty text", "fr: Bonjour.", 'fr: ""', 20, "texts.welcome.fr", "at least 1", ""),
    ("text for nobody", "fr: Bonjour.", "fr: Bonjour., de: Hallo.", 20, "texts.welcome.de", "does not fit", "fr or en"),
    (
        "own hours untold",
        "queue: attente",
        'queue: attente\n    hours: {monday: ["09:00-10:00"]}',
        17,
        "departments.aide.hours",
        "closed-hours-aide",
        "texts",
    ),
    ("code", "texts:", "service_codes: {6112345: aide}\ntexts:", 19, "service_codes.6112345", "does not fit", "2 to 4"),
    ("code is a number", "texts:", "service_codes: {411: aide}\naliases: [411]\ntexts:", 4, "numbers", "411", "one of"),
    ("given twice", "languages: [fr]", "languages: [fr]\nname: Other", 6, "name", "given twice", "one of them"),
    (
        "evidence erased early",
        "texts:",
        "trace: {department: aide, evidence_min: 10}\ntexts:",
        19,
        "trace.evidence_min",
        "30 minutes after its end",
        "at least 30",
    ),
    ("key twice", '"1": aide', '"1": aide\n    1: aide', 9, "menu.keys.1", "given twice", "one of them"),
    ("nothing given", "name: Small", "name:", 2, "name", "string", ""),
    ("tab", "  operator: aide", "\toperator: aide", 9, "", r"'\t'", "correct the YAML"),
    ("open quote", "name: Small", 'name: "Small', 4, "", "expected <block end>", "correct the YAML"),
    ("unknown anchor", "name: Small", "name: *other", 2, "", "undefined alias", "correct the YAML"),
    ("python object", "name: Small", "name: !!python/object:os.system x", 2, "", "python", "correct the YAML"),
    ("two documents", "hours:", "---\nhours:", 17, "", "single document", "correct the YAML"),
    ("list as a key", "name: Small", "? [a]\n: b\nname: Small", 2, "", "not a word", "quotes"),
    ("holds itself", "name: Small", "name: Small\nx: &a [*a]", 3, "x.0", "holds itself", "write it out"),
    ("control character", "name: Small", "name: \x07", 2, "", "U+0007", "remove"),
]


class TestWrong:
    @pytest.mark.parametrize(
        ("old", "new", "line", "field", "problem", "mend"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG]
    )
    def test_the_error_names_file_line_field_and_mend(
        self, desk_file: Callable[..., Path], old: str, new: str, line: int, field: str, problem: str, mend: str
    ) -> None:
        """OV-1."""
        text = GOOD.replace("[fr]", "[fr, en]") if field == "departments.aide.name" else GOOD
        file = desk_file(old, new, text=text)
        with pytest.raises(DeskError) as refused:
            load_desk(file)
        error = refused.value
        assert (error.file, error.line, error.field) == (file, line, field)
        assert problem in error.problem
        assert mend in error.mend
        assert error.mend
        assert f"{file}:{line}" in str(error)

    @pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "word", "null", "~", "[]"])
    def test_a_file_without_a_desk(self, desk_file: Callable[..., Path], text: str) -> None:
        """OV-1."""
        with pytest.raises(DeskError, match="holds no desk"):
            load_desk(desk_file(text=text))

    @pytest.mark.parametrize("text", ["[" * 2_000, "x: " + "{a: " * 200 + "}" * 200])
    def test_a_bottomless_file(self, desk_file: Callable[..., Path], text: str) -> None:
        """OV-1."""
        with pytest.raises(DeskError, match="too deep"):
            load_desk(desk_file(text=text))

    def test_anchors_that_multiply(self, desk_file: Callable[..., Path]) -> None:
        """OV-1: 9 to the power of 20 items are not looked at one by one."""
        names = [f"a{number}" for number in range(20)]
        lines = ["a0: &a0 [x]\n"] + [
            f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in itertools.pairwise(names)
        ]
        with pytest.raises(DeskError, match="no such field"):
            load_desk(desk_file(text="".join(lines) + GOOD))

    def test_a_file_that_is_not_utf_8(self, tmp_path: Path) -> None:
        """OV-1."""
        file = tmp_path / "latin.yaml"
        file.write_bytes(GOOD.replace("Aide", "Aidé").encode("latin-1"))
        with pytest.raises(DeskError, match="not UTF-8") as refused:
            load_desk(file)
        assert refused.value.line == 14

    def test_a_file_that_is_too_large(self, desk_file: Callable[..., Path]) -> None:
        """OV-1."""
        with pytest.raises(DeskError, match="larger than a desk"):
            load_desk(desk_file(text=GOOD + "#" * (1 << 20)))

    def test_a_file_that_is_not_there_or_a_folder(self, tmp_path: Path) -> None:
        """OV-1."""
        for file in (tmp_path / "absent.yaml", tmp_path):
            with pytest.raises(DeskError):
                load_desk(file)


class TestFolder:
    def test_an_empty_folder(self, tmp_path: Path) -> None:
        """OV-1."""
        with pytest.raises(DeskError, match="no desk file"):
            load_desks(tmp_path)

    @pytest.mark.parametrize(
        ("changes", "line", "field"),
        [
            ({}, 1, "id"),
            ({"id: small": "id: zebra"}, 4, "numbers"),
            ({"id: small": "id: zebra", "15145550100": "15145550199"}, 11, "queues"),
            (
                {"id: small": "id: zebra", '["15145550100"]': '["15145550199"]\naliases: ["15145550100"]'},
                5,
                "aliases",
            ),
        ],
    )
    def test_two_desks_cannot_share(
        self, desk_file: Callable[..., Path], tmp_path: Path, changes: dict[str, str], line: int, field: str
    ) -> None:
        """OV-1: neither a number, however written, nor a queue."""
        desk_file(name="a.yaml")
        text = GOOD
        for old, new in changes.items():
            text = text.replace(old, new)
        desk_file(name="b.yaml", text=text)
        with pytest.raises(DeskError) as refused:
            load_desks(tmp_path)
        error = refused.value
        assert (error.file.name, error.line, error.field) == ("b.yaml", line, field)
        assert error.mend == "change it here or in a.yaml"

    def test_two_desks_live_side_by_side(self, desk_file: Callable[..., Path], tmp_path: Path) -> None:
        """HL-1: with no line of code for the second."""
        desk_file(name="a.yaml")
        desk_file(name="b.yaml", text=GOOD.replace("small", "b").replace("0100", "0199").replace("attente", "file"))
        assert set(load_desks(tmp_path)) == {"small", "b"}

    @pytest.mark.parametrize(
        ("said", "main"),
        [
            ({}, "b"),
            ({"small": "service_codes: {611: aide}"}, "small"),
            ({"small": "main: true"}, "small"),
            ({"b": "service_codes: {611: aide}", "small": "main: true"}, "small"),
        ],
    )
    def test_the_main_desk_is_the_one_that_says_so(
        self, desk_file: Callable[..., Path], tmp_path: Path, said: dict[str, str], main: str
    ) -> None:
        """OV-1: else the one with short codes, else the first by id; whatever the files are called."""
        other = GOOD.replace("small", "b").replace("0100", "0199").replace("attente", "file")
        for name, text in (("small", GOOD), ("b", other)):
            line = f"{said[name]}\n" if name in said else ""
            desk_file("languages:", f"{line}languages:", name=f"{name}.yaml", text=text)
        desks = load_desks(tmp_path)
        assert (desks.main.id, next(iter(desks))) == (main, main)

    def test_one_desk_is_the_main_one(self, desk_file: Callable[..., Path], tmp_path: Path) -> None:
        desk_file("id: small", "id: small\nmain: true", name="a.yaml")
        other = GOOD.replace("small", "b").replace("0100", "0199").replace("attente", "file")
        desk_file("id: b", "id: b\nmain: true", name="b.yaml", text=other)
        with pytest.raises(DeskError) as refused:
            load_desks(tmp_path)
        error = refused.value
        assert (error.line, error.field) == (2, "main")
        assert {error.file.name, error.mend.rpartition(" ")[2]} == {"a.yaml", "b.yaml"}


@pytest.mark.parametrize(
    ("phone", "number"),
    [("tel:5145559103", "15145559103"), ("tel:+15145559103", "15145559103"), ("7103", None)],
)
def test_a_department_may_ring_a_telephone_outside(
    desk_file: Callable[..., Path], phone: str, number: str | None
) -> None:
    """Beside phones of ours, or alone; numbers are written as people do."""
    ventes = f'  ventes:\n    name: {{fr: Ventes}}\n    email: v@small.example\n    phones: ["7101", "{phone}"]\n'
    desk = load_desk(desk_file("hours:\n", f"{ventes}hours:\n"))
    assert desk.outside == ((number,) if number is not None else ())


@pytest.mark.parametrize(
    ("phone", "why"),
    [
        ("tel:18765550100", "region JM is not allowed"),
        ("tel:19005551234", "not a geographic or mobile number"),
        ("tel:+33142278186", "region FR is not allowed"),
        ("tel:15145551212", "a service number"),
        ("tel:15145550100", "one of our own numbers"),
        ("tel:911", "give the account of a phone"),
        ("tel:5145559103@outbound", "give the account of a phone"),
    ],
)
def test_no_department_rings_what_costs_or_is_ours(desk_file: Callable[..., Path], phone: str, why: str) -> None:
    """A mistake, or somebody else's: told with the field."""
    ventes = f'  ventes:\n    name: {{fr: Ventes}}\n    email: v@small.example\n    phones: ["{phone}"]\n'
    with pytest.raises(DeskError) as told:
        load_desk(desk_file("hours:\n", f"{ventes}hours:\n"))
    assert "departments.ventes.phones.0" in str(told.value)
    assert why in str(told.value)
