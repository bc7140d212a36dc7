"""What is pushed to the page at Statuspage (https://developer.statuspage.io). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ivr.incidents.model import Incident, Stage

#: A stage, as Statuspage calls it.
STAGES: Mapping[Stage, str] = {"investigating": "investigating", "confirmed": "identified", "resolved": "resolved"}


def pushed(one: Incident, language: str) -> dict[str, Any]:
    """Return what Statuspage's own API takes for an incident's last update, with our ids in its metadata."""
    last = one.updates[-1]
    return {
        "name": one.title[language],
        "status": STAGES[last.stage],
        "body": last.texts[language],
        "impact_override": one.impact,
        "metadata": {"omnivigil": {"incident": str(one.id), "update": str(last.id)}},
    }
