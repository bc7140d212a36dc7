"""SIPp, and a witness, against a bare Asterisk."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sipsim.errors import LoadFailed, WitnessFailed
from sipsim.sipp import Load, run
from sipsim.witness import Witness

from tests.integration.sipsim.conftest import Bare


def _load(asterisk: Bare, **changes: object) -> Load:
    sipp = asterisk.runtime.command(asterisk.runtime.sipp)
    values: dict[str, object] = {
        "sipp": sipp,
        "server": asterisk.server,
        "number": "102",
        "calls": 4,
        "rate": 4.0,
        "limit": 4,
        "seconds": 20,
    }
    return Load(**{**values, **changes})  # type: ignore[arg-type]


def test_sipp_counts_its_calls(asterisk: Bare, tmp_path: Path) -> None:
    outcome = run(_load(asterisk), tmp_path)
    assert (outcome.calls, outcome.good, outcome.failed) == (4, 4, 0)
    assert 4 < outcome.seconds < 15


def test_sipp_presses_a_key(asterisk: Bare, witness: Witness, tmp_path: Path) -> None:
    """RFC 4733, as payload type 96."""
    began = time.monotonic()
    outcome = run(_load(asterisk, number="103", calls=1, digit="7"), tmp_path)
    assert outcome.calls == 1
    assert witness.wait_event("UserEvent", since=began, UserEvent="Key")["Key"] == "7"


def test_a_caller_may_have_a_name_in_no_encoding(asterisk: Bare, witness: Witness, tmp_path: Path) -> None:
    began = time.monotonic()
    display = os.fsdecode('"André" '.encode("latin-1"))
    assert run(_load(asterisk, calls=1, display=display), tmp_path).good == 1
    assert witness.wait_event("Newchannel", since=began)["CallerIDName"].startswith("Andr")


def test_sipp_counts_refused_calls(asterisk: Bare, tmp_path: Path) -> None:
    outcome = run(_load(asterisk, number="104", calls=2), tmp_path)
    assert (outcome.good, outcome.failed) == (0, 2)


def test_sipp_is_ended_when_its_time_is_over(asterisk: Bare, tmp_path: Path) -> None:
    outcome = run(_load(asterisk, calls=1000, rate=1.0, seconds=3), tmp_path)
    assert 1 <= outcome.calls < 10


def test_sipps_own_failure_is_said(asterisk: Bare, tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="nowhere"):
        run(_load(asterisk, scenario=Path("nowhere.xml")), tmp_path)


def test_a_witness_with_a_wrong_secret_is_refused(asterisk: Bare) -> None:
    with pytest.raises(WitnessFailed, match="Authentication failed"):
        Witness(asterisk.ami_port, secret="wrong")
