"""Debian's packages, unpacked into a folder without root: nothing of the machine is changed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from ivr.errors import OmnivigilError

_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}

Progress = Callable[[str], None]


class PackagesMissing(OmnivigilError):
    """Debian's packages could not be had."""


def machine() -> str:
    """Debian's name of this machine's library folder, such as x86_64-linux-gnu."""
    return f"{platform.machine()}-linux-gnu"


def loader(root: Path) -> tuple[str, ...]:
    """Return what is put before a program of an unpacked set, so that it runs with the set's own libraries."""
    folders = [root / "usr/lib" / machine(), root / "lib" / machine()]  # the latter before Debian 13
    name = _LOADERS.get(platform.machine(), "ld-linux.so.2")
    home = next((folder for folder in folders if (folder / name).exists()), folders[0])
    return (str(home / name), "--library-path", os.pathsep.join(map(str, folders)))


def unpack(
    folder: Path,
    packages: Sequence[str],
    *,
    suite: str,
    what: str,
    progress: Progress,
    finish: Callable[[Path], None] = lambda root: None,
) -> None:
    """Download packages of a suite with all they need, and unpack them into `folder`.

    `what` tells what is downloaded; `finish` completes or checks the set before it takes its place, so that all
    of it is there or nothing. Raises PackagesMissing with the failing command's last words.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PackagesMissing(missing=tool, mend="use a Debian machine, or the image that the Dockerfile builds")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    apt = partial / "apt"
    for sub in ("lists/partial", "archives/partial"):
        (apt / sub).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb {_signed_by()}{debian_mirror()} {suite} main non-free\n")
    options = [
        f"Dir::Etc::sourcelist={apt / 'sources.list'}",
        "Dir::Etc::sourceparts=/dev/null",
        "Dir::Etc::preferencesparts=/dev/null",
        f"Dir::State::status={apt / 'status'}",
        f"Dir::State::lists={apt / 'lists'}",
        f"Dir::Cache={apt}",
        f"Dir::Cache::archives={apt / 'archives'}",
        "APT::Install-Recommends=false",
        "APT::Sandbox::User=",
    ]
    apt_get = ["apt-get", "-q", *(word for option in options for word in ("-o", option))]
    progress("reading Debian's package list")
    run([*apt_get, "update"])
    progress(f"downloading {what}")
    run([*apt_get, "-y", "--download-only", "install", *packages])
    found = sorted((apt / "archives").glob("*.deb"))
    progress(f"unpacking {len(found)} packages")
    for package in found:
        run(["dpkg-deb", "-x", str(package), str(partial)])
    shutil.rmtree(apt)
    finish(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def debian_mirror() -> str:
    """The Debian mirror this machine already uses, or OMNIVIGIL_DEBIAN_MIRROR. Raises PackagesMissing."""
    if named := os.environ.get("OMNIVIGIL_DEBIAN_MIRROR"):
        return named
    for text in (_apt_targets(), _apt_sources()):
        for uri in re.findall(r"(?:https?|file|copy|mirror\+\w+):/\S+", text):
            if "security" not in uri and "/debian" in uri:
                return str(uri)
    raise PackagesMissing(missing="the address of a Debian mirror", mend="set OMNIVIGIL_DEBIAN_MIRROR to one")


def _apt_targets() -> str:
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _apt_sources() -> str:
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *(sorted(folder.glob("*")) if folder.is_dir() else [])]
    lines = (line for file in files if file.is_file() for line in file.read_text(errors="replace").splitlines())
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _signed_by() -> str:
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if keyring.exists():
        return f"[signed-by={keyring}] "
    return ""


def run(command: list[str]) -> None:
    """Run one step of an installation. Raises PackagesMissing with its last words."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        words = " ".join(done.stdout.strip().splitlines()[-3:])
        mend = "is a Debian mirror in reach?"
        raise PackagesMissing(missing=f"{command[0]} could not do its work", said=words, mend=mend)
