"""Root's rights are given up, or the line does not start where others can reach it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.errors import BadInput
from ivr.process import privileges
from ivr.settings import Address, Settings

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")

BECOME = """
import os, sys
from pathlib import Path
from ivr.process import privileges
state = Path(sys.argv[1])
# Where this runs, root's folders may be closed to others.
os.access = lambda path, how: True
privileges.become("nobody", state)
try:
    os.setuid(0)
except PermissionError:
    print("not back")
(state / "written").write_text("x")
told = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\\t" in line)
print(os.getresuid(), told["CapEff"].strip(), told["CapPrm"].strip(), told["NoNewPrivs"].strip(), os.getgroups())
"""


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder that another user may enter, with what root left in it."""
    folder = Path(tempfile.mkdtemp(prefix="omnivigil-"))
    (folder / "log").mkdir()
    (folder / "log" / "service.log").write_text("by root\n")
    (folder / "link").symlink_to("/etc/hostname")
    yield folder
    shutil.rmtree(folder)


@is_root
def test_nothing_is_left_of_roots_rights(state: Path) -> None:
    """No user, no capability, no way back; the state folder is the user's, and what links lead to is not."""
    victim = state.with_name(state.name + "-victim")
    victim.write_text("")
    os.link(victim, state / "second-name")
    try:
        words = [sys.executable, "-c", BECOME, str(state)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        nobody = pwd.getpwnam("nobody")
        assert done.stdout.splitlines()[-2:] == [
            "not back",
            f"({nobody.pw_uid}, {nobody.pw_uid}, {nobody.pw_uid}) {'0' * 16} {'0' * 16} 1 [{nobody.pw_gid}]",
        ], done.stderr
        owners = {path.name: path.lstat().st_uid for path in (state, *state.rglob("*"))}
        assert owners.pop("second-name") == 0
        assert set(owners.values()) == {nobody.pw_uid}
        assert Path("/etc/hostname").stat().st_uid == 0
    finally:
        victim.unlink()


@pytest.mark.parametrize(("name", "problem"), [("nobody-here", "no user"), ("root", "root by another name")])
def test_whom_one_cannot_become(tmp_path: Path, name: str, problem: str) -> None:
    """Said before anything is changed."""
    with pytest.raises(BadInput, match=problem):
        privileges.become(name, tmp_path)


@is_root
def test_root_is_refused_where_others_can_reach_the_line(tmp_path: Path) -> None:
    """And warned on loopback, where newcomers in containers and tests are root."""
    private = Settings(state=tmp_path)
    public = replace(private, http=Address(host="0.0.0.0", port=8080))
    privileges.settle(private, None, {})
    with pytest.raises(BadInput, match=r"--http 0.0.0.0:8080.*--user NAME"):
        privileges.settle(public, None, {})
    with pytest.raises(BadInput):
        privileges.settle(public, None, {"OMNIVIGIL_ALLOW_ROOT": "yes"})
    privileges.settle(public, None, {"OMNIVIGIL_ALLOW_ROOT": "1"})
