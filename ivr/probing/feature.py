"""The line's trials of itself as a feature."""

from __future__ import annotations

from ivr.asterisk.ami import RECONNECTED, Fields
from ivr.feature import Feature, Part
from ivr.probing.probes import Probes


def feature(probes: Probes) -> Feature:
    """Return whether a call can come in, and a row be written."""

    async def on_event(event: Fields) -> None:
        if event is RECONNECTED:
            probes.look_soon()

    parts = (Part(name="call-in probe", run=probes.call_in), Part(name="write probe", run=probes.writing))
    return Feature(name="probes", parts=parts, on_event=on_event)
