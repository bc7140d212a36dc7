"""Which small changes of a module can be made, and its text with one of them made. Pure."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COUNTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
_CALLED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """One change of a module, by the number of its node in `ast.walk`."""

    tree: ast.Module
    number: int
    line: int
    kind: str
    change: Callable[[ast.AST], None]

    @property
    def source(self) -> str:
        """The whole module's text with it."""
        made = copy.deepcopy(self.tree)
        node = next(node for number, node in enumerate(ast.walk(made)) if number == self.number)
        self.change(node)
        return ast.unparse(ast.fix_missing_locations(made))


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of its text. Docstrings and annotations are left alone."""
    tree = ast.parse(source)
    left = _left_alone(tree)
    found = [
        Mutant(tree, number, node.lineno, kind, change)
        for number, node in enumerate(ast.walk(tree))
        if id(node) not in left and isinstance(node, ast.expr | ast.stmt)
        for kind, change in _changes(node)
    ]
    return sorted(found, key=lambda one: (one.line, one.number))


def _left_alone(tree: ast.Module) -> set[int]:
    """Return the ids of nodes that say nothing when the program runs: annotations, and texts that stand alone."""
    alone: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            parts.append(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts.append(node.returns)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.append(node)
        for part in parts:
            if part is not None:
                alone.update(id(one) for one in ast.walk(part))
    return alone


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, Callable[[ast.AST], None]]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        yield "comparison", _compare
    if isinstance(node, ast.BinOp) and type(node.op) in _COUNTED:
        yield "arithmetic", _count
    if isinstance(node, ast.BoolOp):
        yield "and, or", _join
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield "number + 1", _more
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition", _negate
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield "min, max, any, all", _call
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield "return None", _return_none
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) and node.generators[0].ifs:
        yield "filter", _unfiltered


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _compare(node: ast.AST) -> None:
    assert isinstance(node, ast.Compare)
    node.ops[0] = _COMPARED[type(node.ops[0])]()


def _count(node: ast.AST) -> None:
    assert isinstance(node, ast.BinOp)
    node.op = _COUNTED[type(node.op)]()


def _join(node: ast.AST) -> None:
    assert isinstance(node, ast.BoolOp)
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()


def _more(node: ast.AST) -> None:
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, int | float)
    node.value += 1


def _negate(node: ast.AST) -> None:
    assert isinstance(node, ast.If | ast.IfExp | ast.While)
    node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)


def _call(node: ast.AST) -> None:
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    node.func.id = _CALLED[node.func.id]


def _return_none(node: ast.AST) -> None:
    assert isinstance(node, ast.Return)
    node.value = ast.Constant(value=None)


def _unfiltered(node: ast.AST) -> None:
    assert isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp)
    node.generators[0].ifs = []
