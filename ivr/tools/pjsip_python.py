"""Gives the simulated phones a Python of their own where PJSIP's bindings have no wheel for ours.

Debian 12's Python 3.11 is unpacked without root, with the bindings in it, and runs with its own libraries.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ivr.tools import debian_packages
from ivr.tools.debian_packages import Progress

#: The Debian suite that carries a Python for which there are bindings, and what an extension in C++ needs of it.
SUITE = "bookworm"
VERSION = "3.11"
PACKAGES = (f"python{VERSION}-minimal", f"libpython{VERSION}-stdlib", "libstdc++6")
LOCK = Path(__file__).parents[2] / "requirements" / "phones.txt"


def ready(folder: Path, lock: Path = LOCK) -> bool:
    """Return whether this Python has the bindings, or `folder` holds one with those that are locked."""
    if importlib.util.find_spec("pjsua2") is not None:
        return True
    kept = folder / lock.name
    return (folder / "python").exists() and kept.exists() and kept.read_bytes() == lock.read_bytes()


def install(folder: Path, progress: Progress, lock: Path = LOCK) -> None:
    """Put a Python with the bindings into `folder`; `folder/python` starts it. Raises PackagesMissing."""

    def finish(root: Path) -> None:
        progress("installing PJSIP's bindings")
        site = root / "usr/lib/python3/dist-packages"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", str(lock)]
        debian_packages.run([*pip, "--only-binary", ":all:", "--python-version", VERSION, "--target", str(site)])
        program = root / "python"
        program.write_text(launcher(root, [*debian_packages.loader(root), str(root / "usr/bin" / f"python{VERSION}")]))
        program.chmod(0o755)
        debian_packages.run([str(program), "-c", "import pjsua2"])
        shutil.copy(lock, root)

    what = "a Python for the simulated phones (about 20 MB)"
    debian_packages.unpack(folder, PACKAGES, suite=SUITE, what=what, progress=progress, finish=finish)


def launcher(root: Path, command: Sequence[str]) -> str:
    """A script in `root` that runs a command of files below it, wherever `root` is moved.

    It is replaced by the command, so that the process is the phones' own and no shell's.
    """
    words = " ".join(f'"{word}"' for word in command).replace(str(root), "$here")
    return f'#!/bin/sh\nhere=$(cd "$(dirname "$0")" && pwd)\nexec {words} "$@"\n'
