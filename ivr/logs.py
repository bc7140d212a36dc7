"""Structured logs: one JSON object a line, static messages, facts as keys, callers' numbers masked.

A log that cannot be written (its disk is full) stops nothing: what is lost is counted, and told once there is room.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

from ivr.repeats import Repeats

#: Keys that hold a telephone number or an address of a person; only their ends are written (Law 25).
PERSONAL = frozenset({"ani", "number", "phone", "email", "caller", "to"})


def mask(value: str) -> str:
    """The last four characters, so that the person on call can match without reading the number."""
    if len(value) > 4:
        return f"…{value[-4:]}"
    return "…"


def _mask_personal(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in PERSONAL & event.keys():
        if event[key] is not None:
            event[key] = mask(str(event[key]))
    return event


class SteadyStream(io.TextIOBase):
    """Writes to the file of another text stream, drops and counts the lines that cannot be written, and never raises.

    `told` makes the line that is written before the next one that can be: it is given how many were dropped.
    """

    def __init__(self, stream: Any, told: Callable[[int], str]) -> None:
        self._stream = stream
        self._told = told
        self._lock = threading.Lock()
        self._pending = ""
        #: A line was cut in the middle: the next begins on one of its own.
        self._cut = False
        self._dropped = 0
        #: Lines that were dropped since the process began.
        self.dropped = 0

    @property
    def encoding(self) -> str:  # type: ignore[override] # TextIOBase says None
        return "utf-8"

    def fileno(self) -> int:
        """The file descriptor."""
        return int(self._stream.fileno())

    def isatty(self) -> bool:
        """Return whether a person looks at it."""
        return os.isatty(self.fileno())

    def writable(self) -> bool:
        """It always takes what it is given."""
        return True

    def write(self, text: str) -> int:
        """Write whole lines at once; the rest waits for the end of its line, or for `flush`."""
        with self._lock:
            self._pending += text
            if "\n" in text:
                self._send()
        return len(text)

    def flush(self) -> None:
        """Write what there is of a line too, as for a prompt."""
        with self._lock:
            self._send()

    def _send(self) -> None:
        text, self._pending = self._pending, ""
        if not text:
            return
        if self._dropped and self._put(self._told(self._dropped)):
            self._dropped = 0
        if self._dropped or not self._put(text):
            lines = text.count("\n") or 1
            self._dropped += lines
            self.dropped += lines

    def _put(self, text: str) -> bool:
        data = text.encode("utf-8", "backslashreplace")
        if self._cut:
            data = b"\n" + data
        sent = 0
        try:
            while sent < len(data):
                sent += os.write(self.fileno(), data[sent:])
        except (OSError, ValueError):
            self._cut = self._cut if sent == 0 else not data[:sent].endswith(b"\n")
            return False
        self._cut = False
        return True


def _told_plainly(lines: int) -> str:
    return f"{datetime.now(UTC).isoformat()} [warning] lines of the log could not be written lines={lines}\n"


def _told_as_json(lines: int) -> str:
    event = {"event": "lines of the log could not be written", "lines": lines, "level": "warning"}
    return json.dumps(event | {"timestamp": datetime.now(UTC).isoformat()}) + "\n"


def steady(stream: Any, told: Callable[[int], str] = _told_plainly) -> Any:
    """A stream to the same file that outlives a full disk; the stream as it is where there is no file."""
    if isinstance(stream, SteadyStream):
        return stream
    try:
        stream.fileno()
        stream.flush()
    except (AttributeError, OSError, ValueError):
        return stream
    return SteadyStream(stream, told)


def configure(*, human: bool = False) -> None:
    """Send this process's logs to standard error: JSON lines, or readable ones for a terminal."""
    renderer: Any = structlog.dev.ConsoleRenderer(colors=False) if human else structlog.processors.JSONRenderer()
    told = _told_plainly if human else _told_as_json
    errors = steady(sys.stderr, told)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            Repeats(),
            structlog.processors.format_exc_info,
            _mask_personal,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=errors),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=errors, format="%(levelname)s %(name)s %(message)s")


def outlive_full_disk(*, human: bool = False) -> None:
    """Have standard output and error of this process never raise; called once, before `configure`."""
    told = _told_plainly if human else _told_as_json
    sys.stdout, sys.stderr = steady(sys.stdout, told), steady(sys.stderr, told)


def dropped() -> int:
    """Lines of this process's log that could not be written, since it began."""
    if isinstance(sys.stderr, SteadyStream):
        return sys.stderr.dropped
    return 0
