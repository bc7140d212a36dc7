"""Gives the browser tests a Chromium: the machine's own, or Debian's, unpacked without root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ivr.tools import debian_packages
from ivr.tools.debian_packages import Progress

SUITE = "bookworm"
#: With fonts, so that letters are seen on a machine without any.
PACKAGES = ("chromium", "fonts-dejavu-core", "fontconfig-config")
#: The C library comes with its own loader, and both with the machine.
_OF_THE_MACHINE = (
    *(f"{name}.so" for name in ("libc", "libm", "libpthread", "libdl", "librt", "libresolv", "libutil", "libmvec")),
    "ld-linux",
    "libnss_",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find(folder: Path) -> Path | None:
    """The browser, if there is one."""
    own = folder / "browser"
    if own.exists():
        return own
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is not None:
        return Path(found)
    return None


def install(folder: Path, progress: Progress) -> None:
    """Unpack Chromium into `folder`; `folder/browser` starts it. Raises PackagesMissing."""

    def finish(root: Path) -> None:
        _link_libraries(root)
        program = root / "browser"
        program.write_text(_launcher())
        program.chmod(0o755)
        debian_packages.run([str(program), "--version"])

    what = "Chromium for the browser tests (about 150 MB)"
    debian_packages.unpack(folder, PACKAGES, suite=SUITE, what=what, progress=progress, finish=finish)


def _link_libraries(root: Path) -> None:
    """All libraries of the set in one folder, but for the C library's: those are the machine's.

    Chromium starts itself again for each tab, so that no loader of the set's own can be put before it.
    """
    libraries = root / "libraries"
    libraries.mkdir()
    for folder in (root / "usr/lib" / debian_packages.machine(), root / "lib" / debian_packages.machine()):
        for file in folder.glob("*.so*"):
            link = libraries / file.name
            if not file.name.startswith(_OF_THE_MACHINE) and not link.is_symlink():
                link.symlink_to(os.path.relpath(file, libraries))


def _launcher() -> str:
    home = f"$here/usr/lib/{debian_packages.machine()}"
    return f"""#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="$here/libraries:{home}/nss:{home}/pulseaudio" FONTCONFIG_SYSROOT="$here"
exec "$here/usr/lib/chromium/chromium" "$@"
"""
