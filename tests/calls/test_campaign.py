"""A minute of the campaign that runs on every release (docs/reliability.md)."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.faults import run_campaign
from bench.faults_report import report


@pytest.mark.timeout(400)
async def test_a_line_that_is_hurt_loses_nothing() -> None:
    """Everybody is answered, everything acknowledged is kept once, and each call is on record.

    How soon is not asked here: this machine may be busy with other tests. Callbacks have tests of their own.
    """
    kinds = ["kill_service", "kill_asterisk", "db_locked_and_service_killed", "twilio_accept-drop"]
    said = io.StringIO()
    console = Console(file=said, width=200)
    outcome = await run_campaign(console, minutes=0.5, seed=1, only=kinds, silence_s=20, callbacks=False)
    report(outcome, console)
    assert outcome.faults, said.getvalue()
    assert outcome.counts["callers"] > 3
    assert outcome.violations == [], said.getvalue()
