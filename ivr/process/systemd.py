"""What systemd is told (sd_notify(3)): a datagram to the socket that it names. Without systemd, nothing."""

from __future__ import annotations

import contextlib
import os
import socket


def tell(message: str) -> None:
    """Say READY=1, WATCHDOG=1, STOPPING=1 or STATUS=…; lines make several. Raises nothing."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.setblocking(False)
        # A name in the abstract namespace is written with @ for its NUL.
        notify.sendto(message.encode(), "\0" + path[1:] if path.startswith("@") else path)


def watchdog_s() -> float | None:
    """Return how often systemd wants to hear WATCHDOG=1 at least, in seconds; None when it does not."""
    for_us = os.environ.get("WATCHDOG_PID") in (None, str(os.getpid()))
    wanted = os.environ.get("WATCHDOG_USEC", "")
    if for_us and wanted.isdigit() and int(wanted) > 0:
        return int(wanted) / 1e6
    return None
