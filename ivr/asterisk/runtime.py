"""Finds Asterisk, the voice and the load generator: the machine's own where good enough, else an embedded set.

The embedded set is Debian's packages unpacked, without root, under the state folder and run through
their own loader, so that it neither needs nor disturbs the machine's libraries.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import OmnivigilError
from ivr.tools import debian_packages
from ivr.tools.debian_packages import Progress, machine

#: Older 22.x releases have a remote hole (CVE-2026-57191); 22 is the long-term release.
MINIMUM = (22, 10, 1)
#: The Debian suite that carries Asterisk 22; Debian 12 and 13 carry none.
SUITE = "forky"
PACKAGES = (
    "asterisk",
    "sip-tester",
    "libttspico-utils",
    "asterisk-core-sounds-fr-wav",
    "asterisk-core-sounds-en-wav",
)
_STAMP = ".complete"


class RuntimeMissing(OmnivigilError):
    """Asterisk or one of its companions is missing."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where each outside program and its data are. `loader` is put before every program's path."""

    root: Path
    loader: tuple[str, ...]
    asterisk: Path
    version: tuple[int, int, int]
    modules: Path
    #: Holds `documentation/` and `rest-api/`.
    data: Path
    sipp: Path
    pico_library: Path
    pico_languages: Path
    #: Recorded voices: `fr_CA_f_June` and `en_US_f_Allison` below it.
    core_sounds: Path

    def command(self, program: Path, *arguments: str) -> list[str]:
        """The argument list that runs one of this runtime's programs."""
        return [*self.loader, str(program), *arguments]

    @property
    def preloads(self) -> bool:
        """Return whether a library of ours can be loaded before a program's own: its loader is known."""
        return bool(self.loader or _own_loader())

    def command_with(self, library: Path, program: Path, *arguments: str) -> list[str]:
        """The same, with a library of ours before the program's own; its children do without."""
        if not self.preloads:
            return self.command(program, *arguments)
        loader, *options = self.loader or _own_loader()
        return [loader, "--preload", str(library), *options, str(program), *arguments]


def _own_loader() -> tuple[str, ...]:
    """The machine's own loader, as Debian or its ABI places it; () where it is nowhere."""
    places = (debian_packages.loader(Path("/"))[0], "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
    return tuple(place for place in places if Path(place).exists())[:1]


def folders(state: Path) -> list[Path]:
    """Return where an embedded set may be: in this line's own state folder, else in the repository's."""
    return [state / "runtime", Path(__file__).parents[2] / "var" / "runtime"]


def find(folders: Sequence[Path]) -> Runtime:
    """The machine's own Asterisk if new enough and complete, else the first complete embedded set in `folders`.

    Raises RuntimeMissing, naming what is missing and the mend.
    """
    system = _look(Path("/"), loader=())
    if system is not None:
        return system
    for folder in folders:
        if (folder / _STAMP).exists() and (found := _look(folder, loader=debian_packages.loader(folder))) is not None:
            return found
    raise RuntimeMissing(
        missing=f"Asterisk {'.'.join(map(str, MINIMUM))} or later with its voices",
        mend="run ./omnivigil up once with Debian's packages in reach",
    )


def _look(root: Path, *, loader: tuple[str, ...]) -> Runtime | None:
    asterisk = root / "usr/sbin/asterisk"
    if root == Path("/") and (on_path := shutil.which("asterisk")):
        asterisk = Path(on_path)
    version = _version([*loader, str(asterisk)]) if asterisk.exists() else None
    if version is None or version < MINIMUM or version[0] != MINIMUM[0]:
        return None
    runtime = Runtime(
        root=root,
        loader=loader,
        asterisk=asterisk,
        version=version,
        modules=root / "usr/lib" / machine() / "asterisk/modules",
        data=root / "usr/share/asterisk",
        sipp=root / "usr/bin/sipp",
        pico_library=root / "usr/lib" / machine() / "libttspico.so.0",
        pico_languages=root / "usr/share/pico/lang",
        core_sounds=root / "usr/share/asterisk/sounds",
    )
    needed = (runtime.modules, runtime.data, runtime.pico_library, runtime.pico_languages)
    voices = (runtime.core_sounds / "fr_CA_f_June", runtime.core_sounds / "en_US_f_Allison")
    if all(path.exists() for path in (*needed, *voices)):
        return runtime
    return None


def _version(command: list[str]) -> tuple[int, int, int] | None:
    try:
        out = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Asterisk (\d+)\.(\d+)\.(\d+)", out)
    if found:
        return (int(found[1]), int(found[2]), int(found[3]))
    return None


def install(folder: Path, progress: Progress) -> Runtime:
    """Download the embedded set and unpack it into `folder`; needs no root.

    Raises PackagesMissing with the failing command's last words when Debian's packages cannot be had,
    RuntimeMissing when they do not work.
    """
    what = "Asterisk and the voices (about 130 MB)"
    debian_packages.unpack(folder, PACKAGES, suite=SUITE, what=what, progress=progress, finish=_complete)
    return find([folder])


def _complete(root: Path) -> None:
    if _look(root, loader=debian_packages.loader(root)) is None:
        raise RuntimeMissing(missing="a working Asterisk in what was downloaded", mend=f"look into {root}")
    (root / _STAMP).touch()
