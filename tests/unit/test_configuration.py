"""Asterisk's configuration takes nothing that would change its meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ivr.asterisk.config import TEMPLATES, UnsafeConfiguration, _check
from ivr.asterisk.modules import MODULES
from ivr.asterisk.routing import DeskRouting, PhoneAccount, QueueConfig
from ivr.settings import Settings

DESK: dict[str, Any] = {
    "id": "omnivigil",
    "dialled": ("18446664844",),
    "service_codes": ("611",),
    "language": "fr",
    "operator": "support",
    "operator_queue": "support",
    "operator_wait_s": 60,
}
QUEUE: dict[str, Any] = {
    "id": "support",
    "strategy": "rrmemory",
    "ring_s": 20,
    "retry_s": 2,
    "wrapup_s": 10,
    "announce_s": 30,
    "keys": ("1", "9"),
}
PHONE: dict[str, Any] = {
    "name": "6001",
    "ha1": "0" * 32,
    "kind": "customer",
    "language": "fr",
    "display": "Julie",
    "caller_id": "1",
}


def check(desk: dict[str, Any] | None = None, phone: dict[str, Any] | None = None, trunk: str = "127.0.0.0/8") -> None:
    """Check a configuration that differs in one value."""
    _check(
        desks=[DeskRouting(**(DESK | (desk or {})))],
        queues=[
            QueueConfig(
                id="support", strategy="rrmemory", ring_s=20, retry_s=2, wrapup_s=10, announce_s=30, keys=("1", "9")
            )
        ],
        phones=[PhoneAccount(**(PHONE | (phone or {})))],
        trunk_hosts=[trunk],
    )


def test_ordinary_values_pass() -> None:
    """Accents in a name too."""
    check(phone={"display": "Éloïse Bélanger, poste 12"})


@pytest.mark.parametrize(
    "changes",
    [
        {"phone": {"name": "6001]\n[evil"}},
        {"phone": {"name": "a&PJSIP/outbound"}},
        {"phone": {"name": "a@outbound"}},
        {"phone": {"name": "trunk"}},
        {"phone": {"name": "Outbound"}},
        {"phone": {"name": ""}},
        {"phone": {"caller_id": "1;2"}},
        {"phone": {"ha1": "x\nmd5_cred=y"}},
        {"phone": {"display": 'x" <999>'}},
        {"phone": {"display": "x\ny"}},
        {"desk": {"id": "a,1,System(id)"}},
        {"desk": {"dialled": ("1 => 2",)}},
        {"desk": {"operator_queue": "${EXTEN}"}},
        {"trunk": "0.0.0.0/0\nmatch=1"},
    ],
)
def test_what_would_become_configuration_is_refused(changes: dict[str, Any]) -> None:
    """Brackets, line breaks, separators, expansions."""
    with pytest.raises(UnsafeConfiguration):
        check(**changes)


def _context(name: str) -> str:
    dialplan = (TEMPLATES / "extensions.conf.j2").read_text()
    found = re.search(rf"^\[{name}\]\n(.*?)^\[", dialplan, re.M | re.S)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("kind", ["customer", "department", "technician"])
def test_an_emergency_is_called_from_any_phone(kind: str) -> None:
    """Also from one whose account may call nobody outside, which has no context of its own above these."""
    assert "include => emergency\n" in _context(f"from-{kind}")


def test_no_call_that_comes_in_can_go_out_again() -> None:
    assert set(re.findall(r"include => (\S+)", _context("from-trunk"))) == {
        "own-numbers",
        "phone-numbers",
        "separated",
    }
    assert set(re.findall(r"Goto\((.*)\)$", _context("separated"), re.M)) == {"${CONTEXT},${FILTER(0-9,${EXTEN})},1"}


def test_no_phone_sends_a_call_elsewhere() -> None:
    """Dial's and Queue's `i`, everywhere; and no contact is dialled before it was looked at."""
    dialplan = (TEMPLATES / "extensions.conf.j2").read_text()
    for line in re.findall(r"^.*?,(Dial\(.*|Queue\(.*)", dialplan, re.M):
        options = line.split(",")[2 if line.startswith("Dial") else 1]
        assert "i" in re.sub(r"\(.*", "", options).replace("${OV_TOLD}", ""), line
        # What is offered first asks whom, and then is rung.
        looked = "b(rung^s^1)" in line or "b(offered^s^1)" in line
        sure = "@outbound" in line or looked or "Dial(${OV_RING}," in line
        assert sure, line
    rung = [line for line in dialplan.splitlines() if "Set(OV_RING=" in line and "Set(OV_RING=)" not in line]
    assert len(rung) == 3
    assert "OV_CONTACT" in rung[0]
    # One only counts an account's devices, for *57; the other is a department's telephone, by the desk's own number.
    assert "PJSIP_DIAL_CONTACTS" in rung[1]
    assert "Local/{{ number }}@{{ desk.id }}-outside/n" in rung[2]


def test_a_transfer_leads_to_names_and_to_no_pattern() -> None:
    """Not to customers' phones, and to nothing that includes anything else."""
    context = _context("transfer")
    assert "include" not in context
    assert re.findall(r"^exten => (.*?),", context, re.M) == ["{{ phone.name }}", "{{ name }}"]
    assert 'for phone in endpoints if phone.kind != "customer"' in context


