"""A desk's file: found, read, and replaced as a whole while nobody else has changed it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ivr.desk.load import BUILT_IN
from ivr.errors import BadInput, Conflict, NotFound

#: Why a file is not written to: it came with the product, or the line's user may not.
ReadOnly = Literal["shipped", "not-ours"]


class NoSuchFile(NotFound):
    """No file in the folder is this desk's."""


class FileChanged(Conflict):
    """Somebody changed the desk's file in the meantime."""


class NotWritten(BadInput):
    """The desk's file could not be written; it is as it was."""

    def __init__(self, *, problem: str, mend: str) -> None:
        super().__init__(field="file", problem=problem, mend=mend)


_MENDS = {
    "shipped": "copy the folder ivr/desk/desks, and start the line with ./omnivigil up --desks COPY",
    "not-ours": "have the file and its folder belong to the user that the line runs as",
}
_PROBLEMS = {
    "shipped": "this file came with the product and is read only",
    "not-ours": "the line may not write to this file",
}


@dataclass(frozen=True, kw_only=True)
class DeskFile:
    """A desk's file as it is now. `etag` names this text, and no other."""

    path: Path
    text: str
    etag: str
    read_only: ReadOnly | None


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Another text for a desk's file, for whoever has seen the one called `etag`; None for whatever it is."""

    path: Path
    text: str
    etag: str | None
    #: By whom and why, as it is written beside the version.
    by: str
    source: Literal["console", "api"]
    why: str = ""

    @property
    def made(self) -> str:
        """The entity tag of the file once it is written."""
        return etag_of(self.text.encode())

    def expect(self, etag: str) -> None:
        """Raises FileChanged unless the file with this entity tag is the one that was seen."""
        if self.etag is not None and self.etag != etag:
            raise FileChanged(file=self.path.name)

    def write(self) -> bytes:
        """Bring it to the disk, whole or not at all; what was there before. Raises FileChanged and NotWritten."""
        if (reason := _read_only(self.path)) is not None:
            raise NotWritten(problem=_PROBLEMS[reason], mend=_MENDS[reason])
        try:
            before = self.path.read_bytes()
            self.expect(etag_of(before))
            replace_file(self.path, self.text.encode())
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            if full:
                mend = "make room on its disk, and try again"
            else:
                mend = _MENDS["not-ours"]
            raise NotWritten(problem=f"{self.path.name}: {error.strerror}", mend=mend) from error
        return before


def find(folder: Path, desk: str) -> DeskFile:
    """The file of a desk, whether it can be used or not. Raises NoSuchFile and OSError."""
    path = path_of(folder, desk)
    if path is None:
        raise NoSuchFile(desk=desk)
    content = path.read_bytes()
    return DeskFile(
        path=path, text=content.decode("utf-8", "replace"), etag=etag_of(content), read_only=_read_only(path)
    )


def path_of(folder: Path, desk: str) -> Path | None:
    """Return where a desk's file is: by the id that is written in it, so that a broken file is found too."""
    named = re.compile(rf"^id:\s*[\"']?{re.escape(desk)}[\"']?\s*(?:#.*)?$", re.MULTILINE)
    for path in sorted(folder.glob("*.yaml")):
        with contextlib.suppress(OSError):
            if named.search(path.read_bytes().decode("utf-8", "replace")):
                return path
    return None


def etag_of(content: bytes) -> str:
    """An entity tag (RFC 9110 section 8.8.3) of a file's content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _read_only(path: Path) -> ReadOnly | None:
    try:
        target = path.resolve(strict=True)
        if target.is_relative_to(BUILT_IN.resolve()):
            return "shipped"
        ours = os.geteuid() in (0, target.stat().st_uid)
    except OSError:
        return "not-ours"
    if ours and os.access(target.parent, os.W_OK) and os.access(target, os.W_OK):
        return None
    return "not-ours"


def replace_file(path: Path, content: bytes) -> None:
    """Have a file hold this, whole or not at all, with the mode and owner that it had. Raises OSError.

    A link stays a link: what it leads to is replaced.
    """
    target = path.resolve(strict=True)
    known = target.stat()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), known.st_mode & 0o7777)
            made = os.fstat(file.fileno())
            if (made.st_uid, made.st_gid) != (known.st_uid, known.st_gid):
                os.fchown(file.fileno(), known.st_uid, known.st_gid)
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
