"""Caller IDs as they are sent, and SIPp's statistics as they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from sipsim.errors import LoadFailed
from sipsim.records import Caller
from sipsim.sipp import read_statistics


@pytest.mark.parametrize(
    ("caller", "uri"),
    [
        (Caller(number="4185550101"), "<sip:4185550101@127.0.0.1>"),
        (Caller(number="+14185550101", name="Été"), '"Été" <sip:+14185550101@127.0.0.1>'),
        (Caller(number="1", name='a "b" \\'), r'"a \"b\" \\" <sip:1@127.0.0.1>'),
        (Caller.anonymous(), '"Anonymous" <sip:anonymous@anonymous.invalid>'),
        (Caller.absent(), "<sip:127.0.0.1>"),
        (Caller(number="a b\r\n<>@é"), "<sip:a%20b%0D%0A%3C%3E%40%C3%A9@127.0.0.1>"),
    ],
)
def test_any_caller_id_becomes_a_well_formed_from_header(caller: Caller, uri: str) -> None:
    """RFC 3261 section 25.1, RFC 3323 section 4.1.1.3."""
    assert caller.uri() == uri


def test_the_last_line_of_sipps_statistics_counts(tmp_path: Path) -> None:
    path = tmp_path / "statistics.csv"
    path.write_text(
        "TotalCallCreated;ElapsedTime(C);SuccessfulCall(C);FailedCall(C);\n5;00:00:01;3;0;\n40;00:01:04:500000;38;2;\n"
    )
    outcome = read_statistics(path)
    assert (outcome.calls, outcome.good, outcome.failed, outcome.seconds) == (40, 38, 2, 64.5)
    assert outcome.rate == pytest.approx(0.62, abs=0.01)


@pytest.mark.parametrize("text", ["", "TotalCallCreated;\n", "TotalCallCreated;\nmany;\n"])
def test_statistics_that_say_nothing_are_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "statistics.csv"
    path.write_text(text)
    with pytest.raises(LoadFailed, match=r"statistics\.csv"):
        read_statistics(path)
