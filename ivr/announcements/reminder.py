"""The e-mail that asks whether an announcement still holds."""

from __future__ import annotations

from datetime import datetime

from ivr.announcements.model import Announcement
from ivr.desk.schema import Desk
from ivr.notify.outbox import Email

_WORDS = {
    "fr": {
        "subject": "{desk} : une annonce est en ondes depuis le {since:%Y-%m-%d à %H:%M}",
        "title": "Cette annonce est encore entendue par tous ceux qui appellent {desk}. Est-elle toujours vraie ?",
        "said": "Annonce : {text}",
        "recording": "(un enregistrement)",
        "since": "En ondes depuis : {since:%Y-%m-%d à %H:%M} ({zone})",
        "who": "Par : {who}",
        "mend": "Pour revenir à la normale : l’étoile 58 d’un poste de technicien, "
        "ou DELETE /v1/desks/{id}/announcement.",
    },
    "en": {
        "subject": "{desk}: an announcement has been on the air since {since:%Y-%m-%d at %H:%M}",
        "title": "Everybody who calls {desk} still hears this announcement. Does it still hold?",
        "said": "Announcement: {text}",
        "recording": "(a recording)",
        "since": "On the air since: {since:%Y-%m-%d at %H:%M} ({zone})",
        "who": "By: {who}",
        "mend": "To go back to normal: star 58 from a technician's phone, or DELETE /v1/desks/{id}/announcement.",
    },
}


def reminder(one: Announcement, desk: Desk) -> Email:
    """To whom the desk file names, else to the department where the human is; in the desk's first language."""
    language = desk.languages[0]
    words = _WORDS[language]
    facts = {
        "desk": desk.name,
        "id": desk.id,
        "text": one.texts.get(language, words["recording"]),
        "since": _local(one.starts_at, desk),
        "zone": desk.timezone,
        "who": one.created_by,
    }
    lines = [words["title"], "", *(words[name] for name in ("said", "since", "who")), "", words["mend"]]
    return Email(
        to=desk.announcement.ops_email or desk.departments[desk.menu.operator].email,
        subject=words["subject"].format(**facts),
        # The text is somebody's: it is filled in, and never read for more to fill in.
        body="\n".join(line.format(**facts) for line in lines) + "\n",
        language=language,
    )


def _local(moment: datetime, desk: Desk) -> datetime:
    return moment.astimezone(desk.zone)
