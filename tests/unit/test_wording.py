"""What people read: every language has every text, with the same placeholders, and the code uses what is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr import wording
from ivr.wording import BadWording

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "ivr" / "wording"


def test_every_language_has_every_text() -> None:
    wording.check()
    assert wording.LANGUAGES[0] == "fr"
    assert set(wording.text("languages.own_name")) == set(wording.LANGUAGES)


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue of one feature, whose English may be spoilt."""
    for language, hello in (("fr", "Bonjour {name}"), ("en", "Hello {name}")):
        (tmp_path / language).mkdir()
        (tmp_path / language / "greeting.yaml").write_text(f"door:\n  hello: '{hello}'\n", "utf-8")
    monkeypatch.setattr(wording, "_FOLDER", tmp_path)
    _forget()
    yield tmp_path
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    wording._checked.cache_clear()
    wording._file.cache_clear()


def test_texts_are_read_by_language_and_name(catalogue: Path) -> None:
    assert wording.texts("greeting.door", ["hello"])["en"]["hello"].format(name="Ann") == "Hello Ann"
    assert wording.text("greeting.door.hello")["fr"] == "Bonjour {name}"


@pytest.mark.parametrize(
    ("english", "problem"),
    [
        ("door:\n  hello: Hello\n", "other placeholders"),
        ("door:\n  hello: Hello {nom}\n", "other placeholders"),
        ("door:\n  hi: Hello {name}\n", "lacks texts"),
        ("door:\n  hello: Hello {name}\n  bye: Bye\n", "has more"),
        ("door:\n  hello: yes\n", "quotation marks"),
        ("door: Hello\n", "lacks texts"),
        ("- Hello\n", "not a table"),
    ],
)
def test_a_language_that_differs_stops_the_start(catalogue: Path, english: str, problem: str) -> None:
    (catalogue / "en" / "greeting.yaml").write_text(english, "utf-8")
    with pytest.raises(BadWording, match=problem) as raised:
        wording.texts("greeting.door")
    assert raised.value.facts["language"] == "en"


def test_a_language_without_the_file_stops_the_start(catalogue: Path) -> None:
    (catalogue / "en" / "greeting.yaml").unlink()
    with pytest.raises(BadWording, match="no such file"):
        wording.texts("greeting.door")


def test_names_that_the_code_does_not_know_stop_the_start(catalogue: Path) -> None:
    with pytest.raises(BadWording, match="different things"):
        wording.texts("greeting.door", ["hello", "goodbye"])


def test_an_unknown_language_reads_french() -> None:
    assert [wording.known(one) for one in ("fr", "en", "tlh", None)] == ["fr", "en", "fr", "fr"]


# ---- The code uses what is there -------------------------------------------------------------------


def _modules() -> list[Path]:
    found = (path for folder in ("ivr", "api", "agi_scripts") for path in (REPOSITORY / folder).rglob("*.py"))
    return [path for path in found if re.search(r"\bwording\.(texts|text)\(", path.read_text("utf-8"))]


def _tables(tree: ast.Module) -> dict[str, frozenset[str]]:
    """Names of the module that are tables, with what each holds in French."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and (path := _path(node.value)) is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            assert isinstance(target, ast.Name)
            found[target.id] = frozenset(wording.texts(path)[wording.FIRST])
    return found


def _path(value: ast.expr | None) -> str | None:
    for node in ast.walk(value) if value is not None else ():
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "wording.texts":
            return str(ast.literal_eval(node.args[0]))
    return None


def _read(tree: ast.Module, tables: dict[str, frozenset[str]]) -> Iterator[tuple[str, str]]:
    """Each name that is looked up by itself: of a table's language, or of a variable that holds one."""
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        known = {table: table for table in tables}
        for node in ast.walk(scope):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                table = _of_table(node.value, tables)
                if table is not None:
                    known[node.targets[0].id] = table
        for node in ast.walk(scope):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                name = node.slice.value
                if isinstance(node.value, ast.Name) and node.value.id in known and node.value.id not in tables:
                    yield known[node.value.id], str(name)
                elif (table := _of_table(node.value, tables)) is not None:
                    yield table, str(name)


def _of_table(value: ast.expr, tables: dict[str, frozenset[str]]) -> str | None:
    """The table of which `value` is one language: TABLE[language]."""
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id in tables:
        return value.value.id
    return None


@pytest.mark.parametrize("module", _modules(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_name_is_used_that_is_not_there(module: Path) -> None:
    tree = ast.parse(module.read_text("utf-8"))
    tables = _tables(tree)
    unknown = sorted({(table, name) for table, name in _read(tree, tables) if name not in tables[table]})
    assert unknown == []


def test_no_table_lies_unused() -> None:
    """Each of the files' tables, or a text beside them, is asked for by its path."""
    sources = "\n".join(path.read_text("utf-8") for path in _modules())
    asked = set(re.findall(r"wording\.texts?\(\"([\w.-]+)\"", sources))
    features = {path.stem for path in (FOLDER / "fr").glob("*.yaml") if not path.stem.endswith("_translated")}
    there = set()
    for feature in features:
        for name, value in wording._file("fr", feature).items():
            there.add(f"{feature}.{name}")
            assert isinstance(value, dict | str)
    assert {name for name in there if name not in asked and name.partition(".")[0] not in asked} == set()
