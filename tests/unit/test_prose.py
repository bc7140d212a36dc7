"""Docstrings and comments are read once. What is not yet so is counted, and the count only goes down.

A docstring begins with a sentence: an imperative (« Return … »), or what the thing is. It does not begin with a clause
that stands for one (« What … », « Whether … »).
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
#: Words that make a native engineer read a sentence twice.
_TWICE = re.compile(r"\b(whoever|anew|so many|nobody)\b", re.I)
_CLAUSE = re.compile(r"(What|Who|Whom|Whose|Whether|When|Where|Why|How)\b")
#: Docstrings that begin with a clause, and words of `_TWICE`, at most. When a count falls, write the lower one here.
MOST_CLAUSES = 390
MOST_WORDS = 380
#: Of the API's field descriptions, both.
MOST_DESCRIPTIONS = 20


def _files() -> Iterator[Path]:
    for top in ("ivr", "api", "agi_scripts"):
        yield from (path for path in sorted((REPOSITORY / top).rglob("*.py")) if "versions" not in path.parts)


def _docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text


def _comments(source: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_prose_does_not_get_worse() -> None:
    """Both counts, with where they stand most."""
    clauses: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for path in _files():
        source, name = path.read_text("utf-8"), str(path.relative_to(REPOSITORY))
        docstrings = list(_docstrings(ast.parse(source)))
        clauses[name] += sum(_CLAUSE.match(text) is not None for text in docstrings)
        words[name] += sum(len(_TWICE.findall(text)) for text in (*docstrings, *_comments(source)))
    assert clauses.total() <= MOST_CLAUSES, clauses.most_common(10)
    assert words.total() <= MOST_WORDS, words.most_common(10)


def test_descriptions_of_the_api_say_what_a_field_is() -> None:
    """As in /docs; counted like docstrings."""
    told = [
        node.value.value
        for path in (REPOSITORY / "api").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "description"
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]
    odd = [text for text in told if _CLAUSE.match(text) or _TWICE.search(text)]
    assert len(told) > 150
    assert len(odd) <= MOST_DESCRIPTIONS, odd
