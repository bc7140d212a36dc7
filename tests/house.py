"""Prints how the house stands: circles, lengths, density, docstrings, the map. `python -m tests.house`, at the root.

`tests/unit/test_house.py` holds what is reached, and lets nothing else become worse.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
#: What a caller, a technician or an operator depends on.
PRODUCT = ("ivr", "api", "agi_scripts")
#: Whose files and functions are short too.
BESIDE = ("sip-sim", "bench")
#: Steps from one version of the tables to the next, and words: data in Python's form.
DATA = ("ivr/migrations/versions/", "api/console/words/")
LONGEST_FUNCTION = 80
LONGEST_FILE = 450
#: Folders that README's map need not name: what they hold is not code of ours.
UNMAPPED = frozenset(("var", "__pycache__"))


@dataclass(frozen=True, kw_only=True)
class Source:
    """A module of ours."""

    path: Path
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The module as Python reads it."""
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return self.text.count("\n")

    @property
    def shown(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(REPOSITORY).as_posix()

    @property
    def folder(self) -> str:
        """The room it is in; a loose module at the top of a package is a room of its own."""
        if self.path.name == "__init__.py":
            return self.name
        above = self.name.rpartition(".")[0]
        return self.name if above in PRODUCT else above


@cache
def sources(*roots: str) -> list[Source]:
    """Read every module below these folders, migrations' versions and words left out."""
    found = []
    for root in roots:
        for path in sorted((REPOSITORY / root).rglob("*.py")):
            parts = list(path.relative_to(REPOSITORY).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            if not path.relative_to(REPOSITORY).as_posix().startswith(DATA):
                found.append(Source(path=path, name=".".join(parts), text=path.read_text("utf-8")))
    return found


def imports(one: Source, known: Mapping[str, Source]) -> set[str]:
    """Return the modules of ours that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(one.tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return (found & set(known)) - {one.name}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected parts of more than one (Tarjan)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            at = stack.index(node)
            part = sorted(stack[at:])
            del stack[at:]
            if len(part) > 1:
                found.append(part)

    for node in graph:
        if node not in number:
            visit(node)
    return found


def modules_and_rooms() -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return who imports whom, by module and by room."""
    known = {one.name: one for one in sources(*PRODUCT)}
    modules = {name: imports(one, known) for name, one in known.items()}
    rooms: dict[str, set[str]] = {}
    for name, imported in modules.items():
        here = known[name].folder
        rooms.setdefault(here, set()).update(known[other].folder for other in imported if known[other].folder != here)
    return modules, rooms


def functions(one: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module, inner ones and methods too."""
    for node in ast.walk(one.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def function_lengths() -> list[tuple[int, str]]:
    """Return each function's lines with where it is, the longest first."""
    found = [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{one.shown}:{node.name}")
        for one in sources(*PRODUCT, *BESIDE)
        for node in functions(one)
    ]
    return sorted(found, reverse=True)


def long_files() -> list[tuple[int, str]]:
    """Return the files that are longer than LONGEST_FILE, the longest first."""
    every = ((one.lines, one.shown) for one in sources(*PRODUCT, *BESIDE))
    return sorted((each for each in every if each[0] > LONGEST_FILE), reverse=True)


def known_by_the_process() -> set[str]:
    """Return the modules of ours that the process's own file imports."""
    known = {one.name: one for one in sources(*PRODUCT)}
    return imports(known["ivr.service"], known)


def conditional_expressions() -> float:
    """Return how many `a if b else c` there are in a thousand lines."""
    every = sources(*PRODUCT)
    count = sum(isinstance(node, ast.IfExp) for one in every for node in ast.walk(one.tree))
    return 1000 * count / sum(one.lines for one in every)


def nested_conditional_expressions() -> list[str]:
    """Return where a conditional expression stands within another."""
    return [
        f"{one.shown}:{node.lineno}"
        for one in sources(*PRODUCT)
        for node in ast.walk(one.tree)
        if isinstance(node, ast.IfExp)
        and any(isinstance(inner, ast.IfExp) for inner in ast.walk(node) if inner is not node)
    ]


def documented() -> float:
    """Return the share of public functions and methods that have a docstring."""
    said = every = 0
    for one in sources(*PRODUCT):
        scopes: list[ast.Module | ast.ClassDef] = [one.tree]
        scopes += (node for node in ast.walk(one.tree) if isinstance(node, ast.ClassDef))
        for scope in scopes:
            for node in scope.body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                    every += 1
                    said += ast.get_docstring(node) is not None
    return said / every


def off_the_map() -> list[str]:
    """Return the folders that README's map does not name."""
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    named = set(re.findall(r"[\w./-]+", readme))
    tops = [top for top in (*PRODUCT, *BESIDE) if top != "ivr"]
    rooms = [f"ivr/{path.parent.name}" for path in (REPOSITORY / "ivr").glob("*/__init__.py")]
    rooms += [f"api/{path.parent.name}" for path in (REPOSITORY / "api").glob("*/__init__.py")]
    return sorted(room for room in (*tops, *rooms) if room not in named and Path(room).name not in UNMAPPED)


def main() -> None:
    """Print each measure with its aim."""
    modules, rooms = modules_and_rooms()
    longest = function_lengths()
    files, process = long_files(), known_by_the_process()
    nested = nested_conditional_expressions()
    rows = [
        ("circles between modules (0)", len(circles(modules)), circles(modules)),
        ("circles between folders (0)", len(circles(rooms)), circles(rooms)),
        (f"longest function, lines (<= {LONGEST_FUNCTION})", longest[0][0], longest[:3]),
        (f"files over {LONGEST_FILE} lines but data (0)", len(files), files),
        ("modules imported by the process (<= 15)", len(process), ""),
        ("conditional expressions in 1,000 lines (<= 6)", f"{conditional_expressions():.1f}", ""),
        ("nested conditional expressions (0)", len(nested), nested[:5]),
        ("public functions with docstrings, % (>= 90)", f"{100 * documented():.0f}", ""),
        ("folders that README's map leaves out (0)", len(off_the_map()), off_the_map()),
    ]
    for name, value, told in rows:
        print(f"{name:50} {value!s:>6}  {told or ''}")  # noqa: T201 - it is what this is for


if __name__ == "__main__":
    main()