def test_only_technicians_may_transfer() -> None:
    """Trunks never; whoever may not is answered at once, since the module that answers is loaded."""
    assert "res_pjsip_refer" in MODULES
    text = (TEMPLATES / "pjsip.conf.j2").read_text()
    assert text.count("allow_transfer = no") == text.count("type = endpoint") == 3
    [allowed] = re.findall(r"{% if (.*?) %}\nallow_transfer = yes\nset_var = TRANSFER_CONTEXT=transfer\n", text)
    assert allowed == 'phone.kind == "technician"'


def test_nobody_is_a_trunk_by_saying_so() -> None:
    """What a caller writes about itself names a phone at most, which must prove it: trunks are known by address."""
    sections = (TEMPLATES / "pjsip.conf.j2").read_text().split("\n[")
    trunks = [
        one
        for one in sections
        if one.startswith(("{{ carrier.name }}]\ntype = endpoint", "outbound]\ntype = endpoint"))
    ]
    assert len(trunks) == 2
    assert all("\nidentify_by = ip\n" in one for one in trunks)


def test_whoever_is_gone_leaves_the_queue_within_a_minute() -> None:
    """Trunks' callers and phones: neither RTP nor RTCP is heard of them. On hold they may be silent."""
    text = (TEMPLATES / "pjsip.conf.j2").read_text()
    assert 0 < Settings(state=Path()).rtp_timeout_s < 60
    assert text.count("rtp_timeout = {{ rtp_timeout_s }}") == text.count("type = endpoint") == 3
    assert text.count("rtp_timeout_hold = {{ rtp_timeout_s * 6 }}") == 3


def test_every_way_to_an_answer_is_limited() -> None:
    """Before a call is answered, or rings somebody, it is counted; emergencies are counted and never refused."""
    dialplan = (TEMPLATES / "extensions.conf.j2").read_text()
    emergency = re.search(r"^exten => emergency,1,(.*?)^exten", dialplan, re.M | re.S)
    assert emergency is not None
    assert "Hangup" not in emergency[1]
    assert "Goto" not in emergency[1]
    answered = re.findall(r"(.*)\n same => n,Answer\(\)", dialplan)
    assert sum("Gosub(admission," in line for line in answered) >= 5
    # No way out is told after the limits of [outside]; *57 names itself first; a call to our line is known first.
    assert not re.search(r"^exten => [^,]+,1,Answer\(\)", dialplan.replace("no-way,1,Answer()", ""), re.M)
