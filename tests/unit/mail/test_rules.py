"""Which e-mails nothing may come of, and which tickets one is about."""

from __future__ import annotations

import pytest

from ivr.mail.parser import Mail
from ivr.mail.rules import automatic, tickets_meant

DOMAIN = "omnivigil.example"
OURS = frozenset({"support@omnivigil.example"})


def mail(**more: object) -> Mail:
    values: dict[str, object] = {
        "key": "k",
        "sender": "julie@clinique.example",
        "sender_name": "",
        "subject": "",
        "message_id": "<a@clinique.example>",
        "references": "",
        "body": "",
        "attachments": (),
        "marks": {},
        "hops": 3,
    }
    return Mail(**(values | more))  # type: ignore[arg-type]


def reason(one: Mail, return_path: str = "julie@clinique.example") -> str | None:
    found = automatic(one, return_path=return_path, domain=DOMAIN, ours=OURS)
    return found.reason if found is not None else None


def test_a_person_is_heard() -> None:
    assert reason(mail()) is None
    assert reason(mail(marks={"auto-submitted": "no", "precedence": "first-class"})) is None


@pytest.mark.parametrize(
    "more",
    [
        {"marks": {"auto-submitted": "auto-replied"}},
        {"marks": {"auto-submitted": "Auto-Generated; owner-email=x"}},
        {"marks": {"precedence": "Bulk"}},
        {"marks": {"precedence": "auto_reply"}},
        {"marks": {"precedence": "list"}},
        {"marks": {"list-id": "<x.y>"}},
        {"marks": {"x-autoreply": "yes"}},
        {"message_id": "<100001.notice.0a1b@omnivigil.example>"},
        {"sender": "support@omnivigil.example"},
        {"sender": "mailer-daemon@mx.example"},
        {"hops": 41},
    ],
)
def test_programs_lists_and_ourselves_are_not(more: dict[str, object]) -> None:
    assert reason(mail(**more))


@pytest.mark.parametrize("return_path", ["", "<>", "Support@Omnivigil.example"])
def test_nor_delivery_reports_and_what_we_sent(return_path: str) -> None:
    assert reason(mail(), return_path)


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        ("Re: Billet 100001 : reçu", [100001]),
        ("RE: ticket #100002", [100002]),
        ("billet n° 100003", [100003]),
        ("Billet : 100004", [100004]),
        ("[#100005] écho", [100005]),
        ("Ticket 100001 and ticket 100002", [100001, 100002]),
        ("Facture 100001", []),
        ("Billet 12345", []),
        ("Billet 1000010000", []),
        ("514 555-0199 100001", []),
    ],
)
def test_subjects_name_tickets(subject: str, numbers: list[int]) -> None:
    assert tickets_meant(mail(subject=subject), DOMAIN) == numbers


def test_references_come_before_the_subject() -> None:
    references = "<x@y> <ticket.100007@omnivigil.example> <ticket.100009@elsewhere.example>"
    assert tickets_meant(mail(subject="Billet 100001", references=references), DOMAIN) == [100007, 100001]
