"""For how long each table keeps personal data: a field of a desk file's `keep`, or why it has none of its own.

Who adds a table says it here; a test asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Tables whose rows, or what is personal in them, are erased so many days after.
ERASED: Mapping[str, str] = {
    "calls": "calls_days",
    "call_events": "calls_days",
    "call_legs": "calls_days",
    "callbacks": "calls_days",
    # As soon as no call of the number is known any more.
    "caller_languages": "calls_days",
    "messages": "messages_days",
    "emergencies": "messages_days",
    "page_calls": "messages_days",
    "tickets": "tickets_days",
    "ticket_events": "tickets_days",
    "solutions": "tickets_days",
    "incidents": "tickets_days",
    "call_traces": "traces_days",
    "call_trace_evidence": "traces_days",
    "recommendations": "traces_days",
    "incident_proposals": "traces_days",
    "outbox": "notices_days",
    "inbound_texts": "notices_days",
    "inbound_mails": "mails_days",
    "listenings": "listenings_days",
    "audit": "listenings_days",
}

#: Tables that keep personal data by a rule of their own.
OTHERWISE: Mapping[str, str] = {
    "incident_followers": "until a week after the incident is resolved; unconfirmed ones for a day",
    "spendings": "no addresses, only digests of them; for a day",
    "announcement_hearings": "until the announcement is over",
    "status_subscribers": "while they subscribe; unconfirmed ones for a day",
    "report_requests": "for three months after the report was sent; unconfirmed ones for a day",
    "sms_opt_outs": "for good: a refusal has to be honoured (CASL)",
    "partners": "the directory: while they are partners",
    "partner_contacts": "the directory: while they are partners",
    "customers": "the directory: while they are customers",
    "contacts": "the directory: while they are customers",
    "numbers": "the directory: while they are customers",
    "endpoints": "the directory: while they are customers",
    "technicians": "the directory: while they work here",
    "directory_changes": "the directory: the last some thousands",
    "provisionings": "no names but the phone's, for a day",
    "technician_pins": "while they work here",
    "oncall_overrides": "staff: who was on call",
    "oncall_events": "no names, only digests of a calendar's",
    "queue_roll": "staff: while they are logged in",
    "accounts": "staff: while the account is there",
    "account_recovery_codes": "staff: while the account is there",
    "account_sessions": "staff: while the account is there",
    "account_tries": "no names, only digests of them",
    "api_tokens": "staff: while the token is good",
    "announcements": "staff: who announced what",
    "maintenances": "staff: who announced what",
    "maintenance_events": "no names, only digests of a calendar's",
    "incident_updates": "staff: who announced what",
    "incident_reports": "staff: who wrote it",
}

#: Tables with nothing about a person.
NOTHING = frozenset(
    (
        *("callback_offers", "ticket_spans", "ticket_alarms", "incident_mailings", "maintenance_mailings"),
        *("webhook_endpoints", "write_probe"),
    )
)
