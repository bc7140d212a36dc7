"""The mutants of a module: each kind is made, and each is one change."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation.__main__ import RULES
from tests.mutation.mutants import mutants

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("source", "kind", "made"),
    [
        ("a < b", "comparison", "a <= b"),
        ("a is None", "comparison", "a is not None"),
        ("a + b", "arithmetic", "a - b"),
        ("a and b", "and, or", "a or b"),
        ("a = 30", "number + 1", "a = 31"),
        ("if a:\n    b()", "condition", "if not a:\n    b()"),
        ("min(a, b)", "min, max, any, all", "max(a, b)"),
        ("def f():\n    return a", "return None", "def f():\n    return None"),
        ("[a for a in b if c]", "filter", "[a for a in b]"),
    ],
)
def test_each_kind(source: str, kind: str, made: str) -> None:
    assert [(one.kind, one.source) for one in mutants(source) if one.kind == kind] == [(kind, made)]


def test_what_says_nothing_at_run_time_is_left_alone() -> None:
    source = '"""A text."""\n\ndef f(a: Literal[1]) -> Literal[2]:\n    """Another."""\n    return None\n'
    assert mutants(source) == []


@pytest.mark.parametrize("module", RULES)
def test_each_module_of_rules_has_mutants_that_can_be_read(module: str) -> None:
    found = mutants((REPOSITORY / module).read_text("utf-8"))
    assert len(found) >= 10
    for one in found[:5]:
        ast.parse(one.source)
    assert all((REPOSITORY / tests).exists() for tests in RULES[module])
