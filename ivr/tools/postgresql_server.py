"""A PostgreSQL server of one's own, for tests and benchmarks: made in a folder, reached by its socket, and forgotten.

It asks for no password, and may be told not to wait for the disk: nothing that matters belongs into it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivr.errors import OmnivigilError
from ivr.tools import debian_packages
from ivr.tools.debian_packages import Progress

#: Older ones have reached the end of their life.
MINIMUM = 14
SUITE = "bookworm"
PACKAGES = ("postgresql-15",)
#: Who may do everything in a cluster.
OWNER = "omnivigil"

_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_STAMP = ".complete"
#: For data that need not outlive a power cut.
HASTY: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "max_wal_size": "4GB",
}


class ServerMissing(OmnivigilError):
    """PostgreSQL's server is not installed."""


class ServerFailed(OmnivigilError):
    """PostgreSQL's server could not be started."""


@dataclass(frozen=True, kw_only=True)
class Programs:
    """PostgreSQL's programs: the folder they are in, and all that has to go with it when it is an embedded set."""

    folder: Path
    root: Path | None = None


def embedded(repository: Path) -> Path:
    """Return where an embedded server is kept."""
    return repository / "var" / "postgresql"


def find(*sets: Path) -> Programs:
    """The machine's own server (on the PATH, or where Debian keeps it), else the first complete one of embedded `sets`.

    Raises ServerMissing.
    """
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -_number(folder.parent.name))
    on_path = shutil.which("initdb")
    found = [Programs(folder=folder) for folder in ([Path(on_path).resolve().parent] if on_path else []) + kept]
    for root in sets:
        if (root / _STAMP).exists():
            found += [Programs(folder=folder, root=root) for folder in root.glob("usr/lib/postgresql/*/bin")]
    for programs in found:
        if all((programs.folder / name).exists() for name in _PROGRAMS) and version(programs) >= MINIMUM:
            return programs
    mend = "apt install postgresql, or run ./omnivigil test once with Debian's packages in reach"
    raise ServerMissing(missing=f"PostgreSQL {MINIMUM} or later", mend=mend)


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    return 0


def version(programs: Programs) -> int:
    """The server's major version; 0 when it does not run."""
    command = [str(programs.folder / "postgres"), "-V"]
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", out)
    if found:
        return int(found[1])
    return 0


def install(root: Path, progress: Progress) -> Programs:
    """Download Debian's server and unpack it into `root`; needs no root's rights. Raises PackagesMissing."""
    what = "PostgreSQL (about 50 MB)"
    debian_packages.unpack(root, PACKAGES, suite=SUITE, what=what, progress=progress, finish=_complete)
    return find(root)


def _complete(root: Path) -> None:
    """Put a script before each program that runs it with the set's own libraries: they run one another by name."""
    for program in [path for name in _PROGRAMS for path in root.glob(f"usr/lib/postgresql/*/bin/{name}")]:
        real = program.rename(program.with_name(f"{program.name}.real"))
        words = " ".join(f'"{word}"' for word in [*debian_packages.loader(root), str(real)])
        up = "/".join(".." for _ in program.parent.relative_to(root).parts)
        command = words.replace(str(root), "$here")
        program.write_text(f'#!/bin/sh\nhere=$(cd "$(dirname "$0")/{up}" && pwd)\nexec {command} "$@"\n')
        program.chmod(0o755)
    if any(version(Programs(folder=folder)) < MINIMUM for folder in root.glob("usr/lib/postgresql/*/bin")):
        raise ServerMissing(missing="a working PostgreSQL in what was downloaded", mend=f"look into {root}")
    (root / _STAMP).touch()


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A server and its data, in a folder with a short path: its socket is there, and a socket's path is 107 bytes long.

    PostgreSQL refuses root; the folder is then nobody's, and must be in one that everybody may enter.
    """

    folder: Path
    programs: Programs
    settings: Mapping[str, str] = field(default_factory=lambda: HASTY)

    def start(self) -> None:
        """Make the cluster, unless it was made, and start its server. Raises ServerFailed with its last words."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        data = self.folder / "data"
        if not (data / "PG_VERSION").exists():
            # The poorest of locales: what works in it works in all.
            ways = ("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
            self._run("initdb", "--pgdata", str(data), "--username", OWNER, *ways)
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), **self.settings}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = str(self.folder / "server.log")
        self._run("pg_ctl", "start", "--wait", "--pgdata", str(data), "--log", log, "--options", options)

    def stop(self, mode: str = "fast") -> None:
        """End the server and every connection; `immediate` is as a crash. Raises ServerFailed."""
        self._run("pg_ctl", "stop", "--wait", "--pgdata", str(self.folder / "data"), "--mode", mode)

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+asyncpg://{OWNER}@/{database}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        # Not a pipe: the server would inherit it, and it would never end.
        output = self.folder / "commands.log"
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        command = [str(self._reachable() / program), *arguments]
        with output.open("wb") as said:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd="/", check=False, **user
            )
        if done.returncode != 0:
            told = output.read_text(errors="replace") + self._last_words()
            raise ServerFailed(program=program, code=done.returncode, said=told.strip()[-800:])

    def _last_words(self) -> str:
        log = self.folder / "server.log"
        if log.exists():
            return log.read_text(errors="replace")[-500:]
        return ""

    def _reachable(self) -> Path:
        """Return the programs where the user who runs them may go: an embedded set in root's home is copied first."""
        root = self.programs.root
        if root is None or os.geteuid() != 0 or all(one.stat().st_mode & 0o001 for one in (root, *root.parents)):
            return self.programs.folder
        copy = self.folder / "server"
        if not copy.exists():
            shutil.copytree(root, copy, symlinks=True)
        return copy / self.programs.folder.relative_to(root)
