"""A real nginx before the line: the machine's own, or Debian's, unpacked without root."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ivr.tools import debian_packages

_UNPACKED = Path(__file__).parents[1] / "var" / "nginx"


def _command() -> list[str]:
    own = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
    if own is not None:
        return [own]
    _UNPACKED.parent.mkdir(exist_ok=True)
    with _UNPACKED.with_suffix(".lock").open("w") as lock:
        # Tests run side by side.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _UNPACKED.exists():
            debian_packages.unpack(_UNPACKED, ["nginx"], suite="bookworm", what="nginx", progress=lambda _: None)
    return [*debian_packages.loader(_UNPACKED), str(_UNPACKED / "usr/sbin/nginx")]


@contextlib.contextmanager
def nginx(folder: Path, locations: str, port: int) -> Iterator[None]:
    """Serves these locations at a port of 127.0.0.1, until left."""
    for sub in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    paths = "".join(f"{sub}_temp_path {folder / sub}; " for sub in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; {paths}\n"
        f"server {{ listen 127.0.0.1:{port}; {locations} }} }}\n"
    )
    command = [*_command(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command)
    try:
        _listening(process, port, folder / "error.log")
        yield
    finally:
        process.terminate()
        process.wait(30)


def _listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=30):
            return
        if process.poll() is not None:
            raise AssertionError(f"nginx ended: {log.read_text()}")
