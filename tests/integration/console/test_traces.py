"""Reported calls on the console: the report in both languages, its capture, what staff decide (OV-25), proposals."""

from __future__ import annotations

import re

from ivr.evidence.legs import Device
from tests.integration.api.conftest import Line
from tests.integration.api.test_call_traces import ended_call
from tests.integration.console.conftest import Browsers


async def _reported(line: Line, number: int, phone: str = "6001") -> str:
    traces = line.services.traces
    ended_call(line, f"sip-{number}", linkedid=f"1.{number}", phone=phone)
    call = traces.ring.last_call(Device(phone=phone), 60)
    assert call is not None
    receipt = await traces.take_in(traces.intake(call, Device(phone=phone), report_id=str(number)))
    assert receipt.trace_id is not None
    return receipt.trace_id


async def test_the_report_and_what_it_links_to(browser: Browsers, line: Line) -> None:
    trace = await _reported(line, 1)
    for name, place in (("annie", "/console/traces"), ("boreal", "/console/portal/traces")):
        someone = await browser(name)
        here = f"{place}/{trace}"
        assert 'lang="fr"' in (await someone.get(f"{here}/report")).text
        assert 'lang="en"' in (await someone.get(f"{here}/report?lang=en")).text
        assert (await someone.get(f"{here}/capture.pcap")).content[:4] == b"\xd4\xc3\xb2\xa1"
    other = await browser("estrie")
    assert (await other.get(f"/console/portal/traces/{trace}/capture.pcap")).status_code == 404


async def test_ov25_staff_decide_on_what_may_be_ignored(browser: Browsers, line: Line) -> None:
    first = await _reported(line, 1)
    kept, ignored = await _reported(line, 2), await _reported(line, 3)
    annie = await browser("annie")
    page = (await annie.get("/console/traces")).text
    assert f"/console/traces/{kept}/decision" in page
    assert f"/console/traces/{first}/decision" not in page
    assert (await annie.post(f"/console/traces/{kept}/decision", state="kept")).status_code == 303
    assert (await annie.post(f"/console/traces/{ignored}/decision", state="ignored")).status_code == 303
    assert (await annie.post(f"/console/traces/{kept}/decision", state="ignored")).status_code == 422
    assert (await annie.post(f"/console/traces/{kept}/answer", text="Routeur remplacé.")).status_code == 303
    assert "/decision" not in (await annie.get("/console/traces")).text
    manager = (await (await browser("gestion")).get("/console/traces")).text
    assert "/decision" not in manager


async def test_incidents_that_reports_propose_are_seen_with_their_list(browser: Browsers, line: Line) -> None:
    reported = [await _reported(line, n, phone) for n, phone in enumerate(("6001", "6002", "6003"))]
    await line.services.traces.close()
    page = (await (await browser("ops")).get("/console/traces")).text
    assert "Incidents proposés" in page
    assert all(f"/console/traces/{one}/report" in page for one in reported)
    forms = re.findall(r'action="(/console/traces/proposals/\d+/dismissal)"', page)
    assert forms
    manager = await browser("gestion")
    assert "/dismissal" not in (await manager.get("/console/traces")).text
    assert (await manager.post(forms[0])).status_code == 403
    ops = await browser("ops")
    for form in forms:
        assert (await ops.post(form)).status_code == 303
    page = (await ops.get("/console/traces")).text
    assert "/dismissal" not in page
    assert page.count("écarté par") == len(forms)
