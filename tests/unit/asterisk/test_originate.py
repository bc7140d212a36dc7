"""Calls that we make to our own phones."""

from __future__ import annotations

from ivr.asterisk.originate import ringing


def test_the_dialplan_rings_a_phone_and_its_time_ends_first() -> None:
    """A time that ended before the dialplan's would end a page before it can say why."""
    fields = ringing("7001", 20)
    assert fields.keys() == {"Channel", "Timeout", "Variable", "Codecs"}
    assert (fields["Channel"], fields["Timeout"], fields["Codecs"]) == ("Local/7001@called-by-us/n", "25000", "ulaw")
    assert fields["Variable"].endswith("=20")
