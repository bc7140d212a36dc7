"""What is on the pages that are looked at: tickets, incidents, maintenance and reported calls, by the API."""

from __future__ import annotations

from tests.calls.line import Line

_TICKET = {
    "kind": "problem",
    "account_number": "C-1001",
    "account_name": "Clinique du Cap",
    "requester_name": "Julie Tremblay <b>gras</b>",
    "requester_phone": "418 555-0101",
    "requester_email": "julie@clinique.example",
    "service": "Téléphonie",
    "observed": "Les appels se coupent après une minute.\nDepuis lundi.",
    "priority": "haute",
    "level": 1,
}
_DOWN = {"fr": "Une panne touche la téléphonie à Québec.", "en": "Telephony is down in Quebec City."}
_LATE = {"fr": "Les messages vocaux arrivent en retard.", "en": "Voicemail arrives late."}
_OVER = {"fr": "Les messages arrivent de nouveau à temps.", "en": "Messages arrive in time again."}
_WRITTEN = {
    "fr": {"corrective": "Un second lien porte la messagerie.\n\nIl a été éprouvé."},
    "en": {"corrective": "A second link carries voicemail.\n\nIt was tested."},
}
_WORK = {
    "desk": "omnivigil",
    "kind": "planned",
    "services": ["messagerie"],
    "starts_at": "2026-12-05T01:00:00-05:00",
    "ends_at": "2026-12-05T04:00:00-05:00",
    "texts": {"fr": "La messagerie sera mise à jour.", "en": "Voicemail will be upgraded."},
}
#: Of a call on which a fifth of what the phone sent was lost, and that went by one trunk.
_FIGURES = {
    "near": {"codec": "PCMU", "rtt_ms": 30, "up": {"packets": 800, "lost": 200}, "down": {"packets": 1000, "lost": 0}},
    "far": {"codec": "PCMU", "up": {"packets": 1000, "lost": 0}, "down": {"packets": 800, "lost": 200}},
    "trunk": "bell",
}


def fill(line: Line) -> dict[str, str]:
    """The numbers of a ticket with a history, of an incident, of one that is over and reported on, of maintenance."""
    ticket = line.api("POST", "/v1/tickets", json=_TICKET)["number"]
    line.api("POST", "/v1/tickets", json=_TICKET | {"account_number": "C-1002", "account_name": "Eastern Outfitters"})
    line.api("PATCH", f"/v1/tickets/{ticket}", json={"status": "in-progress", "level": 2, "expected": "Rien ne coupe."})
    line.api("POST", f"/v1/tickets/{ticket}/answers", json={"text": "Bonjour,\n\nNous regardons cela."})
    line.api("PATCH", f"/v1/tickets/{ticket}", json={"priority": "urgente", "on_site": True, "impact": "several"})
    body = {"desk": "omnivigil", "stage": "confirmed"}
    down = line.api("POST", "/v1/incidents", json=body | {"texts": _DOWN, "services": ["telephonie"]})
    over = line.api(
        "POST", "/v1/incidents", json=body | {"texts": _LATE, "services": ["messagerie"], "impact": "minor"}
    )
    here = f"/v1/incidents/{over['id']}"
    line.api("POST", f"{here}/updates", json={"stage": "resolved", "texts": _OVER})
    line.api("PUT", f"{here}/report", json={"sections": _WRITTEN})
    line.api("POST", f"{here}/report/publish", json={})
    work = line.api("POST", "/v1/maintenances", json=_WORK)
    return {"ticket": ticket, "down": str(down["id"]), "over": str(over["id"]), "work": str(work["id"])}


def report_calls(line: Line) -> None:
    """Three that propose an incident; one of them is of a customer who left recommendations unanswered."""
    for device in ("6001", "6002", "6003"):
        body = {"call_id": f"{device}@switch", "device": device, "figures": _FIGURES, "other": "15145550199"}
        line.api("POST", "/v1/call-traces", json=body | {"direction": "out"})
