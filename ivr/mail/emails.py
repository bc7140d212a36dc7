"""What is written on account of e-mails that came in: to their senders, and to staff. Pure."""

from __future__ import annotations

from ivr.desk.schema import Desk
from ivr.mail.reasons import said
from ivr.notify.outbox import Email
from ivr.tickets.model import Ticket

_UNREADABLE = {
    "fr": (
        "{desk} : nous n’avons pas pu lire votre courriel",
        "Nous avons reçu votre courriel, mais notre système n’a pas pu le lire. Nous l’avons gardé, et notre équipe en "
        "est avisée.\n\nSi c’est urgent, appelez-nous au {phone}. Sinon, écrivez-nous de nouveau, en texte simple.",
    ),
    "en": (
        "{desk}: we could not read your e-mail",
        "We have received your e-mail, but our system could not read it. We have kept it, and our staff have been "
        "told.\n\nIf it is urgent, call us at {phone}. Otherwise, please write to us again, in plain text.",
    ),
}
_ENCRYPTED = {
    "fr": (
        "Billet {number} : votre message est chiffré",
        "Votre message est chiffré, et nous ne pouvons pas le lire. Veuillez l’envoyer de nouveau sans chiffrement, "
        "en réponse à ce courriel.",
    ),
    "en": (
        "Ticket {number}: your message is encrypted",
        "Your message is encrypted, and we cannot read it. Please send it again without encryption, as a reply to this "
        "e-mail.",
    ),
}
_TOLD = {
    "fr": {
        "unreadable": "Courriel illisible de {sender}",
        "refused": "Courriel refusé de {sender}",
        "held": "Échange automatique arrêté avec {sender}",
        "body": "À : {recipient}\nObjet : {subject}\nMotif : {reason}\n\n{mend}",
        "kept": "Il est gardé tel quel : page « Courriels » de la console.",
        "gone": "Il n’est pas gardé ; son serveur le lui a dit.",
        "joined": "Ses messages sont joints au billet {ticket}, sans réponse automatique.",
    },
    "en": {
        "unreadable": "E-mail from {sender} cannot be read",
        "refused": "E-mail from {sender} was refused",
        "held": "Automatic exchange with {sender} was stopped",
        "body": "To: {recipient}\nSubject: {subject}\nReason: {reason}\n\n{mend}",
        "kept": "It is kept as it came: page “E-mails” of the console.",
        "gone": "It is not kept; its sender’s server has said so.",
        "joined": "Their messages are joined to ticket {ticket}, without an automatic answer.",
    },
}


def unreadable_email(desk: Desk, to: str, phone: str) -> Email:
    """Asks somebody whose e-mail cannot be read to write again, in the desk's languages: theirs is not known."""
    spoken = [one for one in desk.languages if one in _UNREADABLE] or ["fr"]
    subjects = [_UNREADABLE[one][0].format(desk=desk.name) for one in spoken]
    bodies = [_UNREADABLE[one][1].format(phone=phone) for one in spoken]
    return Email(to=to, subject=subjects[0], body="\n\n–\n\n".join(bodies) + "\n", language=spoken[0])


def encrypted_email(ticket: Ticket, to: str) -> Email:
    """Asks for clear text, in the ticket's language."""
    language = ticket.language if ticket.language in _ENCRYPTED else "fr"
    subject, body = _ENCRYPTED[language]
    subject = subject.format(number=ticket.number)
    return Email(to=to, subject=subject, body=body + "\n", language=language, ticket_number=ticket.number)


def told_email(
    desk: Desk, outcome: str, *, sender: str, recipient: str, subject: str, reason: str, ticket: int | None = None
) -> Email:
    """Tells operations of an e-mail of which no ticket came by itself: `outcome` is unreadable, refused or held."""
    language = desk.languages[0] if desk.languages[0] in _TOLD else "fr"
    words = _TOLD[language]
    mend = words[{"refused": "gone", "held": "joined"}.get(outcome, "kept")].format(ticket=ticket)
    facts = {"recipient": recipient, "subject": subject or "–", "reason": said(reason, language), "mend": mend}
    return Email(
        to=desk.announcement.ops_email or desk.departments[desk.menu.operator].email,
        subject=words[outcome].format(sender=sender or "–"),
        body=words["body"].format(**facts) + "\n",
        language=language,
    )
