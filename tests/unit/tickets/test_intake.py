"""A request on its way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivr.directory.model import NOBODY, Contact, Customer, Identity
from ivr.tickets.intake import Intake, Notice, Requester, UnreadableIntake, VoiceMessage, requester_of
from ivr.tickets.message_email import message_email
from ivr.tickets.promise import Promise

NOW = datetime(2026, 12, 24, 21, 59, tzinfo=UTC)
NOTICE = Notice(
    recipient="ventes@omnivigil.com",
    desk_name="OMNIVIGIL",
    department_name="Ventes",
    language="fr",
    timezone="America/Toronto",
)
MESSAGE = VoiceMessage(file="omnivigil_ventes_1.wav", seconds=12.4, urgent=False, number="14185550101")


def intake(**values: object) -> Intake:
    given: dict[str, object] = {
        "key": "omnivigil_ventes_1",
        "at": NOW,
        "desk": "omnivigil",
        "department": "ventes",
        "language": "fr",
        "call_id": "a" * 32,
        "requester": Requester(),
        "message": MESSAGE,
        "notice": NOTICE,
    }
    return Intake(**(given | values))  # type: ignore[arg-type]


def test_ov7_the_department_reads_until_when_it_was_promised() -> None:
    promise = Promise(priority="normale", until=datetime(2026, 12, 28, 22, 0, tzinfo=UTC))
    assert (
        "À répondre au plus tard : 2026-12-28 à 17:00"
        in message_email(intake(promise=promise), MESSAGE, NOTICE, 100001).body
    )
    assert "au plus tard" not in message_email(intake(), MESSAGE, NOTICE, 100001).body


class TestRequester:
    def test_ov12_an_unknown_caller_has_a_number_and_nothing_else(self) -> None:
        assert requester_of(NOBODY, "14185559999") == Requester(phone="14185559999")

    def test_ov12_a_known_one_has_what_the_directory_says(self) -> None:
        customer = Customer(id=3, account="C-3", name="Clinique", address="1, rue A", phone="14185550101")
        contact = Contact(id=4, customer_id=3, name="Julie", kind="administrateur", email="j@example.com")
        found = requester_of(Identity(by="number", customer=customer, contact=contact), "14185550101")
        assert (found.name, found.email, found.phone) == ("Julie", "j@example.com", "14185550101")
        assert (found.account_number, found.account_name) == ("C-3", "Clinique")
        assert (found.customer_id, found.contact_id, found.identified_by) == (3, 4, "number")

    def test_ov12_a_shared_lines_caller_is_not_guessed(self) -> None:
        customer = Customer(id=3, account="C-3", name="Clinique")
        found = requester_of(Identity(by="number", customer=customer), "14185550101")
        assert (found.name, found.email, found.account_number) == (None, None, "C-3")


class TestOnDisk:
    def test_it_comes_back_as_it_was(self) -> None:
        one = intake(requester=Requester(name="Zoë « d’Arc »", phone=None))
        assert Intake.from_json(one.to_json()) == one

    @pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"key": 1}', b"\xff\xfe", b"null"])
    def test_what_is_not_one_is_told(self, broken: bytes) -> None:
        with pytest.raises(UnreadableIntake):
            Intake.from_json(broken)

    def test_the_reference_is_eight_digits_and_stays(self) -> None:
        assert intake().reference == intake(department="support").reference
        assert len(intake().reference) == 8
        assert intake().reference.isdigit()
        assert intake(key="other").reference != intake().reference


class TestEmail:
    def test_ov8_the_department_is_told_in_its_language_and_time(self) -> None:
        email = message_email(intake(), MESSAGE, NOTICE, 100001)
        assert email.to == "ventes@omnivigil.com"
        assert email.subject == "Billet 100001 : message vocal – Ventes"
        assert "Reçu le : 2026-12-24 à 16:59 (America/Toronto)" in email.body
        assert "Téléphone : 14185550101" in email.body
        assert "Nom : inconnu" in email.body

    def test_ov7_an_emergency_is_seen_in_the_subject(self) -> None:
        urgent = VoiceMessage(file="a.wav", seconds=3, urgent=True)
        assert message_email(intake(), urgent, NOTICE, 100001).subject.startswith("URGENT")

    def test_braces_in_a_name_are_only_braces(self) -> None:
        one = intake(requester=Requester(name="{number} {0} {x.__class__}"))
        assert "{x.__class__}" in message_email(one, MESSAGE, NOTICE, 100001).body
