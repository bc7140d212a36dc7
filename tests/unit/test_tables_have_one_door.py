"""A feature's tables are asked by its own store; others call that. What still asks them itself is named here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Rooms and modules that ask another feature's tables, and why.
ALLOWED = {
    "api/provider_scope.py": "it narrows the statements of every feature",
    "ivr/calls/retention.py": "the language of a number goes with its last call",
    "ivr/metrics/": "what is counted is of every feature",
    "ivr/retention/": "what is erased is of every feature",
    "ivr/directory/": "one import brings staff and their console accounts",
    "ivr/oncall/store.py": "looked for every other second: one prepared statement joins a message to its emergency",
}


def owners(source: str) -> Iterator[str]:
    """Yield the features whose tables a module imports."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        parts = node.module.split(".")
        names = {alias.name for alias in node.names}
        if parts[0] == "ivr" and (parts[2:] == ["tables"] or (len(parts) == 2 and "tables" in names)):
            yield parts[1]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from ivr.calls.tables import calls", ["calls"]),
        ("from ivr.calls import tables as t", ["calls"]),
        ("from ivr.calls import store", []),
    ],
)
def test_what_imports_tables_is_seen(source: str, found: list[str]) -> None:
    assert list(owners(source)) == found


def test_no_feature_asks_anothers_tables() -> None:
    asking = []
    for folder in ("ivr", "api", "agi_scripts"):
        for file in (ROOT / folder).rglob("*.py"):
            name = str(file.relative_to(ROOT))
            if "/migrations/" in name or name.startswith(tuple(ALLOWED)):
                continue
            asked = {
                owner for owner in owners(file.read_text(encoding="utf-8")) if not name.startswith(f"ivr/{owner}/")
            }
            asking += [f"{name}: {owner}" for owner in sorted(asked)]
    assert not asking
