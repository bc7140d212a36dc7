"""Finds Asterisk, the voice and the load generator: the machine's own where good enough, else an embedded set.

The embedded set is Debian's packages unpacked, without root, under the state folder and run through
their own loader, so that it neither needs nor disturbs the machine's libraries.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import OmnivigilError

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
_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}

Progress = Callable[[str], None]


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


def machine() -> str:
    """Debian's name of this machine's library folder, such as x86_64-linux-gnu."""
    return f"{platform.machine()}-linux-gnu"


def folders(state: Path) -> list[Path]:
    """Where an embedded set may be: in this line's own state folder, else in the repository's."""
    return [state / "runtime", Path(__file__).parents[2] / "var" / "runtime"]


def find(folders: Sequence[Path]) -> Runtime:
    """The machine's own Asterisk if new enough and complete, else the first complete embedded set in `folders`.

    Raises RuntimeMissing, naming what is missing and the mend.
    """
    system = _look(Path("/"), loader=())
    if system is not None:
        return system
    for folder in folders:
        if (folder / _STAMP).exists() and (found := _look(folder, loader=_loader(folder))) is not None:
            return found
    raise RuntimeMissing(
        missing=f"Asterisk {'.'.join(map(str, MINIMUM))} or later with its voices",
        mend="run ./omnivigil up once with Debian's packages in reach",
    )


def _loader(root: Path) -> tuple[str, ...]:
    library = root / "usr/lib" / machine()
    return (str(library / _LOADERS.get(platform.machine(), "ld-linux.so.2")), "--library-path", str(library))


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
    return runtime if all(path.exists() for path in (*needed, *voices)) else None


def _version(command: list[str]) -> tuple[int, int, int] | None:
    try:
        out = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"Asterisk (\d+)\.(\d+)\.(\d+)", out)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def install(folder: Path, progress: Progress) -> Runtime:
    """Download the embedded set and unpack it into `folder`; needs no root.

    Raises RuntimeMissing with the failing command's last words when Debian's packages cannot be had.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise RuntimeMissing(missing=tool, mend="use a Debian machine, or the image that the Dockerfile builds")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    apt = partial / "apt"
    for sub in ("lists/partial", "archives/partial"):
        (apt / sub).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb {_signed_by()}{debian_mirror()} {SUITE} main non-free\n")
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
    _run([*apt_get, "update"])
    progress("downloading Asterisk and the voices (about 130 MB)")
    _run([*apt_get, "-y", "--download-only", "install", *PACKAGES])
    packages = sorted((apt / "archives").glob("*.deb"))
    progress(f"unpacking {len(packages)} packages")
    for package in packages:
        _run(["dpkg-deb", "-x", str(package), str(partial)])
    shutil.rmtree(apt)
    if _look(partial, loader=_loader(partial)) is None:
        raise RuntimeMissing(missing="a working Asterisk in what was downloaded", mend=f"look into {partial}")
    (partial / _STAMP).touch()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return find([folder])


def debian_mirror() -> str:
    """The Debian mirror this machine already uses, or OMNIVIGIL_DEBIAN_MIRROR. Raises RuntimeMissing."""
    if named := os.environ.get("OMNIVIGIL_DEBIAN_MIRROR"):
        return named
    for text in (_apt_targets(), _apt_sources()):
        for uri in re.findall(r"(?:https?|file|copy|mirror\+\w+):/\S+", text):
            if "security" not in uri and "/debian" in uri:
                return str(uri)
    raise RuntimeMissing(missing="the address of a Debian mirror", mend="set OMNIVIGIL_DEBIAN_MIRROR to one")


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
    return f"[signed-by={keyring}] " if keyring.exists() else ""


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        words = " ".join(done.stdout.strip().splitlines()[-3:])
        mend = "is a Debian mirror in reach?"
        raise RuntimeMissing(missing=f"{command[0]} could not do its work", said=words, mend=mend)
