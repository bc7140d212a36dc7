"""The file of a backup: a tar.gz whose last member, the manifest, has the size and SHA-256 of every other.

It is written under another name and is there whole or not at all. What is read is hostile: names are checked against
what a backup can hold, and nothing counts before the manifest has confirmed all of it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ivr.errors import BadInput, OmnivigilError

#: Of what this writes; a reader refuses later ones.
FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_PIECE: Final = 1 << 20
#: A member that is no larger is copied in memory.
_IN_MEMORY: Final = 8 << 20
_LARGEST_MANIFEST: Final = 256 << 20
#: database/NAME or state/PATH: no empty part, none that is . or .., nothing that a terminal or a shell acts on.
_NAME: Final = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))(?:database|state)(?:/[^/\x00-\x1f\x7f\\]{1,255}){1,16}")


class BackupFailed(OmnivigilError):
    """The backup could not be written."""


class Damaged(OmnivigilError):
    """The file is no whole backup; take another one."""


class Member(BaseModel):
    """A file in the archive."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Table(BaseModel):
    """A table as PostgreSQL's COPY wrote it: its columns, in order, and how many rows it has."""

    model_config = ConfigDict(frozen=True)

    name: str
    columns: tuple[str, ...]
    rows: int = Field(ge=0)


class Counter(BaseModel):
    """Where a table's own numbers (identity) had got to."""

    model_config = ConfigDict(frozen=True)

    table: str
    column: str
    last: int
    used: bool


class Manifest(BaseModel):
    """What a backup is of."""

    model_config = ConfigDict(frozen=True)

    format: int
    #: Of the program that wrote it.
    version: str
    #: ISO 8601, UTC: the moment of the database's snapshot.
    created_at: str
    #: sqlite or postgresql
    database: str
    #: Of the database's tables, as in 0025.
    revision: str
    #: Whether the state folder's files are in it, or the database alone.
    files: bool
    tables: tuple[Table, ...] = ()
    counters: tuple[Counter, ...] = ()
    members: tuple[Member, ...] = ()


@dataclass(kw_only=True)
class _Seen:
    members: list[Member] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    manifest: Manifest | None = None


class Writer:
    """Writes an archive; nothing is at its path before `finish`. Raises BackupFailed for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members: list[Member] = []
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        except OSError as error:
            raise BackupFailed(file=str(path), problem=error.strerror) from error
        self._partial = Path(name)
        # mkstemp's own mode is 600, and so it stays: there are passwords and messages in it.
        self._file = os.fdopen(handle, "wb")
        self._gzip = gzip.GzipFile(filename="", fileobj=self._file, mode="wb", compresslevel=1)
        self._tar = tarfile.open(fileobj=self._gzip, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, name: str, source: Path) -> None:
        """Add a file under `name`: nothing when it is gone by now, and what there is of it when it is still written."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(self._path.parent)) as copy:
            digest, size = hashlib.sha256(), 0
            try:
                with source.open("rb") as file:
                    modified = os.fstat(file.fileno()).st_mtime
                    while piece := file.read(_PIECE):
                        copy.write(piece)
                        digest.update(piece)
                        size += len(piece)
            except FileNotFoundError:
                return
            copy.seek(0)
            self._write(name, size, copy, modified)
        self._members.append(Member(name=name, size=size, sha256=digest.hexdigest()))

    def finish(self, **facts: Any) -> Manifest:
        """Write the manifest with these facts, and put the archive, which is on disk then, in its place."""
        manifest = Manifest(format=FORMAT, members=tuple(self._members), **facts)
        text = manifest.model_dump_json(indent=1).encode()
        self._write(MANIFEST, len(text), io.BytesIO(text), 0)
        self._tar.close()
        self._gzip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._partial.rename(self._path)
        _sync_folder(self._path.parent)
        return manifest

    def forget(self) -> None:
        """Leave nothing behind, unless it is finished."""
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def _write(self, name: str, size: int, content: IO[bytes], modified: float) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, int(modified), 0o600
        self._tar.addfile(info, content)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


#: Where a member of this name and size is written to; None when only its digest is of interest.
Place = Callable[[str, int], Path | None]
#: Whether a backup may hold a file of this name.
Allowed = Callable[[str], bool]


def read(path: Path, place: Place, allowed: Allowed) -> Manifest:
    """Read an archive to its very end, and write its members where `place` says.

    What was written is as it was backed up once this has returned, and is to be thrown away when it raises: Damaged, or
    BadInput when there is no such file.
    """
    seen = _Seen()
    try:
        with gzip.open(path, "rb") as stream:
            with tarfile.open(fileobj=stream, mode="r|", errorlevel=1) as tar:
                for info in tar:
                    _take(tar, info, seen, place, allowed)
            # To the end, where gzip has its checksum.
            while stream.read(_PIECE):
                pass
    except FileNotFoundError as error:
        raise BadInput(field="FILE", problem=f"{path} is not there", mend="name a file that backup wrote") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeDecodeError, ValueError) as error:
        raise Damaged(file=str(path), problem=str(error) or "it ends too early") from error
    manifest = seen.manifest
    if manifest is None:
        raise Damaged(file=str(path), problem="its end is missing")
    found, named = {one.name: one for one in seen.members}, {one.name: one for one in manifest.members}
    for name in sorted(found.keys() | named.keys()):
        if found.get(name) != named.get(name):
            raise Damaged(file=str(path), problem=f"{name} is not as it was backed up")
    return manifest


def _take(
    tar: tarfile.TarFile, info: tarfile.TarInfo, seen: _Seen, place: Place, allowed: Callable[[str], bool]
) -> None:
    if seen.manifest is not None:
        raise tarfile.ReadError("there is something behind its end")
    content = tar.extractfile(info) if info.isreg() else None
    if content is None:
        raise tarfile.ReadError(f"{info.name!r} is not a plain file")
    if info.name == MANIFEST:
        seen.manifest = _manifest(content, info.size)
        return
    if _NAME.fullmatch(info.name) is None or not allowed(info.name):
        raise tarfile.ReadError(f"{info.name!r} is nothing that a backup holds")
    if info.name in seen.names:
        raise tarfile.ReadError(f"{info.name!r} is there twice")
    seen.names.add(info.name)
    digest, target = hashlib.sha256(), place(info.name, info.size)
    if target is None:
        while piece := content.read(_PIECE):
            digest.update(piece)
    else:
        private_folder(target.parent)
        with open(target, "xb", opener=_private) as file:
            while piece := content.read(_PIECE):
                digest.update(piece)
                file.write(piece)
        os.utime(target, (info.mtime, info.mtime))
    seen.members.append(Member(name=info.name, size=info.size, sha256=digest.hexdigest()))


def private_folder(folder: Path) -> None:
    """Make a folder and those above it, each for its owner only."""
    if not folder.is_dir():
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _manifest(content: IO[bytes], size: int) -> Manifest:
    if size > _LARGEST_MANIFEST:
        raise tarfile.ReadError("its manifest is too large")
    try:
        found = Manifest.model_validate_json(content.read())
    except ValidationError as error:
        raise tarfile.ReadError(f"its manifest cannot be read: {error.error_count()} errors") from error
    if found.format > FORMAT:
        problem = f"it is of format {found.format}, and this version reads up to {FORMAT}"
        raise BadInput(field="FILE", problem=problem, mend=f"use omnivigil {found.version} or later")
    return found
