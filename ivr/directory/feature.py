"""The directory as a feature of the line."""

from __future__ import annotations

from ivr.directory.live_update import TakingUp
from ivr.feature import Feature, Part


def feature(taking_up: TakingUp, *, live: bool) -> Feature:
    """Changes of the directory, taken to calls, and to Asterisk where its configuration is `live`."""
    parts = [Part(name="directory", run=taking_up.follow)]
    if live:
        parts.append(Part(name="directory at Asterisk", run=taking_up.to_asterisk))
    return Feature(name="directory", parts=tuple(parts))
