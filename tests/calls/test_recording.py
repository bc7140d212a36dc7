"""A desk that has calls recorded: both parties are told, and a reported call can be heard (OV-22)."""

from __future__ import annotations

import io
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from sipsim.phones import PhoneFarm
from sipsim.recognise import Recogniser
from sipsim.records import Answering

from ivr.desk.load import BUILT_IN
from tests.calls.conftest import registered
from tests.calls.line import OPEN, Line, prompts, running_line


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    desks = tmp_path / "desks"
    desks.mkdir()
    for file in BUILT_IN.glob("*.yaml"):
        text = file.read_text()
        (desks / file.name).write_text(
            text.replace("  within_min: 30\n", "  within_min: 30\n  audio: {keep_days: 7}\n")
        )
    with running_line(tmp_path / "line", now=OPEN, options=("--desks", str(desks))) as running:
        yield running


def test_both_are_told_and_a_reported_call_can_be_heard(line: Line, tmp_path: Path) -> None:
    known = Recogniser.load(Path(line.state) / "sounds")
    with PhoneFarm(tmp_path / "phones", server=line.address) as phones:
        called = registered(phones, "6002", Answering(how="answer", after_s=0.1))
        caller = registered(phones, "6001")
        call = caller.dial("6002")
        there = called.wait_ringing()
        call.wait_answered()
        time.sleep(9)
        call.hang_up()
        call.wait_ended()
        there.wait_ended()
        for recording in (call.recording, there.recording):
            assert prompts(known.recognise(recording)) == ["call-recorded"]
        report = caller.dial("*57")
        report.wait_ended(60)
        heard = prompts(known.recognise(report.recording))
        assert "trace-received" in heard
        assert "call-recorded" not in heard
    [trace] = line.api("GET", "/v1/call-traces")["items"]
    audio = line.api("GET", f"/v1/call-traces/{trace['id']}")["audio"]
    with wave.open(io.BytesIO(line.raw_api("GET", audio).content)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    assert 3 < seconds < 12
    [noted] = line.api("GET", "/v1/listenings")["items"]
    assert (noted["kind"], noted["subject"]) == ("call-trace", trace["id"])
