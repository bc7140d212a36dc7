"""Reads the dialplan's notes of customers and technicians who were put through to each other.

The service may be dead at that very moment, and a customer who has talked must not be called again by the next one. So
the dialplan writes one small file per callback before it connects the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivr.asterisk.contract import put_through_at

#: What the dialplan writes is seconds since 1970; anything longer is not its own.
_LONGEST = 20


class PutThrough:
    """The folder of these files. Nothing here raises: a file that cannot be read is as if it were not there."""

    def __init__(self, folder: Path, shift: timedelta) -> None:
        """`shift` is how far the service's clock is from the machine's, by which the dialplan goes."""
        self._folder, self._shift = folder, shift

    def at(self, callback: str) -> datetime | None:
        """Return when the two were put through; None when they were not."""
        try:
            at = put_through_at((self._folder / callback).read_text(encoding="ascii")[:_LONGEST])
            if at is not None:
                return datetime.fromtimestamp(at, UTC) + self._shift
            return None
        except (OSError, ValueError, OverflowError):
            return None

    def forget(self, callback: str) -> None:
        """It is in the database, or the next attempt is a new one."""
        try:
            (self._folder / callback).unlink(missing_ok=True)
        except OSError:
            return
