"""A database as the first start of a line leaves it, made once and copied for the lines of tests.

Migrations and the demo's seven password hashes take two seconds of a processor, and each of some thirty lines would pay
them. That a line makes its database from nothing is proved by those that are started without this: the demo, one on
PostgreSQL, and the integration tests.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

_REPOSITORY = Path(__file__).parents[2]
_KEPT = _REPOSITORY / "var" / "prepared-line"
#: With the database go the token that it knows, and the secrets that it is sealed with.
_FILES = ("omnivigil.sqlite3", "demo-token", "secrets.json")
#: Before the clock of any line of the tests.
_MADE_AT = datetime(2026, 11, 1, tzinfo=UTC)


def copy_into(state: Path) -> None:
    """Put the database into a new line's state folder; one that has its own keeps it."""
    if (state / _FILES[0]).exists():
        return
    made = _made()
    for name in _FILES:
        shutil.copy2(made / name, state / name)


def _made() -> Path:
    """The folder of a database that this very code has made."""
    digest = hashlib.sha256()
    for file in sorted((_REPOSITORY / "ivr").rglob("*")):
        if file.suffix in (".py", ".yaml"):
            digest.update(file.read_bytes())
    folder = _KEPT / digest.hexdigest()[:16]
    _KEPT.mkdir(parents=True, exist_ok=True)
    with FileLock(_KEPT / "lock"):
        if not (folder / "whole").exists():
            for old in (one for one in _KEPT.iterdir() if one.is_dir()):
                shutil.rmtree(old)
            words = [sys.executable, "-m", "tests.calls.prepared", str(folder)]
            subprocess.run(words, cwd=_REPOSITORY, check=True, stdout=subprocess.DEVNULL)
            (folder / "whole").touch()
    return folder


def _prepare(state: Path) -> None:
    from ivr.asterisk import runtime
    from ivr.prepare import prepare
    from ivr.settings import Settings

    state.mkdir(parents=True)
    settings = Settings(state=state, clock_shift_s=(_MADE_AT - datetime.now(UTC)).total_seconds())
    found = runtime.find(runtime.folders(_REPOSITORY / "var"))
    asyncio.run(prepare(settings, found, lambda _: None))
    shutil.rmtree(state / "sounds")


if __name__ == "__main__":
    _prepare(Path(sys.argv[1]))
