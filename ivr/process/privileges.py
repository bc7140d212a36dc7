"""Drops root's rights: a hole in the line is then no hole in the machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import structlog

from ivr.errors import BadInput
from ivr.host.private_files import refuse_shared
from ivr.settings import Settings

log = structlog.get_logger()

#: Set to 1, it lets a line that others can reach run as root.
ALLOW_ROOT = "OMNIVIGIL_ALLOW_ROOT"
#: prctl(2): nothing that is executed from now on gains rights, whatever bits its file has.
_PR_SET_NO_NEW_PRIVS = 38


def settle(settings: Settings, user: str | None, environment: Mapping[str, str]) -> None:
    """Become `user` where root is asked to. Raises BadInput where the line would run as root and others could reach it.

    On loopback root may (`tell_of_root`): newcomers in containers, and tests, are root.
    """
    if os.geteuid() != 0:
        if user is not None and pwd.getpwuid(os.geteuid()).pw_name != user:
            problem = f"only root can become {user}"
            raise BadInput(field="--user", problem=problem, mend=f"leave it out, or start as {user} or as root")
        return
    if user is not None:
        become(user, settings.state)
        return
    reachable = [
        f"--{name} {one}" for name, one in (("sip", settings.sip), ("http", settings.http)) if not one.loopback
    ]
    if reachable and environment.get(ALLOW_ROOT) != "1":
        raise BadInput(
            field="--user",
            problem=f"the line would run as root, and others can reach {' and '.join(reachable)}",
            mend=f"give it an unprivileged user (--user NAME), start it as one, or set {ALLOW_ROOT}=1",
        )


def tell_of_root() -> None:
    """Warn of a line that runs as root all the same."""
    if os.geteuid() == 0:
        log.warning("running as root; use --user NAME to drop privileges", event_id="OV1303")


def become(name: str, state: Path) -> None:
    """Give the state folder to an unprivileged user and be that user from now on. Raises BadInput."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        mend = f"make it: useradd --system --no-create-home {name}"
        raise BadInput(field="--user", problem=f"there is no user {name!r}", mend=mend) from None
    if user.pw_uid == 0:
        raise BadInput(field="--user", problem=f"{name} is root by another name", mend="name an unprivileged user")
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    refuse_shared(state)
    for path, found in _below(state):
        # A second name of somebody's file is not given away.
        if found.st_uid != user.pw_uid and (found.st_nlink == 1 or path.is_dir()):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    os.initgroups(name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.environ["HOME"], os.environ["USER"] = user.pw_dir, name
    for what, path in (("Python", Path(sys.executable)), ("the program", Path(__file__)), ("--state", state)):
        if not os.access(path, os.R_OK):
            problem = f"{name} cannot read {what}, {path}"
            raise BadInput(
                field="--user", problem=problem, mend="put it where every user may enter, as in /opt or /srv"
            )
    log.info("root privileges dropped", user=name)


def _below(state: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The folder and all in it, links themselves and not what they lead to."""
    yield state, state.lstat()
    folders = [state]
    while folders:
        with contextlib.suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                yield Path(entry.path), entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
