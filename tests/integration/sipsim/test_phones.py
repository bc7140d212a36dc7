"""Phones against a bare Asterisk."""

from __future__ import annotations

import wave

from sipsim.phones import PhoneFarm


def test_a_registered_phone_dials_presses_hears_and_is_hung_up_on(farm: PhoneFarm) -> None:
    call = farm.phone("6001", password="demo-6001").register().dial("101")
    call.wait_answered()
    call.press("7")
    ending = call.wait_ended()
    assert (ending.status, ending.by, ending.cause) == (200, "them", 16)
    with wave.open(str(call.recording)) as recording:
        assert recording.getframerate() == 8000
        assert recording.getnframes() > 4000
