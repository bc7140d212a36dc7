"""E-mails as they came, on disk, and what was attached to them."""

from __future__ import annotations

import asyncio
import os
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivr.mail.contents import Unreadable
from ivr.mail.parser import attachment

#: Signs that a file's name may not have on some system.
_UNFIT: Final = frozenset('\\/:*?"<>|')
_LONGEST: Final = 120
#: One is read at a time, so that memory has a bound.
_one = asyncio.Lock()


@dataclass(frozen=True, kw_only=True)
class Attached:
    """A file that came with an e-mail; its name is fit for any disk."""

    name: str
    data: bytes


def file_of(folder: Path, key: str) -> Path:
    """Return where an e-mail is kept as it came."""
    return folder / f"{key}.eml"


def keep(folder: Path, key: str, content: bytes) -> None:
    """Write an e-mail to disk and wait until it is there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = file_of(folder, key)
    # The same e-mail may be delivered twice at once.
    begun = path.with_suffix(f".{secrets.token_hex(4)}.part")
    with begun.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    begun.replace(path)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def attached(folder: Path, key: str, nth: int) -> Attached | None:
    """The nth attachment, from 1, of an e-mail that was kept; None when it is not there (any more)."""
    async with _one:
        return await asyncio.to_thread(_attached, file_of(folder, key), nth)


def _attached(path: Path, nth: int) -> Attached | None:
    try:
        found = attachment(path.read_bytes(), nth - 1)
    except (OSError, Unreadable):
        return None
    if found is not None:
        return Attached(name=safe_name(found.name), data=found.data())
    return None


def safe_name(name: str) -> str:
    """A file's name without what leads to another folder, hides its ending or turns its letters round."""
    kept = "".join(
        "_" if sign in _UNFIT else sign for sign in name if sign == " " or unicodedata.category(sign)[0] not in "CZ"
    )
    kept = kept.strip(" .")
    if len(kept) > _LONGEST:
        stem, dot, ending = kept.rpartition(".")
        ending = f"{dot}{ending}" if dot and len(ending) <= 10 else ""
        kept = (stem or kept)[: _LONGEST - len(ending)] + ending
    return kept or "fichier"
