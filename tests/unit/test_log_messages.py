"""Log messages are fixed words that one greps for; those that somebody must act on bear an id that the runbook has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
#: Its message is put together from a reason that is one of few, or handed on by `apart`.
_COMPOSED = frozenset({"ivr/refusals.py", "ivr/isolation.py"})
_ROW = re.compile(r"^\| (OV\d{4}) \| (.+?) \| .+ \|$", re.M)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One call of a logger."""

    file: str
    #: None when it is not fixed words.
    text: str | None
    event_id: str | None


def _messages() -> Iterator[Message]:
    for folder in ("ivr", "api", "agi_scripts"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and _logs(node):
                    yield _message(str(path.relative_to(REPOSITORY)), node)


def _logs(node: ast.Call) -> bool:
    """`log.error(…)` and `log.bind(…).error(…)`."""
    name = ast.unparse(node.func)
    return name.rpartition(".")[2] in LEVELS and name.startswith(("log.", "self._log.")) and bool(node.args)


def _message(file: str, node: ast.Call) -> Message:
    said = node.args[0]
    ids = {one.arg: one.value for one in node.keywords}
    event_id = ids.get("event_id")
    return Message(
        file=file,
        text=said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else None,
        event_id=str(ast.literal_eval(event_id)) if event_id is not None else None,
    )


MESSAGES = list(_messages())


def test_messages_are_fixed_words() -> None:
    assert len(MESSAGES) > 200
    assert {one.file for one in MESSAGES if one.text is None} <= _COMPOSED


def test_messages_are_read_once() -> None:
    """No word that one has to read twice, no « is away », no full stop: what greps well."""
    odd = re.compile(r"\b(whoever|anew|nobody|so many|is away|is told|not told|by now)\b|[.!]$", re.I)
    assert [(one.file, one.text) for one in MESSAGES if one.text is not None and odd.search(one.text)] == []


def test_the_runbook_has_every_id_with_its_lines() -> None:
    """And no id that no line bears; a line of the table is one that is written, word for word."""
    table = {row[0]: row[1].replace("\\*", "*") for row in _ROW.findall((REPOSITORY / "docs/runbook.md").read_text())}
    borne: dict[str, set[str]] = {}
    for one in MESSAGES:
        if one.event_id is not None and one.text is not None:
            borne.setdefault(one.event_id, set()).add(one.text)
    assert set(table) == set(borne)
    missing = {
        event_id: sorted(text for text in texts if text not in table[event_id])
        for event_id, texts in borne.items()
        # Of conversations one stands for all.
        if event_id != "OV1102"
    }
    assert {event_id: texts for event_id, texts in missing.items() if texts} == {}
    assert any(text in table["OV1102"] for text in borne["OV1102"])
