"""One person's data as a file to hand over: a ZIP with what the tables say, as JSON, and the sounds and e-mails."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ivr.persons.search import Found
from ivr.persons.selectors import Wanted


def told(found: Found, wanted: Wanted, at: datetime) -> dict[str, Any]:
    """Everything that rows say. Bytes are base64, moments ISO 8601 in UTC."""
    return {
        "made_at": at.isoformat(),
        "asked_for": {"numbers": wanted.numbers, "emails": wanted.emails, "names": wanted.names},
        "own": {name: list(rows.values()) for name, rows in found.own.items()},
        # Others' rows: only that there are some. What they say is others' too.
        "mentioned_in": {name: len(rows) for name, rows in found.mentions.items()},
    }


def as_json(value: Mapping[str, Any]) -> str:
    """As text that people can read too."""
    return json.dumps(value, default=_plain, ensure_ascii=False, indent=1)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def zipped(value: Mapping[str, Any], files: Mapping[str, Path]) -> bytes:
    """The ZIP. A file that is gone meanwhile is left out."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("person.json", as_json(value))
        for name, path in files.items():
            try:
                archive.writestr(name, path.read_bytes())
            except OSError:
                continue
    return out.getvalue()
