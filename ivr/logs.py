"""Structured logs: one JSON object a line, static messages, facts as keys, callers' numbers masked."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

#: Keys that hold a telephone number or an address of a person; only their ends are written (Law 25).
PERSONAL = frozenset({"ani", "number", "phone", "email", "caller", "to"})


def mask(value: str) -> str:
    """The last four characters, so that the person on call can match without reading the number."""
    return f"…{value[-4:]}" if len(value) > 4 else "…"


def _mask_personal(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in PERSONAL & event.keys():
        if event[key] is not None:
            event[key] = mask(str(event[key]))
    return event


def configure(*, human: bool = False) -> None:
    """Send this process's logs to standard error: JSON lines, or readable ones for a terminal."""
    renderer: Any = structlog.dev.ConsoleRenderer(colors=False) if human else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask_personal,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
