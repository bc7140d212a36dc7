"""Calls that come in, as tests need them: from the trunk to the line's number, unless told otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ivr.calls.log import CallLog
from ivr.directory.model import NOBODY


def begin_call(calls: CallLog, call_id: str, *, at: datetime, **values: Any) -> None:
    """Begin a call; `values` are those of `CallLog.begin` that matter to the test."""
    usual: dict[str, Any] = {
        "linkedid": f"170.{call_id}",
        "channel": f"PJSIP/trunk-{call_id}",
        "desk": "omnivigil",
        "dialled": "18446664844",
        "ani": "14185550101",
        "endpoint": None,
        "identity": NOBODY,
    }
    calls.begin(call_id, at=at, **(usual | values))
