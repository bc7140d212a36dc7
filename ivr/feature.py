"""What a feature says of itself, for `ivr.line` to put together: plain records, no registry and no discovery."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

#: Makes the work of a part; called again for each start.
Run = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Work that runs beside the calls. `name` is what /healthz, the metrics and the log call it.

    The end of a vital part ends the service. Any other is started again with back-off, counted, and shown as degraded.
    """

    name: str
    run: Run
    vital: bool = False
