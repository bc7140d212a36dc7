"""A phone that appears at a second place has all of its places asked; one that is alone is left in peace."""

from __future__ import annotations

from ivr.asterisk.dead_contacts import Devices


def told(devices: Devices, place: str, status: str, phone: str = "7001") -> str | None:
    return devices.enter({"event": "ContactStatus", "aor": phone, "uri": place, "contactstatus": status})


def test_a_second_place_has_all_asked() -> None:
    devices = Devices()
    assert told(devices, "sip:7001@192.0.2.1:5060", "NonQualified") is None
    assert told(devices, "sip:7001@192.0.2.1:5060", "Reachable") is None
    assert told(devices, "sip:7001@192.0.2.1:6060", "NonQualified") is None
    assert told(devices, "sip:7001@192.0.2.1:6060", "Reachable") == "7001"


def test_what_is_gone_counts_no_more() -> None:
    devices = Devices()
    told(devices, "sip:7001@192.0.2.1:5060", "Reachable")
    told(devices, "sip:7001@192.0.2.1:5060", "Removed")
    assert told(devices, "sip:7001@192.0.2.1:6060", "Reachable") is None
    assert told(devices, "sip:7002@192.0.2.1:6060", "Reachable", "7002") is None


def test_other_events_are_passed_over() -> None:
    assert Devices().enter({"event": "Hangup", "aor": "7001"}) is None
