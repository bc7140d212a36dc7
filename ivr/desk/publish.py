"""Publishes the JSON Schema of desk files, with which editors check and explain them: python -m ivr.desk.publish."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from ivr.desk import schema

PUBLISHED = Path(__file__).parent / "desks" / "desk.schema.json"


def schema_text() -> str:
    """Return what `desk.schema.json` should hold. Comments that begin with #: become the fields' descriptions."""
    published: dict[str, Any] = schema.Desk.model_json_schema()
    parts = {**published["$defs"], "Desk": published}
    for name, part in parts.items():
        said = _comments(inspect.getsource(getattr(schema, name)))
        for field, text in said.items():
            part["properties"][field]["description"] = text
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | published, ensure_ascii=False, indent=2) + "\n"


def _comments(source: str) -> dict[str, str]:
    """Field to the `#:` comment above it."""
    said: dict[str, str] = {}
    comment: list[str] = []
    for line in source.splitlines():
        stripped = line.strip()
        if stripped.startswith("#: "):
            comment.append(stripped.removeprefix("#: "))
            continue
        if comment and (field := re.match(r"    (\w+):", line)):
            said[field[1]] = " ".join(comment)
        comment = []
    return said


if __name__ == "__main__":
    PUBLISHED.write_text(schema_text(), encoding="utf-8")
