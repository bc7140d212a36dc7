"""What a feature says of itself, for `ivr.line` to put together: plain records, no registry and no discovery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

#: Makes the work of a part; called again for each start.
Run = Callable[[], Coroutine[Any, Any, Any]]
#: Enters one event of Asterisk's manager, whose fields have names in lower case.
OnEvent = Callable[[Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Work that runs beside the calls. `name` is what /healthz, the metrics and the log call it.

    The end of a vital part ends the service. Any other is started again with back-off, counted, and shown as degraded.
    """

    name: str
    run: Run
    vital: bool = False


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature of the line: its background parts, and what it does with an event of Asterisk's.

    Personal data and its retention are declared in the feature's `retention.py`.
    """

    name: str
    parts: tuple[Part, ...] = ()
    on_event: OnEvent | None = None
