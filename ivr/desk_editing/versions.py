"""The versions of each desk's file that were in force: who put each into force, when, from where and why."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import structlog

from ivr.desk_editing.files import etag_of
from ivr.errors import NotFound

log = structlog.get_logger()

#: So many versions of a desk are kept; the oldest go.
MOST = 100

#: From the files, as an editor saved them, or from the console or the API.
Source = Literal["file", "console", "api"]


class VersionNotFound(NotFound):
    """There is no such version of the desk's file."""


@dataclass(frozen=True, kw_only=True)
class KeptVersion:
    """One version of a desk's file."""

    number: int
    at: datetime
    by: str
    source: Source
    why: str
    #: The entity tag of its text.
    etag: str


class Versions:
    """A folder with the versions of all desks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(
        self, texts: Mapping[str, str], *, by: str, source: Source, at: datetime, why: str = ""
    ) -> list[tuple[str, int]]:
        """Keep the texts that are other than the last versions, by desk; which ones. Raises OSError."""
        noted: list[tuple[str, int]] = []
        try:
            for desk, text in texts.items():
                last = next(iter(self.every(desk)), None)
                if last is not None and last.etag == etag_of(text.encode()):
                    continue
                number = last.number + 1 if last is not None else 1
                noted.append((desk, number))
                one = KeptVersion(number=number, at=at, by=by, source=source, why=why, etag=etag_of(text.encode()))
                self._write(desk, one, text)
                self._forget_the_oldest(desk)
        except OSError:
            self.forget(noted)
            raise
        return noted

    def forget(self, noted: list[tuple[str, int]]) -> None:
        """Take back what was noted and did not come into force."""
        for desk, number in noted:
            with contextlib.suppress(OSError):
                self._facts(desk, number).unlink(missing_ok=True)
                self._text(desk, number).unlink(missing_ok=True)

    def every(self, desk: str) -> list[KeptVersion]:
        """A desk's versions, the newest first."""
        found = []
        for path in (self._folder / desk).glob("*.json") if _is_name(desk) else ():
            try:
                facts = json.loads(path.read_text(encoding="utf-8"))
                found.append(KeptVersion(**facts | {"at": datetime.fromisoformat(facts["at"])}))
            except (OSError, ValueError, TypeError, KeyError):
                log.warning("desk file version unreadable", desk=desk, file=path.name)
        return sorted(found, key=lambda one: -one.number)

    def text(self, desk: str, number: int) -> str:
        """The text of one. Raises VersionNotFound."""
        if not _is_name(desk) or not any(one.number == number for one in self.every(desk)):
            raise VersionNotFound(desk=desk, version=number)
        try:
            return self._text(desk, number).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise VersionNotFound(desk=desk, version=number) from error

    def _write(self, desk: str, one: KeptVersion, text: str) -> None:
        self._text(desk, one.number).parent.mkdir(parents=True, exist_ok=True)
        self._text(desk, one.number).write_bytes(text.encode())
        partial = self._facts(desk, one.number).with_suffix(".partial")
        partial.write_text(json.dumps(asdict(one), default=str, ensure_ascii=False), encoding="utf-8")
        # A version is there once its facts are: the text is whole by then.
        partial.replace(self._facts(desk, one.number))

    def _forget_the_oldest(self, desk: str) -> None:
        self.forget([(desk, one.number) for one in self.every(desk)[MOST:]])

    def _text(self, desk: str, number: int) -> Path:
        return self._folder / desk / f"{number:06}.yaml"

    def _facts(self, desk: str, number: int) -> Path:
        return self._folder / desk / f"{number:06}.json"


def _is_name(desk: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9-]{0,39}", desk) is not None
