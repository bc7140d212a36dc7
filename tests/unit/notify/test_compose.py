"""A row of the outbox as an e-mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from ivr.notify.compose import NoAddress, compose, is_ours, message_id, thread_id, tickets_referred_to
from ivr.notify.outbox import recipients_of
from ivr.notify.store import Notice

AT = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
NOTICE = Notice(
    id=1,
    kind="email",
    recipient="julie@clinique.example",
    subject="Billet 100001 : « reçu »",
    body="Bonjour,\n\nVotre demande <b>est reçue</b>.\nMerci d’avoir écrit.\n",
    language="fr",
    ticket_number=100001,
    state="sending",
    created_at=AT,
    key="0a1b",
    attempts=1,
    next_at=AT,
    expires_at=AT,
    begun_at=AT,
    unknown_since=None,
    sent_at=None,
    provider_id=None,
    provider_status=None,
    error=None,
)


def made(notice: Notice = NOTICE, *, replies: bool = True, answered: str | None = None) -> EmailMessage:
    """As it arrives."""
    message = compose(
        notice,
        sender="support@omnivigil.example",
        sender_name="OMNIVIGIL",
        domain="omnivigil.example",
        replies=replies,
        answered=answered,
    )
    parsed = message_from_bytes(message.as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def text(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    content = part.get_content()
    assert isinstance(content, str)
    return content


def test_it_is_threaded_by_its_ticket_and_always_has_the_same_message_id() -> None:
    first, second = made(), made(replace(NOTICE, attempts=7, language="en"))
    assert first["Message-ID"] == second["Message-ID"] == "<100001.notice.0a1b@omnivigil.example>"
    assert first["In-Reply-To"] == first["References"] == thread_id(100001, "omnivigil.example")


def test_it_answers_what_its_recipient_last_wrote() -> None:
    message = made(answered="<abc@mail.example>")
    assert message["In-Reply-To"] == "<abc@mail.example>"
    assert message["References"].split() == ["<ticket.100001@omnivigil.example>", "<abc@mail.example>"]


@pytest.mark.parametrize("hostile", ["<a@b>\r\nBcc: all@example.com", "no brackets", "<a b@c>", "<" + "x" * 300 + ">"])
def test_a_message_id_from_outside_becomes_no_header(hostile: str) -> None:
    message = made(answered=hostile)
    assert message["Bcc"] is None
    assert message["In-Reply-To"] == thread_id(100001, "omnivigil.example")


def test_programs_are_told_not_to_answer() -> None:
    message = made()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"


def test_plain_and_html_say_the_same_and_html_is_escaped() -> None:
    message = made()
    assert message["Subject"] == NOTICE.subject
    assert "Votre demande <b>est reçue</b>." in text(message, "plain")
    html = text(message, "html")
    assert "Votre demande &lt;b&gt;est reçue&lt;/b&gt;.<br>" in html
    assert "Merci d’avoir écrit." in html
    assert '<html lang="fr">' in html


@pytest.mark.parametrize(
    ("language", "replies", "words"),
    [
        ("fr", True, "Pour continuer le billet 100001, répondez"),
        ("fr", False, "les réponses ne sont pas lues"),
        ("en", True, "To continue ticket 100001, reply"),
        ("en", False, "replies are not read"),
    ],
)
def test_both_languages_say_whether_an_answer_is_read(language: str, replies: bool, words: str) -> None:
    message = made(replace(NOTICE, language=language), replies=replies)
    assert message["Content-Language"] == language
    assert words in text(message, "plain")
    assert words in text(message, "html")


@pytest.mark.parametrize(
    "wrong", ["", "nobody", "a@", "@b.example", "a@b\r\nBcc: c@d.example", "a@b.example, c@d.example"]
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(NoAddress):
        made(replace(NOTICE, recipient=wrong))


def test_several_recipients_are_told_apart_and_once_each() -> None:
    several = 'Julie <julie@a.example>, "Roy, Annie" <annie@b.example>, julie@a.example'
    assert recipients_of(several) == ["julie@a.example", "annie@b.example"]


def test_tickets_are_found_again_in_references() -> None:
    domain = "omnivigil.example"
    references = (
        f"{thread_id(100001, domain)} <x@mail.example> {message_id(replace(NOTICE, ticket_number=100002), domain)}"
    )
    assert tickets_referred_to(references, domain) == [100002, 100001]
    assert tickets_referred_to(references, "other.example") == []
    assert is_ours(message_id(NOTICE, domain), "OMNIVIGIL.example")
    assert not is_ours("<x@omnivigil.example>", domain)
